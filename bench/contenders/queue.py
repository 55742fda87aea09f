"""What is the same for every job queue: how its drain, its pick-up and its enqueueing become contenders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from bench.cases import Contender, Effort, Figures
from bench.contenders import trials
from bench.contenders.crew import Program
from bench.contenders.pace import BULK_PRODUCERS, PRODUCERS
from bench.ground import Ground

Sizes = tuple[int, int]  # jobs, quick and full
PICKED_UP: Sizes = (50, 1_000)


class Queue(Struct, frozen=True):
    """A job queue.

    `release`: name and version, of its driver too. `left`: counts the jobs that are not done. `done`: counts those that
    are, '' where it deletes them. `keeps`: what is left of one.
    """

    name: str
    release: str
    program: Callable[[], Program]
    missing: Callable[[], str | None]
    left: str
    done: str = ""
    keeps: str = ""

    def drain(self, how: str, sizes: Sizes, note: str, *, processes: int = 1, **settings: Any) -> Contender:
        """Return it doing jobs that wait. `how`: what its name says beside the queue's; `settings`: for the child."""

        def trial(ground: Ground, effort: Effort) -> Figures:
            count = effort.of(*sizes)
            proofs = [(self.left, 0), *([(self.done, count)] if self.done else [])]
            return trials.drain(ground, self._peer(settings), count, proofs, processes).figures(count, "job")

        name = ", ".join(filter(None, (self.name, how)))
        return Contender(name, trial, f"{self.release}, {note}", self.missing, self.keeps, "job")

    def pickup(self, note: str, **settings: Any) -> Contender:
        """Return it as an idle worker to which jobs come."""

        def trial(ground: Ground, effort: Effort) -> Figures:
            return trials.pickup(ground, self._peer(settings), effort.of(*PICKED_UP))

        return Contender(self.name, trial, f"{self.release}, {note}", self.missing)

    def starts(self, singly: Sizes, many: Sizes, **settings: Any) -> tuple[Contender, ...]:
        """Return it enqueueing one by one, and many in a call."""
        side_by_side = f"{PRODUCERS} at a time, one to a call."
        return (
            self._fill("", side_by_side, singly, 1, settings),
            self._fill(f"{trials.BATCH} in a call", f"{BULK_PRODUCERS} calls at a time.", many, trials.BATCH, settings),
        )

    def _fill(self, how: str, note: str, sizes: Sizes, batch: int, settings: dict[str, Any]) -> Contender:
        def trial(ground: Ground, effort: Effort) -> Figures:
            count = effort.of(*sizes)
            return trials.fill(ground, self._peer(settings), count, batch, [(self.left, count)])

        name = ", ".join(filter(None, (self.name, how)))
        return Contender(name, trial, f"{self.release}, {note}", self.missing, kind="bulk" if batch > 1 else "")

    def _peer(self, settings: dict[str, Any]) -> trials.Peer:
        return trials.Peer(f"peer_{self.name.replace('-', '_')}", self.program(), settings)
