"""The values of expressions: what they are called, how they are shown, and what JSON and text make of them.

A value is None, a bool, int, float, str, bytes, list, dict with texts as keys, datetime in UTC, timedelta, or an
optional: Some(value) or NONE. Nothing here changes a value that it is given.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel

MAX_NESTING = 150  # levels: data has 64 at most, an expression adds 64; deeper ones endanger the stack
_EXACT = 1 << 63  # ints below it are written without further ado
_SHOWN = 60
_SCALAR_COST = 6  # fuel for writing a float, a timestamp or a duration

_encode = msgspec.json.Encoder().encode


class Optional(Struct, frozen=True):
    """A value that may be missing: Some(value) or NONE."""


class Some(Optional, frozen=True):
    """An optional that has a value."""

    value: Any


NONE = Optional()

_KINDS: dict[type, str] = {
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
    list: "a list",
    dict: "an object",
    bytes: "bytes",
    datetime: "a timestamp",
    timedelta: "a duration",
    Some: "an optional",
    Optional: "an optional",
}


def kind(value: Any) -> str:
    """Return what a value is, for a message."""
    return _KINDS.get(type(value), "an unknown value")


def shown(value: Any) -> str:
    """Return a value for a message, at most 60 characters."""
    cls = type(value)
    if cls is str:
        return _clipped(repr(value if len(value) <= 50 else value[:50] + "…"))
    if cls is int:
        return str(value) if -_EXACT <= value < _EXACT else f"a number of some {value.bit_length() * 3 // 10} digits"
    if cls is bytes:
        return _clipped(repr(value[:50]))
    scalar = _SCALARS.get(cls)
    return scalar(value) if scalar else kind(value)


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def number(value: float) -> str:
    """Return a float as JavaScript writes it: the fewest digits that are exact, no `.0`."""
    text = repr(value)
    if "e" in text:
        return _exponent(text)
    if text.endswith(".0"):
        return text[:-2] if value else "0"
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(text, text)


def _exponent(text: str) -> str:
    """Return a number with an exponent as JavaScript writes it, which has one below 1e-6 and from 1e21 on."""
    mantissa, _, power = text.partition("e")
    exponent = int(power)
    if not -7 < exponent < 21:
        return f"{mantissa}e{exponent:+d}"
    sign = "-" if mantissa.startswith("-") else ""
    digits = mantissa.lstrip("-").replace(".", "")
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    return sign + digits.ljust(exponent + 1, "0")


def stamp(value: datetime) -> str:
    """Return a timestamp as RFC 3339 writes it, with Z and no more digits than needed."""
    text = value.isoformat()
    return text[:19] + (text[19:26].rstrip("0") if value.microsecond else "") + "Z"


def seconds(value: timedelta) -> str:
    """Return a duration as JSON has it: 5400s, 1.5s, -0.25s."""
    micros = microseconds(value)
    whole, rest = divmod(abs(micros), 1_000_000)
    return f"{'-' if micros < 0 else ''}{whole}{f'.{rest:06d}'.rstrip('0') if rest else ''}s"


def microseconds(value: timedelta) -> int:
    """Return a duration in microseconds, exactly."""
    return (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds


_SCALARS: dict[type, Any] = {
    float: number,
    bool: lambda value: "true" if value else "false",
    datetime: stamp,
    timedelta: seconds,
}


def digits(fuel: Fuel, value: int) -> str:
    """Return an int in decimal digits. Raises EvaluationError when it has thousands of them."""
    if -_EXACT <= value < _EXACT:
        return str(value)
    fuel.spend(value.bit_length() // 16)
    try:
        return str(value)
    except ValueError:
        raise EvaluationError("the number has too many digits to be written") from None


def text(fuel: Fuel, value: Any) -> str:
    """Return what `string()` makes of a value. Raises EvaluationError for one that cannot be written."""
    cls = type(value)
    if cls is str:
        return value  # type: ignore[no-any-return]
    if cls is int:
        return digits(fuel, value)
    if cls is list or cls is dict:
        return _json_text(fuel, value)
    if cls is bytes:
        return _decoded(fuel, value)
    scalar = _SCALARS.get(cls)
    if scalar:
        fuel.spend(_SCALAR_COST)
        return scalar(value)  # type: ignore[no-any-return]
    advice = '; write coalesce(…, "") where it may be null' if value is None else ""
    raise EvaluationError(f"{kind(value)} cannot be written as text{advice}")


def _decoded(fuel: Fuel, value: bytes) -> str:
    fuel.make(len(value))
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EvaluationError(f"{shown(value)} is not UTF-8 text") from None


def _json_text(fuel: Fuel, value: Any) -> str:
    plain = to_json(fuel, value)
    fuel.make(_size(fuel, plain, 0))
    try:
        written = _encode(plain).decode()
    except (UnicodeEncodeError, ValueError, OverflowError, RecursionError):
        raise EvaluationError(f"{kind(value)} cannot be written as JSON") from None
    fuel.make(len(written))
    return written


def _size(fuel: Fuel, value: Any, size: int) -> int:
    """Return `size` and what a value takes as JSON at least. Raises OutOfFuel."""
    cls = type(value)
    if cls is str:
        size += len(value) + 2
    elif cls is list:
        fuel.spend(len(value))
        for item in value:
            size = _size(fuel, item, size + 1)
    elif cls is dict:
        fuel.spend(2 * len(value))
        for key, item in value.items():
            size = _size(fuel, item, size + len(key) + 4)
    else:
        size += 1 if cls is not int else 1 + value.bit_length() // 4
    return size


def to_json(fuel: Fuel, value: Any) -> Any:
    """Return a value as JSON has it; the value itself where it is JSON. Raises EvaluationError."""
    cls = type(value)
    if cls is str or cls is int or cls is float or cls is bool or value is None:
        return value
    return _plain(fuel, value, MAX_NESTING)


def _plain(fuel: Fuel, value: Any, levels: int) -> Any:
    cls = type(value)
    if cls is str or cls is int or cls is float or cls is bool or value is None:
        return value
    if levels <= 0:
        raise too_deep()
    if cls is dict:
        return _plain_map(fuel, value, levels - 1)
    if cls is list:
        return _plain_list(fuel, value, levels - 1)
    if cls is Some:
        return _plain(fuel, value.value, levels - 1)
    if cls is bytes:
        fuel.make(len(value) * 4 // 3)
        return b64encode(value).decode()
    return _plain_scalar(fuel, value)


def too_deep() -> EvaluationError:
    """Return the error for a value with too many levels."""
    return EvaluationError(f"the value is nested more than {MAX_NESTING} levels deep")


def _plain_scalar(fuel: Fuel, value: Any) -> Any:
    if value is NONE:
        return None
    if type(value) is datetime or type(value) is timedelta:
        fuel.spend(_SCALAR_COST)
        return text_of(value)
    raise EvaluationError(f"{kind(value)} cannot be written as JSON")


def text_of(value: datetime | timedelta) -> str:
    """Return a timestamp or a duration as text."""
    return stamp(value) if isinstance(value, datetime) else seconds(value)


def _plain_list(fuel: Fuel, value: list[Any], levels: int) -> list[Any]:
    fuel.spend(3 + len(value))
    made = None
    for place, item in enumerate(value):
        plain = _plain(fuel, item, levels)
        if plain is not item:
            if made is None:
                fuel.spend(len(value))
                made = list(value)
            made[place] = plain
    return value if made is None else made


def _plain_map(fuel: Fuel, value: dict[str, Any], levels: int) -> dict[str, Any]:
    fuel.spend(3 + len(value))
    made = None
    for key, item in value.items():
        plain = _plain(fuel, item, levels)
        if plain is not item:
            if made is None:
                fuel.spend(4 * len(value))
                made = dict(value)
            made[key] = plain
    return value if made is None else made
