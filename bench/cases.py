"""The words of the harness: what a scenario, a contender and a goal are.

Types only. Nothing here starts, measures or prints anything.

A scenario asks one question ("how many no-op steps a second?") of several contenders. A contender's `trial` gets a
running server, makes databases of its own there, measures once and returns figures. Who repeats, takes turns and
writes down is `bench.run`.

A figure's name ends in its unit: `_per_s _s _ms _us _bytes _kb _mb _ratio _percent _count`. More is better for
`_per_s` and `_ratio`, less for all others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from bench.ground import Ground

T = TypeVar("T")

Figures = dict[str, float]
MORE_IS_BETTER = ("_per_s", "_ratio")
OURS = "stepwell"


class Unable(Exception):
    """A trial cannot run or cannot be believed, and why: it is on record, and the others go on."""


class Effort(Struct, frozen=True):
    """How much to do. Every size in a scenario is `effort.of(small, large)`; a quick trial takes seconds."""

    quick: bool = False

    def of(self, quick: T, full: T) -> T:
        """Return the one that is meant."""
        return quick if self.quick else full


Trial = Callable[["Ground", Effort], Figures]


def always() -> str | None:
    """Say that nothing is missing."""
    return None


class Contender(Struct, frozen=True):
    """Who does a scenario's work.

    `trial`: measures once; raises Unable where it cannot. `note`: its settings, and whom the comparison favours.
    `missing`: says in one line what is not installed and how to get it, None where all is there. It is asked before
    the first trial, must be cheap, and must not import what is missing. `keeps`: in a few words, what is left in the
    database of each piece of work, such as "every event, input and output" or "nothing: the row is deleted". `kind`:
    what it does instead of what ours does, and '' where that is the same: "job" (a single job counts as a step), "bulk"
    (many in a call), "limit" (no engine). The last two are nobody's "best other".
    """

    name: str
    trial: Trial
    note: str = ""
    missing: Callable[[], str | None] = always
    keeps: str = ""
    kind: Literal["", "job", "bulk", "limit"] = ""


class Goal(Struct, frozen=True):
    """What is to be reached: Goal("steps_per_s", "at_least", 25_000, "no-op steps/s").

    With `than`, the bound is a multiple of that contender's median of the same figure:
    Goal("steps_per_s", "at_least", 10, "times absurd's", than="absurd"). The runner adds the figures `y_per_s`, and
    `y_ratio` (main figure / Y) where the main figure ends in `_per_s`: goals may name them. With `best`, it is about
    the better of Stepwell and its variants, such as "stepwell, 2 processes".
    """

    figure: str
    bound: Literal["at_least", "at_most"]
    value: float
    words: str = ""
    contender: str = OURS
    than: str | None = None
    best: bool = False


class Scenario(Struct, frozen=True):
    """One question to several contenders.

    `name`: lower-case words with hyphens, as on the command line. `about`: what is measured and how, 2 to 5 sentences.
    `main`: the figure shown first. `repeat`: rounds of a full run; a quick run makes one.
    """

    name: str
    title: str
    about: str
    main: str
    contenders: tuple[Contender, ...]
    repeat: int = 3
    against: tuple[Goal, ...] = ()
