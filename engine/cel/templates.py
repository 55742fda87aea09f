"""Config values with `${...}` in their texts, as trees.

A text that is one `${...}` keeps the type of its value; in any other text values are written as `string()` writes them.
`$${` stands for `${`. Keys of objects are literal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.cel.errors import InvalidExpression
from engine.cel.limits import MOST_FAULTS, TOO_LONG, Allowance
from engine.cel.parser import parse_embedded
from engine.cel.syntax import Const, Embedded, Entry, Item, Joined, ListOf, MapOf

if TYPE_CHECKING:
    from engine.cel.syntax import Node

MOST_POINTER = 1000  # characters of a JSON pointer; every expression below has one


class Reader:
    """Reads config values; faults are added to those handed in."""

    def __init__(self, faults: list[InvalidExpression], allowance: Allowance) -> None:
        self._faults = faults
        self._allowance = allowance

    def tree(self, value: Any, pointer: str) -> Node:
        """Return the tree of a config value; a faulty text becomes null.

        Values are at most 64 levels deep (`core.values.admit` saw to that).
        """
        if isinstance(value, str):
            return self.text(value, pointer)
        if isinstance(value, dict):
            entries = [(key, self.tree(v, _below(pointer, escape(key)))) for key, v in value.items()]
            if all(isinstance(node, Const) for _, node in entries):
                return Const(0, {key: node.value for key, node in entries if isinstance(node, Const)})
            return MapOf(0, tuple(Entry(Const(0, key), node) for key, node in entries))
        if isinstance(value, list):
            items = [self.tree(v, _below(pointer, i)) for i, v in enumerate(value)]
            if all(isinstance(node, Const) for node in items):
                return Const(0, [node.value for node in items if isinstance(node, Const)])
            return ListOf(0, tuple(Item(node) for node in items))
        return Const(0, value)

    def text(self, text: str, pointer: str, *, encode: bool = False) -> Node:
        """Return the tree of a text. `encode`: it is a URL."""
        if "${" not in text:
            return Const(0, text)
        pieces = self._pieces(text, pointer)
        if len(pieces) == 1:
            only = pieces[0]
            return only if isinstance(only, Embedded) else Const(0, only)
        return Embedded(0, Joined(0, tuple(pieces), encode), pointer, text)

    def _pieces(self, text: str, pointer: str) -> list[str | Embedded]:
        """Return the literal pieces and the expressions of a text; a faulty expression becomes null."""
        pieces: list[str | Embedded] = []
        plain, place = "", 0
        while len(self._faults) < MOST_FAULTS and (begin := text.find("${", place)) >= 0:
            if begin > place and text[begin - 1] == "$":
                plain += text[place : begin - 1] + "${"
                place = begin + 2
                continue
            plain += text[place:begin]
            pieces += [plain] if plain else []
            node, place = self._expression(text, begin + 2, pointer)
            pieces.append(Embedded(begin + 2, node, pointer, text))
            plain = ""
        plain += text[place:]
        return [*pieces, plain] if plain or not pieces else pieces

    def _expression(self, text: str, begin: int, pointer: str) -> tuple[Node, int]:
        """Return an expression, and the place behind it."""
        try:
            node, place = parse_embedded(text, begin)
            self.admit(place - begin)
        except InvalidExpression as fault:
            fault.pointer = pointer
            self._faults.append(fault)
            end = text.find("}", max(begin, fault.position))
            return Const(begin, None), len(text) if end < 0 else end + 1
        return node, place

    def admit(self, characters: int) -> None:
        """Take the characters of an expression. Raises InvalidExpression where there is no room for them."""
        if not self._allowance.characters(characters):
            raise InvalidExpression(TOO_LONG, advice="Let services compute what is as large as this.")


def _below(pointer: str, part: str | int) -> str:
    return f"{pointer}/{part}" if len(pointer) < MOST_POINTER else pointer


def escape(key: str) -> str:
    """Return a key as part of a JSON pointer."""
    return key[:100].replace("~", "~0").replace("/", "~1")
