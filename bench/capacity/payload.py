"""The least value that satisfies a JSON Schema, and what of it is made up.

Pure. Knows the usual words of a schema; whether the value satisfies all of it the validator says, so a schema that is
too clever ends in one line that asks for --payload, never in a wrong value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import re2
from msgspec import Struct

from engine.core.schemas import Validator, Violation
from engine.errors import BadInput

FORMATS = {
    "date-time": "2030-01-01T00:00:00Z",
    "date": "2030-01-01",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "a@example.test",
    "hostname": "example.test",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.test/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
LONGEST = 40  # characters of what is tried for a pattern
ADVICE = "Give an input with --payload FILE."
_TRIED = (*FORMATS.values(), "http://example.test/", "A-1", "a-1", "A1", "a1", "a_1", "1.0", "+431234567")


class Minimal(Struct, frozen=True):
    """A value, and the paths of it that nothing but the schema asked for."""

    value: Any
    made_up: tuple[str, ...]


def minimal(schema: Any) -> Minimal:
    """Return the least value that satisfies a schema. Raises BadInput where none was found."""
    found = _Maker(schema)
    value = found.value(schema, "")
    try:
        Validator(schema).check(value)
    except Violation as fault:
        where = fault.pointer or "/"
        message = f"no value can be made from the schema; at {where}: {fault.message}"
        raise BadInput(message, advice=ADVICE, pointer=where) from None
    return Minimal(value, tuple(found.made_up))


class _Maker:
    """Makes one value; `made_up` are the places it filled."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self.made_up: list[str] = []

    def value(self, schema: Any, place: str) -> Any:
        """Return a value for a part of the schema."""
        if not isinstance(schema, dict):
            return {}
        schema = self._whole(schema)
        for word in ("const", "default"):
            if word in schema:
                return self._note(schema[word], place)
        for word in ("enum", "examples"):
            if schema.get(word):
                return self._note(schema[word][0], place)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            return self._object(schema, place)
        if kind == "array":
            items = schema.get("items", {})
            return [self.value(items, f"{place}[{i}]") for i in range(schema.get("minItems", 0))]
        return self._note(_scalar(kind, schema), place)

    def _object(self, schema: dict[str, Any], place: str) -> dict[str, Any]:
        known = schema.get("properties", {})
        names = schema.get("required", ())
        return {name: self.value(known.get(name, {}), f"{place}.{name}" if place else name) for name in names}

    def _whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a part with what it refers to, the first of its choices, and all it must be besides."""
        target = schema.get("$ref")
        if isinstance(target, str):
            schema = {**self._whole(self._resolved(target)), **schema}
        for word in ("anyOf", "oneOf"):
            if schema.get(word) and isinstance(schema[word][0], dict):
                schema = _joined(schema, self._whole(schema[word][0]))
        for part in schema.get("allOf", ()):
            if isinstance(part, dict):
                schema = _joined(schema, self._whole(part))
        return schema

    def _resolved(self, target: str) -> dict[str, Any]:
        value = self._root
        for part in target[2:].split("/"):
            value = value[part.replace("~1", "/").replace("~0", "~")]
        return value if isinstance(value, dict) else {}

    def _note(self, value: Any, place: str) -> Any:
        self.made_up.append(place)
        return value


def _joined(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    required = [*schema.get("required", ()), *part.get("required", ())]
    properties = {**part.get("properties", {}), **schema.get("properties", {})}
    return {**part, **schema, "required": required, "properties": properties} if properties else {**part, **schema}


def _scalar(kind: str, schema: dict[str, Any]) -> Any:
    if kind in ("integer", "number"):
        return _number(schema)
    return {"boolean": True, "null": None}[kind] if kind in ("boolean", "null") else _text(schema)


def _number(schema: dict[str, Any]) -> Any:
    """Return 1, or the nearest number within the bounds."""
    step = schema.get("multipleOf", 1)
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if most is None and below is not None:
        most = below - step if step < below else below / 2
    if least is None and above is not None:
        least = above + step if most is None or above + step <= most else (above + most) / 2
    found = step if least is None or step >= least else -(-least // step) * step
    return found if most is None or found <= most else most


def _text(schema: dict[str, Any]) -> str:
    least, most = schema.get("minLength", 1), schema.get("maxLength", LONGEST)
    pattern = schema.get("pattern")
    if pattern is None:
        return _fitting(FORMATS.get(schema.get("format", ""), "a"), least, most)
    matches = re2.compile(pattern).search
    return next((text for text in _tried(least, most) if matches(text)), "a" * least)


def _fitting(text: str, least: int, most: int) -> str:
    return text + text[-1] * (least - len(text)) if len(text) < least else text[: max(most, 1)]


def _tried(least: int, most: int) -> Iterator[str]:
    """Yield texts of many forms that a pattern may like."""
    yield from (text for text in _TRIED if least <= len(text) <= most)
    for length in range(max(least, 1), min(most, LONGEST) + 1):
        yield from (letter * length for letter in "aA1")
        yield from (f"{head}{digit * (length - len(head))}" for head in ("A", "a", "AT", "DE") for digit in "1a")
