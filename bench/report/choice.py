"""What of a scenario is shown and in which order, whatever it is written in."""

from __future__ import annotations

from collections.abc import Callable

from bench.cases import OURS
from bench.result import Entry, Section, is_ours
from bench.run import Y_RATIO, Y


def ordered(section: Section) -> list[Entry]:
    """Return the contenders, ours first, then as the scenario has them."""
    return sorted(section.entries, key=lambda entry: not is_ours(entry.name))


def figures(section: Section) -> list[str]:
    """Return the names of all figures of a scenario, those about Y last."""
    names = dict.fromkeys(name for entry in ordered(section) for name in entry.figures)
    return sorted(names, key=lambda name: name in (Y, Y_RATIO))


def comparisons(section: Section) -> dict[str, Callable[[Entry], float | None]]:
    """Return the ratios of the main figure that say something here, by the words that head their column."""
    found: dict[str, Callable[[Entry], float | None]] = {}
    if any(Y_RATIO in entry.figures for entry in section.entries):
        found["ratio to Y"] = to_y
    if len(section.entries) > 1 and section.entry(OURS):
        found["times ours"] = section.times_ours
    return found


def to_y(entry: Entry) -> float | None:
    """Return the ratio of a contender's main figure to Y, None where it has none."""
    found = entry.figures.get(Y_RATIO)
    return found.median if found else None
