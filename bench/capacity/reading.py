"""What the expressions of a definition read, and what they do with it: from that, values are made up.

Works on the engine's own trees and evaluates nothing. A path begins with its root (`steps`, `input`, `secrets`); an
item of a list has the number 0. What is read only if it is there (`?.`, `has()`, `exists`) is `optional`, with all that
is below.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET, Struct

from engine.cel import ROOTS, Allowance, structured, templates
from engine.cel.printer import show
from engine.cel.syntax import (
    Binary,
    Call,
    Const,
    Embedded,
    Has,
    Index,
    Joined,
    ListOf,
    Logic,
    Macro,
    MapOf,
    Name,
    Node,
    Select,
    Ternary,
    Unary,
)
from engine.cel.trees import children

Path = tuple[str | int, ...]

_TEXT = {
    "startsWith",
    "endsWith",
    "matches",
    "substring",
    "upperAscii",
    "lowerAscii",
    "trim",
    "split",
    "replace",
    "charAt",
}
_LIST = {"join", "distinct", "sort", "first", "last", "flatten", "reverse", "slice", "sum", "min", "max"}
_TESTS = {"all", "exists", "existsOne", "exists_one", "filter"}
_SAME_ITEMS = {"filter", "sortBy", "distinct", "sort", "reverse", "slice"}
_MAYBE = {"orValue", "value", "hasValue"}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_KINDS = {bool: "bool", int: "number", float: "number", str: "text", list: "list", dict: "map"}


class Hint(Struct, frozen=True):
    """What one reading says of a value. `relation` to `value`: "==", "<" and so on; "" where only the kind is known."""

    kind: str
    relation: str = ""
    value: Any = UNSET


class Reads:
    """All that was read: paths with what is known of their values, and what cannot be followed."""

    def __init__(self) -> None:
        self.paths: dict[Path, list[Hint]] = {}
        self.optional: set[Path] = set()
        self.unclear: dict[Path, str] = {}

    def needed(self, *prefix: str | int) -> dict[Path, list[Hint]]:
        """Return what must be there below a prefix, by the rest of its path."""
        length = len(prefix)
        return {
            path[length:]: hints
            for path, hints in self.paths.items()
            if path[:length] == prefix and not any(path[:n] in self.optional for n in range(length + 1, len(path) + 1))
        }

    def condition(self, source: Any) -> None:
        """Learn from a condition."""
        self._learn(structured.Reader([], Allowance(limited=False)).read(source, ""), Hint("bool"), {})

    def template(self, value: Any, hint: Hint | None = None) -> None:
        """Learn from a value whose texts may hold expressions."""
        self._learn(templates.Reader([], Allowance(limited=False)).tree(value, ""), hint, {})

    def _learn(self, node: Node, hint: Hint | None, bound: dict[str, Path | None]) -> None:
        match node:
            case Embedded():
                self._learn(node.node, hint, bound)
            case Select() | Index() | Name():
                self._path(node, hint, bound)
            case Has():
                self._note_optional(node.select, bound)
                self._learn(node.select, None, bound)
            case Binary():
                self._binary(node, bound)
            case Call():
                self._call(node, hint, bound)
            case Macro():
                self._macro(node, bound)
            case _:
                for child, wanted in _wanted(node, hint):
                    self._learn(child, wanted, bound)

    def _path(self, node: Select | Index | Name, hint: Hint | None, bound: dict[str, Path | None]) -> None:
        place = self._place(node, bound)
        if place is not None:
            self.paths.setdefault(place, []).extend([hint] if hint else [])
        elif isinstance(node, Index) and (whole := self._place(node.operand, bound)) and whole[0] == "steps":
            self.unclear[whole] = f"{show(node)} reads a place that only the data will tell"
        inner: Node = node
        while isinstance(inner, Select | Index):
            if isinstance(inner, Index):
                self._learn(inner.key, None, bound)
            inner = inner.operand
        if not isinstance(inner, Name):
            self._learn(inner, None, bound)

    def _place(self, node: Node, bound: dict[str, Path | None]) -> Path | None:
        """Return the path that a node leads to, None where it is made of something else; note what may be missing."""
        match node:
            case Name():
                return bound.get(node.name, (node.name,))
            case Select() | Index():
                return self._member(node, bound)
            case Call(function="coalesce", args=(first, *_)):
                return self._note_optional(first, bound)
        inner = _within(node)
        return None if inner is None else self._place(inner, bound)

    def _member(self, node: Select | Index, bound: dict[str, Path | None]) -> Path | None:
        part = node.field if isinstance(node, Select) else _constant(node.key)
        above = self._place(node.operand, bound)
        place = None if above is None or part is None else (*above, part)
        if node.optional and place is not None:
            self.optional.add(place)
        return place

    def _note_optional(self, node: Node, bound: dict[str, Path | None]) -> Path | None:
        place = self._place(node, bound)
        if place is not None:
            self.optional.add(place)
        return place

    def _binary(self, node: Binary, bound: dict[str, Path | None]) -> None:
        mirrored = _MIRRORED.get(node.operator, node.operator)
        self._learn(node.left, _compared(node.operator, node.right, left=True), bound)
        self._learn(node.right, _compared(mirrored, node.left, left=False), bound)

    def _call(self, node: Call, hint: Hint | None, bound: dict[str, Path | None]) -> None:
        self._place(node, bound)  # notes what may be missing
        if node.target is not None:
            self._learn(node.target, hint if node.function in _MAYBE else _of_target(node.function), bound)
        for arg in node.args:
            self._learn(arg, _of_argument(node), bound)

    def _macro(self, node: Macro, bound: dict[str, Path | None]) -> None:
        whole = self._place(node.target, bound)
        binds = node.name in ("cel.bind", "optMap")
        self._learn(node.target, None if binds else Hint("list"), bound)
        item = whole if binds or whole is None else (*whole, 0)
        inner = {**bound, **dict.fromkeys(node.variables), node.variables[-1]: item}
        for arg in node.args:
            self._learn(arg, Hint("bool") if node.name in _TESTS else None, inner)


def read(document: dict[str, Any]) -> Reads:
    """Return what the expressions of a document read; it has been checked."""
    found = Reads()
    for step in document["steps"]:
        config = {name: value for name, value in step["config"].items() if name not in ("branches", "form")}
        found.template(config)
        for branch in step["config"].get("branches", ()):
            found.condition(branch["when"])
        if step.get("condition") is not None:
            found.condition(step["condition"])
    found.template(document.get("output"))
    found.paths = {path: hints for path, hints in found.paths.items() if path[0] in ROOTS | {"secrets"}}
    return found


def _within(node: Node) -> Node | None:
    """Return the node whose place a node has as well, None where it makes something new."""
    match node:
        case Embedded(node=inner):
            return inner
        case Call(target=inner) if node.function in _MAYBE | _SAME_ITEMS:
            return inner
        case Macro(target=inner) if node.name in _SAME_ITEMS:
            return inner
    return None


def _wanted(node: Node, hint: Hint | None) -> Iterator[tuple[Node, Hint | None]]:
    """Yield the nodes right below one, each with what is known of its value."""
    if isinstance(node, Ternary):
        yield from ((node.test, Hint("bool")), (node.then, hint), (node.other, hint))
        return
    is_test = isinstance(node, Logic) or (isinstance(node, Unary) and node.operator == "!")
    below = Hint("bool") if is_test else Hint("number") if isinstance(node, Unary) else None
    for child in children(node):
        yield child, below


def _compared(operator: str, other: Node, *, left: bool) -> Hint | None:
    """Return what an operation says of the operand whose partner is `other`."""
    other = other.node if isinstance(other, Embedded) else other
    if operator == "in":
        return _member(other) if left else Hint("list")
    kind = _kind(other)
    if operator in ("-", "*", "/", "%"):
        return Hint("number") if kind in ("", "number") else None
    if operator == "+":
        return Hint(kind or "number")
    if isinstance(other, Const) and operator != "!=" and kind:
        return Hint(kind, operator, other.value)
    return Hint(kind) if kind else None


def _member(other: Node) -> Hint | None:
    """Return what being one of `other` says."""
    first = other.value[0] if isinstance(other, Const) and isinstance(other.value, list) and other.value else UNSET
    if isinstance(other, ListOf) and other.items and isinstance(other.items[0].value, Const):
        first = other.items[0].value.value
    return None if first is UNSET else Hint(_KINDS.get(type(first), ""), "==", first)


def _kind(node: Node) -> str:
    """Return the kind of a value as far as its expression tells; '' where it does not."""
    if isinstance(node, Const):
        return _KINDS.get(type(node.value), "")
    if isinstance(node, Binary):
        return {"+": ""}.get(node.operator, "number" if node.operator in "-*/%" else "bool")
    if isinstance(node, Call):
        return _made(node.function)
    return {Joined: "text", ListOf: "list", MapOf: "map", Logic: "bool", Has: "bool"}.get(type(node), "")


def _made(function: str) -> str:
    if function in ("size", "int", "double", "sum") or function.startswith("math."):
        return "number"
    return "text" if function in _TEXT - {"split"} or function in ("string", "join") else ""


def _of_target(function: str) -> Hint | None:
    """Return what a method says of the value it is called on."""
    if function in ("sum", "min", "max"):
        return Hint("list", "==", [1])
    return Hint("text") if function in _TEXT else Hint("list") if function in _LIST else None


def _of_argument(node: Call) -> Hint | None:
    """Return what a function says of its arguments."""
    if node.function in ("int", "double") or node.function.startswith("math."):
        return Hint("number")
    if node.function == "timestamp":
        return Hint("text", "==", "2030-01-01T00:00:00Z")
    if node.function == "duration":
        return Hint("text", "==", "60s")
    return Hint("text") if node.target is not None and node.function in _TEXT - {"substring"} else None


def _constant(key: Node) -> str | int | None:
    value = key.value if isinstance(key, Const) else None
    return value if isinstance(value, str) or type(value) is int else None
