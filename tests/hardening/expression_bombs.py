"""Hostile expressions over hostile data, by what they are after: time, memory, the stack, Python itself.

Sources stay within what a definition may hold, data within what may come in (`hostile_data`). Each bomb is lit in a
process of its own kind, `bomb_child`; `test_hostile_expressions` says how each may end.
"""

from __future__ import annotations

from tests.hardening import bombs_of_sources as sources
from tests.hardening import bombs_of_values as values
from tests.hardening.bomb_parts import Bomb, group_of


def _downwards() -> None:
    _downwards()


BOMBS: tuple[Bomb, ...] = (
    *values.LOOPS,
    *values.TEXTS,
    *values.LISTS,
    *values.SHARED,
    *values.NUMBERS,
    *values.COMPARED,
    *values.SORTED,
    *values.ZONED,
    *sources.PATTERNS,
    *sources.NESTED,
    *sources.ABSORBED,
    *sources.CONFIGS,
    *sources.RESULTS,
)
HARMS = group_of(
    "harms",
    ("takes much memory", lambda: bytearray(1 << 30), "few", "harm"),
    ("fills the stack", _downwards, "few", "harm"),
)
GROUPS = tuple(dict.fromkeys(bomb.group for bomb in BOMBS))
