"""The measurement that scenarios of throughput share: a backlog, workers at a gate, the clock until all is done.

What is to be done is written before the clock begins, and the workers have started and registered by then: they stand
before the table of jobs, which is locked until the clock runs. Afterwards the work is checked, for a figure of
something that was not done is worth nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import psycopg
from msgspec.structs import replace

from bench.cases import OURS, Contender, Effort, Figures, Trial, Unable
from bench.ground import Ground
from bench.house import House
from bench.meter import Measured, Meter
from bench.work import Work

PATIENCE_S = 600.0  # for one backlog
TWO = f"{OURS}, 2 processes"
_SHUT = "lock table stepwell.job in access exclusive mode"
_ENDED = "select count(*) from stepwell.process where status = 'COMPLETED'"
_DONE = "select count(*) from stepwell.history where type = 'activity.completed'"


def drain(ground: Ground, work: Work, processes: int, *, workers: int = 1, **environment: str) -> Figures:
    """Measure how so many processes go from started to COMPLETED. `environment`: settings of the worker.

    Raises Unable where they do not.
    """
    with ground.database("drain") as dsn, House(ground, dsn) as house:
        house.publish(work.document)
        house.start(work.name, work.inputs(processes))
        ground.settle(dsn)
        with gate(house) as open_gate:
            worker = house.worker(processes=workers, **environment)
            with Meter(ground, [worker.pid]) as meter:
                open_gate()
                house.drained(PATIENCE_S)
        check(house, work, processes)
    return figures(meter.measured, work, processes)


def one_and_two(work: Work, sizes: tuple[int, int], **environment: str) -> tuple[Contender, ...]:
    """Return Stepwell with one and with two worker processes draining a backlog of that quick or full size."""

    def contender(name: str, workers: int, note: str) -> Contender:
        def trial(ground: Ground, effort: Effort) -> Figures:
            return drain(ground, work, effort.of(*sizes), workers=workers, **environment)

        return Contender(name, trial, note, keeps="every event, with inputs and results")

    return contender(OURS, 1, "One worker process."), contender(TWO, 2, "stepwell worker --processes 2.")


def as_steps(contenders: Iterable[Contender]) -> tuple[Contender, ...]:
    """Return job queues with a job counted as a step: jobs_per_s becomes steps_per_s, and so on."""
    return tuple(replace(contender, trial=_as_steps(contender.trial)) for contender in contenders)


def _as_steps(trial: Trial) -> Trial:
    return lambda ground, effort: {name.replace("job", "step"): value for name, value in trial(ground, effort).items()}


@contextmanager
def gate(house: House) -> Iterator[Callable[[], None]]:
    """Keep workers from claiming until what is yielded is called, or the block ends."""
    with psycopg.connect(house.dsn("superuser")) as guard:
        guard.execute(_SHUT)
        yield guard.commit


def check(house: House, work: Work, processes: int) -> None:
    """See that every process is COMPLETED and every activity is in its history. Raises Unable."""
    wanted = (processes, processes * work.activities)
    found = (house.count(_ENDED), house.count(_DONE))
    if found != wanted:
        counted = " instead of ".join(f"{p:,} processes and {a:,} activities" for p, a in (found, wanted))
        raise Unable(f"COMPLETED are {counted}")


def figures(measured: Measured, work: Work, processes: int) -> Figures:
    """Return what so many processes came to: the usual figures of their steps, and processes_per_s."""
    steps = measured.figures(processes * work.activities, "step")
    return {**steps, "processes_per_s": processes / measured.seconds}
