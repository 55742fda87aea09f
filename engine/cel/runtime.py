"""What generated code calls beside operations and functions. Internal to the code generator.

Each takes fuel first, as operations do, and raises EvaluationError.
"""

from __future__ import annotations

from typing import Any, NoReturn
from urllib.parse import quote

from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.functions import lists
from engine.cel.values import NONE, Some, kind, shown, text

# What an expression can do wrong. Python's own errors come from short forms tried on operands that did not fit.
FAULTS = (EvaluationError, LookupError, TypeError)


class Failed:
    """What a variable of cel.bind holds where its value could not be evaluated."""

    __slots__ = ("_error",)

    def __init__(self, error: EvaluationError) -> None:
        self._error = error

    def again(self) -> EvaluationError:
        """Return the error as it was: each raising adds to its traceback."""
        return self._error.with_traceback(None)


def not_bool(_fuel: Fuel, value: Any) -> NoReturn:
    """Refuse a value where true or false is needed."""
    raise EvaluationError(f"{shown(value)} is not true or false")


def items(fuel: Fuel, value: Any) -> list[Any]:
    """Return what a macro with one variable goes through: items of a list, keys of a map."""
    if type(value) is list:
        return value
    if type(value) is dict:
        fuel.spend(len(value))
        return list(value)
    raise EvaluationError(f"{shown(value)} is neither a list nor an object")


def listed(_fuel: Fuel, value: Any) -> list[Any]:
    """Return a list as it is."""
    if type(value) is list:
        return value
    raise EvaluationError(f"{shown(value)} is not a list")


def pairs(fuel: Fuel, value: Any) -> list[tuple[Any, Any]]:
    """Return what a macro with two variables goes through: places and items of a list, keys and values of a map."""
    if type(value) is list:
        fuel.spend(2 * len(value))
        return list(enumerate(value))
    if type(value) is dict:
        fuel.spend(2 * len(value))
        return list(value.items())
    raise EvaluationError(f"{shown(value)} is neither a list nor an object")


def put(_fuel: Fuel, made: dict[str, Any], key: Any, value: Any) -> None:
    """Add an entry to a map in the making."""
    if type(key) is not str:
        raise EvaluationError(f"a key must be a text, and this is {shown(key)}")
    if key in made:
        raise EvaluationError(f"the key {shown(key)} is there twice")
    made[key] = value


def put_all(fuel: Fuel, made: dict[str, Any], entries: Any) -> None:
    """Add the entries of a map to a map in the making."""
    if type(entries) is not dict:
        raise EvaluationError(f"{shown(entries)} is not an object")
    fuel.spend(4 * len(entries))
    for key, value in entries.items():
        put(fuel, made, key, value)


def sort_by(fuel: Fuel, values: list[Any], keys: list[Any]) -> list[Any]:
    """Return values in the order of their keys; equal ones stay as they stood."""
    return [values[place] for place in lists.ordered(fuel, keys)]


def content(_fuel: Fuel, value: Any) -> Any:
    """Return an optional as it is; refuse anything else."""
    if value is NONE or type(value) is Some:
        return value
    raise EvaluationError(f"{shown(value)} is {kind(value)}, not an optional")


def join(fuel: Fuel, *parts: Any) -> str:
    """Return values written one after the other."""
    texts = [part if type(part) is str else text(fuel, part) for part in parts]
    fuel.make(sum(map(len, texts)))
    return "".join(texts)


def address(fuel: Fuel, *parts: Any) -> str:
    """Return a URL. Raises EvaluationError for one whose path goes up: whoever sends it would call another one."""
    url = join(fuel, *parts)
    fuel.walk(url)
    path = url.partition("?")[0].partition("#")[0].lower().replace("%2e", ".")
    if {".", ".."} & set(path.split("/")[1:]):
        raise EvaluationError("the path of the address has . or .. in it, which leads elsewhere")
    return url


def encoded(fuel: Fuel, value: Any) -> str:
    """Return a value as it stands inside a URL, encoded: a slash or an @ in it would lead the call elsewhere."""
    written = value if type(value) is str else text(fuel, value)
    fuel.make(3 * len(written))
    return quote(written, safe="")
