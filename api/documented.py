"""How a route is declared once: its rights, its status, its errors, and how /openapi.json shows all of that."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

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
from api.wire import Taken

SECURITY: list[dict[str, list[str]]] = [{"key": []}]
_ALWAYS = (400, 401, 403, 500, 503)
_WITH_BODY = (408, 409, 413, 415, 422)

_TEXT = Schema(type=OpenAPIType.STRING)
BODY_DOCUMENT = RequestBody(
    required=True,
    description="A definition; its JSON Schema is published with the documentation.",
    content={kind: OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT)) for kind in (JSON_TYPES[0], YAML_TYPES[0])},
)


@dataclass
class Acting(Operation):
    """An operation that creates or acts: it takes an Idempotency-Key."""

    def __post_init__(self) -> None:
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
        for status, response in (self.responses or {}).items():
            if status.startswith("2") and not isinstance(response, Reference):
                response.headers = {
                    **(response.headers or {}),
                    "Idempotency-Replayed": OpenAPIHeader(
                        schema=_TEXT, description="'true' where this answers an earlier request with the same key."
                    ),
                }
                if status == "201":
                    response.headers["Location"] = OpenAPIHeader(schema=_TEXT, description="Where it is now.")


@dataclass
class Publishing(Acting):
    """The operation that takes a document instead of a Struct."""

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
    """Return the arguments of a route's decorator. `rights`: key scopes of which one suffices (admin always does)."""
    acts = acts or body is not None
    documented = sorted({*_ALWAYS, *(_WITH_BODY if acts else ()), *errors})
    responses: dict[int, ResponseSpec] = {
        code: ResponseSpec(Problem, description=HTTPStatus(code).phrase, media_type=MEDIA_TYPE, generate_examples=False)
        for code in documented
    }
    for code, struct in (also or {}).items():
        responses[code] = ResponseSpec(struct, description=HTTPStatus(code).phrase, generate_examples=False)
    operation = Publishing if body is not None else Acting if acts else Operation
    return {
        "operation_id": operation_id,
        "summary": summary,
        "status_code": status,
        "rights": rights,
        "responses": responses,
        "security": SECURITY,
        "operation_class": operation,
        "raises": (),
    }


class StrictStructs(OpenAPISchemaPlugin):
    """States `additionalProperties: false` for bodies that forbid unknown fields."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Tell whether the field is such a body."""
        annotation = field_definition.annotation
        return isinstance(annotation, type) and issubclass(annotation, Taken)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """Return the schema of the struct, closed."""
        others = (plugin for plugin in schema_creator.plugins if plugin is not self)
        structs = next(plugin for plugin in others if schema_creator.plugin_supports_field(plugin, field_definition))
        schema: Schema = structs.to_openapi_schema(field_definition, schema_creator)
        schema.additional_properties = False
        return schema
