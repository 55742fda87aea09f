"""The operators of structured conditions, as JSON users expect them.

1 and 1.0 are equal, true and 1 are not. Order is defined between numbers and between texts; other pairs are
errors, never false: a condition that silently compares a number with a text takes the wrong branch for ever.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from engine.cel.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.cel.fuel import Fuel

_encode = msgspec.json.Encoder().encode
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def equal(left: Any, right: Any, fuel: Fuel) -> bool:
    """Tell whether two JSON values are the same. Raises EvaluationError when that asks for too much work."""
    kinds = type(left), type(right)
    if bool in kinds:
        return left is right
    if kinds == (dict, dict):
        fuel.spend(len(left))
        return len(left) == len(right) and all(k in right and equal(v, right[k], fuel) for k, v in left.items())
    if kinds == (list, list):
        fuel.spend(len(left))
        return len(left) == len(right) and all(equal(x, y, fuel) for x, y in zip(left, right, strict=True))
    if kinds == (str, str):
        fuel.search(left)
    return bool(left == right)


def timestamp(value: Any) -> datetime:
    """Return an RFC 3339 timestamp in UTC. Raises EvaluationError for anything else."""
    if type(value) is str and _TIMESTAMP.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise EvaluationError(f"{shown(value)} is not an RFC 3339 timestamp such as 2026-01-31T12:00:00Z")


def shown(value: Any) -> str:
    """Return a value for a message, not over 60 characters."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return repr(value if len(value) <= 50 else value[:50] + "…")
    return _encode(value).decode()[:50]


def _ordered(left: Any, right: Any) -> None:
    for kinds in ((int, float), (str,)):
        if type(left) in kinds and type(right) in kinds:
            return
    raise EvaluationError(f"{shown(left)} and {shown(right)} have no order; compare numbers or texts")


def _less(left: Any, right: Any, fuel: Fuel) -> bool:
    _ordered(left, right)
    _walk(left, right, fuel)
    return bool(left < right)


def _less_or_equal(left: Any, right: Any, fuel: Fuel) -> bool:
    _ordered(left, right)
    _walk(left, right, fuel)
    return bool(left <= right)


def _walk(left: Any, right: Any, fuel: Fuel) -> None:
    if type(left) is str:
        fuel.search(left, right)


def _list(value: Any) -> list[Any]:
    if type(value) is list:
        return value
    raise EvaluationError(f"{shown(value)} is not a list")


def _texts(left: Any, right: Any, fuel: Fuel) -> None:
    for value in (left, right):
        if type(value) is not str:
            raise EvaluationError(f"{shown(value)} is not a text")
        fuel.search(value)


def _among(value: Any, items: list[Any], fuel: Fuel) -> bool:
    fuel.spend(len(items))
    return any(equal(value, item, fuel) for item in items)


def _in(left: Any, right: Any, fuel: Fuel) -> bool:
    return _among(left, _list(right), fuel)


def _contains(left: Any, right: Any, fuel: Fuel) -> bool:
    if type(left) is list:
        return _among(right, left, fuel)
    if type(left) is dict:
        _texts(right, right, fuel)
        return right in left
    _texts(left, right, fuel)
    return right in left


def _starts_with(left: Any, right: Any, fuel: Fuel) -> bool:
    _texts(left, right, fuel)
    return bool(left.startswith(right))


def _ends_with(left: Any, right: Any, fuel: Fuel) -> bool:
    _texts(left, right, fuel)
    return bool(left.endswith(right))


def _between(left: Any, right: Any, fuel: Fuel) -> bool:
    bounds = _list(right)
    if len(bounds) != 2:
        raise EvaluationError("between needs a list of two values, the lowest and the highest")
    return _less_or_equal(bounds[0], left, fuel) and _less_or_equal(left, bounds[1], fuel)


def _before(left: Any, right: Any, fuel: Fuel) -> bool:
    fuel.spend(2)
    return timestamp(left) < timestamp(right)


def _after(left: Any, right: Any, fuel: Fuel) -> bool:
    return _before(right, left, fuel)


def is_empty(value: Any) -> bool:
    """Tell whether a value is null, or a text, list or object without content."""
    return value is None or (type(value) in (str, list, dict) and not value)


BINARY: dict[str, Callable[[Any, Any, Fuel], bool]] = {
    "eq": equal,
    "ne": lambda left, right, fuel: not equal(left, right, fuel),
    "gt": lambda left, right, fuel: _less(right, left, fuel),
    "gte": lambda left, right, fuel: _less_or_equal(right, left, fuel),
    "lt": _less,
    "lte": _less_or_equal,
    "in": _in,
    "not_in": lambda left, right, fuel: not _in(left, right, fuel),
    "contains": _contains,
    "starts_with": _starts_with,
    "ends_with": _ends_with,
    "between": _between,
    "before": _before,
    "after": _after,
}
UNARY = ("exists", "empty")
OPERATORS = (*BINARY, *UNARY, "matches")
