"""JSON Schemas that customers bring (input_schema, form): checked when published, then used to validate.

The only module that knows the validator. Patterns run on its linear engine, references are never fetched, and
the size of a schema is bounded, so a hostile one can be refused but cannot hurt.
"""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import msgspec
from jsonschema_rs import Draft202012Validator, RegexOptions

from engine.core.values import MEBIBYTE, escape

MAX_NODES = 5_000
MAX_DEPTH = 40
MAX_PATTERN = 1000
# Bytes of a compiled pattern: nested repetitions are refused. 64 KiB holds \\p{L}; at that size a hostile pattern takes
# up to 2.5 s for a text of 1 MiB (measured), hence MAX_WORK.
_PATTERNS = RegexOptions(size_limit=1 << 16, dfa_size_limit=1 << 20)
MAX_WORK = 20_000_000  # (parts of the schema + PATTERN_COST for each pattern) x bytes of the value
PATTERN_COST = 64


_encode = msgspec.json.Encoder().encode


class SchemaFault(Exception):
    """The schema cannot be used. `pointer` is relative to the schema."""

    def __init__(self, message: str, pointer: str = "", advice: str = "", code: str = "schema_invalid") -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer
        self.advice = advice
        self.code = code


class Violation(Exception):
    """The data does not satisfy its schema: the first fault, and how many there are."""

    def __init__(self, message: str, pointer: str) -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer


class Validator:
    """A compiled schema."""

    __slots__ = ("_most", "_validator")

    def __init__(self, schema: Any) -> None:
        """Compile a schema. Raises SchemaFault."""
        self._most = MAX_WORK // _check(schema)
        try:
            jsonschema_rs.meta.validate(schema)
            self._validator = Draft202012Validator(schema, pattern_options=_PATTERNS, offline=True)
        except jsonschema_rs.ValidationError as fault:
            raise SchemaFault(_short(fault.message), _pointer(fault.instance_path)) from None
        except (ValueError, jsonschema_rs.ReferencingError) as fault:
            raise SchemaFault(_short(str(fault)), "", "Refer only to $defs of the same schema.") from None

    def check(self, value: Any) -> None:
        """Raise Violation unless `value` satisfies the schema, and is small enough to be checked by it."""
        if self._most < MEBIBYTE and len(_encode(value)) > self._most:
            raise Violation(f"a value over {self._most} bytes is too large to be checked by this schema", "")
        if self._validator.is_valid(value):
            return
        for fault in self._validator.iter_errors(value):
            raise Violation(_short(fault.message), _pointer(fault.instance_path))


def _check(schema: Any) -> int:
    """Refuse what the validator would accept but we do not: remote references, other dialects, size.

    Return what the schema costs per byte of a value, in parts.
    """
    if not isinstance(schema, dict | bool):
        raise SchemaFault("a schema is an object, true or false")
    todo: list[tuple[Any, str, int]] = [(schema, "", 0)]
    nodes = 0
    while todo:
        value, pointer, depth = todo.pop()
        nodes += 1
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            message = f"the schema has more than {MAX_NODES} parts or {MAX_DEPTH} levels"
            raise SchemaFault(message, pointer, code="schema_too_large")
        if isinstance(value, dict):
            _check_keywords(value, pointer)
            todo += [(v, f"{pointer}/{escape(k)}", depth + 1) for k, v in value.items()]
        elif isinstance(value, list):
            todo += [(v, f"{pointer}/{i}", depth + 1) for i, v in enumerate(value)]
    unfolded = _Unfolding(schema).size(schema, "") if isinstance(schema, dict) else 1
    return unfolded + PATTERN_COST * count_patterns(schema)


def count_patterns(schema: Any) -> int:
    """Return how many regular expressions a schema has, whatever else it is."""
    todo, patterns = [schema], 0
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            patterns += isinstance(value.get("pattern"), str)
            patterns += len(value["patternProperties"]) if isinstance(value.get("patternProperties"), dict) else 0
            todo += value.values()
        elif isinstance(value, list):
            todo += value
    return patterns


class _Unfolding:
    """Counts the parts of a schema with its references followed.

    A chain of definitions that each refer twice to the next doubles the work with every link, and a recursive
    one with every level of the data: so the first is bounded and the second refused.
    """

    def __init__(self, root: dict[str, Any]) -> None:
        self.root = root
        self.known: dict[str, int] = {}
        self.open: set[str] = set()

    def size(self, value: Any, pointer: str) -> int:
        total = 1
        if isinstance(value, dict):
            target = value.get("$ref")
            if isinstance(target, str):
                total += self.target(target, f"{pointer}/$ref")
            total += sum(self.size(v, f"{pointer}/{escape(k)}") for k, v in value.items())
        elif isinstance(value, list):
            total += sum(self.size(v, f"{pointer}/{i}") for i, v in enumerate(value))
        if total > MAX_NODES:
            message = f"the schema has more than {MAX_NODES} parts once its references are followed"
            raise SchemaFault(message, pointer, code="schema_too_large")
        return total

    def target(self, reference: str, pointer: str) -> int:
        if reference in self.known:
            return self.known[reference]
        if reference in self.open:
            raise SchemaFault("the schema refers to itself", pointer, "Describe a fixed depth.", "recursive_schema")
        self.open.add(reference)
        self.known[reference] = self.size(self.resolve(reference, pointer), pointer)
        self.open.discard(reference)
        return self.known[reference]

    def resolve(self, reference: str, pointer: str) -> Any:
        value: Any = self.root
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(value, dict) or key not in value:
                raise SchemaFault(f"{reference[:80]!r} leads nowhere", pointer, "Put it under $defs.")
            value = value[key]
        return value


def _check_keywords(value: dict[str, Any], pointer: str) -> None:
    for word in ("$ref", "$dynamicRef", "$recursiveRef"):
        target = value.get(word)
        if isinstance(target, str) and not (word == "$ref" and target.startswith("#/")):
            advice = "Put the schema under $defs and write #/$defs/name."
            raise SchemaFault("a reference must stay in the schema", f"{pointer}/{word}", advice, "remote_reference")
    if isinstance(value.get("$id"), str):
        raise SchemaFault("$id is not allowed here", f"{pointer}/$id", "Leave it out.", "remote_reference")
    if isinstance(value.get("$schema"), str) and value["$schema"].rstrip("#") not in _KNOWN:
        raise SchemaFault("only JSON Schema 2020-12 is known", f"{pointer}/$schema", "Leave $schema out.")
    pattern = value.get("pattern")
    if isinstance(pattern, str) and len(pattern) > MAX_PATTERN:
        raise SchemaFault(f"the pattern is longer than {MAX_PATTERN} characters", f"{pointer}/pattern")


_KNOWN = ("https://json-schema.org/draft/2020-12/schema",)


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{escape(part)}" for part in path)


def _short(message: str) -> str:
    """Return a message without the instance that the library puts into it when that is long."""
    return message if len(message) <= 300 else message[:150] + " … " + message[-149:]
