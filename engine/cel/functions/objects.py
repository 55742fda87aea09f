"""Functions of objects. Their values are handed on as they are, never copied nor changed."""

from __future__ import annotations

from typing import Any

from engine.cel.fuel import BYTES_PER_UNIT, Fuel
from engine.cel.functions import operands

_ENTRY = 4  # fuel for an entry of an object that is made


def merged(fuel: Fuel, target: Any, other: Any) -> dict[str, Any]:
    """Return the entries of two objects; where both have a key, the second one's counts. Raises EvaluationError."""
    fuel.spend(_ENTRY * (len(operands.mapped(target)) + len(operands.mapped(other))))
    fuel.spend(sum(map(len, other)) // BYTES_PER_UNIT)  # a key that both have is compared to its end
    return {**target, **other}
