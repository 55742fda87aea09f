"""How a route is declared once: its rights, its status, its errors, and how /openapi.json shows all of that."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, get_origin

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import (
    OpenAPIHeader,
    OpenAPIMediaType,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIType
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition
from msgspec import Struct

from api.bodies import JSON_TYPES, YAML_TYPES
from api.idempotency import HEADER
from api.problems import MEDIA_TYPE, Problem
from api.tracing import FORM, TRACEPARENT
from api.wire import CommandView, Taken

SECURITY: list[dict[str, list[str]]] = [{"key": []}]
_ALWAYS = (400, 401, 403, 429, 500, 503)
_COME_AGAIN = ("429", "503")
_WITH_BODY = (408, 413, 415, 422)
_ACTING = (*_WITH_BODY, 409)

_MANY = frozenset({"start_processes"})  # what it makes has no one place
_TRACED = frozenset({"start_process", "start_processes", "trigger_definition"})

_TEXT = Schema(type=OpenAPIType.STRING)
_LOCATION = OpenAPIHeader(schema=_TEXT, description="Where it is now.")
_RETRY_AFTER = OpenAPIHeader(
    schema=Schema(type=OpenAPIType.INTEGER, minimum=1), description="Seconds after which to send the request again."
)
BODY_DOCUMENT = RequestBody(
    required=True,
    description="A definition; GET /workflows/definitions/schema is its JSON Schema.",
    content={kind: OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT)) for kind in (JSON_TYPES[0], YAML_TYPES[0])},
)


@dataclass
class Asking(Operation):
    """Any operation under /api/v1: it says when to come again."""

    def __post_init__(self) -> None:
        for status in _COME_AGAIN:
            response = (self.responses or {}).get(status)
            if response is not None and not isinstance(response, Reference):
                response.headers = {**(response.headers or {}), "Retry-After": _RETRY_AFTER}


@dataclass
class Acting(Asking):
    """An operation that creates or acts: it takes an Idempotency-Key."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.parameters = [
            *(self.parameters or []),
            Parameter(
                name=HEADER,
                param_in="header",
                required=False,
                description="The same key with the same request acts once and is answered alike for 24 hours.",
                schema=Schema(type=OpenAPIType.STRING, min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$"),
            ),
        ]
        if self.operation_id in _TRACED:
            form = Schema(type=OpenAPIType.STRING, pattern=f"^{FORM}$")
            self.parameters.append(Parameter(name=TRACEPARENT, param_in="header", required=False, schema=form))
        for status, response in (self.responses or {}).items():
            if status.startswith("2") and not isinstance(response, Reference):
                response.headers = {
                    **(response.headers or {}),
                    "Idempotency-Replayed": OpenAPIHeader(
                        schema=_TEXT, description="'true' where this answers an earlier request with the same key."
                    ),
                }
                if status == "201" and self.operation_id not in _MANY:
                    response.headers["Location"] = _LOCATION


@dataclass
class Triggering(Acting):
    """An operation that is answered 202 and says where the outcome will be."""

    def __post_init__(self) -> None:
        super().__post_init__()
        response = (self.responses or {}).get("202")
        if response is not None and not isinstance(response, Reference):
            response.headers = {**(response.headers or {}), "Location": _LOCATION}


@dataclass
class Publishing(Acting):
    """An operation that takes a document instead of a Struct."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.request_body = BODY_DOCUMENT


@dataclass
class Checking(Asking):
    """The operation that takes a document and does nothing with it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.request_body = BODY_DOCUMENT


def described(
    operation_id: str,
    summary: str,
    status: int,
    *rights: str,
    errors: tuple[int, ...] = (),
    body: RequestBody | None = None,
    acts: bool = False,
    also: dict[int, type[Struct]] | None = None,
) -> dict[str, Any]:
    """Return the arguments of a route's decorator. `rights`: key scopes of which one suffices (admin always does).

    `body`: a document, instead of a Struct. `acts`: it takes an Idempotency-Key.
    """
    takes = _ACTING if acts else _WITH_BODY if body is not None else ()
    documented = sorted({*_ALWAYS, *takes, *errors})
    responses: dict[int, ResponseSpec] = {
        code: ResponseSpec(Problem, description=HTTPStatus(code).phrase, media_type=MEDIA_TYPE, generate_examples=False)
        for code in documented
    }
    for code, struct in (also or {}).items():
        responses[code] = ResponseSpec(struct, description=HTTPStatus(code).phrase, generate_examples=False)
    with_document, without = (Publishing, Acting) if acts else (Checking, Asking)
    return {
        "operation_id": operation_id,
        "summary": summary,
        "status_code": status,
        "rights": rights,
        "responses": responses,
        "security": [{"key": [right]} for right in rights] or SECURITY,
        "operation_class": without if body is None else with_document,
        "raises": (),
    }


def commanded(operation_id: str, summary: str, right: str) -> dict[str, Any]:
    """Return the same for a command: decided by the worker that holds the process, so 200, or 202 for not yet."""
    return described(operation_id, summary, 200, right, errors=(404,), acts=True, also={202: CommandView})


class StrictStructs(OpenAPISchemaPlugin):
    """States what a Struct is for, and `additionalProperties: false` for bodies that forbid unknown fields."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Tell whether the field is a Struct."""
        return _struct(field_definition) is not None

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """Return the schema of the struct with its docstring; closed if it is a body."""
        others = (plugin for plugin in schema_creator.plugins if plugin is not self)
        structs = next(plugin for plugin in others if schema_creator.plugin_supports_field(plugin, field_definition))
        schema: Schema = structs.to_openapi_schema(field_definition, schema_creator)
        struct = _struct(field_definition)
        if struct is not None:
            schema.description = inspect.cleandoc(struct.__doc__ or "") or None
            if issubclass(struct, Taken):
                schema.additional_properties = False
        return schema


def _struct(field_definition: FieldDefinition) -> type[Struct] | None:
    """Return the Struct that a field is, or is a generic of."""
    found = get_origin(field_definition.annotation) or field_definition.annotation
    return found if isinstance(found, type) and issubclass(found, Struct) else None
