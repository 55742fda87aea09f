"""Shapes of JSON: each reads a value, noting every fault, and states itself as JSON Schema.

The document's fields are declared once with these, so that the parser and the published schema cannot drift
apart. Reading never raises and never recurses deeper than the value, which `values.admit` has bounded. An
optional field that is null counts as absent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from engine.cel.errors import nearest
from engine.core.values import escape
from engine.errors import Finding

if TYPE_CHECKING:
    from engine.cel import InvalidExpression

MAX_SAID = 500  # characters of a message
MAX_FINDINGS = 200  # a hostile document could have a million; nobody reads them


class _Invalid:
    """The type of INVALID."""


INVALID = _Invalid()


class Findings:
    """Collects what is wrong with a document."""

    def __init__(self) -> None:
        self.items: list[Finding] = []

    @property
    def full(self) -> bool:
        """Tell whether further faults would be dropped."""
        return len(self.items) >= MAX_FINDINGS

    def add(self, pointer: str, message: str, advice: str = "", code: str = "invalid") -> None:
        """Note one fault."""
        if not self.full:
            self.items.append(Finding(pointer, _cut(message), _cut(advice), code))

    def add_expression(self, fault: InvalidExpression, code: str = "expression_invalid") -> None:
        """Note what is wrong with an expression."""
        if not self.full:
            place = (fault.line, fault.column, fault.excerpt) if fault.source else (None, None, "")
            self.items.append(Finding(fault.pointer, _cut(fault.message), _cut(fault.advice), code, *place))


def _cut(text: str) -> str:
    """Return a text that may hold a name from the document, which may be of any length."""
    return text if len(text) <= MAX_SAID else text[:MAX_SAID] + "…"


class Shape(Protocol):
    """How a value must look."""

    def read(self, value: Any, pointer: str, findings: Findings) -> Any:
        """Return the value as the program wants it, INVALID after noting what is wrong."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the shape."""


def kind(value: Any) -> str:
    """Return what a JSON value is, for a message."""
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")


def _wrong(findings: Findings, pointer: str, wanted: str, value: Any) -> _Invalid:
    findings.add(pointer, f"expected {wanted}, found {kind(value)}", code="wrong_type")
    return INVALID


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of ours as JSON Schema means it: its `$` is the end, not a line break before the end."""
    return re.compile(pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern)


class Text:
    """A text of bounded length; `pattern` must occur in it (a plain one: it is also in the JSON Schema)."""

    def __init__(self, least: int = 0, most: int = 10_000, pattern: str | None = None, says: str = "") -> None:
        self.least = least
        self.most = most
        self.pattern = pattern
        self._search = compiled(pattern).search if pattern else None
        self.says = says

    def read(self, value: Any, pointer: str, findings: Findings) -> Any:
        """Return the text."""
        if type(value) is not str:
            return _wrong(findings, pointer, "a text", value)
        if not self.least <= len(value) <= self.most:
            message = f"the text has {len(value)} characters; allowed are {self.least} to {self.most}"
            findings.add(pointer, message, code="wrong_length")
            return INVALID
        if self._search and not self._search(value):
            findings.add(pointer, f"{value[:80]!r} is not allowed here", self.says, code="wrong_form")
            return INVALID
        return value

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the shape."""
        found: dict[str, Any] = {"type": "string", "maxLength": self.most}
        if self.least:
            found["minLength"] = self.least
        if self.pattern:
            found["pattern"] = self.pattern
        return found


class Number:
    """A number within limits. With `whole` it is an integer (1.0 counts as one, as in JSON Schema)."""

    def __init__(self, least: float, most: float, *, above: bool = False, whole: bool = False) -> None:
        self.least = least
        self.most = most
        self.above = above
        self.whole = whole

    def read(self, value: Any, pointer: str, findings: Findings) -> Any:
        """Return the number."""
        if type(value) not in (int, float) or (self.whole and value != int(value)):
            return _wrong(findings, pointer, "a whole number" if self.whole else "a number", value)
        if value < self.least or value > self.most or (self.above and value == self.least):
            low = "more than " if self.above else ""
            message = f"{value} is out of range: {low}{self.least} to {self.most}"
            findings.add(pointer, message, code="out_of_range")
            return INVALID
        return int(value) if self.whole else value

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the shape."""
        low = "exclusiveMinimum" if self.above else "minimum"
        return {"type": "integer" if self.whole else "number", low: self.least, "maximum": self.most}


class Flag:
    """True or false."""

    def read(self, value: Any, pointer: str, findings: Findings) -> Any:
        """Return the boolean."""
        return value if type(value) is bool else _wrong(findings, pointer, "true or false", value)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the shape."""
        return {"type": "boolean"}


class Choice:
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, value: Any, pointer: str, findings: Findings) -> Any:
        """Return the word."""
        if type(value) is not str:
            return _wrong(findings, pointer, "a text", value)
        if value in self.words:
            return value
        advice = f"Use one of {', '.join(self.words)}.{nearest(value, self.words)}"
        findings.add(pointer, f"unknown value {value[:40]!r}", advice, code="unknown_value")
        return INVALID

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the shape."""
        return {"enum": list(self.words)}


class Anything:
    """Any value; of one of `types` where given."""

    def __init__(self, *types: str) -> None:
        self.types = types

    def read(self, value: Any, pointer: str, findings: Findings) -> Any:
        """Return the value as it is."""
        if self.types and _json_type(value) not in self.types:
            return _wrong(findings, pointer, " or ".join(self.types), value)
        return value

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the shape."""
        return {"type": list(self.types) if len(self.types) > 1 else self.types[0]} if self.types else {}


def _json_type(value: Any) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


class ListOf:
    """A list of one shape, returned as a tuple; faulty items are left out."""

    def __init__(self, item: Shape, least: int, most: int, noun: str, *, unique: bool = False) -> None:
        self.item = item
        self.least = least
        self.most = most
        self.noun = noun
        self.unique = unique

    def read(self, value: Any, pointer: str, findings: Findings) -> Any:
        """Return a tuple of what could be read."""
        if type(value) is not list:
            return _wrong(findings, pointer, "a list", value)
        if not self.least <= len(value) <= self.most:
            message = f"{len(value)} {self.noun} here; allowed are {self.least} to {self.most}"
            findings.add(pointer, message, code="wrong_count")
        read = [self.item.read(v, f"{pointer}/{i}", findings) for i, v in enumerate(value[: self.most])]
        if self.unique:
            self._check_unique(read, pointer, findings)
        return tuple(v for v in read if v is not INVALID)

    def _check_unique(self, read: list[Any], pointer: str, findings: Findings) -> None:
        seen = set()
        for index, item in enumerate(read):
            if item in seen:
                findings.add(f"{pointer}/{index}", f"{item!r} is named twice", code="duplicate")
            seen.add(item)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the shape."""
        found: dict[str, Any] = {"type": "array", "items": self.item.schema(), "maxItems": self.most}
        if self.least:
            found["minItems"] = self.least
        if self.unique:
            found["uniqueItems"] = True
        return found


class MapOf:
    """An object with free keys and values of one shape; faulty members are left out."""

    def __init__(self, item: Shape, most: int, noun: str) -> None:
        self.item = item
        self.most = most
        self.noun = noun

    def read(self, value: Any, pointer: str, findings: Findings) -> Any:
        """Return a dict of what could be read."""
        if type(value) is not dict:
            return _wrong(findings, pointer, "an object", value)
        if len(value) > self.most:
            findings.add(pointer, f"more than {self.most} {self.noun}", code="wrong_count")
            return INVALID
        read = {k: self.item.read(v, f"{pointer}/{escape(k)}", findings) for k, v in value.items()}
        return {k: v for k, v in read.items() if v is not INVALID}

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the shape."""
        return {"type": "object", "additionalProperties": self.item.schema(), "maxProperties": self.most}


class Either:
    """One of several shapes, chosen by `pick`, a map from JSON type to shape."""

    def __init__(self, **pick: Shape) -> None:
        self.pick = pick

    def read(self, value: Any, pointer: str, findings: Findings) -> Any:
        """Return what the shape for the value's type reads."""
        shape = self.pick.get(_json_type(value))
        if shape is None:
            return _wrong(findings, pointer, " or ".join(self.pick), value)
        return shape.read(value, pointer, findings)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the shape."""
        return {"anyOf": [shape.schema() for shape in self.pick.values()]}


class Record:
    """An object with known fields, returned as a dict of those that are present and right.

    `also` is a pattern of further names that are tolerated and returned under `aside`.
    """

    def __init__(self, fields: dict[str, Shape], required: tuple[str, ...] = (), also: str | None = None) -> None:
        self.fields = fields
        self.required = required
        self.also = also
        self._tolerated = compiled(also).search if also else None

    def read(self, value: Any, pointer: str, findings: Findings) -> Any:
        """Return a dict of what could be read."""
        if type(value) is not dict:
            return _wrong(findings, pointer, "an object", value)
        found: dict[str, Any] = {}
        for name, item in value.items():
            where = f"{pointer}/{escape(name)}"
            shape = self.fields.get(name)
            if shape is None:
                self._unknown(name, where, findings)
            elif item is not None or name in self.required:
                read = shape.read(item, where, findings)
                if read is not INVALID:
                    found[name] = read
        for name in self.required:
            if name not in value:
                findings.add(pointer, f"the field {name!r} is missing", f"Add {name!r}.", code="missing_field")
        return found

    def aside(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return the tolerated further members of an object."""
        return {k: v for k, v in value.items() if k not in self.fields and self._tolerates(k)}

    def _tolerates(self, name: str) -> bool:
        return self._tolerated is not None and self._tolerated(name) is not None

    def _unknown(self, name: str, where: str, findings: Findings) -> None:
        if self._tolerates(name) or findings.full:
            return
        advice = nearest(name, tuple(self.fields)).strip() or f"Known are {', '.join(self.fields)}."
        findings.add(where, f"unknown field {name[:40]!r}", advice, code="unknown_field")

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the shape."""
        properties = {
            name: shape.schema() if name in self.required else _or_null(shape.schema())
            for name, shape in self.fields.items()
        }
        found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
        if self.required:
            found["required"] = list(self.required)
        if self.also:
            found["patternProperties"] = {self.also: {}}
        return found


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if not schema:
        return {}
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        return {"enum": [*schema["enum"], None]}
    return {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}]}
