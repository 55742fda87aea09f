"""Conditions without expressions: true, false, or a tree of {all|any|not} over {field, operator, value}.

Each becomes the tree of the CEL expression that says the same, so there is one way in which conditions are checked,
evaluated and shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.cel import hints, templates
from engine.cel.errors import EvaluationError, InvalidExpression, nearest
from engine.cel.functions.times import parse as timestamp
from engine.cel.parser import parse, parse_embedded
from engine.cel.paths import is_plain, path_of
from engine.cel.printer import show
from engine.cel.syntax import Binary, Call, Const, Embedded, Index, Logic, Select, Unary

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.cel.limits import Allowance
    from engine.cel.syntax import Node

MAX_TESTS = 200  # leaves of one condition

_SHAPE = 'Write {"all": [...]}, {"any": [...]}, {"not": ...} or {"field": ..., "operator": ..., "value": ...}.'


def _times(node: Node) -> Node:
    return Call(0, "timestamp", None, (node,))


def _between(field: Node, value: Node) -> Node:
    bounds = (
        [Const(0, v) for v in value.value]
        if isinstance(value, Const)
        else [Index(0, value, Const(0, i)) for i in (0, 1)]
    )
    return Logic(0, "&&", (Binary(0, ">=", field, bounds[0]), Binary(0, "<=", field, bounds[1])))


_BINARY: dict[str, Callable[[Node, Node], Node]] = {
    "eq": lambda field, value: Binary(0, "==", field, value),
    "ne": lambda field, value: Binary(0, "!=", field, value),
    "gt": lambda field, value: Binary(0, ">", field, value),
    "gte": lambda field, value: Binary(0, ">=", field, value),
    "lt": lambda field, value: Binary(0, "<", field, value),
    "lte": lambda field, value: Binary(0, "<=", field, value),
    "in": lambda field, value: Binary(0, "in", field, value),
    "not_in": lambda field, value: Unary(0, "!", Binary(0, "in", field, value)),
    "contains": lambda field, value: Call(0, "contains", field, (value,)),
    "starts_with": lambda field, value: Call(0, "startsWith", field, (value,)),
    "ends_with": lambda field, value: Call(0, "endsWith", field, (value,)),
    "matches": lambda field, value: Call(0, "matches", field, (value,)),
    "between": _between,
    "before": lambda field, value: Binary(0, "<", _times(field), _times(value)),
    "after": lambda field, value: Binary(0, ">", _times(field), _times(value)),
}
_EMPTY = Const(0, ["", [], {}])
OPERATORS = (*_BINARY, "exists", "empty")


class Reader:
    """Reads one condition; faults are added to those handed in."""

    def __init__(self, faults: list[InvalidExpression], allowance: Allowance) -> None:
        self._faults = faults
        self._texts = templates.Reader(faults, allowance)
        self._tests = 0

    def read(self, source: Any, pointer: str) -> Node:
        """Return the tree of a condition; a faulty part counts as false."""
        if isinstance(source, bool):
            return Const(0, source)
        if isinstance(source, str):
            return self._expression(source, pointer)
        if not isinstance(source, dict) or not source:
            return self._fault("a condition is an object or an expression", pointer, _SHAPE)
        for word in ("all", "any", "not"):
            if word in source:
                return self._group(word, source, pointer)
        return self._leaf(source, pointer)

    def _fault(self, message: str, pointer: str, advice: str = "") -> Node:
        self._faults.append(InvalidExpression(message, pointer, 0, advice))
        return Const(0, False)

    def _expression(self, source: str, pointer: str) -> Node:
        try:
            self._texts.admit(len(source))
            return embedded(source, pointer)
        except InvalidExpression as fault:
            fault.pointer = pointer
            self._faults.append(fault)
            return Const(0, False)

    def _group(self, word: str, source: dict[str, Any], pointer: str) -> Node:
        self._unknown(source, (word,), pointer)
        inner = source[word]
        if word == "not" and not isinstance(inner, list):
            return Unary(0, "!", self.read(inner, f"{pointer}/not"))
        if not isinstance(inner, list):
            return self._fault(f"{word} needs a list of conditions", f"{pointer}/{word}", _SHAPE)
        tests = tuple(self.read(item, f"{pointer}/{word}/{i}") for i, item in enumerate(inner))
        if word != "not":
            return joined("&&" if word == "all" else "||", tests)
        if len(tests) != 1:  # of several, "not all" and "none" are both what somebody would expect
            advice = 'Put several into {"all": [...]} or {"any": [...]}.'
            return self._fault("not takes one condition", f"{pointer}/not", advice)
        return Unary(0, "!", tests[0])

    def _leaf(self, source: dict[str, Any], pointer: str) -> Node:
        self._unknown(source, ("field", "operator", "value"), pointer)
        self._tests += 1
        if self._tests == MAX_TESTS + 1:
            self._fault(f"the condition has more than {MAX_TESTS} tests", pointer)
        before = len(self._faults)
        field = self._field(source.get("field"), f"{pointer}/field")
        operator = source.get("operator")
        if not isinstance(operator, str) or operator not in OPERATORS:
            return self._fault(_unknown_operator(source), f"{pointer}/operator", _meant(operator))
        made = self._unary if operator in ("exists", "empty") else self._binary
        node = made(operator, field, source, pointer)
        return Const(0, False) if len(self._faults) > before else Embedded(0, node, pointer, show(node))

    def _field(self, field: Any, pointer: str) -> Node:
        if not isinstance(field, str):
            return self._fault("field must be a path such as input.amount", pointer)
        node = self._expression(field, pointer)
        if isinstance(node, Embedded) and not is_plain(node.node):
            return self._fault(
                "field must be a path such as input.amount", pointer, "Write an expression in place of the object."
            )
        return node

    def _unary(self, operator: str, field: Node, source: dict[str, Any], pointer: str) -> Node:
        wanted = source.get("value", True)
        if not isinstance(wanted, bool):
            return self._fault(
                f"the value of {operator} can only be true or false", f"{pointer}/value", "Leave it out."
            )
        test = _exists(field) if operator == "exists" else _empty(field)
        return test if wanted else Unary(0, "!", test)

    def _binary(self, operator: str, field: Node, source: dict[str, Any], pointer: str) -> Node:
        if "value" not in source:
            return self._fault(f"the operator {operator} needs a value", pointer, 'Add "value".')
        before = len(self._faults)
        value = self._texts.tree(source["value"], f"{pointer}/value")
        if isinstance(value, Const):
            self._check(operator, value.value, f"{pointer}/value")
        elif operator == "matches":
            self._fault("the value of matches must be a pattern", f"{pointer}/value", "Patterns cannot be data.")
        return _BINARY[operator](field, value) if len(self._faults) == before else field

    def _check(self, operator: str, value: Any, pointer: str) -> None:
        """Check a value that is known beforehand."""
        if operator in ("in", "not_in", "between") and not isinstance(value, list):
            self._fault(f"the value of {operator} must be a list", pointer)
        elif operator == "between" and len(value) != 2:
            self._fault("the value of between must be [lowest, highest]", pointer)
        elif operator == "matches" and not isinstance(value, str):
            self._fault("the value of matches must be a pattern", pointer)
        elif operator in ("starts_with", "ends_with") and not isinstance(value, str):
            self._fault(f"the value of {operator} must be a text", pointer)
        elif operator in ("before", "after"):
            try:
                timestamp(value)
            except EvaluationError as fault:
                self._fault(fault.message, pointer)

    def _unknown(self, source: dict[str, Any], known: tuple[str, ...], pointer: str) -> None:
        for key in source:
            if key not in known:
                where = f"{pointer}/{templates.escape(key)}"
                self._fault(f"unknown field {key[:40]!r} in a condition", where, _SHAPE + nearest(key, known))


def embedded(source: str, pointer: str) -> Embedded:
    """Return the tree of a bare expression; the ${ } that habit may have put around it does no harm.

    Raises InvalidExpression.
    """
    begin = len(source) - len(source.lstrip())
    if source.startswith("${", begin):
        node, end = parse_embedded(source, begin + 2)
        if not source[end:].strip():
            return Embedded(begin + 2, node, pointer, source)
    return Embedded(begin, parse(source), pointer, source)


def joined(operator: str, tests: tuple[Node, ...]) -> Node:
    """Return conditions joined by && or ||: of none, all hold and not one does."""
    if len(tests) < 2:
        return tests[0] if tests else Const(0, operator == "&&")
    return Logic(0, operator, tests)


def _exists(field: Node) -> Node:
    """Return the test whether a path leads to a value, null included: every step on the way may be missing."""
    place = field.node if isinstance(field, Embedded) else field
    if not isinstance(place, Select | Index):
        return Const(0, True)
    return Call(0, "hasValue", _optional(place), ())


def _empty(field: Node) -> Node:
    """Return the test whether a value is missing, null, or without content."""
    place = field.node if isinstance(field, Embedded) else field
    return Binary(0, "in", Call(0, "coalesce", None, (_optional(place), Const(0, ""))), _EMPTY)


def _optional(node: Node) -> Node:
    if isinstance(node, Select):
        outermost = path_of(node.operand)
        if outermost is not None and outermost[0] == "steps" and not outermost[1]:
            return node  # steps.ID itself is always there
        return Select(node.at, _optional(node.operand), node.field, optional=True)
    if isinstance(node, Index):
        return Index(node.at, _optional(node.operand), node.key, optional=True)
    return node


def _unknown_operator(source: dict[str, Any]) -> str:
    if "operator" not in source:
        return "the condition has no operator"
    operator = source["operator"]
    return f"unknown operator {operator[:40]!r}" if isinstance(operator, str) else "the operator must be a text"


def _meant(operator: Any) -> str:
    """Return which operator to write."""
    meant = hints.operator(operator) if isinstance(operator, str) else ""
    return f"Write {meant}." if meant else f"Use one of {', '.join(OPERATORS)}.{nearest(operator, OPERATORS)}"
