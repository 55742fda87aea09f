"""Scenarios and results made up for the tests."""

from __future__ import annotations

from bench.cases import Contender, Effort, Figures, Goal, Scenario
from bench.ground import Ground
from bench.meter import Machine
from bench.result import FORMAT, Entry, Result, Section, spread

MACHINE = Machine(2, "Some <CPU>", 8_000_000_000, "6.1", "3.11.7", "18.4", "ext4")


def broken(name: str, *errors: Exception) -> Contender:
    """Return a contender whose trials fail, each with the next error."""
    left = iter(errors)

    def trial(_ground: Ground, _effort: Effort) -> Figures:
        raise next(left)

    return Contender(name, trial)


def scenario(*contenders: Contender, name: str = "sample", goals: tuple[Goal, ...] = (), repeat: int = 1) -> Scenario:
    """Return a scenario of these contenders, with `steps_per_s` as its main figure."""
    return Scenario(name, "A sample", "Nothing is measured.", "steps_per_s", contenders, repeat, goals)


def entry(name: str, *steps: float, **more: float) -> Entry:
    """Return an entry with the rates of its trials."""
    figures = {"steps_per_s": spread(steps), **{figure: spread([value]) for figure, value in more.items()}}
    return Entry(name, f"a note on {name}", f"what {name} keeps", figures)


def result(*sections: Section, quick: bool = False) -> Result:
    """Return a result of these sections."""
    return Result(
        FORMAT,
        "abc123",
        "2030-01-02T03:04:05+00:00",
        MACHINE,
        {"fsync": "on"},
        {"stepwell": "0.1.0"},
        list(sections),
        quick,
    )


def section(*entries: Entry, name: str = "sample", goals: tuple[Goal, ...] = ()) -> Section:
    """Return a section of these entries."""
    return Section(name, "A <sample>", "About | it.", "steps_per_s", list(entries), list(goals))
