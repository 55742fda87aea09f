"""Regular expressions in linear time (RE2).

Python's own engine backtracks: one hostile pattern would stop a worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import re2

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PATTERN = 1000  # characters
_MAX_MEMORY = 1 << 18  # bytes for one compiled pattern; larger ones (nested repetitions) are refused


def searcher(pattern: str) -> Callable[[str], bool]:
    """Return a test whether `pattern` occurs in a text. Raises ValueError for an unusable pattern."""
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"the pattern is longer than {MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as fault:
        raise ValueError(f"the pattern cannot be read: {_said(fault)}") from None
    return lambda text: compiled.search(text) is not None


def _said(fault: Exception) -> str:
    said = fault.args[0] if fault.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
