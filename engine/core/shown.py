"""What a history shows of the values that were read: by a decision, by a condition that was false.

It is for people: nothing is decided by it. Must not: ask for a value that is not at hand, spend a decision's fuel, or
walk through all of a large value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from engine.cel.fuel import Fuel
from engine.core.scope import PayloadNeeded

if TYPE_CHECKING:
    from engine.cel import Program, Scope

MAX_SHOWN = 200  # characters of one value, or of an expression
MAX_SHOWN_ITEMS = 10

_encode = msgspec.json.Encoder().encode


def size(value: Any) -> int:
    """Return how many bytes of JSON a value takes."""
    return len(_encode(value))


def shortened(inputs: dict[str, Any], most: int) -> dict[str, Any]:
    """Return what was read, by path: each value cut to size, and of all of them what fits into `most` bytes of JSON."""
    shown: dict[str, Any] = {}
    for name, value in inputs.items():
        kept = cut(value)
        most -= size({name: kept})
        if most < 0:
            break
        shown[name] = kept
    return shown


def cut(value: Any) -> Any:
    """Return a value as it is where it is small, else what can be told of it without walking through all of it."""
    if isinstance(value, str):
        return value if len(value) <= MAX_SHOWN else value[:MAX_SHOWN] + "…"
    if isinstance(value, list | dict):
        if len(value) <= MAX_SHOWN_ITEMS and all(not isinstance(v, list | dict) for v in _items(value)):
            kept = [cut(v) for v in _items(value)]
            return kept if isinstance(value, list) else dict(zip(value, kept, strict=True))
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return value


def _items(value: list[Any] | dict[str, Any]) -> list[Any]:
    return value if isinstance(value, list) else list(value.values())


def read(program: Program, scope: Scope) -> dict[str, Any]:
    """Return what an expression that has just been evaluated may have read, by path.

    A value over PAYLOAD_BYTES that is not at hand was not read, and is left out.
    """
    return program.inputs(_AtHand(scope, Fuel()))


class _AtHand(Struct, frozen=True):
    """A scope in which a value that would have to be loaded is missing."""

    scope: Scope
    fuel: Fuel

    def lookup(self, root: str) -> Any:
        """Return the value of a root. Raises KeyError."""
        try:
            return self.scope.lookup(root)
        except PayloadNeeded:
            raise KeyError(root) from None

    def step(self, step_id: str, field: str) -> Any:
        """Return one of a step's fields. Raises KeyError."""
        try:
            return self.scope.step(step_id, field)
        except PayloadNeeded:
            raise KeyError(step_id) from None

    def secret(self, name: str) -> str:
        """Raise KeyError: what is shown holds no secrets."""
        raise KeyError(name)
