"""Functions of numbers, and what makes numbers of other values. A whole number stays one wherever it can."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.functions import lists
from engine.cel.functions.operands import number
from engine.cel.operations import MAX_INT, MIN_INT, fitting
from engine.cel.values import shown

# No repetition gives back what it took (`*+`): a hostile text would make trying again quadratic.
_SPACE = r"[ \t\n\v\f\r]"
_WHOLE = re.compile(rf"{_SPACE}*+([+-]?)([0-9]++){_SPACE}*+", re.ASCII)
_REAL = re.compile(
    rf"{_SPACE}*+[+-]?((?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:e[+-]?[0-9]++)?|inf(inity)?|nan){_SPACE}*+",
    re.ASCII | re.IGNORECASE,
)
_HEX = re.compile(
    rf"{_SPACE}*+[+-]?0x(?:[0-9a-f]++(?:\.[0-9a-f]*+)?|\.[0-9a-f]++)(?:p[+-]?[0-9]++)?{_SPACE}*+",
    re.ASCII | re.IGNORECASE,
)
_DIGITS = 19  # of the greatest number that fits 64 bits
_LEAST = float(MIN_INT)  # that fits 64 bits; of floats its opposite is the first that does not
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def whole_number(fuel: Fuel, value: Any) -> int:
    """Return `int(x)`: of a float what is before the point, of a text its number, of a timestamp seconds since 1970.
    Raises EvaluationError.
    """
    cls = type(value)
    if cls is int:
        return value  # type: ignore[no-any-return]
    if cls is float:
        if MIN_INT < value < MAX_INT:
            return int(value)
        raise EvaluationError(f"{shown(value)} does not fit 64 bits")
    if cls is str:
        return _read_whole(fuel, value)
    if cls is datetime:
        since = value - _EPOCH
        return since.days * 86_400 + since.seconds  # type: ignore[no-any-return]
    raise EvaluationError(f"{shown(value)} cannot be made a whole number")


def _read_whole(fuel: Fuel, value: str) -> int:
    fuel.spend(8 + len(value) // 4)
    found = _WHOLE.fullmatch(value)
    if not found:
        raise EvaluationError(f"{shown(value)} is not a whole number")
    digits = found[2].lstrip("0") or "0"
    if len(digits) <= _DIGITS:
        read = int(found[1] + digits)
        if MIN_INT <= read <= MAX_INT:
            return read
    raise EvaluationError(f"{shown(value)} does not fit 64 bits")


def real_number(fuel: Fuel, value: Any) -> float:
    """Return `double(x)` of a number or a text. Raises EvaluationError."""
    cls = type(value)
    if cls is float:
        return value  # type: ignore[no-any-return]
    if cls is int:
        try:
            return float(value)
        except OverflowError:
            raise EvaluationError(f"{shown(value)} is too large for a float") from None
    if cls is str:
        return _read_real(fuel, value)
    raise EvaluationError(f"{shown(value)} cannot be made a number")


def _read_real(fuel: Fuel, value: str) -> float:
    fuel.spend(8 + len(value) // 4)
    if _REAL.fullmatch(value):
        return float(value)
    if _HEX.fullmatch(value):
        try:
            return float.fromhex(value)
        except OverflowError:
            return -math.inf if value.lstrip().startswith("-") else math.inf
    raise EvaluationError(f"{shown(value)} is not a number")


def half_away(_fuel: Fuel, value: Any) -> int | float:
    """Return the nearest whole number; of two, the one farther from zero. Raises EvaluationError."""
    if not _roundable(value):
        return value  # type: ignore[no-any-return]
    whole = int(value)
    rest = value - whole
    return whole + (rest >= 0.5) - (rest <= -0.5)  # type: ignore[no-any-return]


def ceiling(_fuel: Fuel, value: Any) -> int | float:
    """Return the next whole number that is not less. Raises EvaluationError."""
    return math.ceil(value) if _roundable(value) else value  # type: ignore[no-any-return]


def floored(_fuel: Fuel, value: Any) -> int | float:
    """Return the next whole number that is not greater. Raises EvaluationError."""
    return math.floor(value) if _roundable(value) else value  # type: ignore[no-any-return]


def cut(_fuel: Fuel, value: Any) -> int | float:
    """Return a number without what is behind its point. Raises EvaluationError."""
    return int(value) if _roundable(value) else value


def _roundable(value: Any) -> bool:
    """Tell whether a number has a whole one near it. One beyond 64 bits is whole, but stays as it is: so do infinite
    ones and NaN. Raises EvaluationError for what is no number.
    """
    return type(number(value)) is float and _LEAST <= value < -_LEAST


def magnitude(_fuel: Fuel, value: Any) -> int | float:
    """Return a number without its sign. Raises EvaluationError."""
    return fitting(abs(value)) if type(value) is int else abs(number(value))


def sign(_fuel: Fuel, value: Any) -> int | float:
    """Return -1, 0 or 1. Raises EvaluationError."""
    if type(value) is int:
        return (value > 0) - (value < 0)
    found = number(value)
    if math.isnan(found):
        return found
    return math.copysign(1.0, found) if found else 0.0


def greatest(fuel: Fuel, *values: Any) -> int | float:
    """Return the greatest of numbers, or of those in one list; the first of equal ones. Raises EvaluationError."""
    return lists.greatest(fuel, _numbers(fuel, values))  # type: ignore[no-any-return]


def least(fuel: Fuel, *values: Any) -> int | float:
    """Return the least of numbers, or of those in one list; the first of equal ones. Raises EvaluationError."""
    return lists.least(fuel, _numbers(fuel, values))  # type: ignore[no-any-return]


def _numbers(fuel: Fuel, values: tuple[Any, ...]) -> list[Any]:
    items: list[Any] = values[0] if len(values) == 1 and type(values[0]) is list else list(values)
    fuel.spend(len(items))
    for item in items:
        number(item)
    return items


def is_nan(_fuel: Fuel, value: Any) -> bool:
    """Tell whether a number is NaN. Raises EvaluationError."""
    return type(number(value)) is float and math.isnan(value)


def is_infinite(_fuel: Fuel, value: Any) -> bool:
    """Tell whether a number is infinite. Raises EvaluationError."""
    return type(number(value)) is float and math.isinf(value)


def is_finite(_fuel: Fuel, value: Any) -> bool:
    """Tell whether a number is neither infinite nor NaN. Raises EvaluationError."""
    return type(number(value)) is int or math.isfinite(value)
