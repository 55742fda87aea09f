"""The API as a reader needs it, read from its OpenAPI document: operations with their fields, objects with theirs.

Knows no page and no markup: docs/api.md and GET /docs are two writings of what is here. Everything is text or a tuple
of texts, as the document has it, and nothing of it is safe to put into a page unescaped.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from api.document import operations

PREFIX = "/api/v1/"
_TYPES = {"object": "object", "array": "list", "boolean": "boolean", "integer": "integer", "number": "number"}
_FORMATS = {"date-time": "time"}


class Field(Struct, frozen=True):
    """A parameter, or a field of an object. `kind` names objects by their title."""

    name: str
    kind: str
    needed: bool
    default: Any
    meaning: str
    place: str = ""  # of a parameter: path, query or header
    example: Any = None


class Object(Struct, frozen=True):
    """An object that travels."""

    name: str
    meaning: str
    fields: tuple[Field, ...]


class Answer(Struct, frozen=True):
    """A status that an operation is answered with. `kind` is empty where there is no body."""

    status: int
    kind: str
    headers: tuple[str, ...]
    example: Any


class Operation(Struct, frozen=True):
    """One request that can be made."""

    id: str
    method: str
    path: str
    summary: str
    meaning: str
    scopes: tuple[str, ...]  # one suffices
    keyed: bool  # whether it needs a key
    parameters: tuple[Field, ...]
    body: str  # kind of the body; empty if there is none
    body_meaning: str
    body_types: tuple[str, ...]
    body_example: Any
    body_fields: tuple[Field, ...]
    answers: tuple[Answer, ...]
    errors: tuple[int, ...]

    @property
    def group(self) -> str:
        """Return the noun it is about: 'definitions', 'step types'."""
        parts = self.path.removeprefix(PREFIX).strip("/").split("/")
        noun = parts[1] if parts[0] == "workflows" else parts[0]
        return noun.replace("-", " ")


class Surface(Struct, frozen=True):
    """All of it."""

    version: str
    operations: tuple[Operation, ...]
    objects: tuple[Object, ...]

    def groups(self) -> dict[str, list[Operation]]:
        """Return the operations by noun, in the order of the document."""
        found: dict[str, list[Operation]] = {}
        for operation in self.operations:
            found.setdefault(operation.group, []).append(operation)
        return found


def surface(document: dict[str, Any]) -> Surface:
    """Return what a document describes."""
    reader = _Reader(document["components"]["schemas"])
    return Surface(
        document["info"]["version"],
        tuple(reader.operation(*found) for found in operations(document)),
        reader.objects(),
    )


class _Reader:
    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas

    def operation(self, method: str, path: str, said: dict[str, Any]) -> Operation:
        content = said.get("requestBody", {}).get("content", {})
        body: dict[str, Any] = next(iter(content.values()), {})
        answers = [self.answer(int(status), answer) for status, answer in sorted(said["responses"].items())]
        security = [need["key"] for need in said.get("security") or () if "key" in need]
        return Operation(
            id=said["operationId"],
            method=method,
            path=path,
            summary=said["summary"],
            meaning=_line(said.get("description", "")),
            scopes=tuple(scope for need in security for scope in need),
            keyed=bool(security),
            parameters=tuple(self.parameter(one) for one in said.get("parameters", ())),
            body=self.kind(body["schema"]) if body else "",
            body_meaning=_line(said.get("requestBody", {}).get("description", "")),
            body_types=tuple(content),
            body_example=next((one["example"] for one in content.values() if "example" in one), None),
            body_fields=self.fields(self.resolved(body["schema"])) if body else (),
            answers=tuple(answer for answer in answers if answer.status < 400),
            errors=tuple(answer.status for answer in answers if answer.status >= 400),
        )

    def answer(self, status: int, said: dict[str, Any]) -> Answer:
        content: dict[str, Any] = next(iter(said.get("content", {}).values()), {})
        kind = self.kind(content["schema"]) if "schema" in content else ""
        return Answer(status, kind, tuple(said.get("headers") or ()), content.get("example"))

    def parameter(self, said: dict[str, Any]) -> Field:
        schema = said["schema"]
        return Field(
            name=said["name"],
            kind=self.kind(schema, null=False),
            needed=said.get("required", False),
            default=schema.get("default"),
            meaning=_line(said.get("description", "")),
            place=said["in"],
            example=said.get("example"),
        )

    def objects(self) -> tuple[Object, ...]:
        """Return every object; those that are an enumeration are told where they are used."""
        found = [
            Object(schema.get("title", name), _line(schema.get("description", "")), self.fields(schema))
            for name, schema in self.schemas.items()
            if "enum" not in schema
        ]
        return tuple(sorted(found, key=lambda one: one.name))

    def fields(self, schema: dict[str, Any]) -> tuple[Field, ...]:
        needed = schema.get("required", ())
        return tuple(
            Field(
                name=name,
                kind=self.kind(said),
                needed=name in needed,
                default=said.get("default"),
                meaning=_line(said.get("description", "")),
            )
            for name, said in schema.get("properties", {}).items()
        )

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return what a reference leads to, also where null is another choice."""
        choices = [one for one in schema.get("oneOf", ()) if one.get("type") != "null"]
        if len(choices) == 1:
            schema = choices[0]
        if "$ref" not in schema:
            return schema
        found: dict[str, Any] = self.schemas[schema["$ref"].rpartition("/")[2]]
        return found

    def kind(self, schema: dict[str, Any], *, null: bool = True) -> str:
        """Return in words what a value may be. `null`: say where it may be null."""
        if "$ref" in schema:
            found = self.resolved(schema)
            return _choice(found["enum"]) if "enum" in found else str(found.get("title", "object"))
        if "enum" in schema:
            return _choice(schema["enum"])
        choices = schema.get("oneOf") or schema.get("anyOf")
        if choices:
            beside = {name: value for name, value in schema.items() if name not in ("oneOf", "anyOf")}
            some = [self.kind({**beside, **one}) for one in choices if one.get("type") != "null"]
            may_be_null = null and len(some) < len(choices)
            return " or ".join(dict.fromkeys([*some, *(["null"] if may_be_null else [])]))
        return self.plain(schema)

    def plain(self, schema: dict[str, Any]) -> str:
        kind = schema.get("type")
        if kind is None:
            return "any JSON"
        if kind == "array":
            what = self.kind(schema["items"]) if schema.get("items") else "any JSON"
            return f"list of {what}{_range(schema, 'minItems', 'maxItems', '')}"
        if kind == "object" and schema.get("additionalProperties"):
            return f"object of {self.kind(schema['additionalProperties'])}"
        if kind == "string":
            word = _FORMATS.get(schema.get("format", ""), "text")
            return word + _range(schema, "minLength", "maxLength", " characters")
        return _TYPES[kind] + _range(schema, "minimum", "maximum", "")


def _range(schema: dict[str, Any], least: str, most: str, unit: str) -> str:
    low, high = schema.get(least), schema.get(most)
    if low is None and high is None:
        return ""
    if high is None:
        return f", at least {low:,g}{unit}"
    if low is None:
        return f", at most {high:,.0f}{unit}"
    return f", {low:,.0f} to {high:,.0f}{unit}"


def _choice(values: list[Any]) -> str:
    return " | ".join(str(value) for value in values)


def _line(text: str) -> str:
    """Return a text as one line."""
    return " ".join(text.split())


def curl(said: Operation) -> str:
    """Return the example of an operation as a command of the shell."""
    path, query, lines = said.path, [], []
    for one in said.parameters:
        if one.example is None:
            continue
        if one.place == "path":
            path = path.replace("{" + one.name + "}", quote(str(one.example)))
        elif one.place == "query":
            query.append(f"{one.name}={quote(_plain(one.example))}")
        else:
            lines.append(f"-H {_quoted(f'{one.name}: {one.example}')}")
    method = "" if said.method == ("POST" if said.body else "GET") else f"-X {said.method} "
    if said.keyed:
        lines.insert(0, '-H "Authorization: Bearer $STEPWELL_API_KEY"')
    if said.body_example is not None:
        lines.append(f"-H 'Content-Type: {said.body_types[0]}'")
        lines.append(f"-d {_quoted(json.dumps(said.body_example, ensure_ascii=False))}")
    asked = "?" + "&".join(query) if query else ""
    return " \\\n     ".join([f'curl {method}"$STEPWELL_URL{path}{asked}"', *lines])


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    """Return a text in quotes of the shell, always."""
    return "'" + text.replace("'", "'\\''") + "'"
