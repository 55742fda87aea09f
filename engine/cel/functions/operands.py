"""What functions ask of their operands. Each returns the operand or raises an EvaluationError that says what it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from engine.cel.errors import EvaluationError
from engine.cel.values import Optional, shown

LEFT_OUT: Any = object()  # stands for an argument that was not given; null is an argument


def text(value: Any) -> str:
    """Return a text. Raises EvaluationError for anything else."""
    if type(value) is str:
        return value
    raise EvaluationError(f"{shown(value)} is not a text")


def listed(value: Any) -> list[Any]:
    """Return a list. Raises EvaluationError for anything else."""
    if type(value) is list:
        return value
    raise EvaluationError(f"{shown(value)} is not a list")


def mapped(value: Any) -> dict[str, Any]:
    """Return an object. Raises EvaluationError for anything else."""
    if type(value) is dict:
        return value
    raise EvaluationError(f"{shown(value)} is not an object")


def number(value: Any) -> int | float:
    """Return a number. Raises EvaluationError for anything else."""
    if type(value) is int or type(value) is float:
        return value
    raise EvaluationError(f"{shown(value)} is not a number")


def whole(value: Any) -> int:
    """Return a whole number, 2.0 too, for data does not tell it from 2. Raises EvaluationError for anything else."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise EvaluationError(f"{shown(value)} is not a whole number")


def between(value: Any, least: int, most: int) -> int:
    """Return a whole number from `least` to `most`. Raises EvaluationError for anything else."""
    found = value if type(value) is int else whole(value)
    if least <= found <= most:
        return found
    raise EvaluationError(f"the position {shown(value)} is out of range: {least} to {most}")


def encoded(value: Any) -> bytes:
    """Return bytes, those of UTF-8 for a text. Raises EvaluationError for anything else."""
    if type(value) is bytes:
        return value
    try:
        return text(value).encode()
    except UnicodeEncodeError:
        raise EvaluationError(f"{shown(value)} has half of a surrogate pair, which UTF-8 cannot hold") from None


def optional(value: Any) -> Optional:
    """Return an optional. Raises EvaluationError for anything else."""
    if isinstance(value, Optional):
        return value
    raise EvaluationError(f"{shown(value)} is not an optional")


def moment(value: Any) -> datetime:
    """Return a timestamp. Raises EvaluationError for anything else."""
    if type(value) is datetime:
        return value
    advice = "; write timestamp(x) around a text that is one" if type(value) is str else ""
    raise EvaluationError(f"{shown(value)} is not a timestamp{advice}")


def span(value: Any) -> timedelta:
    """Return a duration. Raises EvaluationError for anything else."""
    if type(value) is timedelta:
        return value
    raise EvaluationError(f"{shown(value)} is not a duration")
