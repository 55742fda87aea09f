"""What a definition can be made of, and whether a document is one."""

import copy
import json
from typing import Any

import yaml

from api.step_types import ABOUT
from engine.core.compile import compile_definition
from engine.core.definition import parse_definition
from engine.core.document import CONFIGS, DEFINITION_SCHEMA
from engine.core.schemas import Validator
from tests.api.client import DEFINITIONS, HELLO, PLAIN, Api, problem, publish

STEP_TYPES = "/api/v1/step-types"
VALIDATE = f"{DEFINITIONS}/validate"
SCHEMA = f"{DEFINITIONS}/schema"

SMALLEST: dict[str, dict[str, Any]] = {
    "http": {"url": "https://example.com"},
    "event": {"name": "done"},
    "wait": {"seconds": 1},
    "decision": {"branches": []},
    "transform": {"mapping": {}},
    "manual": {"title": "Look"},
    "noop": {},
}


async def test_every_type_of_step_is_listed_with_a_schema_that_takes_its_smallest_config(api: Api) -> None:
    client = await api.client(rights=["workflows:read"])
    items = (await client.get(STEP_TYPES)).json()["items"]
    assert [item["type"] for item in items] == list(CONFIGS) == list(SMALLEST)
    for item in items:
        assert item["description"]
        Validator(item["config_schema"]).check(SMALLEST[item["type"]])
        assert item["config_schema"] == json.loads(json.dumps(CONFIGS[item["type"]].schema()))


def test_effectful_is_what_the_engine_has_a_worker_do() -> None:
    for name, config in SMALLEST.items():
        plan = compile_definition(
            parse_definition({"name": "x", "steps": [{"id": "a", "type": name, "config": config}]})
        )
        assert plan.steps["a"].effectful == ABOUT[name][1], name


async def test_the_schema_of_definitions_is_the_one_that_is_published_with_the_program(api: Api) -> None:
    client = await api.client(rights=["workflows:read"])
    response = await client.get(SCHEMA)
    assert response.headers["content-type"] == "application/json"
    assert response.json() == json.loads(json.dumps(DEFINITION_SCHEMA))


async def test_a_document_is_checked_as_publishing_would_and_nothing_is_written(api: Api) -> None:
    client = await api.client(rights=["workflows:read"])
    before = api.written()
    good = await client.post(VALIDATE, json=HELLO)
    assert (good.status_code, good.json()) == (
        200,
        {"valid": True, "findings": [], "name": "hello", "steps": ["greet", "check"]},
    )
    bad = {**copy.deepcopy(PLAIN), "stpes": [], "timeout_seconds": -1}
    answer = (await client.post(VALIDATE, json=bad)).json()
    boss = await api.client()
    refused = problem(await boss.post(DEFINITIONS, json=bad), 422, "invalid_definition")
    assert answer == {"valid": False, "findings": refused["findings"]}
    assert {f["pointer"] for f in answer["findings"]} == {"/stpes", "/timeout_seconds"}
    documents: tuple[Any, ...] = (None, [], {}, "x", {**PLAIN, "name": "a\x01b"})
    for document in documents:
        response = await client.post(
            VALIDATE, content=json.dumps(document), headers={"Content-Type": "application/json"}
        )
        assert response.json()["valid"] is False
        assert response.json()["findings"]
    assert api.written() == before


async def test_a_document_to_check_may_be_yaml_and_one_that_cannot_be_read_is_refused_as_elsewhere(api: Api) -> None:
    client = await api.client(rights=["workflows:read"])
    headers = {"Content-Type": "application/yaml"}
    assert (await client.post(VALIDATE, content=yaml.safe_dump(HELLO), headers=headers)).json()["valid"] is True
    problem(await client.post(VALIDATE, content="name: [", headers=headers), 400, "unreadable_body")
    for body in (b"", b"{", b"[" * 10_000, b'"\xff"'):
        response = await client.post(VALIDATE, content=body, headers={"Content-Type": "application/json"})
        problem(response, 400, "unreadable_body")
    problem(
        await client.post(VALIDATE, content="x", headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type"
    )
    problem(await client.post(VALIDATE, json={"name": "a\0b"}), 422, "nul_character", "/name")


async def test_these_paths_are_no_definitions_and_no_definition_hides_them(api: Api) -> None:
    client = await api.client()
    for name in ("validate", "schema"):
        await publish(client, {**PLAIN, "name": name})
    assert "properties" in (await client.get(SCHEMA)).json()
    for method, path in (
        ("GET", VALIDATE),
        ("PUT", VALIDATE),
        ("DELETE", VALIDATE),
        ("PUT", SCHEMA),
        ("DELETE", SCHEMA),
    ):
        problem(await client.request(method, path), 405, "method_not_allowed")


async def test_reading_needs_the_scope_to_read(api: Api) -> None:
    client = await api.client(rights=["workflows:write", "workflows:execute", "tasks:act"])
    for response in (await client.get(STEP_TYPES), await client.get(SCHEMA), await client.post(VALIDATE, json=PLAIN)):
        problem(response, 403, "forbidden")
    problem(await (await api.stranger()).get(STEP_TYPES), 401, "unauthenticated")
