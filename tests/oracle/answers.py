"""What an implementation says to an expression, and when two say the same."""

from __future__ import annotations

from typing import Any, NamedTuple

from engine.cel import EvaluationError, InvalidExpression, compile_expression
from tests.unit.cel.given import ROOTS, Given, alike


class Answer(NamedTuple):
    """A value, or why there is none; `early` where that was found before any data was there."""

    value: Any = None
    error: str | None = None
    early: bool = False

    def __str__(self) -> str:
        return repr(self.value) if self.error is None else f"error: {self.error}"


def answered(value: Any) -> Answer:
    """Return the answer that is a value."""
    return Answer(value=value)


def failed(error: str, *, early: bool = False) -> Answer:
    """Return the answer that is an error."""
    return Answer(error=error.split("\n", maxsplit=1)[0], early=early)


def ask(source: str, data: dict[str, Any]) -> Answer:
    """Return what our evaluator gives. Anything it raises but its own two errors is a failure of the test."""
    try:
        program = compile_expression(source, roots=ROOTS)
    except InvalidExpression as error:
        return failed(error.message, early=True)
    try:
        return answered(program.evaluate(Given(**data)))
    except EvaluationError as error:
        return failed(error.message)


def agree(left: Answer, right: Answer) -> bool:
    """Tell whether both are errors, or the same value in the same kind."""
    if left.error is not None or right.error is not None:
        return left.error is not None and right.error is not None
    return alike(left.value, right.value)
