"""What the expressions of one definition may take together; counted while it is checked, before the work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.cel.program import Program

MOST_FAULTS = 200  # what comes behind them is not looked at: nobody would see it
MAX_PATTERNS = 100  # regular expressions; a hostile one takes 20 ms to compile
MAX_EXPRESSIONS = 64 << 10  # characters; to read and check as many takes some 0.15 s

TOO_MANY_PATTERNS = f"the definition has more than {MAX_PATTERNS} regular expressions"
TOO_LONG = f"the expressions of the definition have more than {MAX_EXPRESSIONS} characters together"


class Allowance:
    """What is left to a definition; to one that has been published, all it wants: it is what it is."""

    def __init__(self, *, limited: bool = True) -> None:
        self._limited = limited
        self._patterns = 0
        self.length = 0  # characters of expressions so far
        self.made: list[Program] = []

    def patterns(self, count: int = 1) -> bool:
        """Take regular expressions; tell whether there was room for them."""
        self._patterns += count
        return self._patterns <= MAX_PATTERNS or not self._limited

    def characters(self, count: int) -> bool:
        """Take characters of expressions; tell whether there was room for them."""
        self.length += count
        return self.length <= MAX_EXPRESSIONS or not self._limited
