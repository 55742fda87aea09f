"""What a decision may spend on expressions: a bound on work, whatever a stranger's definition and data ask for.

One unit stands for some 0.1 µs: one operation, about 64 characters walked, 16 characters of a text made, one item of
a list made. It bounds a whole decision, since a hundred steps that each stay within a limit of their own still stop
a worker. Units are taken before the work is done, never after.
"""

from __future__ import annotations

from msgspec import Struct

from engine.cel.errors import EvaluationError, OutOfFuel

FUEL = 2_000_000
BYTES_PER_UNIT = 64  # of a text that is walked once
MADE_PER_UNIT = 16  # characters of a text that is made
MAX_TEXT = 2 << 20  # characters of one text; values over 1 MiB are refused by the caller anyway

# Python looks for a text in linear time where that one has _LONG characters and the other _WIDE, or the other has
# _WIDEST. Below, it may compare the text at every place, which matters from _QUICK characters on.
_QUICK, _LONG = 6, 100
_WIDE, _WIDEST = 5_000, 30_000


class Fuel(Struct):
    """What is left to one decision."""

    left: int = FUEL

    def spend(self, units: int) -> None:
        """Take units. Raises OutOfFuel when they are used up."""
        self.left -= units
        if self.left < 0:
            raise OutOfFuel(f"the process asks for too much work at once (more than {FUEL:,} units)")

    def walk(self, *texts: str | bytes) -> None:
        """Take what it costs to walk through texts once. Raises OutOfFuel when it is used up."""
        self.spend(1 + sum(map(len, texts)) // BYTES_PER_UNIT)

    def find(self, text: str, part: str) -> None:
        """Take what it costs at worst to look for `part` in `text`. Raises OutOfFuel when it is used up."""
        size, wanted = len(text), len(part)
        slow = wanted >= _QUICK and size < (_WIDEST if wanted < _LONG else _WIDE)
        steps = min(wanted, _LONG) if slow else _QUICK
        self.spend(1 + (size * steps + wanted) // BYTES_PER_UNIT)

    def make(self, length: int) -> None:
        """Take what a text of `length` characters costs. Raises OutOfFuel; EvaluationError for one too long."""
        if length > MAX_TEXT:
            raise EvaluationError(f"the text grows longer than {MAX_TEXT} characters")
        self.spend(1 + length // MADE_PER_UNIT)
