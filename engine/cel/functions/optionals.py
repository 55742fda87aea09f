"""Functions of optionals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.functions import operands
from engine.cel.values import NONE, Optional, Some

_EMPTY = frozenset({bool, int, float, str, bytes, list, dict, timedelta})  # kinds with a value that counts as false
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def of(_fuel: Fuel, value: Any) -> Optional:
    """Return an optional that has a value."""
    return Some(value)


def none(_fuel: Fuel) -> Optional:
    """Return the optional that has no value."""
    return NONE


def of_non_zero(_fuel: Fuel, value: Any) -> Optional:
    """Return an optional that has a value, none for null, false, 0, what is empty, and the timestamp of 0."""
    if value is None or (type(value) in _EMPTY and not value):
        return NONE
    return NONE if type(value) is datetime and value == _EPOCH else Some(value)


def has_value(_fuel: Fuel, target: Any) -> bool:
    """Tell whether an optional has a value. Raises EvaluationError."""
    return operands.optional(target) is not NONE


def value(_fuel: Fuel, target: Any) -> Any:
    """Return the value of an optional. Raises EvaluationError where it has none."""
    if type(target) is Some:
        return target.value
    operands.optional(target)
    raise EvaluationError("the optional has no value")


def coalesce(_fuel: Fuel, *values: Any) -> Any:
    """Return the first value that is neither null nor none, looking into optionals; null where there is none."""
    for value in values:
        found = value.value if type(value) is Some else None if value is NONE else value
        if found is not None:
            return found
    return None


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
