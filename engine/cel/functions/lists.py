"""Functions of lists. Items are compared as `==` compares them; those of one kind that has an order can be sorted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from engine.cel import values
from engine.cel.errors import EvaluationError
from engine.cel.fuel import BYTES_PER_UNIT, Fuel
from engine.cel.functions.operands import between, listed, text, whole
from engine.cel.operations import MAX_INT, MIN_INT, fitting, place, span
from engine.cel.values import MAX_NESTING, NONE, Optional, Some, kind, shown, too_deep

_ORDERS: dict[type, str] = {
    int: "number",
    float: "number",
    str: "text",
    bytes: "bytes",
    bool: "bool",
    datetime: "timestamp",
    timedelta: "duration",
}


def join(fuel: Fuel, target: Any, separator: Any = "") -> str:
    """Return the items of a list as one text. Raises EvaluationError for items that are no scalars."""
    fuel.spend(3 * len(listed(target)))
    written = [item if type(item) is str else _written(fuel, item) for item in target]
    fuel.make(sum(map(len, written)) + max(len(written) - 1, 0) * len(text(separator)))
    return separator.join(written)  # type: ignore[no-any-return]


def _written(fuel: Fuel, item: Any) -> str:
    if item is None or type(item) is list or type(item) is dict:
        raise EvaluationError(f"{kind(item)} cannot be joined; only texts, numbers, true and false can")
    return values.text(fuel, item)


def total(fuel: Fuel, target: Any) -> Any:
    """Return the sum of numbers or of durations, 0 for none. Raises EvaluationError for other items."""
    fuel.spend(len(listed(target)))
    if target and type(target[0]) is timedelta:
        return _total_of_durations(target)
    found: int | float = 0
    for item in target:
        cls = type(item)
        if cls is not int and cls is not float:
            raise EvaluationError(f"{shown(item)} cannot be added to numbers")
        try:
            found += item
        except OverflowError:
            raise EvaluationError(f"{shown(item)} is too large to compute with") from None
    return fitting(found) if type(found) is int else found


def _total_of_durations(items: list[Any]) -> timedelta:
    found = timedelta()
    for item in items:
        if type(item) is not timedelta:
            raise EvaluationError(f"{shown(item)} cannot be added to durations")
        found = span(found + item)
    return found


def least(fuel: Fuel, target: Any) -> Any:
    """Return the smallest item, the first of equal ones. Raises EvaluationError for none, or where there is no
    order.
    """
    _compare_all(fuel, target, "smallest")
    return min(target)


def greatest(fuel: Fuel, target: Any) -> Any:
    """Return the greatest item, the first of equal ones. Raises EvaluationError for none, or where there is no
    order.
    """
    _compare_all(fuel, target, "greatest")
    return max(target)


def _compare_all(fuel: Fuel, target: Any, word: str) -> None:
    if not listed(target):
        raise EvaluationError(f"an empty list has no {word} item")
    fuel.spend(1 + _size(fuel, target))


def _size(fuel: Fuel, items: list[Any]) -> int:
    """Return what going through items of one kind costs. Raises EvaluationError for items without an order."""
    fuel.spend(len(items))
    family = _ORDERS.get(type(items[0]))
    if family is None:
        raise EvaluationError(f"{shown(items[0])} has no order; compare numbers or texts")
    for item in items:
        if _ORDERS.get(type(item)) != family:
            raise EvaluationError(f"{shown(items[0])} and {shown(item)} have no order; compare numbers or texts")
    if family in ("text", "bytes"):
        return len(items) + sum(map(len, items)) // BYTES_PER_UNIT
    return len(items)


def ordered(fuel: Fuel, keys: list[Any]) -> list[int]:
    """Return the places of keys in their order, equal ones as they stand. Raises EvaluationError without an order."""
    _charge_sort(fuel, keys)
    return sorted(range(len(keys)), key=keys.__getitem__)


def sort(fuel: Fuel, target: Any) -> list[Any]:
    """Return the items in their order, equal ones as they stand. Raises EvaluationError where there is no order."""
    _charge_sort(fuel, listed(target))
    return sorted(target)


def _charge_sort(fuel: Fuel, items: list[Any]) -> None:
    if not items:
        return
    size = _size(fuel, items)
    fuel.spend(len(items) + size * len(items).bit_length() // 4)
    if type(items[0]) is float or type(items[0]) is int:
        for item in items:
            if item != item:  # noqa: PLR0124  NaN
                raise EvaluationError("NaN has no place in an order")


def distinct(fuel: Fuel, target: Any) -> list[Any]:
    """Return the items without those that equal an earlier one. Raises EvaluationError when that asks for too much
    work.
    """
    fuel.spend(2 * len(listed(target)))
    seen = set()
    found = []
    for item in target:
        key = item if type(item) is str and len(item) <= BYTES_PER_UNIT else _key(fuel, item, MAX_NESTING)
        if key not in seen:
            seen.add(key)
            found.append(item)
    return found


def _key(fuel: Fuel, value: Any, levels: int) -> Any:
    """Return what is equal for equal values only. Made of texts and bytes: Python hashes those so that nobody can
    choose values that collide, which numbers and pairs of them do not withstand.
    """
    cls = type(value)
    if cls is str:
        fuel.walk(value)
        return value
    if cls is int or cls is float:
        return _number_key(fuel, value)
    if value is None or cls is bool:
        return value
    if levels <= 0:
        raise too_deep()
    if cls is list or cls is dict or cls is Some:
        return _deep_key(fuel, value, levels - 1)
    fuel.spend(10)
    if cls is bytes:
        fuel.walk(value)
        return "bytes", value
    return kind(value), values.text_of(value) if cls is datetime or cls is timedelta else ""


def _number_key(fuel: Fuel, value: Any) -> Any:
    fuel.spend(4)
    if type(value) is float:
        if not value.is_integer():
            return object() if value != value else b"%r" % value  # noqa: PLR0124  NaN equals nothing
        value = int(value)
    if MIN_INT <= value <= MAX_INT:
        return b"%d" % value
    fuel.spend(value.bit_length() // 16)
    return b"%x" % value


def _deep_key(fuel: Fuel, value: Any, levels: int) -> Any:
    fuel.spend(6)
    if type(value) is Some:
        return "some", _key(fuel, value.value, levels)
    if type(value) is list:
        fuel.spend(3 * len(value))
        return "list", tuple([_key(fuel, item, levels) for item in value])
    fuel.spend(6 * len(value))
    return "map", frozenset([(key, _key(fuel, item, levels)) for key, item in value.items()])


def flatten(fuel: Fuel, target: Any, depth: Any = 1) -> list[Any]:
    """Return the items with those of lists in their place, `depth` levels deep. Raises EvaluationError."""
    found = listed(target)
    levels = whole(depth)
    if levels < 0:
        raise EvaluationError("the depth of flatten must not be negative")
    while levels:
        fuel.spend(len(found))
        size = sum([len(item) if type(item) is list else 1 for item in found])
        fuel.spend(size)
        if not any([type(item) is list for item in found]):  # noqa: C419  a generator is slower
            break
        found = [inner for item in found for inner in (item if type(item) is list else (item,))]
        levels -= 1
    return found


def counted(fuel: Fuel, count: Any) -> list[int]:
    """Return the whole numbers from 0 on, `count` of them. Raises EvaluationError."""
    found = whole(count)
    if found < 0:
        raise EvaluationError(f"lists.range takes a number of items from 0 on, not {shown(count)}")
    fuel.spend(found)
    return list(range(found))


def reverse(fuel: Fuel, target: Any) -> list[Any]:
    """Return the items from last to first. Raises EvaluationError."""
    fuel.spend(len(listed(target)))
    return target[::-1]  # type: ignore[no-any-return]


def part(fuel: Fuel, target: Any, start: Any, end: Any) -> list[Any]:
    """Return the items from `start` to before `end`. Raises EvaluationError."""
    last = between(end, 0, len(listed(target)))
    first = between(start, 0, last)
    fuel.spend(last - first)
    return target[first:last]  # type: ignore[no-any-return]


def index_of(fuel: Fuel, target: Any, item: Any) -> int:
    """Return where an item stands first, -1 for nowhere. Raises EvaluationError."""
    return place(fuel, listed(target), item)


def last_index_of(fuel: Fuel, target: Any, item: Any) -> int:
    """Return where an item stands last, -1 for nowhere. Raises EvaluationError."""
    fuel.spend(len(listed(target)))
    found = place(fuel, target[::-1], item)
    return len(target) - 1 - found if found >= 0 else -1


def first(_fuel: Fuel, target: Any) -> Optional:
    """Return the first item as an optional. Raises EvaluationError."""
    return Some(target[0]) if listed(target) else NONE


def last(_fuel: Fuel, target: Any) -> Optional:
    """Return the last item as an optional. Raises EvaluationError."""
    return Some(target[-1]) if listed(target) else NONE
