"""Files made from the code agree with it; the JSON Schema agrees with the parser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

import engine.core
from engine.core import diagram, document
from engine.core.compile import compile_definition
from engine.core.definition import parse_definition
from engine.core.model import ActivityStatus, ProcessStatus
from engine.core.transitions import ACTIVITY_MOVES, PROCESS_MOVES
from engine.errors import InvalidDefinition
from tests.unit.core.given import document as doc
from tests.unit.core.given import http, wait
from tests.unit.core.lives import documents

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
VALIDATOR = jsonschema_rs.Draft202012Validator(document.DEFINITION_SCHEMA)


def test_the_drawing_of_the_state_machine_is_up_to_date() -> None:
    text = (ROOT / "docs" / "state-machine.md").read_text()
    assert text == diagram.document(), "run: python -m engine.core.diagram > docs/state-machine.md"


def test_the_published_schema_is_up_to_date() -> None:
    text = Path(engine.core.__path__[0], "definition.schema.json").read_text()
    assert text == document.schema_text(), "write document.schema_text() to engine/core/definition.schema.json"


def test_the_published_schema_is_a_schema() -> None:
    jsonschema_rs.meta.validate(document.DEFINITION_SCHEMA)


def test_every_state_is_in_the_tables() -> None:
    for moves, states in ((PROCESS_MOVES, ProcessStatus), (ACTIVITY_MOVES, ActivityStatus)):
        assert {s for move in moves for s in (move.before, move.after)} == set(states)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_valid_for_schema_and_parser(path: Any) -> None:
    value = yaml.safe_load(path.read_text())
    assert VALIDATOR.is_valid(value)
    compile_definition(parse_definition(value))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents())
def test_what_the_parser_reads_the_schema_accepts(value: Any) -> None:
    parse_definition(value)
    assert VALIDATOR.is_valid(value)


BAD: list[Any] = [
    None,
    [],
    {},
    {"name": "x"},
    {"name": "x", "steps": []},
    {"name": "", "steps": [http("a")]},
    {"name": " ", "steps": [http("a")]},
    doc(http("a"), nmae="x"),
    doc(http("a"), enabled=1),
    doc(http("a"), timeout_seconds="1"),
    doc(http("a"), timeout_seconds=0),
    doc(http("a"), retry_policy={"max_attempts": 0}),
    doc(http("a"), retry_policy={"attempts": 1}),
    doc(http("a"), trigger={"type": "cron"}),
    doc(http("a"), trigger={}),
    doc(http("a"), trigger={"type": "scheduled", "schedule": {"timezone": "UTC"}}),
    doc(http("a"), trigger={"type": "api", "conditions": "input.a"}),
    doc(http("a"), trigger={"type": "api", "conditions": {"field": "input.a", "operator": "exists"}}),
    doc(http("a"), trigger={"type": "api", "conditions": True}),
    doc(http("a"), trigger={"type": "api", "conditions": [1]}),
    doc(http("a"), trigger={"type": "api", "conditions": [["input.a"]]}),
    doc(http("a"), trigger={"type": "api", "conditions": [True] * 101}),
    doc(http("a"), input_schema=[]),
    doc(*[http(f"s{i}") for i in range(101)]),
    doc({"id": "a", "type": "http"}),
    doc({"id": "a", "type": "soap", "config": {}}),
    doc({"id": "1", "type": "transform", "config": {"mapping": {}}}),
    doc({"id": "a\n", "type": "transform", "config": {"mapping": {}}}),
    doc({"id": "a", "type": "transform", "config": {}}),
    doc({"id": "a", "type": "transform", "config": {"mapping": []}}),
    doc({"id": "a", "type": "manual", "config": {}}),
    doc({"id": "a", "type": "manual", "config": {"title": "x", "form": "x"}}),
    doc({"id": "a", "type": "event", "config": {"name": "a b"}}),
    doc({"id": "a", "type": "decision", "config": {"branches": {}}}),
    doc({"id": "a", "type": "decision", "config": {"branches": [{"then": []}]}}),
    doc({"id": "a", "type": "decision", "config": {"branches": [{"when": 1}]}}),
    doc({"id": "a", "type": "decision", "config": {"branches": [{"when": True, "then": "b"}]}}),
    doc({"id": "a", "type": "decision", "config": {"on_error": "retry"}}),
    doc({"id": "a", "type": "decision", "config": {"on_error": True}}),
    doc(http("a", join="none")),
    doc(http("a", order=1.5)),
    doc(http("a", condition=[])),
    doc(http("a", depends_on="b")),
    doc(http("a", depends_on=["b", "b"])),
    doc(http("a", config={})),
    doc(http("a", config={"url": ""})),
    doc(http("a", config={"url": "http://a", "method": "FETCH"})),
    doc(http("a", config={"url": "http://a", "headers": {"x": 1}})),
    doc(http("a", config={"url": "http://a", "query": {"x": {}}})),
    doc(http("a", config={"url": "http://a", "expect_status": []})),
    doc(http("a", config={"url": "http://a", "expect_status": [99]})),
    doc(http("a", config={"url": "http://a", "timeout_seconds": 0})),
    doc(http("a", config={"url": "http://a", "max_response_bytes": 1 << 30})),
    doc(wait("w", seconds=-1)),
    doc(wait("w", seconds=[])),
    doc(wait("w", signal="x", on_timeout="x")),
]


@pytest.mark.parametrize("value", BAD, ids=range(len(BAD)))
def test_what_is_bad_for_the_schema_is_bad_for_the_parser(value: Any) -> None:
    assert not VALIDATOR.is_valid(value)
    with pytest.raises(InvalidDefinition):
        parse_definition(value)
