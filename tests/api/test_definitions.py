import copy
import json
from typing import Any

import yaml

from tests.api.client import DEFINITIONS, HELLO, PLAIN, Api, problem, publish


async def test_publishing_answers_with_the_definition_and_where_it_is(api: Api) -> None:
    client = await api.client()
    response = await client.post(DEFINITIONS, json=HELLO)
    assert response.status_code == 201
    made = response.json()
    assert response.headers["location"] == f"{DEFINITIONS}/{made['id']}"
    assert made["id"].startswith("wf_")
    assert (made["name"], made["version"], made["status"], made["enabled"]) == ("hello", 1, "published", True)
    assert (made["tenant_id"], made["environment_id"]) == ("acme", "prod")
    assert made["created_at"] == made["updated_at"]
    assert made["created_by"].startswith("tester (key_")
    read = await client.get(response.headers["location"])
    assert read.status_code == 200
    assert read.json() == made
    assert read.json()["document"] == HELLO


async def test_the_same_name_publishes_the_next_version_and_keeps_the_old_one(api: Api) -> None:
    client = await api.client()
    first = await publish(client, PLAIN)
    second = await publish(client, {**PLAIN, "description": "again"})
    assert (second["id"], second["version"]) == (first["id"], 2)
    old = (await client.get(f"{DEFINITIONS}/{first['id']}", params={"version": 1})).json()
    assert (old["version"], old["document"]) == (1, PLAIN)
    problem(await client.get(f"{DEFINITIONS}/{first['id']}", params={"version": 3}), 404, "not_found")


async def test_yaml_is_the_same_document(api: Api) -> None:
    client = await api.client()
    response = await client.post(
        DEFINITIONS, content=yaml.safe_dump(HELLO), headers={"Content-Type": "application/yaml; charset=utf-8"}
    )
    assert response.status_code == 201, response.text
    assert response.json()["document"] == HELLO


async def test_a_document_may_say_of_itself_what_is_true_and_nothing_else(api: Api) -> None:
    client = await api.client()
    made = await publish(client, PLAIN)
    told = {
        **PLAIN,
        "id": made["id"],
        "tenant_id": "acme",
        "environment_id": "prod",
        "version": 2,
        "status": "published",
        "created_at": made["created_at"],
    }
    assert (await publish(client, told))["document"] == PLAIN
    before = api.written()
    for name, lie in {
        "id": "wf_0000000000000",
        "tenant_id": "globex",
        "environment_id": "dev",
        "version": 2,
        "status": "draft",
        "created_at": "2020-01-01T00:00:00Z",
    }.items():
        response = await client.post(DEFINITIONS, json={**PLAIN, name: lie})
        problem(response, 422, "declared_mismatch", f"/{name}")
    assert api.written() == before


async def test_the_list_is_cut_into_pages_and_filtered(api: Api) -> None:
    client = await api.client()
    for number in range(5):
        await publish(client, {**PLAIN, "name": f"d{number}", "enabled": number != 3})
    seen: list[str] = []
    parameters: dict[str, str | int] = {"limit": 2}
    while True:
        page = (await client.get(DEFINITIONS, params=parameters)).json()
        assert all("document" not in item for item in page["items"])
        seen += [item["name"] for item in page["items"]]
        if "next_cursor" not in page:
            break
        parameters["cursor"] = page["next_cursor"]
    assert seen == ["d4", "d3", "d2", "d1", "d0"]
    assert [d["name"] for d in (await client.get(DEFINITIONS, params={"name": "d2"})).json()["items"]] == ["d2"]
    off = (await client.get(DEFINITIONS, params={"enabled": "false"})).json()["items"]
    assert [d["name"] for d in off] == ["d3"]


def _with(**changes: object) -> dict[str, object]:
    return {**copy.deepcopy(PLAIN), **changes}


STEP = PLAIN["steps"][0]
BAD: dict[str, tuple[Any, str]] = {
    "cycle": (
        _with(steps=[{**STEP, "id": "a", "depends_on": ["b"]}, {**STEP, "id": "b", "depends_on": ["a"]}]),
        "/steps",
    ),
    "unknown id": (_with(steps=[{**STEP, "depends_on": ["nobody"]}]), "/steps/0/depends_on/0"),
    "unknown type": (_with(steps=[{**STEP, "type": "teleport"}]), "/steps/0/type"),
    "unknown field": (_with(stpes=[]), "/stpes"),
    "no steps": (_with(steps=[]), "/steps"),
    "steps of the wrong type": (_with(steps="a"), "/steps"),
    "name of the wrong type": (_with(name=7), "/name"),
    "null": (None, ""),
    "a list": ([], ""),
    "hostile schema": (_with(input_schema={"$ref": "https://example.org/x"}), "/input_schema"),
}


async def test_a_bad_definition_is_refused_with_every_finding_and_writes_nothing(api: Api) -> None:
    client = await api.client()
    before = api.written()
    headers = {"Content-Type": "application/json"}
    for document, pointer in BAD.values():
        response = await client.post(DEFINITIONS, content=json.dumps(document), headers=headers)
        body = problem(response, 422, "invalid_definition")
        assert body["findings"][0]["message"]
        assert body["findings"][0]["pointer"].startswith(pointer)
    assert api.written() == before


YAMLS = {
    "not yaml": "name: [",
    "a tab": "name:\n\t- x",
    "two documents": "name: a\n---\nname: b",
    "python object": "name: !!python/object/apply:os.system ['true']",
    "a date as a tag": "name: !!timestamp 2020-01-01",
    "deep flow": "[" * 10_000,
    "deep blocks": "\n".join(" " * n + "-" for n in range(200)),
    "an unhashable key": "? [a]\n: b",
    "a recursive alias": "&a [*a]",
    "laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "\n".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]" for n in range(20)),
    "merging laughs": "a: &a {k: v}\n"
    + "\n".join(f"{chr(98 + n)}: &{chr(98 + n)}\n  <<: [{','.join(['*' + chr(97 + n)] * 2)}]" for n in range(24)),
    "merging laughs by tag": "a: &a {k: v}\n"
    + "\n".join(
        f"{chr(98 + n)}: &{chr(98 + n)}\n  ? !!merge x\n  : [{','.join(['*' + chr(97 + n)] * 2)}]" for n in range(24)
    ),
    "nan": "name: .nan",
    "a huge number": "name: 1e999",
    "nul": 'name: "\\0"',
}


async def test_hostile_yaml_is_refused(api: Api) -> None:
    client = await api.client()
    before = api.written()
    for case, text in YAMLS.items():
        response = await client.post(DEFINITIONS, content=text, headers={"Content-Type": "application/yaml"})
        assert response.status_code in (400, 413, 422), (case, response.text)
        problem(response, response.status_code, response.json()["code"])
    assert api.written() == before


async def test_yaml_says_no_more_than_json(api: Api) -> None:
    client = await api.client()
    text = "name: plain\nmetadata: {country: NO, day: 2020-01-01, on: yes, n: 012, big: 1e3, none: ~, empty: }\n"
    text += "steps: [{id: only, type: transform, config: {mapping: {x: 1}}}]"
    response = await client.post(DEFINITIONS, content=text, headers={"Content-Type": "text/yaml"})
    assert response.status_code == 201, response.text
    assert response.json()["document"]["metadata"] == {
        "country": "NO",
        "day": "2020-01-01",
        "on": "yes",
        "n": "012",
        "big": 1000,
        "none": None,
        "empty": None,
    }


async def test_yaml_is_for_definitions_only(api: Api) -> None:
    client = await api.client()
    response = await client.post(
        "/api/v1/processes", content="definition: plain", headers={"Content-Type": "application/yaml"}
    )
    problem(response, 415, "unsupported_media_type")


async def test_a_document_beyond_its_limits_is_refused(api: Api) -> None:
    client = await api.client()
    big = json.dumps({**PLAIN, "metadata": "x" * 2_000_000})
    response = await client.post(DEFINITIONS, content=big, headers={"Content-Type": "application/json"})
    assert response.status_code in (413, 422)
