"""Reads what the options say: durations, shares, and values for single steps (`NAME=VALUE`).

Pure. Each fault is one line that names the option; a name that no step has is answered with the nearest one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from engine.cel.errors import nearest
from engine.errors import BadInput

UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)?")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")  # never bare: 0.7 would be taken for 0.7%


class PerStep(Struct, frozen=True):
    """A number of seconds for every step, and other ones for some."""

    usual: float
    of: dict[str, float] = {}

    def __getitem__(self, step: str) -> float:
        """Return the seconds of a step."""
        return self.of.get(step, self.usual)


def seconds(text: str, option: str) -> float:
    """Return a duration: 200ms, 5s, 2min, 1h, 3d; a bare number is seconds. Raises BadInput."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise BadInput(f"{option}: {text[:40]!r} is no duration", advice="Write 200ms, 5s, 2min, 1h or 3d.")
    return float(found[1]) * UNITS[found[2] or "s"]


def share(text: str, option: str, such_as: str) -> float:
    """Return a share of 0 to below 1, written as a percentage with its sign. Raises BadInput."""
    found = _SHARE.fullmatch(text.strip())
    if found is None or float(found[1]) >= 100:
        advice = f"Write a percentage from 0% to below 100%, with its sign, such as {such_as}."
        raise BadInput(f"{option}: {text[:40]!r} is no percentage", advice=advice)
    return float(found[1]) / 100


def per_step(texts: Iterable[str], option: str, usual: float, known: Iterable[str]) -> PerStep:
    """Return what an option says that is given several times, bare or as NAME=DURATION. Raises BadInput."""
    names = tuple(known)
    of: dict[str, float] = {}
    for text in texts:
        name, named, value = text.partition("=")
        if named:
            check_step(name.strip(), option, names)
            of[name.strip()] = seconds(value, option)
        else:
            usual = seconds(text, option)
    return PerStep(usual, of)


def check_step(name: str, option: str, known: Iterable[str]) -> None:
    """Refuse a name that is none of the steps an option is about. Raises BadInput."""
    names = tuple(known)
    if name not in names:
        there = f"It is about {', '.join(names)}." if names else "The definition has no step that it is about."
        raise BadInput(f"{option}: no such step {name[:64]!r}", advice=nearest(name, names).strip() or there)
