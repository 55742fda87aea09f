"""Conditions: true, false, an error, or a tree of {all|any|not} over {field, operator, value}.

`all` and `any` follow CEL's && and ||: an error beside a false (a true) does not matter, wherever it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.cel.errors import EvaluationError
from engine.cel.operators import BINARY, is_empty, shown
from engine.cel.paths import MISSING, Expression, Reference, Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.cel.templates import Template

    Test = Callable[[Scope], bool]


class Condition:
    """A compiled condition."""

    __slots__ = ("_reads", "_test", "references")

    def __init__(self, test: Test, references: tuple[Reference, ...], reads: tuple[Expression, ...]) -> None:
        self._test = test
        self.references = references
        self._reads = reads

    def evaluate(self, scope: Scope) -> bool:
        """Return true or false. Raises EvaluationError."""
        return self._test(scope)

    def inputs(self, scope: Scope) -> dict[str, Any]:
        """Return what the condition reads, by path; missing paths are left out."""
        found = {}
        for expression in self._reads:
            value = expression.find(scope)
            if value is not MISSING:
                found[expression.text] = value
        return found


def constant(value: bool) -> Test:
    """Return a test that is always `value`."""
    return lambda _scope: value


def truth(expression: Expression) -> Test:
    """Return a test that an expression is true; anything but true and false is an error."""

    def test(scope: Scope) -> bool:
        value = expression.evaluate(scope)
        if type(value) is bool:
            return value
        raise EvaluationError(
            f"{expression.text} is {shown(value)}, not true or false", expression.text, expression.position
        )

    return test


def every(tests: list[Test]) -> Test:
    """Return a test that all of `tests` are true."""
    return lambda scope: _combine(tests, scope, decisive=False)


def some(tests: list[Test]) -> Test:
    """Return a test that one of `tests` is true."""
    return lambda scope: _combine(tests, scope, decisive=True)


def _combine(tests: list[Test], scope: Scope, *, decisive: bool) -> bool:
    error: EvaluationError | None = None
    for test in tests:
        try:
            if test(scope) is decisive:
                return decisive
        except EvaluationError as fault:
            error = error or fault
    if error is not None:
        raise error
    return not decisive


def negation(inner: Test) -> Test:
    """Return a test that `inner` is false."""
    return lambda scope: not inner(scope)


def exists(field: Expression, wanted: bool) -> Test:
    """Return a test whether a path leads to a value, null included."""
    return lambda scope: (field.find(scope) is not MISSING) is wanted


def empty(field: Expression, wanted: bool) -> Test:
    """Return a test whether a value is empty."""
    return lambda scope: is_empty(field.evaluate(scope)) is wanted


def comparison(field: Expression, operator: str, value: Template) -> Test:
    """Return a test of one value against another."""
    compare = BINARY[operator]

    def test(scope: Scope) -> bool:
        try:
            scope.fuel.spend(1)
            return compare(field.evaluate(scope), value.evaluate(scope), scope.fuel)
        except EvaluationError as fault:
            if not fault.path:
                raise EvaluationError(f"{field.text}: {fault.message}", field.text, field.position) from None
            raise

    return test


def pattern(field: Expression, search: Callable[[str], bool]) -> Test:
    """Return a test whether a pattern occurs in a text."""

    def test(scope: Scope) -> bool:
        value = field.evaluate(scope)
        if type(value) is not str:
            raise EvaluationError(f"{field.text} is {shown(value)}, not a text", field.text, field.position)
        scope.fuel.spend(
            1 + len(value) // 2
        )  # a pattern whose automaton grows is walked some 30 times slower than a text
        return search(value)

    return test
