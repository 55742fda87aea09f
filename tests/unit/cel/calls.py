"""Calling what generated code calls: a function `math.round`, a method `.size`, an operation `add`, each with operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.cel import operations
from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.library import FUNCTIONS, METHODS

OPERATIONS = (
    "equal", "unequal", "less", "less_equal", "greater", "greater_equal", "add", "subtract", "multiply", "divide",
    "remainder", "negate", "contained", "index", "select", "optional_select", "optional_index", "has",
)  # fmt: skip
MOST = 10**12


def named(name: str) -> Callable[..., Any]:
    if name.startswith("."):
        return METHODS[name[1:]].call
    found: Callable[..., Any] = FUNCTIONS[name].call if name in FUNCTIONS else getattr(operations, name)
    return found


def call(name: str, *operands: Any, fuel: Fuel | None = None) -> Any:
    """Return what a function or an operation makes of operands."""
    return named(name)(fuel or Fuel(), *operands)


def refused(name: str, *operands: Any) -> str:
    """Return why operands are refused. Fails where they are not."""
    with pytest.raises(EvaluationError) as fault:
        call(name, *operands)
    return fault.value.message


def cost(name: str, *operands: Any) -> int:
    """Return how much fuel a call takes."""
    fuel = Fuel(MOST)
    call(name, *operands, fuel=fuel)
    return MOST - fuel.left
