"""Path references: `input.order.lines[0]["unit-price"]`, compiled to a walk over values.

Grammar: root ( '.' name | '[' string ']' | '[' integer ']' )*. A step id with a hyphen is only reachable as
`steps["a-b"]`. Values are handed in by a Scope; a Lazy among them fetches its members when they are asked
for.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

from msgspec import Struct

from engine.cel.errors import EvaluationError, InvalidExpression
from engine.cel.fuel import Fuel

MAX_SOURCE = 2000  # characters of one expression
ROOTS = frozenset({"input", "steps", "process", "trigger"})
STEP_FIELDS = ("output", "status", "error")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INDEX = re.compile(r"\[\s*(0|[1-9][0-9]{0,8})\s*\]")
_KEY = re.compile(r"""\[\s*(?:"((?:[^"\\]|\\["\\])*)"|'((?:[^'\\]|\\['\\])*)')\s*\]""")
_ESCAPE = re.compile(r"\\(.)")


class Scope(Protocol):
    """Gives the values of roots, and bounds the work done with them."""

    @property
    def fuel(self) -> Fuel:
        """What is left to spend."""

    def lookup(self, root: str) -> Any:
        """Return the value of a root, which may be a Lazy. Raises KeyError where there is none."""


class Lazy:
    """A value whose members are fetched one by one. Never the result of an expression."""

    __slots__ = ()

    def member(self, key: str) -> Any:
        """Return one member. Raises KeyError where it is missing."""
        raise KeyError(key)


class _Missing:
    """The type of MISSING."""


MISSING = _Missing()


class Reference(Struct, frozen=True):
    """What an expression reads. `step` is set where the root is `steps`."""

    root: str
    text: str
    step: str | None = None
    position: int = 0


class Expression:
    """A compiled expression. Holds no state: `evaluate` may be called again and again."""

    __slots__ = ("parts", "position", "references", "root", "text")

    def __init__(self, root: str, parts: tuple[str | int, ...], text: str, position: int = 0) -> None:
        self.root = root
        self.parts = parts
        self.text = text
        self.position = position
        step = parts[0] if root == "steps" and parts and isinstance(parts[0], str) else None
        self.references = (Reference(root=root, text=text, step=step, position=position),)

    def find(self, scope: Scope) -> Any:
        """Return the value, MISSING where the path leads nowhere."""
        try:
            value = scope.lookup(self.root)
        except KeyError:
            return MISSING
        for part in self.parts:
            value = _member(value, part)
            if value is MISSING:
                return MISSING
        return value

    def evaluate(self, scope: Scope) -> Any:
        """Return the value. Raises EvaluationError that names the path where it is missing."""
        value = self.find(scope)
        if value is MISSING:
            raise EvaluationError(self._why(scope), self.text, self.position)
        return value

    def _why(self, scope: Scope) -> str:
        try:
            value = scope.lookup(self.root)
        except KeyError:
            return f"{self.text} is missing: there is no {self.root} here"
        seen = self.root
        for part in self.parts:
            inner = _member(value, part)
            if inner is MISSING:
                return f"{self.text} is missing: {seen} {_lacks(value, part)}"
            value = inner
            seen += _written(part)
        return f"{self.text} is missing"


def _member(value: Any, part: str | int) -> Any:
    kind = type(value)
    if kind is dict:
        return value.get(part, MISSING)
    if kind is list:
        return value[part] if type(part) is int and part < len(value) else MISSING
    if isinstance(value, Lazy) and isinstance(part, str):
        try:
            return value.member(part)
        except KeyError:
            return MISSING
    return MISSING


def _lacks(value: Any, part: str | int) -> str:
    if isinstance(value, dict | Lazy):
        return f"has no field {part!r}"
    if isinstance(value, list):
        return f"has {len(value)} items" if isinstance(part, int) else "is a list, which has no fields"
    return f"is {_kind(value)}"


def _kind(value: Any) -> str:
    return "null" if value is None else f"a {type(value).__name__}, which has no members"


def _written(part: str | int) -> str:
    if isinstance(part, str) and _NAME.fullmatch(part):
        return f".{part}"
    return f"[{part}]" if isinstance(part, int) else f'["{part}"]'


def parse_path(source: str, roots: frozenset[str] = ROOTS, pointer: str = "", offset: int = 0) -> Expression:
    """Compile a path reference. `offset` is where `source` begins in its string. Raises InvalidExpression."""
    if len(source) > MAX_SOURCE:
        raise InvalidExpression(f"the expression is longer than {MAX_SOURCE} characters", pointer, offset)
    begin = len(source) - len(source.lstrip())
    text = source.strip()
    offset += begin
    found = _NAME.match(text)
    if not found:
        raise InvalidExpression(f"expected a reference such as input.name, found {_shown(text)}", pointer, offset)
    root = found.group()
    if root not in roots:
        raise InvalidExpression(
            f"{root!r} is not known here",
            pointer,
            offset,
            f"A reference begins with {_listed(roots)}.",
        )
    expression = Expression(root, _parts(text, found.end(), pointer, offset), text, offset)
    _check_root(expression, pointer)
    return expression


def _parts(text: str, place: int, pointer: str, offset: int) -> tuple[str | int, ...]:
    parts: list[str | int] = []
    while place < len(text):
        part, place = _part(text, place, pointer, offset)
        parts.append(part)
    return tuple(parts)


def _part(text: str, place: int, pointer: str, offset: int) -> tuple[str | int, int]:
    if text[place] == ".":
        name = _NAME.match(text, place + 1)
        if name and not text.startswith("-", name.end()):
            return name.group(), name.end()
        if name:
            advice = 'Write names with other characters as ["a-b"].'
            raise InvalidExpression("'-' cannot stand here", pointer, offset + name.end(), advice)
    elif index := _INDEX.match(text, place):
        return int(index.group(1)), index.end()
    elif key := _KEY.match(text, place):
        return _ESCAPE.sub(r"\1", key.group(1) if key.group(1) is not None else key.group(2)), key.end()
    raise InvalidExpression(
        f"cannot read {_shown(text[place:])}",
        pointer,
        offset + place,
        'For now an expression is one reference: names with dots, [0] and ["key"].',
    )


def _check_root(expression: Expression, pointer: str) -> None:
    if expression.root == "steps":
        _check_step(expression, pointer)
    if expression.root == "secrets" and (len(expression.parts) != 1 or isinstance(expression.parts[0], int)):
        raise InvalidExpression("a secret is written secrets.NAME", pointer, expression.position)


def _check_step(expression: Expression, pointer: str) -> None:
    parts = expression.parts
    if not parts or not isinstance(parts[0], str):
        raise InvalidExpression("steps must be followed by a step id", pointer, expression.position)
    if len(parts) < 2 or parts[1] not in STEP_FIELDS:
        raise InvalidExpression(
            f"{expression.text!r} names no value of step {parts[0]!r}",
            pointer,
            expression.position,
            f"A step has {_listed(STEP_FIELDS)}; its result is steps.{parts[0]}.output.",
        )


def _listed(names: frozenset[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names))


def _shown(text: str) -> str:
    return repr(text[:40]) if text else "nothing"
