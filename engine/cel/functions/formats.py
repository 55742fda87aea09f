"""`text.format(list)`: clauses %s %d %f %e %x %X %o %b, each for the next item, and %% for a percent sign.

A clause may have a width, `%5s`, `%-5s` (spaces behind), `%05d` (zeros before a number), and a precision, `%.2f`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from engine.cel import values
from engine.cel.errors import EvaluationError
from engine.cel.fuel import MAX_TEXT, Fuel
from engine.cel.functions.operands import encoded, listed, text, whole
from engine.cel.values import digits, kind, number, shown

MAX_PRECISION = 100
MAX_WIDTH = 100  # characters
_USUAL = 6  # digits behind the point where no precision is asked for
_CLAUSE = re.compile(r"%(?:([-0]?)([1-9][0-9]*))?(?:\.([0-9]*))?(.?)", re.ASCII | re.DOTALL)
_INFINITE = frozenset({"NaN", "Infinity", "-Infinity"})
_COST = 10  # fuel for a clause


def formatted(fuel: Fuel, target: Any, items: Any) -> str:
    """Return a text with items put for its clauses. Raises EvaluationError."""
    fuel.walk(text(target))
    clauses = target.count("%")
    fuel.spend(_COST * clauses)
    fuel.make(len(target))
    return "".join(_pieces(fuel, target, listed(items)))


def _pieces(fuel: Fuel, target: str, items: list[Any]) -> list[str]:
    pieces, place, used, size = [], 0, 0, len(target)
    while (at := target.find("%", place)) >= 0:
        clause = _CLAUSE.match(target, at)
        assert clause is not None  # noqa: S101  a percent sign always matches
        pieces.append(target[place:at])
        place = clause.end()
        if clause[0] == "%%":
            pieces.append("%")
            continue
        if used == len(items):
            raise EvaluationError(f"the format has more clauses than items, which are {used}")
        written = _clause(fuel, clause, items[used])
        used += 1
        size += len(written)
        fuel.make(size) if size > MAX_TEXT else fuel.make(len(written))
        pieces.append(written)
    if used < len(items):
        raise EvaluationError(f"the format has {used} clauses for {len(items)} items")
    pieces.append(target[place:])
    return pieces


def _clause(fuel: Fuel, clause: re.Match[str], item: Any) -> str:
    fill, width, precision, letter = clause.groups()
    write = _WRITERS.get(letter)
    if write is None or (fill == "0" and letter == "s"):
        raise EvaluationError(f"the format has an unknown clause {shown(clause[0])}; write %% for a percent sign")
    written = write(fuel, item, _precision(precision))
    return written if width is None else _padded(written, fill, width)


def _padded(written: str, fill: str, width: str) -> str:
    if len(width) > len(str(MAX_WIDTH)) or int(width) > MAX_WIDTH:
        raise EvaluationError(f"the width of a clause must be 1 to {MAX_WIDTH}")
    if fill == "-":
        return written.ljust(int(width))
    return written.zfill(int(width)) if fill and written not in _INFINITE else written.rjust(int(width))


def _precision(written: str | None) -> int:
    if written is None:
        return _USUAL
    if written and len(written) <= len(str(MAX_PRECISION)) and int(written) <= MAX_PRECISION:
        return int(written)
    raise EvaluationError(f"the precision of a clause must be 0 to {MAX_PRECISION}")


def _string(fuel: Fuel, item: Any, _precision: int) -> str:
    return "null" if item is None else values.text(fuel, item)


def _decimal(fuel: Fuel, item: Any, _precision: int) -> str:
    if type(item) is float and not math.isfinite(item):
        return number(item)
    return digits(fuel, whole(item))


def _fixed(fuel: Fuel, item: Any, precision: int) -> str:
    return _real(fuel, item, precision, "f")


def _scientific(fuel: Fuel, item: Any, precision: int) -> str:
    return _real(fuel, item, precision, "e")


def _real(fuel: Fuel, item: Any, precision: int, form: str) -> str:
    fuel.spend(precision)
    cls = type(item)
    if cls is str and item in _INFINITE:
        return item  # type: ignore[no-any-return]
    if cls is not int and cls is not float:
        raise EvaluationError(f"{shown(item)} is not a number")
    try:
        return format(float(item), f".{precision}{form}") if math.isfinite(item) else number(item)
    except OverflowError:
        raise EvaluationError(f"{shown(item)} is too large to be written with a point") from None


def _hex(fuel: Fuel, item: Any, _precision: int) -> str:
    if type(item) is str or type(item) is bytes:
        fuel.make(2 * len(item))
        return encoded(item).hex()
    return _based(fuel, item, "x")


def _capital_hex(fuel: Fuel, item: Any, precision: int) -> str:
    return _hex(fuel, item, precision).upper()


def _octal(fuel: Fuel, item: Any, _precision: int) -> str:
    return _based(fuel, item, "o")


def _binary(fuel: Fuel, item: Any, _precision: int) -> str:
    return _based(fuel, int(item) if type(item) is bool else item, "b")


def _based(fuel: Fuel, item: Any, form: str) -> str:
    if type(item) is not int:
        raise EvaluationError(f"{shown(item)} is {kind(item)}, not a whole number")
    fuel.make(item.bit_length())
    return format(item, form)


_WRITERS: dict[str, Callable[[Fuel, Any, int], str]] = {
    "s": _string,
    "d": _decimal,
    "f": _fixed,
    "e": _scientific,
    "x": _hex,
    "X": _capital_hex,
    "o": _octal,
    "b": _binary,
}
