"""Helpers for tests of expressions: a scope of plain values, and what an expression gives on it."""

from __future__ import annotations

import math
from typing import Any

from engine.cel import EvaluationError, InvalidExpression, compile_expression
from engine.cel.fuel import Fuel

ROOTS = frozenset({"input", "steps", "process", "trigger", "now"})


class Given:
    """A scope whose roots are handed in; `steps` and `secrets` are dicts."""

    def __init__(self, **roots: Any) -> None:
        self.fuel = Fuel()
        self._steps = roots.pop("steps", {})
        self._secrets = roots.pop("secrets", {})
        self._roots = roots

    def lookup(self, root: str) -> Any:
        return self._roots[root]

    def step(self, step_id: str, field: str) -> Any:
        return self._steps[step_id][field]

    def secret(self, name: str) -> str:
        secret: str = self._secrets[name]
        return secret


def value(source: str, **roots: Any) -> Any:
    """Return what an expression gives."""
    return compile_expression(source, roots=ROOTS | roots.keys()).evaluate(Given(**roots))


def refusal(source: str, **roots: Any) -> str:
    """Return why an expression gives no value, be it found at publish or when it runs. Fails where it gives one."""
    try:
        found = value(source, **roots)
    except (InvalidExpression, EvaluationError) as error:
        return error.message
    raise AssertionError(f"{source} gives {found!r}")


def alike(left: Any, right: Any) -> bool:
    """Tell whether two values are the same in kind too: 1 is not 1.0 nor true, 0.0 is not -0.0, NaN is NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(alike(item, right[key]) for key, item in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(alike, left, right))
    if isinstance(left, float):
        return math.isnan(left) and math.isnan(right) if left != right else _sign(left) == _sign(right)
    return bool(left == right)


def _sign(number: float) -> float:
    return math.copysign(1, number)
