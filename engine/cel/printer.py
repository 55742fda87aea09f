"""Writes a tree as CEL, with no more brackets than needed: what the parser reads from it is the same tree.

Works from the leaves up without recursion, for trees that structured conditions made may be deep. Must not leave out
or reorder anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.cel import literals
from engine.cel.grammar import BIND, KEYWORDS, LEVELS
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_WORDS = {None: "null", True: "true", False: "false"}
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# How tightly a text holds together; between these the levels of the operators.
_CHOICE = 0
_SIGNED = 6
_WHOLE = 7


class _Piece(NamedTuple):
    """The text of a node, and how tightly it holds together."""

    text: str
    level: int


def show(node: Node) -> str:
    """Return the CEL text of a tree."""
    order: list[tuple[Node, int]] = []
    stack = [node]
    while stack:
        node = stack.pop()
        under = _under(node)
        order.append((node, len(under)))
        stack += under
    done: list[_Piece] = []
    for node, count in reversed(order):
        pieces = done[len(done) - count :]
        del done[len(done) - count :]
        done.append(_WRITERS[type(node)](node, pieces))
    return done[0].text


def _under(node: Node) -> tuple[Node, ...]:
    """Return the nodes under a node; a list or an object from a document counts as one made of constants."""
    if isinstance(node, Const) and isinstance(node.value, list | dict):
        values: Iterable[Any] = node.value.values() if isinstance(node.value, dict) else node.value
        return tuple(Const(node.at, value) for value in values)
    return children(node)


def _within(piece: _Piece, level: int) -> str:
    """Return a text that holds together at least as tightly as `level`."""
    return piece.text if piece.level >= level else f"({piece.text})"


def _listed(pieces: Iterable[_Piece]) -> str:
    return ", ".join(piece.text for piece in pieces)


def _mark(*, optional: bool) -> str:
    return "?" if optional else ""


def _const(node: Const, pieces: list[_Piece]) -> _Piece:
    value = node.value
    if isinstance(value, list):
        return _Piece(f"[{_listed(pieces)}]", _WHOLE)
    if isinstance(value, dict):
        entries = (f"{literals.written_text(k)}: {piece.text}" for k, piece in zip(value, pieces, strict=True))
        return _Piece(f"{{{', '.join(entries)}}}", _WHOLE)
    text = _scalar(value)
    return _Piece(text, _SIGNED if text.startswith("-") else _WHOLE)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return literals.written_text(value)
    if isinstance(value, bytes):
        return literals.written_bytes(value)
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    return repr(value)


def _name(node: Name, _: list[_Piece]) -> _Piece:
    return _Piece(node.name, _WHOLE)


def _select(node: Select, pieces: list[_Piece]) -> _Piece:
    mark = _mark(optional=node.optional)
    plain = _FIELD.fullmatch(node.field) and node.field not in KEYWORDS
    member = f".{mark}{node.field}" if plain else f"[{mark}{literals.written_text(node.field)}]"
    return _Piece(_within(pieces[0], _WHOLE) + member, _WHOLE)


def _has(_: Has, pieces: list[_Piece]) -> _Piece:
    return _Piece(f"has({pieces[0].text})", _WHOLE)


def _index(node: Index, pieces: list[_Piece]) -> _Piece:
    operand, key = pieces
    return _Piece(f"{_within(operand, _WHOLE)}[{_mark(optional=node.optional)}{key.text}]", _WHOLE)


def _unary(node: Unary, pieces: list[_Piece]) -> _Piece:
    sign, operand = node.operator, pieces[0]
    same = operand.level == _SIGNED and operand.text.startswith(sign)
    number = sign == "-" and operand.text[0] in ".0123456789"  # would be read as the negative number
    bare = same or (operand.level == _WHOLE and not number)
    return _Piece(sign + (operand.text if bare else f"({operand.text})"), _SIGNED)


def _binary(node: Binary, pieces: list[_Piece]) -> _Piece:
    level = LEVELS[node.operator]
    left, right = pieces
    return _Piece(f"{_within(left, level)} {node.operator} {_within(right, level + 1)}", level)


def _logic(node: Logic, pieces: list[_Piece]) -> _Piece:
    level = LEVELS[node.operator]
    return _Piece(f" {node.operator} ".join(_within(piece, level + 1) for piece in pieces), level)


def _ternary(_: Ternary, pieces: list[_Piece]) -> _Piece:
    test, then, other = pieces
    return _Piece(f"{_within(test, _CHOICE + 1)} ? {_within(then, _CHOICE + 1)} : {other.text}", _CHOICE)


def _list(node: ListOf, pieces: list[_Piece]) -> _Piece:
    items = (_mark(optional=item.optional) + piece.text for item, piece in zip(node.items, pieces, strict=True))
    return _Piece(f"[{', '.join(items)}]", _WHOLE)


def _map(node: MapOf, pieces: list[_Piece]) -> _Piece:
    entries = (
        f"{_mark(optional=entry.optional)}{key.text}: {value.text}"
        for entry, key, value in zip(node.entries, pieces[::2], pieces[1::2], strict=True)
    )
    return _Piece(f"{{{', '.join(entries)}}}", _WHOLE)


def _call(node: Call, pieces: list[_Piece]) -> _Piece:
    if node.target is None:
        return _Piece(f"{node.function}({_listed(pieces)})", _WHOLE)
    return _Piece(f"{_within(pieces[0], _WHOLE)}.{node.function}({_listed(pieces[1:])})", _WHOLE)


def _macro(node: Macro, pieces: list[_Piece]) -> _Piece:
    target, *args = pieces
    if node.name == BIND:
        return _Piece(f"{BIND}({node.variables[0]}, {target.text}, {_listed(args)})", _WHOLE)
    variables = ", ".join(node.variables)
    return _Piece(f"{_within(target, _WHOLE)}.{node.name}({variables}, {_listed(args)})", _WHOLE)


def _joined(node: Joined, pieces: list[_Piece]) -> _Piece:
    rest = iter(pieces)
    parts = [literals.written_text(p) if isinstance(p, str) else f"string({next(rest).text})" for p in node.parts]
    return _Piece(" + ".join(parts) or '""', LEVELS["+"] if len(parts) > 1 else _WHOLE)


def _embedded(_: Embedded, pieces: list[_Piece]) -> _Piece:
    return pieces[0]


_WRITERS: dict[type[Node], Callable[[Any, list[_Piece]], _Piece]] = {
    Const: _const,
    Name: _name,
    Select: _select,
    Has: _has,
    Index: _index,
    Unary: _unary,
    Binary: _binary,
    Logic: _logic,
    Ternary: _ternary,
    ListOf: _list,
    MapOf: _map,
    Call: _call,
    Macro: _macro,
    Joined: _joined,
    Embedded: _embedded,
}
