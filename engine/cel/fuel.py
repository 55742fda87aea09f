"""What a decision may spend on expressions: a bound on work, whatever a stranger's definition and data ask for.

One unit stands for one value compared or about 64 bytes searched, some 0.1 µs. It bounds a whole decision, since a
hundred steps that each stay within a limit of their own still stop a worker.
"""

from __future__ import annotations

from engine.cel.errors import EvaluationError

FUEL = 2_000_000
BYTES_PER_UNIT = 64


class Fuel:
    """What is left to one decision."""

    __slots__ = ("left",)

    def __init__(self, units: int = FUEL) -> None:
        self.left = units

    def spend(self, units: int) -> None:
        """Take units. Raises EvaluationError when they are used up."""
        self.left -= units
        if self.left < 0:
            raise EvaluationError(f"the process asks for too much work at once (more than {FUEL} comparisons)")

    def search(self, *texts: str) -> None:
        """Take what it costs to walk through texts once. Raises EvaluationError when it is used up."""
        self.spend(1 + sum(map(len, texts)) // BYTES_PER_UNIT)
