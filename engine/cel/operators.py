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

_encode = msgspec.json.Encoder().encode
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def equal(left: Any, right: Any) -> bool:
    """Tell whether two JSON values are the same."""
    kinds = type(left), type(right)
    if bool in kinds:
        return left is right
    if kinds == (dict, dict):
        return len(left) == len(right) and all(k in right and equal(v, right[k]) for k, v in left.items())
    if kinds == (list, list):
        return len(left) == len(right) and all(map(equal, left, right))
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


def _less(left: Any, right: Any) -> bool:
    _ordered(left, right)
    return bool(left < right)


def _less_or_equal(left: Any, right: Any) -> bool:
    _ordered(left, right)
    return bool(left <= right)


def _list(value: Any) -> list[Any]:
    if type(value) is list:
        return value
    raise EvaluationError(f"{shown(value)} is not a list")


def _texts(left: Any, right: Any) -> None:
    for value in (left, right):
        if type(value) is not str:
            raise EvaluationError(f"{shown(value)} is not a text")


def _in(left: Any, right: Any) -> bool:
    return any(equal(left, item) for item in _list(right))


def _contains(left: Any, right: Any) -> bool:
    if type(left) is list:
        return any(equal(item, right) for item in left)
    if type(left) is dict:
        _texts(right, right)
        return right in left
    _texts(left, right)
    return right in left


def _starts_with(left: Any, right: Any) -> bool:
    _texts(left, right)
    return bool(left.startswith(right))


def _ends_with(left: Any, right: Any) -> bool:
    _texts(left, right)
    return bool(left.endswith(right))


def _between(left: Any, right: Any) -> bool:
    bounds = _list(right)
    if len(bounds) != 2:
        raise EvaluationError("between needs a list of two values, the lowest and the highest")
    return _less_or_equal(bounds[0], left) and _less_or_equal(left, bounds[1])


def _before(left: Any, right: Any) -> bool:
    return timestamp(left) < timestamp(right)


def _after(left: Any, right: Any) -> bool:
    return timestamp(left) > timestamp(right)


def is_empty(value: Any) -> bool:
    """Tell whether a value is null, or a text, list or object without content."""
    return value is None or (type(value) in (str, list, dict) and not value)


BINARY: dict[str, Callable[[Any, Any], bool]] = {
    "eq": equal,
    "ne": lambda left, right: not equal(left, right),
    "gt": lambda left, right: _less(right, left),
    "gte": lambda left, right: _less_or_equal(right, left),
    "lt": _less,
    "lte": _less_or_equal,
    "in": _in,
    "not_in": lambda left, right: not _in(left, right),
    "contains": _contains,
    "starts_with": _starts_with,
    "ends_with": _ends_with,
    "between": _between,
    "before": _before,
    "after": _after,
}
UNARY = ("exists", "empty")
OPERATORS = (*BINARY, *UNARY, "matches")
