"""Every hostile body meets every route that takes one: the right status, nothing written, never a 500."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.api.client import DEFINITIONS, HELLO, PROCESSES, SIGNALS, TASKS, Api, problem, publish, start

TASK = "tsk_000000000000000000"
ROUTES = {
    DEFINITIONS: {"name": "x", "steps": [], "metadata": "%"},
    PROCESSES: {"definition": "hello", "input": "%"},
    f"{PROCESSES}/bulk": {"definition": "hello", "inputs": ["%"]},
    SIGNALS: {"name": "paid", "data": "%"},
    f"{TASKS}/{TASK}/complete": {"by": "Ann", "data": "%"},
}
JSON = {"Content-Type": "application/json"}

# Put in place of "%": what JSON may hold but PostgreSQL, or nobody, may.
VALUES = {
    "10,000 deep lists": b"[" * 10_000 + b"]" * 10_000,
    "10,000 deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "100 deep": b"[" * 100 + b"]" * 100,
    "unclosed": b"[" * 10_000,
    "invalid UTF-8": b'"\xff\xfe"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "UTF-8 of a surrogate": b'"\xed\xa0\x80"',
    "lone high surrogate": b'"\\ud800"',
    "lone low surrogate": b'"\\udc00"',
    "surrogate key": b'{"\\ud800": 1}',
    "NUL": b'"a\\u0000b"',
    "NUL key": b'{"a\\u0000": 1}',
    "raw NUL": b'"a\x00b"',
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "1e400": b"1e400",
    "an integer of 5,000 digits": b"9" * 5_000,
    "an integer of 400 digits": b"9" * 400,
    "10 MB text": b'"' + b"x" * 10_000_000 + b'"',
    "10 MB of numbers": b"[" + b"1," * 5_000_000 + b"1]",
    "cut": b'{"a": ',
    "single quotes": b"'a'",
    "comment": b"1 /* one */",
    "trailing comma": b"[1,]",
}


@pytest.fixture
async def hello(api: Api) -> Api:
    await publish(await api.client(), {k: v for k, v in HELLO.items() if k != "input_schema"})
    return api


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: r.rpartition("/")[2])
async def test_no_value_is_too_hostile(hello: Api, route: str) -> None:
    client = await hello.client()
    before = hello.written()
    for name, value in VALUES.items():
        body = json.dumps(ROUTES[route]).encode().replace(b'"%"', value)
        response = await client.post(route, content=body, headers=JSON)
        assert response.status_code in (400, 413, 422), (name, response.text)
        problem(response, response.status_code, response.json()["code"])
        assert len(response.content) < 20_000
    assert hello.written() == before


BODIES = {
    "nothing": (b"", 400),
    "blank": (b"  ", 400),
    "a byte-order mark": (b"\xef\xbb\xbf{}", 400),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), 400),
    "two values": (b"{} {}", 400),
    "null": (b"null", 422),
    "a list": (b"[]", 422),
    "a text": (b'"x"', 422),
    "a number": (b"1", 422),
    "an unknown field": (b'{"unknown": 1}', 422),
}


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: r.rpartition("/")[2])
async def test_no_body_is_too_strange(hello: Api, route: str) -> None:
    client = await hello.client()
    before = hello.written()
    for name, (body, status) in BODIES.items():
        response = await client.post(route, content=body, headers=JSON)
        assert response.status_code == status, (name, response.text)
        problem(response, status, response.json()["code"])
    assert hello.written() == before


WRONG = [
    (PROCESSES, {"definition": 1}, "/definition"),
    (PROCESSES, {"definition": ""}, "/definition"),
    (PROCESSES, {"definition": "x" * 201}, "/definition"),
    (PROCESSES, {}, "/definition"),
    (PROCESSES, {"definition": "hello", "priority": "high"}, "/priority"),
    (PROCESSES, {"definition": "hello", "priority": 101}, "/priority"),
    (PROCESSES, {"definition": "hello", "priority": 1.5}, "/priority"),
    (PROCESSES, {"definition": "hello", "version": 0}, "/version"),
    (PROCESSES, {"definition": "hello", "version": 10**10}, "/version"),
    (PROCESSES, {"definition": "hello", "business_key": ""}, "/business_key"),
    (PROCESSES, {"definition": "hello", "business_key": ["a"]}, "/business_key"),
    (PROCESSES, {"definition": "hello", "inputs": []}, "/inputs"),
    (f"{PROCESSES}/bulk", {"definition": "hello", "inputs": {}}, "/inputs"),
    (f"{PROCESSES}/bulk", {"definition": "hello"}, "/inputs"),
    (SIGNALS, {"name": "x", "ttl_seconds": 0}, "/ttl_seconds"),
    (SIGNALS, {"name": "x", "correlation_key": 5}, "/correlation_key"),
    (SIGNALS, {"data": {}}, "/name"),
    (f"{TASKS}/{TASK}/complete", {"data": {}}, "/by"),
    (f"{TASKS}/{TASK}/reject", {"by": "Ann"}, "/reason"),
    (f"{PROCESSES}/prc_0000000000000/cancel", {"reason": 5}, "/reason"),
    (f"{PROCESSES}/prc_0000000000000/cancel", {"why": "x"}, "/why"),
]


async def test_a_field_of_the_wrong_kind_is_pointed_at(hello: Api) -> None:
    client = await hello.client()
    before = hello.written()
    for route, body, pointer in WRONG:
        problem(await client.post(route, json=body), 422, "invalid_input", pointer)
    assert hello.written() == before


async def test_no_text_field_is_a_way_round_the_seam(hello: Api) -> None:
    client = await hello.client()
    before = hello.written()
    fields = [
        (PROCESSES, {"definition": "hello"}, ("definition", "business_key", "by", "reason")),
        (SIGNALS, {"name": "paid"}, ("name", "correlation_key", "id")),
        (f"{TASKS}/{TASK}/reject", {"by": "Ann", "reason": "no"}, ("by", "reason")),
    ]
    for route, body, names in fields:
        for name in names:
            response = await client.post(route, json={**body, name: "a\0b"})
            problem(response, 422, "nul_character", f"/{name}")
    assert hello.written() == before


async def test_a_value_deep_inside_is_pointed_at(hello: Api) -> None:
    client = await hello.client()
    body = b'{"definition": "hello", "input": {"a/b": [1, {"c~": "\\u0000"}]}}'
    response = await client.post(PROCESSES, content=body, headers=JSON)
    problem(response, 422, "nul_character", "/input/a~1b/1/c~0")
    deep = b'{"definition": "hello", "input": ' + b"[" * 65 + b"]" * 65 + b"}"
    response = await client.post(PROCESSES, content=deep, headers=JSON)
    problem(response, 422, "too_deep", "/input" + "/0" * 64)


async def test_values_just_inside_their_limits_are_taken(hello: Api) -> None:
    client = await hello.client()
    deep: object = 1
    for _ in range(63):
        deep = [deep]
    for value in ("x" * ((1 << 20) - 2), deep, {"": 1, "ü": "𐀀"}, 10**300, -0.0, 1e15):
        await start(client, "hello", value)
    response = await client.post(PROCESSES, json={"definition": "hello", "input": "x" * (1 << 20)})
    problem(response, 413, "too_large", "/input")


async def test_brackets_in_texts_are_not_depth(hello: Api) -> None:
    await start(await hello.client(), "hello", {"text": "[" * 1000 + '\\"' + "{" * 1000})


async def test_a_request_over_16_mib_is_refused_with_and_without_a_length(hello: Api) -> None:
    client = await hello.client()
    body = b'{"definition": "hello", "input": "' + b"x" * (17 << 20) + b'"}'
    problem(await client.post(PROCESSES, content=body, headers=JSON), 413, "too_large")
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1 << 20
            yield b" " * (1 << 20)

    problem(await client.post(PROCESSES, content=chunks(), headers=JSON), 413, "too_large")
    assert sent <= 18 << 20  # nobody went on reading


async def test_other_media_types_are_refused(hello: Api) -> None:
    client = await hello.client()
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ):
        for route in (PROCESSES, DEFINITIONS):
            problem(await client.post(route, content=b"{}", headers=headers), 415, "unsupported_media_type")


async def test_unknown_paths_and_methods_are_problems_too(api: Api) -> None:
    client = await api.client()
    problem(await client.get("/api/v1"), 404, "not_found")
    problem(await client.get("/api/v1/nowhere"), 404, "not_found")
    response = await client.delete(PROCESSES)
    problem(response, 405, "method_not_allowed")
    assert "POST" in response.headers["allow"]


@pytest.mark.parametrize(
    ("body", "advice"),
    [
        ({"definitio": "x"}, "Did you mean 'definition'?"),
        ({"definition": "x", "zzz": 1}, "Known are: definition, input, version,"),
    ],
)
async def test_an_unknown_field_is_told_with_the_nearest_known_one(
    api: Api, body: dict[str, object], advice: str
) -> None:
    client = await api.client()
    told = problem(await client.post(PROCESSES, json=body), 422, "invalid_input")
    assert told["advice"].startswith(advice)


async def test_a_field_that_an_optional_body_does_not_know_is_told_alike(api: Api) -> None:
    client = await api.client()
    told = problem(
        await client.post(f"{PROCESSES}/prc_0000000000000/cancel", json={"reson": "x"}), 422, "invalid_input"
    )
    assert told["advice"] == "Did you mean 'reason'?"
