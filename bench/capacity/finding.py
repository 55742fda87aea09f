"""The measurement as a whole: a trial, warming up, the search for the highest rate, then what a process costs.

Must not print: an Observer is told.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from msgspec import Struct

from api.app import POOL_SIZE
from bench.capacity.search import Search
from bench.capacity.site import Setup, Site, site
from bench.capacity.sizing import Cost
from bench.capacity.stage import Stage, Trial, run, trial, warm
from bench.cases import Unable
from bench.meter import Machine, machine

LEAST_RATE = 0.5  # of starts a second
TICK_S = 1e-5  # of CPU for one process: less cannot be told, and is taken for that


class Effort(Struct, frozen=True):
    """How much to measure. `measure_at`: the share of the highest rate at which a process's cost is taken."""

    stages: int = 6
    seconds: float = 8.0
    limit_s: float = 0.25
    measure_at: float = 0.7


class Found(Struct, frozen=True):
    """All that was measured. `stages` are in order; the last one is that at which `cost` was taken."""

    machine: Machine
    trial: Trial
    stages: tuple[Stage, ...]
    sustained_per_s: float  # 0: no stage was
    bounded: bool  # a higher rate was tried and not sustained
    cost: Cost


class Observer:
    """Hears how it goes on; this one keeps quiet."""

    def begun(self, setup: Setup) -> None:
        """Hear that a server is being made."""

    def tried(self, one: Trial) -> None:
        """Hear that one process went through."""

    def stage(self, place: int, of: int, rate: float) -> None:
        """Hear that a stage begins."""

    def done(self, stage: Stage) -> None:
        """Hear how a stage ended."""


def find(setup: Setup, effort: Effort, observer: Observer) -> Found:
    """Measure a definition. Raises BadInput where it cannot go through, Unable where the machine or a program fails."""
    observer.begun(setup)
    with site(setup) as place:
        empty, none = place.disk_bytes(), place.processes()
        one = trial(place)
        observer.tried(one)
        search = Search(_first(place), effort.stages)
        idle = place.worker_bytes()  # after warming up: what code and caches take is not a process's
        stages = _searched(place, one, search, effort, observer)
        rate = max(LEAST_RATE, effort.measure_at * (search.sustained or search.refused or 0.0))
        observer.stage(len(stages) + 1, effort.stages + 1, rate)
        last = run(place, one, rate, effort.seconds, effort.limit_s)
        observer.done(last)
        disk = (place.disk_bytes() - empty) / (place.processes() - none)
        refused = search.refused is not None
        cost = _cost(one, (*stages, last), setup, disk, idle)
        return Found(machine(place.ground), one, (*stages, last), search.sustained, refused, cost)


def _first(place: Site) -> float:
    """Return the rate of the first stage: half of what the processors could do at the cost of a small batch."""
    worker, server = (max(cpu_s, TICK_S) for cpu_s in warm(place))
    cores = len(os.sched_getaffinity(0))
    return max(LEAST_RATE, 0.5 * min(place.setup.workers / worker, cores / (worker + server)))


def _searched(place: Site, one: Trial, search: Search, effort: Effort, observer: Observer) -> list[Stage]:
    stages: list[Stage] = []
    while (rate := search.next()) is not None and rate >= LEAST_RATE:
        observer.stage(len(stages) + 1, effort.stages + 1, rate)
        found = run(place, one, rate, effort.seconds, effort.limit_s)
        if found.seen.failed * 2 > found.started:
            raise Unable(f"{found.seen.failed} of {found.started} processes FAILED; lower --failures")
        stages.append(found)
        observer.done(found)
        search.note(rate, sustained=not found.refusal)
    return stages


def _cost(one: Trial, stages: Sequence[Stage], setup: Setup, disk: float, idle: int) -> Cost:
    """Return what a process cost in the last stage; never nothing, for costs divide.

    Memory is that of all stages: a worker keeps what an earlier stage made it take.
    """
    stage = stages[-1]
    parks = sum(step["type"] in ("wait", "manual") and step["id"] in one.ran for step in setup.document["steps"])
    return Cost(
        rate_per_s=stage.rate_per_s,
        workers=setup.workers,
        worker_cpu_s=max(stage.worker_cpu_s, TICK_S),
        server_cpu_s=max(stage.server_cpu_s, TICK_S),
        api_cpu_s=stage.api_cpu_s,
        wal_bytes=max(stage.wal_bytes, 1.0),
        disk_bytes=max(disk, 1.0),
        held=stage.held,
        held_most=max(each.held_most for each in stages),
        idle_rss_bytes=idle,
        worker_rss_bytes=max(each.worker_rss_bytes for each in stages),
        worker_connections=stage.worker_connections,
        api_connections=0 if stage.api_cpu_s is None else POOL_SIZE,  # not all of them need have been open
        api_rss_bytes=max(each.api_rss_bytes for each in stages),
        duration_s=stage.seen.whole_s,
        own_s=one.own_s,
        played_s=one.played_s,
        parks=parks,
    )
