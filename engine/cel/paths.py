"""Paths: which values an expression reads. `input.order.lines[0]`, `steps.check.output.body.score`.

A path is a root followed by fields and whole numbers, known without evaluating anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.cel.syntax import Const, Index, Name, Node, Select
from engine.cel.trees import walk

if TYPE_CHECKING:
    from engine.cel.scope import Scope

MISSING: Any = object()

Parts = tuple[str | int, ...]


class Reference(Struct, frozen=True):
    """One reading of a value: from which root, by which path (`text`), of which `step` where the root is `steps`.

    It stands at `position` of `source`, a text of the document at `pointer`.
    """

    root: str
    text: str
    step: str | None = None
    pointer: str = ""
    position: int = 0
    source: str = ""


def path_of(node: Node) -> tuple[str, Parts] | None:
    """Return the root and the parts of a path, None for anything else. What is optional counts as what it looks for."""
    parts: list[str | int] = []
    while not isinstance(node, Name):
        if isinstance(node, Select):
            parts.append(node.field)
        elif isinstance(node, Index) and isinstance(node.key, Const) and type(node.key.value) is int:
            parts.append(node.key.value)
        else:
            return None
        node = node.operand
    return node.name, tuple(reversed(parts))


def is_plain(node: Node) -> bool:
    """Tell whether a node is a path, and no part of it is optional."""
    parts = list(walk(node))
    return path_of(node) is not None and not any(isinstance(p, Select | Index) and p.optional for p in parts)


def find(scope: Scope, root: str, parts: Parts) -> Any:
    """Return the value a path leads to, MISSING where it leads nowhere."""
    try:
        if root == "steps":
            value, rest = scope.step(str(parts[0]), str(parts[1])), parts[2:]
        else:
            value, rest = scope.lookup(root), parts
        for part in rest:
            if type(value) is not (dict if type(part) is str else list):
                return MISSING
            value = value[part]  # type: ignore[index]
    except LookupError:
        return MISSING
    return value
