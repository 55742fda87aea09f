"""Regular expressions in linear time (RE2).

Python's own engine backtracks: one hostile pattern would stop a worker. Linear is not cheap, though: where an automaton
has too many states, the pattern's whole program is run for each byte. So a search says what it may cost.
"""

from __future__ import annotations

import re2

MAX_PATTERN = 1000  # characters
_MAX_MEMORY = 1 << 18  # bytes for one compiled pattern; larger ones (nested repetitions) are refused
_PER_UNIT = 16  # instructions of a program that one unit of fuel pays for, at one byte
_BYTES = 4  # a character may take, beyond ASCII


class Search:
    """A compiled pattern."""

    __slots__ = ("_find", "size")

    def __init__(self, compiled: re2._Regexp) -> None:
        self._find = compiled.search
        self.size: int = compiled.programsize

    def __call__(self, text: str) -> bool:
        """Tell whether the pattern occurs in a text. Raises UnicodeEncodeError for half a surrogate pair."""
        return self._find(text) is not None

    def cost(self, text: str) -> int:
        """Return the fuel for searching a text, at worst."""
        size = len(text) if text.isascii() else _BYTES * len(text)
        return 10 + size * self.size // _PER_UNIT


def searcher(pattern: str) -> Search:
    """Return a test whether `pattern` occurs in a text. Raises ValueError for an unusable pattern."""
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"the pattern is longer than {MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    options.never_capture = True  # nobody asks what a group has found, and to find out takes longer
    try:
        return Search(re2.compile(pattern, options))
    except UnicodeEncodeError:
        raise ValueError("the pattern has half of a surrogate pair, which no text has") from None
    except re2.error as fault:
        raise ValueError(f"the pattern cannot be read: {_said(fault)}") from None


def _said(fault: Exception) -> str:
    said = fault.args[0] if fault.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
