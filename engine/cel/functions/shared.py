"""Functions that several kinds of values have, and those that make one kind of another."""

from __future__ import annotations

from typing import Any

from engine.cel import values
from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.functions import lists, texts
from engine.cel.functions.operands import LEFT_OUT
from engine.cel.operations import contained
from engine.cel.values import shown

_TRUE = frozenset({"true", "True", "TRUE", "t", "1"})
_FALSE = frozenset({"false", "False", "FALSE", "f", "0"})
_SIZED = frozenset({str, list, dict, bytes})


def size(_fuel: Fuel, value: Any) -> int:
    """Return how many characters, items, entries or bytes a value has. Raises EvaluationError."""
    if type(value) in _SIZED:
        return len(value)
    raise EvaluationError(f"{shown(value)} has no size")


def contains(fuel: Fuel, target: Any, wanted: Any) -> bool:
    """Tell whether a text has a part, a list an item, a map a key. Raises EvaluationError."""
    if type(target) is str:
        return texts.contains(fuel, target, wanted)
    if type(target) is list or type(target) is dict:
        return contained(fuel, wanted, target)
    raise EvaluationError(f"{shown(target)} is neither a text nor a list nor an object")


def index_of(fuel: Fuel, target: Any, wanted: Any, start: Any = LEFT_OUT) -> int:
    """Return where a text or a list has something first, -1 for nowhere. Raises EvaluationError."""
    if type(target) is list:
        _no_start(start)
        return lists.index_of(fuel, target, wanted)
    return texts.index_of(fuel, target, wanted, start)


def last_index_of(fuel: Fuel, target: Any, wanted: Any, start: Any = LEFT_OUT) -> int:
    """Return where a text or a list has something last, -1 for nowhere. Raises EvaluationError."""
    if type(target) is list:
        _no_start(start)
        return lists.last_index_of(fuel, target, wanted)
    return texts.last_index_of(fuel, target, wanted, start)


def _no_start(start: Any) -> None:
    if start is not LEFT_OUT:
        raise EvaluationError("a list is always searched as a whole; leave the second argument out")


def reverse(fuel: Fuel, target: Any) -> str | list[Any]:
    """Return a text or a list from its end to its beginning. Raises EvaluationError."""
    return lists.reverse(fuel, target) if type(target) is list else texts.reverse(fuel, target)


def string(fuel: Fuel, value: Any) -> str:
    """Return a value as text. Raises EvaluationError."""
    return values.text(fuel, value)


def boolean(_fuel: Fuel, value: Any) -> bool:
    """Return `bool(x)` of true, false, or a text that says so. Raises EvaluationError."""
    if type(value) is bool:
        return value
    if type(value) is str and (value in _TRUE or value in _FALSE):
        return value in _TRUE
    raise EvaluationError(f"{shown(value)} cannot be made true or false; only texts such as 'true' and '0' can")


def dyn(_fuel: Fuel, value: Any) -> Any:
    """Return a value as it is."""
    return value
