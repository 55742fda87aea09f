"""The client against /openapi.json: a method for each operation, which sends just what the document says."""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import quote

import httpx
import pytest

from api.app import create_app
from api.document import document
from api.surface import Field, Operation, surface
from engine.config import Settings
from engine.errors import StepwellError
from stepwell.client import AsyncClient, Client
from stepwell.client.call import NOTHING

OPERATIONS = {
    operation.id: operation
    for operation in surface(
        document(create_app(Settings(database_url="postgresql://nobody@127.0.0.1:1/nowhere")))
    ).operations
}
HELPERS = {"close", "every"}
HEADERS = {"Idempotency-Key": "idempotency_key", "traceparent": "traceparent"}
ODD = "a b/ü?#.."  # whatever an id contains, it is one part of the path


def methods(client: type) -> dict[str, Any]:
    found = inspect.getmembers(client, inspect.isfunction)
    return {name: method for name, method in found if not name.startswith("_") and name not in HELPERS}


def parameters(operation: Operation) -> dict[str, Field]:
    """Return everything a method takes, by the name it has there."""
    fields = (*operation.parameters, *operation.body_fields)
    return {HEADERS.get(field.name, field.name): field for field in fields}


def is_document(operation: Operation) -> bool:
    return bool(operation.body) and not operation.body_fields


def test_there_is_a_method_for_each_operation_and_no_other() -> None:
    assert set(methods(Client)) == set(methods(AsyncClient)) == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_method_takes_what_its_operation_takes(name: str) -> None:
    operation, taken = OPERATIONS[name], dict(inspect.signature(getattr(Client, name)).parameters)
    del taken["self"]
    wanted = parameters(operation)
    if is_document(operation):
        assert taken.pop("document").default is inspect.Parameter.empty

    assert set(taken) == set(wanted)
    for parameter, field in wanted.items():
        default = taken[parameter].default
        assert (default is inspect.Parameter.empty) == field.needed, parameter
        if default not in (inspect.Parameter.empty, None, NOTHING):
            assert default == field.default, parameter


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_method_returns_what_its_operation_answers(name: str) -> None:
    hint = get_type_hints(getattr(Client, name))["return"]
    parts = [part.__name__ for part in get_args(hint)]
    said = "object" if get_origin(hint) is dict else f"{hint.__name__}[{parts[0]}]" if parts else hint.__name__

    assert {answer.kind for answer in OPERATIONS[name].answers} == {said}


def sample(annotation: Any) -> Any:
    """Return a value of a type."""
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    if get_origin(annotation) is Literal:
        return kinds[0]
    if get_origin(annotation) in (dict, Mapping):
        return {"region": "at"}
    if get_origin(annotation) is list:
        return ["one", "two"]
    if kinds:  # an optional one
        return sample(kinds[0])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return next(iter(annotation))
    samples = {str: "some text", int: 7, bool: True, datetime: datetime(2026, 1, 31, 12, tzinfo=UTC)}
    return samples.get(annotation, {"any": ["thing", None]})


class Recorder(httpx.BaseTransport):
    """Keeps the requests it gets, and answers what nobody understands."""

    def __init__(self) -> None:
        self.seen: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return httpx.Response(200, content=b"?")


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_method_sends_each_parameter_to_its_place(name: str) -> None:
    operation, recorder = OPERATIONS[name], Recorder()
    method = getattr(Client("http://api.example", "swk_key", transport=recorder), name)
    hints = get_type_hints(method)
    given = {parameter: sample(hints[parameter]) for parameter in inspect.signature(method).parameters}
    for field in operation.parameters:
        if field.place == "path":
            given[field.name] = ODD
    for header in HEADERS.values():
        if header in given:
            given[header] = f"my-{header}"

    with contextlib.suppress(StepwellError):
        method(**given)

    (request,) = recorder.seen
    path = operation.path
    for field in operation.parameters:
        path = path.replace(f"{{{field.name}}}", quote(ODD, safe=""))
    assert (request.method, request.url.raw_path.decode().split("?")[0]) == (operation.method, path)
    assert set(request.url.params) == {f.name for f in operation.parameters if f.place == "query"}
    for header, parameter in HEADERS.items():
        assert request.headers.get(header) == given.get(parameter)
    assert ("Authorization" in request.headers) or not operation.keyed
    if is_document(operation):
        assert json.loads(request.content) == given["document"]
    elif operation.body:
        assert set(json.loads(request.content)) == {field.name for field in operation.body_fields}
    else:
        assert not request.content


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_left_out_is_not_sent(name: str) -> None:
    operation, recorder = OPERATIONS[name], Recorder()
    method = getattr(Client("http://api.example", "swk_key", transport=recorder), name)
    hints = get_type_hints(method)
    needed = {
        parameter: sample(hints[parameter])
        for parameter, said in inspect.signature(method).parameters.items()
        if said.default is inspect.Parameter.empty
    }

    with contextlib.suppress(StepwellError):
        method(**needed)

    (request,) = recorder.seen
    assert not request.url.params
    if operation.body_fields:
        assert set(json.loads(request.content)) == {field.name for field in operation.body_fields if field.needed}
    acts = "Idempotency-Key" in {field.name for field in operation.parameters}
    assert ("Idempotency-Key" in request.headers) == acts


def test_the_two_clients_have_the_same_signatures() -> None:
    for name in OPERATIONS:
        blocking, awaited = inspect.signature(getattr(Client, name)), inspect.signature(getattr(AsyncClient, name))
        assert blocking == awaited, name
        assert inspect.iscoroutinefunction(getattr(AsyncClient, name)), name


def test_the_value_that_stands_for_nothing_stays_empty() -> None:
    assert NOTHING == {}
