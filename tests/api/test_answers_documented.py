"""Whatever is asked, the answer is one the document names, in the form it names."""

from typing import Any

import pytest

from tests.api.client import DEFINITIONS, HELLO, PLAIN, PROCESSES, TASKS, Api, problem, publish, start

PATHS = (DEFINITIONS, PROCESSES, f"{PROCESSES}/bulk", "/api/v1/signals", TASKS, f"{PROCESSES}/prc_0000000000000")


async def test_options_names_the_methods_to_whoever_has_a_key(api: Api) -> None:
    client = await api.client(rights=["tasks:act"])
    for path in PATHS:
        response = await client.options(path)
        assert (response.status_code, response.content) == (204, b"")
        assert "OPTIONS" in response.headers["allow"]
    problem(await (await api.stranger()).options(PROCESSES), 401, "unauthenticated")


@pytest.mark.parametrize("method", ["FOO", "TRACE", "PROPFIND", "PUT", "PATCH", "DELETE"])
async def test_a_method_nobody_knows_is_a_problem_with_the_methods_that_are_known(api: Api, method: str) -> None:
    client = await api.client()
    for path in PATHS:
        response = await client.request(method, path)
        problem(response, 405, "method_not_allowed")
        assert "OPTIONS" in response.headers["allow"]


BAD = {
    "cursor": ("x", "prc_zzzzzzzzzzzzz", "9" * 20),
    "limit": ("0", "x", "99999999999999999999"),
    "offset": ("-1", "10001", "x", ""),
    "created_after": ("x", "2026-01-01T00:00:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00%2B23:59", "1e999"),
    "ended_after": ("x", "9999-12-31T23:59:59-23:59"),
    "ended_before": ("x", "2026-01-01T00:00:00"),
    "label": ("", "a", "a:", ":", "%00"),
    "quarantined": ("maybe", ""),
    "error_code": ("x" * 201,),
    "failed_step": ("x" * 201,),
    "created_before": ("9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00%2B00:01"),
    "count": ("maybe",),
    "status": ("foo",),
    "enabled": ("maybe",),
    "version": ("0", "2147483648"),
    "payloads": ("2",),
    "process": ("x", "prc_!"),
    "nonsense": ("1",),
}


async def test_a_bad_parameter_is_always_a_400_and_every_answer_is_documented(api: Api) -> None:
    client = await api.client()
    await publish(client, HELLO)
    process = await start(client, "hello", {"n": 1})
    definition = (await client.get(DEFINITIONS)).json()["items"][0]["id"]
    paths: dict[str, Any] = (await client.get("/openapi.json")).json()["paths"]
    asked = 0
    for template, operations in paths.items():
        if "get" not in operations:
            continue
        path = template.format(process_id=process, execution_id=process, definition_id=definition, task="tsk_1")
        known = {p["name"] for p in operations["get"].get("parameters", ())}
        for name, values in BAD.items():
            for value in values if name in known or name == "nonsense" else ():
                response = await client.get(f"{path}?{name}={value}")
                problem(response, 400, "invalid_parameter", f"/{name}")
                assert "400" in operations["get"]["responses"], template
                asked += 1
    assert asked > 40


async def test_the_first_and_the_last_moment_there_is_are_taken(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    made = await start(client, "plain", {})
    for query in (
        "created_after=0001-01-01T00:00:00Z",
        "created_before=9999-12-31T23:59:59Z",
        "created_after=0001-01-01T23:59:00%2B23:59&created_before=9999-12-31T00:00:00-23:59",
    ):
        assert [p["id"] for p in (await client.get(f"{PROCESSES}?{query}&count=true")).json()["items"]] == [made]


UNSEEN = ("\x01", "\n", "\x7f", "\x9b", "\u2028", "\u202e", "\u2066")


async def test_names_with_characters_nobody_sees_are_not_published(api: Api) -> None:
    client = await api.client()
    for char in UNSEEN:
        bad = f"a{char}b"
        manual = {"id": "m", "type": "manual", "config": {"title": bad}}
        wait = {"id": "w", "type": "wait", "config": {"signal": bad}}
        for document, pointer in (
            ({**PLAIN, "name": bad}, "/name"),
            ({**PLAIN, "steps": [{**PLAIN["steps"][0], "name": bad}]}, "/steps/0/name"),
            ({**PLAIN, "steps": [manual]}, "/steps/0/config/title"),
            ({**PLAIN, "steps": [wait]}, "/steps/0/config/signal"),
        ):
            found = problem(await client.post(DEFINITIONS, json=document), 422, "invalid_definition", pointer)
            assert [(f["pointer"], f["code"]) for f in found["findings"]] == [(pointer, "wrong_form")]
    await publish(client, {**PLAIN, "name": "Größe 数 👩‍🚀 שלום"})


async def test_a_business_key_with_characters_nobody_sees_is_refused(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    for char in UNSEEN:
        body = {"definition": "plain", "business_key": f"a{char}b"}
        problem(await client.post(PROCESSES, json=body), 422, "invalid_input", "/business_key")
    await start(client, "plain", {}, business_key="Ä-1 / 数")


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://${secrets.TOKEN}/", True),
        ("https://api.${ secrets.TOKEN }.example.com/x", True),
        ("https://example.com:${secrets.PORT}/x", True),
        ("${secrets.BASE}", True),
        ("${secrets.BASE}/x", True),
        ("${input.scheme}://${secrets.HOST}/x", True),
        ('http://${secrets["TOKEN"]}/', True),
        ("https://example.com/${secrets.TOKEN}", False),
        ("https://example.com?key=${secrets.TOKEN}", False),
        ("${input.base}/hooks/${secrets.TOKEN}", False),
        ("https://S.example.com/${input.x}", False),
    ],
)
async def test_a_secret_stands_nowhere_before_the_path_of_an_address(api: Api, url: str, refused: bool) -> None:
    client = await api.client()
    document = {"name": "call", "steps": [{"id": "c", "type": "http", "config": {"url": url}}]}
    response = await client.post(DEFINITIONS, json=document)
    if refused:
        found = problem(response, 422, "invalid_definition", "/steps/0/config/url")
        assert "url_invalid" in {f["code"] for f in found["findings"]}
        assert "secret" in found["detail"]
    else:
        assert response.status_code == 201, response.text
