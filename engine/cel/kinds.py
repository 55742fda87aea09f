"""Kinds of values, as far as they are known before anything runs: "any" where only the data will tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.cel.paths import Parts, Reference

SAID = {
    "bool": "true or false",
    "number": "a number",
    "text": "a text",
    "bytes": "bytes",
    "list": "a list",
    "map": "an object",
    "null": "null",
    "timestamp": "a timestamp",
    "duration": "a duration",
    "optional": "an optional",
}
KINDS = {bool: "bool", int: "number", float: "number", str: "text", bytes: "bytes", list: "list", dict: "map"}
ORDERED = frozenset({"any", "bool", "number", "text", "bytes", "timestamp", "duration"})
_ARITHMETIC = frozenset({"any", "number"})
_SUMS = _ARITHMETIC | {"text", "bytes", "list", "timestamp", "duration"}
_DIFFERENCES = _ARITHMETIC | {"timestamp", "duration"}
OPERANDS = {"+": _SUMS, "-": _DIFFERENCES, "*": _ARITHMETIC, "/": _ARITHMETIC, "%": _ARITHMETIC}


@dataclass
class Checked:
    """What is known of a tree. Nodes are known by their id: the tree lives as long as this."""

    kinds: dict[int, str] = field(default_factory=dict)
    special: set[int] = field(default_factory=set)  # embedded expressions whose value may hold what JSON does not know
    references: list[Reference] = field(default_factory=list)
    reads: dict[str, tuple[str, Parts]] = field(default_factory=dict)  # paths by their text
    nodes: int = 0
