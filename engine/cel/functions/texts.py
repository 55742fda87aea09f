"""Functions of texts. Characters are those of Unicode, counted from 0; case is that of ASCII."""

from __future__ import annotations

from typing import Any

from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.functions.operands import LEFT_OUT, between, text, whole
from engine.cel.linear import Search
from engine.cel.values import shown

# What Unicode calls White_Space. Python's own strip() takes four control characters more.
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f"
    "\u205f\u3000"
)


def contains(fuel: Fuel, target: Any, part: Any) -> bool:
    """Tell whether a text is part of another. Raises EvaluationError."""
    fuel.find(text(target), text(part))
    return part in target


def starts_with(fuel: Fuel, target: Any, part: Any) -> bool:
    """Tell whether a text begins with another. Raises EvaluationError."""
    fuel.walk(text(part))
    return text(target).startswith(part)


def ends_with(fuel: Fuel, target: Any, part: Any) -> bool:
    """Tell whether a text ends with another. Raises EvaluationError."""
    fuel.walk(text(part))
    return text(target).endswith(part)


def matches(fuel: Fuel, target: Any, search: Any) -> bool:
    """Tell whether a pattern occurs in a text; `search` comes from `linear.searcher`. Raises EvaluationError."""
    if type(search) is not Search:
        raise EvaluationError(f"{shown(search)} is no compiled pattern")
    fuel.spend(search.cost(text(target)))
    try:
        return search(target)
    except UnicodeEncodeError:
        raise EvaluationError(f"{shown(target)} has half of a surrogate pair, which no pattern knows") from None


def split(fuel: Fuel, target: Any, separator: Any, limit: Any = -1) -> list[str]:
    """Return the pieces of a text between separators, at most `limit` of them. Raises EvaluationError."""
    fuel.find(text(target), text(separator))
    most = whole(limit)
    if not most:
        return []
    if not separator:
        return _characters(fuel, target, most)
    pieces = target.count(separator) + 1
    fuel.spend(3 * pieces)
    fuel.make(len(target))
    return target.split(separator, min(pieces, most) - 1 if most > 0 else -1)  # type: ignore[no-any-return]


def _characters(fuel: Fuel, target: str, most: int) -> list[str]:
    fuel.spend(2 * len(target))
    if 0 < most < len(target):
        return [*target[: most - 1], target[most - 1 :]]
    return list(target) or [""]


def trim(fuel: Fuel, target: Any) -> str:
    """Return a text without white space at its ends. Raises EvaluationError."""
    fuel.spend(1 + len(text(target)) // 8)
    return target.strip(_SPACE)  # type: ignore[no-any-return]


def lower_ascii(fuel: Fuel, target: Any) -> str:
    """Return a text with A to Z made small. Raises EvaluationError."""
    fuel.make(len(text(target)))
    if target.isascii():
        return target.lower()  # type: ignore[no-any-return]
    return target.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")  # type: ignore[no-any-return]


def upper_ascii(fuel: Fuel, target: Any) -> str:
    """Return a text with a to z made capital. Raises EvaluationError."""
    fuel.make(len(text(target)))
    if target.isascii():
        return target.upper()  # type: ignore[no-any-return]
    return target.encode("utf-8", "surrogatepass").upper().decode("utf-8", "surrogatepass")  # type: ignore[no-any-return]


def replace(fuel: Fuel, target: Any, old: Any, new: Any, limit: Any = -1) -> str:
    """Return a text with another put for a part of it, at most `limit` times. Raises EvaluationError."""
    fuel.find(text(target), text(old))
    most = whole(limit)
    found = target.count(old)
    times = min(found, most) if most >= 0 else found
    fuel.spend(3 * times)
    fuel.make(len(target) + times * (len(text(new)) - len(old)))
    return target.replace(old, new, times)  # type: ignore[no-any-return]


def substring(fuel: Fuel, target: Any, start: Any, end: Any = LEFT_OUT) -> str:
    """Return the characters from `start` to before `end`. Raises EvaluationError."""
    size = len(text(target))
    last = size if end is LEFT_OUT else between(end, 0, size)
    first = between(start, 0, last)
    fuel.make(last - first)
    return target[first:last]  # type: ignore[no-any-return]


def char_at(_fuel: Fuel, target: Any, at: Any) -> str:
    """Return one character, an empty text for the place behind the last. Raises EvaluationError."""
    place = between(at, 0, len(text(target)))
    return target[place : place + 1]  # type: ignore[no-any-return]


def index_of(fuel: Fuel, target: Any, part: Any, start: Any = LEFT_OUT) -> int:
    """Return where a text is first found in another, from `start` on; -1 for nowhere. Raises EvaluationError."""
    size = len(text(target))
    first = 0 if start is LEFT_OUT else between(start, 0, size)
    fuel.find(target, text(part))
    return target.find(part, first)  # type: ignore[no-any-return]


def last_index_of(fuel: Fuel, target: Any, part: Any, start: Any = LEFT_OUT) -> int:
    """Return where a text is last found in another, at `start` at the latest; -1 for nowhere. Raises
    EvaluationError.
    """
    size = len(text(target))
    latest = size if start is LEFT_OUT else between(start, 0, size)
    fuel.find(target, text(part))
    fuel.make(size)
    fuel.make(len(part))
    # Backwards through backward texts: Python looks from the end in quadratic time.
    behind = min(latest + len(part), size)
    found = target[:behind][::-1].find(part[::-1])
    return behind - found - len(part) if found >= 0 else -1


def reverse(fuel: Fuel, target: Any) -> str:
    """Return the characters of a text from last to first. Raises EvaluationError."""
    fuel.make(len(text(target)))
    return target[::-1]  # type: ignore[no-any-return]
