"""What operators do with values: compare, compute, take members.

Every operation is `f(fuel, *operands)`, takes whatever it is handed and raises nothing but EvaluationError. 1 and 1.0
are equal, true and 1 are not. Values of different kinds are unequal, and have no order: an expression that silently
compares a number with a text takes the wrong branch for ever. Work that grows with the operands is charged before it
is done; an operation itself is paid for by whoever calls it.

Types are told apart by `type(x) is`, the commonest first: these run millions of times.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.values import MAX_NESTING, NONE, Optional, Some, kind, shown, too_deep

MIN_INT, MAX_INT = -(1 << 63), (1 << 63) - 1
_SHORT = 64  # characters that are compared without being charged for
_ONE_OF_A_KIND = frozenset({bool, type(None)})  # their values are single objects
_COMPARED = frozenset({datetime, timedelta})
_ORDERED = frozenset({bool, datetime, timedelta})
_LONGEST = timedelta(seconds=315_576_000_000)  # ten thousand years, as CEL has it


def equal(fuel: Fuel, left: Any, right: Any) -> bool:  # noqa: PLR0911  flat, for speed
    """Tell whether two values are the same. Raises EvaluationError when that asks for too much work."""
    cls, other = type(left), type(right)
    if cls is str or cls is bytes:
        if other is not cls:
            return _unlike(cls, other)
        if len(left) != len(right):
            return False
        if len(left) > _SHORT:
            fuel.walk(left)
        return left == right  # type: ignore[no-any-return]
    if cls is int or cls is float:
        return left == right if other is int or other is float else _unlike(cls, other)
    if cls is not other:
        return _unlike(cls, other)
    if cls in _ONE_OF_A_KIND:
        return left is right
    if cls in _COMPARED:
        return left == right  # type: ignore[no-any-return]
    if cls is list or cls is dict or cls is Some:
        return _same(fuel, left, right, MAX_NESTING)
    return left is right


def _unlike(cls: type, other: type) -> bool:
    """Return false for values of two kinds. Raises EvaluationError for an optional and a value: which is a slip."""
    if (cls is Some or cls is Optional) is not (other is Some or other is Optional):
        raise EvaluationError("an optional and a value are never equal; write .orValue(…) or coalesce(…)")
    return False


def _same(fuel: Fuel, left: Any, right: Any, levels: int) -> bool:
    """Compare two values deeply."""
    cls = type(left)
    if cls is not type(right) or (cls is not list and cls is not dict and cls is not Some):
        return equal(fuel, left, right)
    if levels <= 0:
        raise too_deep()
    if cls is Some:
        return _same(fuel, left.value, right.value, levels - 1)
    if len(left) != len(right):
        return False
    fuel.spend(4 + 2 * len(left))
    if cls is list:
        return _same_lists(fuel, left, right, levels - 1)
    return _same_maps(fuel, left, right, levels - 1)


def _same_lists(fuel: Fuel, left: list[Any], right: list[Any], levels: int) -> bool:
    for item, other in zip(left, right, strict=True):  # noqa: SIM110  a generator costs a frame of the stack
        if not _same(fuel, item, other, levels):
            return False
    return True


def _same_maps(fuel: Fuel, left: dict[str, Any], right: dict[str, Any], levels: int) -> bool:
    for key, item in left.items():
        _charge_key(fuel, key)
        if key not in right or not _same(fuel, item, right[key], levels):
            return False
    return True


def unequal(fuel: Fuel, left: Any, right: Any) -> bool:
    """Tell whether two values differ. Raises EvaluationError when that asks for too much work."""
    return not equal(fuel, left, right)


def comparable(fuel: Fuel, left: Any, right: Any) -> None:
    """Charge for comparing the order of two values. Raises EvaluationError where there is none."""
    cls, other = type(left), type(right)
    if cls is int or cls is float:
        if other is int or other is float:
            return
    elif cls is other:
        if cls is str or cls is bytes:
            if len(left) > _SHORT and len(right) > _SHORT:
                fuel.walk(left if len(left) < len(right) else right)
            return
        if cls in _ORDERED:
            return
    advice = "compare numbers or texts"
    if {cls, type(right)} & _COMPARED and str in (cls, type(right)):
        advice = "write timestamp(x) or duration(x) around the text"
    raise EvaluationError(f"{shown(left)} and {shown(right)} have no order; {advice}")


def less(fuel: Fuel, left: Any, right: Any) -> bool:
    """Tell whether `left` comes before `right`. Raises EvaluationError where there is no order."""
    comparable(fuel, left, right)
    return left < right  # type: ignore[no-any-return]


def less_equal(fuel: Fuel, left: Any, right: Any) -> bool:
    """Tell whether `left` does not come after `right`. Raises EvaluationError where there is no order."""
    comparable(fuel, left, right)
    return left <= right  # type: ignore[no-any-return]


def greater(fuel: Fuel, left: Any, right: Any) -> bool:
    """Tell whether `left` comes after `right`. Raises EvaluationError where there is no order."""
    comparable(fuel, left, right)
    return left > right  # type: ignore[no-any-return]


def greater_equal(fuel: Fuel, left: Any, right: Any) -> bool:
    """Tell whether `left` does not come before `right`. Raises EvaluationError where there is no order."""
    comparable(fuel, left, right)
    return left >= right  # type: ignore[no-any-return]


def fitting(value: int) -> int:
    """Return the result of arithmetic on ints. Raises EvaluationError where it has more than 64 bits."""
    if MIN_INT <= value <= MAX_INT:
        return value
    raise EvaluationError("integer overflow: the result does not fit 64 bits")


def _unfit(word: str, left: Any, right: Any, advice: str = "") -> EvaluationError:
    return EvaluationError(f"{shown(left)} and {shown(right)} cannot be {word}{advice}")


def _number(cls: type) -> bool:
    return cls is int or cls is float


def add(fuel: Fuel, left: Any, right: Any) -> Any:
    """Return the sum of numbers or times, or texts, bytes and lists joined. Raises EvaluationError for other pairs."""
    cls, other = type(left), type(right)
    if cls is int and other is int:
        return fitting(left + right)
    if cls is other and (cls is str or cls is bytes):
        fuel.make(len(left) + len(right))
        return left + right
    if _number(cls) and _number(other):
        return _inexact(left) + right if cls is int else left + _inexact(right)
    if cls is list and other is list:
        fuel.spend(len(left) + len(right))
        return left + right
    return _add_times(left, right)


def _inexact(value: Any) -> float:
    """Return a number as a float. Raises EvaluationError for an int beyond the range of floats."""
    try:
        return float(value)
    except OverflowError:
        raise EvaluationError(f"{shown(value)} is too large to compute with") from None


def _add_times(left: Any, right: Any) -> Any:
    cls, other = type(left), type(right)
    if other is timedelta and cls is timedelta:
        return span(left + right)
    if cls is datetime and other is timedelta:
        return _moved(left, right)
    if cls is timedelta and other is datetime:
        return _moved(right, left)
    advice = "; write string(x) to make a text of a value" if str in (cls, other) else ""
    raise _unfit("added", left, right, advice)


def _moved(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        raise EvaluationError("timestamp out of range: years are 1 to 9999") from None


def span(value: timedelta) -> timedelta:
    """Return a duration. Raises EvaluationError where it is longer than ten thousand years."""
    if -_LONGEST <= value <= _LONGEST:
        return value
    raise EvaluationError("duration out of range: at most 315576000000s, ten thousand years")


def subtract(_fuel: Fuel, left: Any, right: Any) -> Any:
    """Return the difference of numbers or of times. Raises EvaluationError for other pairs."""
    cls, other = type(left), type(right)
    if cls is int and other is int:
        return fitting(left - right)
    if _number(cls) and _number(other):
        return _inexact(left) - _inexact(right)
    if other is timedelta:
        if cls is datetime:
            return _moved(left, -right)
        if cls is timedelta:
            return span(left - right)
    if cls is datetime and other is datetime:
        return left - right
    raise _unfit("subtracted", left, right)


def multiply(_fuel: Fuel, left: Any, right: Any) -> Any:
    """Return the product of numbers. Raises EvaluationError for other pairs."""
    cls, other = type(left), type(right)
    if cls is int and other is int:
        return fitting(left * right)
    if _number(cls) and _number(other):
        return _inexact(left) * _inexact(right)
    raise _unfit("multiplied", left, right)


def divide(_fuel: Fuel, left: Any, right: Any) -> Any:
    """Return the quotient of numbers: whole where ints divide without a rest, else a float. Raises EvaluationError for
    other pairs and for 0 as divisor.

    Not cut to an int as between CEL's ints: 1200 and 1200.0 are one number in JSON, and what a result is must not
    depend on how the sender's library spells it.
    """
    cls, other = type(left), type(right)
    if not (_number(cls) and _number(other)):
        raise _unfit("divided", left, right)
    if not right:
        raise EvaluationError("division by zero")
    if cls is int and other is int and not left % right:
        return fitting(left // right)
    return _inexact(left) / _inexact(right)


def remainder(_fuel: Fuel, left: Any, right: Any) -> int:
    """Return what is left of a division of whole numbers, with the sign of the dividend. Raises EvaluationError."""
    dividend, divisor = _position(left), _position(right)
    if dividend is None or divisor is None:
        raise _unfit("divided with a remainder; both must be whole numbers", left, right)
    if not divisor:
        raise EvaluationError("remainder of a division by zero")
    rest = abs(dividend) % abs(divisor)
    return fitting(-rest if dividend < 0 else rest)


def negate(_fuel: Fuel, operand: Any) -> Any:
    """Return a number with the other sign. Raises EvaluationError for anything else."""
    cls = type(operand)
    if cls is int:
        return fitting(-operand)
    if cls is float:
        return -operand
    raise EvaluationError(f"{shown(operand)} has no sign; only numbers do")


def contained(fuel: Fuel, item: Any, where: Any) -> bool:
    """Tell whether a list has an item or a map a key. Raises EvaluationError for anything else."""
    cls = type(where)
    if cls is list:
        return place(fuel, where, item) >= 0
    if cls is dict:
        if type(item) is not str:
            return False
        if len(item) > _SHORT:
            fuel.walk(item)
        return item in where
    raise EvaluationError(f"{shown(where)} is neither a list nor an object")


def place(fuel: Fuel, items: list[Any], wanted: Any) -> int:
    """Return where in a list a value is found first, -1 for nowhere. Raises EvaluationError."""
    fuel.spend(2 * len(items))
    for at, item in enumerate(items):
        if equal(fuel, wanted, item):
            return at
    return -1


def select(_fuel: Fuel, operand: Any, field: str) -> Any:
    """Return a member of a map; of an optional, an optional. Raises EvaluationError where it is missing."""
    if type(operand) is dict:
        try:
            return operand[field]
        except KeyError:
            raise EvaluationError(f"has no field {shown(field)}") from None
    if isinstance(operand, Optional):
        return optional_select(_fuel, operand, field)
    raise EvaluationError(_memberless(operand))


def _memberless(operand: Any) -> str:
    if operand is None:
        return "is null"
    return f"is {kind(operand)}, which has no fields"


def index(fuel: Fuel, operand: Any, key: Any) -> Any:
    """Return an item of a list, a member of a map; of an optional, an optional. Raises EvaluationError where it is
    missing.
    """
    cls = type(operand)
    if cls is list:
        at = _position(key)
        if at is None:
            raise EvaluationError(_unindexed(key))
        if 0 <= at < len(operand):
            return operand[at]
        raise EvaluationError(f"has {len(operand)} items, none at {shown(key)}")
    if cls is dict:
        if type(key) is str:
            _charge_key(fuel, key)
            if key in operand:
                return operand[key]
        raise EvaluationError(f"has no field {shown(key)}")
    if isinstance(operand, Optional):
        return optional_index(fuel, operand, key)
    raise EvaluationError(_memberless(operand))


def _charge_key(fuel: Fuel, key: str) -> None:
    if len(key) > _SHORT:
        fuel.walk(key)


def _position(key: Any) -> int | None:
    """Return a number as a place in a list, None for one that is not whole and for other values."""
    if type(key) is int:
        return key
    return int(key) if type(key) is float and key.is_integer() else None


def _unindexed(key: Any) -> str:
    if type(key) is str:
        return "is a list, which has no fields"
    return f"is a list, which has no item at {shown(key)}"


def optional_select(_fuel: Fuel, operand: Any, field: str) -> Optional:
    """Return a member as an optional, none where there is none."""
    if type(operand) is Some:
        operand = operand.value
    if type(operand) is dict and field in operand:
        return Some(operand[field])
    return NONE


def optional_index(fuel: Fuel, operand: Any, key: Any) -> Optional:
    """Return an item or a member as an optional, none where there is none."""
    if type(operand) is Some:
        operand = operand.value
    if type(operand) is list:
        at = _position(key)
        return Some(operand[at]) if at is not None and 0 <= at < len(operand) else NONE
    if type(operand) is dict and type(key) is str:
        _charge_key(fuel, key)
        return Some(operand[key]) if key in operand else NONE
    return NONE


def has(_fuel: Fuel, operand: Any, field: str) -> bool:
    """Tell whether a map, or the map in an optional, has a field. Raises EvaluationError for another value."""
    if type(operand) is dict:
        return field in operand
    if operand is NONE:
        return False
    if type(operand) is Some and type(operand.value) is dict:
        return field in operand.value
    raise EvaluationError(f"{shown(operand)} has no fields to look for")
