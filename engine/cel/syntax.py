"""The tree of an expression. Made by the parser, by structured conditions and by templates; printed, checked, compiled.

`at` is the character of the source that a node is about: the operator of an operation, the name of a selected field or
of a function, the first character of anything else.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Node(Struct, frozen=True):
    """Any node."""

    at: int


class Const(Node, frozen=True):
    """A value known beforehand: null, a boolean, a number, a text, bytes, or (from a document) any JSON value."""

    value: Any


class Name(Node, frozen=True):
    """A root such as `input`, or a variable of a macro."""

    name: str


class Select(Node, frozen=True):
    """`operand.field`, `operand.?field`."""

    operand: Node
    field: str
    optional: bool = False


class Has(Node, frozen=True):
    """`has(operand.field)`."""

    select: Select


class Index(Node, frozen=True):
    """`operand[key]`, `operand[?key]`."""

    operand: Node
    key: Node
    optional: bool = False


class Unary(Node, frozen=True):
    """`!operand`, `-operand`; `operator` is the sign."""

    operator: str
    operand: Node


class Binary(Node, frozen=True):
    """`left operator right` for `+ - * / % == != < <= > >= in`."""

    operator: str
    left: Node
    right: Node


class Logic(Node, frozen=True):
    """Two or more parts joined by `&&` or by `||`; `ats` are the places of the operators, one less than the parts."""

    operator: str
    parts: tuple[Node, ...]
    ats: tuple[int, ...] = ()


class Ternary(Node, frozen=True):
    """`test ? then : other`."""

    test: Node
    then: Node
    other: Node


class Item(Struct, frozen=True):
    """An item of a list; with `optional` (written `?value`) it is left out where the value is none."""

    value: Node
    optional: bool = False


class ListOf(Node, frozen=True):
    """`[a, ?b]`."""

    items: tuple[Item, ...]


class Entry(Struct, frozen=True):
    """An entry of a map; with `optional` (written `?key: value`) it is left out where the value is none."""

    key: Node
    value: Node
    optional: bool = False


class MapOf(Node, frozen=True):
    """`{"a": b, ?"c": d}`."""

    entries: tuple[Entry, ...]


class Call(Node, frozen=True):
    """`function(args)`, `target.function(args)`, `math.round(args)` (whose function is "math.round")."""

    function: str
    target: Node | None
    args: tuple[Node, ...]


class Macro(Node, frozen=True):
    """`target.name(variables..., args...)`: what is evaluated once for each item, with `variables` bound.

    `cel.bind(x, value, result)` is the macro "cel.bind" with the target `value` and one arg.
    """

    name: str
    target: Node
    variables: tuple[str, ...]
    args: tuple[Node, ...]


class Joined(Node, frozen=True):
    """A text with `${}` in it: literal pieces and expressions. `encode`: a URL, whose later values are escaped."""

    parts: tuple[str | Node, ...]
    encode: bool = False


class Embedded(Node, frozen=True):
    """An expression that stands in a text of a document: `pointer` names the text, `source` is all of it.

    Positions inside it are offsets in `source`. Printed as the expression alone.
    """

    node: Node
    pointer: str
    source: str
