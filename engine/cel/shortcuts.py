"""Tests and sums that need no call, for the operands that are common. Text of Python, made of names and literals.

Each holds for every operand: it gives what the operation gives, or goes on to call it.
"""

from __future__ import annotations

from typing import Any

from engine.cel.syntax import Binary, Const, Embedded, ListOf, Node

MOST_NUMBERS = 64  # in a set: numbers can be chosen so that they all meet in one place of it
SHORT = 64  # characters of a text that may be compared without being paid for
_ORDER = ("<", "<=", ">", ">=")
_TIMES = ("timestamp", "duration")
_NUMBERS = frozenset({int, float})


def bare(node: Node) -> Node:
    """Return a node without the text it stands in."""
    while isinstance(node, Embedded):
        node = node.node
    return node


def constants(where: Node) -> tuple[frozenset[Any], str, list[Any]] | None:
    """Return the items of a list of texts or of numbers known beforehand, the test that a value may be one, the list.

    The test has `{0}` for the value's name. None for any other list.
    """
    values = _items(bare(where))
    kinds = {type(value) for value in values}
    if kinds == {str}:
        return frozenset(values), "{0}.__class__ is str", values
    if kinds and kinds <= _NUMBERS and len(values) <= MOST_NUMBERS:
        return frozenset(values), "{0}.__class__ is int or {0}.__class__ is float", values
    return None


def _items(node: Node) -> list[Any]:
    if isinstance(node, Const) and type(node.value) is list:
        return node.value
    if isinstance(node, ListOf):
        known = [item.value.value for item in node.items if isinstance(item.value, Const) and not item.optional]
        return known if len(known) == len(node.items) else []
    return []


def equality(node: Binary, left: str, right: str, call: str) -> str | None:
    """Return the comparison of a value with a scalar known beforehand; it calls for a value of another kind."""
    one, other = bare(node.left), bare(node.right)
    if isinstance(one, Const):
        one, left, other, right = other, right, one, left
    if isinstance(one, Const) or not isinstance(other, Const):
        return None
    value = other.value
    if value is None:
        test = f"{left} is not None" if node.operator == "!=" else f"{left} is None"
        return f"{test} if {left}.__class__ is not Some and {left} is not NONE else {call}"
    if type(value) is bool:
        return f"{left} is {'not ' if node.operator == '!=' else ''}{right} if {left}.__class__ is bool else {call}"
    if type(value) is str and len(value) <= SHORT:
        return f"{left} {node.operator} {right} if {left}.__class__ is str else {call}"
    if type(value) in _NUMBERS:
        return f"{left} {node.operator} {right} if {left}.__class__ is int or {left}.__class__ is float else {call}"
    return None


def numbers(node: Binary, left: tuple[str, str], right: tuple[str, str], call: str) -> str | None:
    """Return a comparison of times or numbers, a sum of numbers; it calls for all else. Sides are names with kinds."""
    plain = f"{left[0]} {node.operator} {right[0]}"
    if left[1] == right[1] and left[1] in _TIMES and node.operator in _ORDER:
        return plain
    if not {left[1], right[1]} <= {"any", "number"}:
        return None
    if node.operator in _ORDER:
        tests = [f"({n}.__class__ is int or {n}.__class__ is float)" for n, kind in (left, right) if kind == "any"]
        return f"{plain} if {' and '.join(tests)} else {call}" if tests else plain
    sides = ((left[0], bare(node.left)), (right[0], bare(node.right)))
    if node.operator not in "+-*" or any(isinstance(s, Const) and type(s.value) is int for _, s in sides):
        return None
    tests = [f"{name}.__class__ is float" for name, side in sides if not isinstance(side, Const)]
    return f"{plain} if {' and '.join(tests)} else {call}" if tests else None
