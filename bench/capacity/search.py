"""Finding the highest sustainable rate in a few stages, and what "sustained" means. Pure.

The rate is doubled until a stage is not sustained, then the gap between the two is halved (by ratio). A stage is
sustained if processes begin in time (p95 of the time from their place in the schedule to their start) and as many end
as arrive: what is in flight does not grow once the first have had the time to end.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from msgspec import Struct

from bench.meter import percentiles

GROWTH = 0.05  # of the rate by which what is in flight may grow
NOISE = 3.0  # processes in flight, more or less, that say nothing,
NOISE_S = 0.1  # nor do as many as arrive in that time: claims come in portions
CLOSE = 1.1  # between the highest sustained and the lowest other rate: near enough


Times = tuple[float | None, float | None]  # when a process started and when it ended; None: not yet


class Seen(Struct, frozen=True):
    """What a stage showed. `p…_s`: from a process's place in the schedule to its start."""

    p50_s: float
    p95_s: float
    p99_s: float
    whole_s: float  # from a process's place in the schedule to its end, on average
    growth_per_s: float  # of what is in flight
    unended: int = 0
    failed: int = 0


class Search:
    """Chooses the rate of the next stage."""

    def __init__(self, first: float, stages: int) -> None:
        self.sustained = 0.0  # the highest so far
        self.refused: float | None = None  # the lowest so far that was not sustained
        self._first = first
        self._left = stages

    def next(self) -> float | None:
        """Return the next rate, None where the search is over."""
        if self._left == 0 or (self.refused is not None and self.refused < self.sustained * CLOSE):
            return None
        self._left -= 1
        if self.refused is None:
            return 2 * self.sustained or self._first
        return math.sqrt(self.sustained * self.refused) if self.sustained else self.refused / 2

    def note(self, rate: float, *, sustained: bool) -> None:
        """Take a stage's outcome."""
        if sustained:
            self.sustained = rate
        else:
            self.refused = rate


def seen(due: Sequence[float], times: Sequence[Times], end: float, settled: float, failed: int = 0) -> Seen:
    """Return what a stage showed. Raises ValueError where nothing was due.

    `due`: when each process was to start, in the same order as `times`. The growth of what is in flight is taken
    between the means over the first and the last third of `settled` to `end`.
    """
    waited = [(started if started is not None else end) - at for at, (started, _) in zip(due, times, strict=True)]
    p50, p95, p99 = percentiles([max(s, 0.0) for s in waited])
    whole = [at - begin for begin, (_, at) in zip(due, times, strict=True) if at is not None]
    ended = sorted(at for _, at in times if at is not None)
    span = (end - settled) / 3
    before = _in_flight(due, ended, settled, settled + span)
    after = _in_flight(due, ended, end - span, end)
    noise = max(NOISE, NOISE_S * len(due) / (end - due[0]))
    growth = 0.0 if abs(after - before) < noise else (after - before) / (2 * span)
    mean = sum(whole) / len(whole) if whole else 0.0
    return Seen(p50, p95, p99, mean, growth, len(times) - len(ended), failed)


def _in_flight(due: Sequence[float], ended: Sequence[float], begin: float, end: float) -> float:
    """Return how many processes were in flight on average."""
    looks = [begin + (end - begin) * n / 10 for n in range(11)]
    return sum(bisect_right(due, t) - bisect_right(ended, t) for t in looks) / len(looks)


def refusal(found: Seen, rate: float, limit_s: float) -> str:
    """Return why a stage is not sustained, '' where it is."""
    if found.p95_s > limit_s:
        return f"p95 from schedule to start is {found.p95_s * 1000:.0f} ms, over {limit_s * 1000:.0f} ms"
    if found.growth_per_s > GROWTH * rate:
        return f"what is in flight grows by {found.growth_per_s:.1f} a second at {rate:.1f} starts a second"
    return ""
