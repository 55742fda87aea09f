"""Functions of optionals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.functions import operands
from engine.cel.values import NONE, Optional, Some

_ZERO = frozenset({bool, int, float, str, bytes, list, dict, timedelta})


def of(_fuel: Fuel, value: Any) -> Optional:
    """Return an optional that has a value."""
    return Some(value)


def none(_fuel: Fuel) -> Optional:
    """Return the optional that has no value."""
    return NONE


def of_non_zero(_fuel: Fuel, value: Any) -> Optional:
    """Return an optional that has a value, none for null, false, 0 and what is empty."""
    return NONE if value is None or value is NONE or (type(value) in _ZERO and not value) else Some(value)


def has_value(_fuel: Fuel, target: Any) -> bool:
    """Tell whether an optional has a value. Raises EvaluationError."""
    return operands.optional(target) is not NONE


def value(_fuel: Fuel, target: Any) -> Any:
    """Return the value of an optional. Raises EvaluationError where it has none."""
    if type(target) is Some:
        return target.value
    operands.optional(target)
    raise EvaluationError("the optional has no value")


def or_value(_fuel: Fuel, target: Any, other: Any) -> Any:
    """Return the value of an optional, `other` where it has none. Raises EvaluationError."""
    if type(target) is Some:
        return target.value
    operands.optional(target)
    return other


def otherwise(_fuel: Fuel, target: Any, other: Any) -> Optional:
    """Return the first of two optionals that has a value. Raises EvaluationError."""
    if type(target) is Some:
        operands.optional(other)
        return target
    operands.optional(target)
    return operands.optional(other)
