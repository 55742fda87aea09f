"""Walking the tree of an expression without recursion, so that no tree is too deep for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes right under a node, in the order of the source."""
    return _CHILDREN[type(node)](node)


def walk(root: Node) -> Iterator[Node]:
    """Return a node and all that are below it, in no order."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += children(node)


def below(root: Node, levels: int) -> Node | None:
    """Return a node that has more than `levels` nodes above it, None where no node has."""
    stack = [(root, 0)]
    while stack:
        node, level = stack.pop()
        if level > levels:
            return node
        stack += [(child, level + 1) for child in children(node)]
    return None


def _none(_: Node) -> tuple[Node, ...]:
    return ()


def _entries(node: MapOf) -> tuple[Node, ...]:
    return tuple(part for entry in node.entries for part in (entry.key, entry.value))


def _call(node: Call) -> tuple[Node, ...]:
    return node.args if node.target is None else (node.target, *node.args)


_CHILDREN: dict[type[Node], Callable[[Any], tuple[Node, ...]]] = {
    Const: _none,
    Name: _none,
    Select: lambda node: (node.operand,),
    Has: lambda node: (node.select,),
    Index: lambda node: (node.operand, node.key),
    Unary: lambda node: (node.operand,),
    Binary: lambda node: (node.left, node.right),
    Logic: lambda node: node.parts,
    Ternary: lambda node: (node.test, node.then, node.other),
    ListOf: lambda node: tuple(item.value for item in node.items),
    MapOf: _entries,
    Call: _call,
    Macro: lambda node: (node.target, *node.args),
    Joined: lambda node: tuple(part for part in node.parts if isinstance(part, Node)),
    Embedded: lambda node: (node.node,),
}
