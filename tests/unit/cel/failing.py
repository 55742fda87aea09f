"""Helpers for tests of errors: an expression in which a lozenge marks the place that its error must name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from engine.cel import ROOTS, EvaluationError, Program, compile_expression
from tests.unit.cel.given import Given

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INPUT = {"n": 5, "s": "x", "t": True, "none": None, "l": [1, 2, "x"], "o": {"k": 1, "deep": {"er": []}}, "two": [2, 1]}
WITH_SECRETS = ROOTS | {"secrets"}


def scope(**rest: Any) -> Given:
    return Given(input=INPUT, now=NOW, process={"id": "p"}, steps={"a": {"output": {"x": 1}}}, **rest)


def failure(program: Program, given: Given | None = None) -> EvaluationError:
    with pytest.raises(EvaluationError) as fault:
        program.evaluate(given or scope())
    return fault.value


def failing(source: str, **rest: Any) -> EvaluationError:
    """Return the error of an expression in which one character is marked: the place that the error must name."""
    plain = source.replace("◊", "")
    fault = failure(compile_expression(plain, "/here", WITH_SECRETS), scope(**rest))
    place = source.index("◊")
    line = source[:place].count("\n")
    column = place - (source.rfind("\n", 0, place) + 1)
    assert (fault.position, fault.line, fault.column) == (place, line + 1, column + 1), fault.message
    assert (fault.pointer, fault.expression) == ("/here", plain)
    shown, caret = fault.excerpt.split("\n")
    whole = plain.split("\n")[line]
    assert whole[column:].startswith(shown[len(caret) - 1 :])
    assert shown in whole
    assert shown == whole or len(whole) > 100
    return fault
