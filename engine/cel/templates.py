"""Config values with `${...}` in their texts, as trees.

A text that is one `${...}` keeps the type of its value; in any other text values are written as `string()` writes them.
`$${` stands for `${`. Keys of objects are literal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.cel.errors import InvalidExpression
from engine.cel.parser import parse_embedded
from engine.cel.syntax import Const, Embedded, Entry, Item, Joined, ListOf, MapOf

if TYPE_CHECKING:
    from engine.cel.syntax import Node


def split(text: str, pointer: str) -> list[str | Embedded]:
    """Return the literal pieces and the expressions of a text. Raises InvalidExpression."""
    pieces: list[str | Embedded] = []
    plain = ""
    place = 0
    while (begin := text.find("${", place)) >= 0:
        if begin > place and text[begin - 1] == "$":
            plain += text[place : begin - 1] + "${"
            place = begin + 2
            continue
        plain += text[place:begin]
        if plain:
            pieces.append(plain)
        plain = ""
        node, place = parse_embedded(text, begin + 2)
        pieces.append(Embedded(begin + 2, node, pointer, text))
    plain += text[place:]
    return [*pieces, plain] if plain or not pieces else pieces


def tree(value: Any, pointer: str, faults: list[InvalidExpression], *, encode: bool = False) -> Node:
    """Return the tree of a config value; a faulty text becomes null, its fault is added to `faults`.

    `encode`: the value is a URL. Values are at most 64 levels deep (`core.values.admit` saw to that).
    """
    if isinstance(value, str):
        return _text(value, pointer, faults, encode=encode)
    if isinstance(value, dict):
        entries = [(key, tree(v, f"{pointer}/{escape(key)}", faults)) for key, v in value.items()]
        if all(isinstance(node, Const) for _, node in entries):
            return Const(0, {key: node.value for key, node in entries if isinstance(node, Const)})
        return MapOf(0, tuple(Entry(Const(0, key), node) for key, node in entries))
    if isinstance(value, list):
        items = [tree(v, f"{pointer}/{i}", faults) for i, v in enumerate(value)]
        if all(isinstance(node, Const) for node in items):
            return Const(0, [node.value for node in items if isinstance(node, Const)])
        return ListOf(0, tuple(Item(node) for node in items))
    return Const(0, value)


def _text(text: str, pointer: str, faults: list[InvalidExpression], *, encode: bool) -> Node:
    if "${" not in text:
        return Const(0, text)
    try:
        pieces = split(text, pointer)
    except InvalidExpression as fault:
        fault.pointer = pointer
        faults.append(fault)
        return Const(0, None)
    if len(pieces) == 1:
        only = pieces[0]
        return only if isinstance(only, Embedded) else Const(0, only)
    return Joined(0, tuple(pieces), encode)


def escape(key: str) -> str:
    """Return a key as part of a JSON pointer."""
    return key[:100].replace("~", "~0").replace("/", "~1")
