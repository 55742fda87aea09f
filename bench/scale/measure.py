"""The same work, measured side by side in databases that hold a lot and such that do not: is it as fast in all?

Measured are the throughput of 20-step processes, computed and executed; how long a claim takes, with nothing beside it;
and how long a process waits for a worker that is idle, or busy. What is measured has the usual priority, so it stands
before a backlog of the least urgency; `through` is the rate of the backlog itself, whose jobs the claims walk through.

Side by side, and not one after the other: the speed of a machine may change by half within minutes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from statistics import median

from bench.cases import Effort, Figures, Unable
from bench.house import House
from bench.load.arrivals import Arrivals, Flow, Spec
from bench.load.latency import in_ms, waits
from bench.load.rest import OPEN, none_left, stopping
from bench.meter import percentiles
from bench.scale.fill import LEAST_URGENT
from bench.work import Work, noops, transforms
from engine import queue, rescue
from engine.db import Link
from engine.lanes import Lanes

COMPUTED = transforms(20)
EXECUTED = noops(20)
SINGLE = transforms(1)
TURNS = 4
COMPARED = (0.5, 0.95)
PICKUPS_PER_S = 50
CLAIMED = 100  # processes at a time

Samples = dict[str, list[float]]  # by what was measured: …_per_s, one a turn; or seconds

_NEXT_ID = "select stepwell.new_id()"
_SPAN = "select extract(epoch from max(ended_at) - min(started_at)) from stepwell.process where id >= %s"
_BACKLOG_ENDED = """
select count(*) from stepwell.process
where priority = %s and ended_at >= to_timestamp(%s) and ended_at < to_timestamp(%s)
"""


def publish(house: House) -> None:
    """Publish what is measured."""
    for work in (COMPUTED, EXECUTED, SINGLE):
        house.publish(work.document)


def look(houses: Mapping[str, House], backlogs: Collection[str], effort: Effort) -> dict[str, Samples]:
    """Measure all of it in each database; `backlogs`: those that have one.

    Every turn begins with another database, and ends with each figure measured in each of them.
    """
    found: dict[str, Samples] = {name: {} for name in houses}

    def note(name: str, figure: str, values: Sequence[float]) -> None:
        found[name].setdefault(figure, []).extend(values)

    for turn in range(effort.of(1, TURNS)):
        first = turn % len(houses)
        names = (list(houses) * 2)[first : first + len(houses)]
        for name in names:
            note(name, "computed_per_s", [throughput(houses[name], COMPUTED, effort.of(400, 5_000))])
        for name in names:
            if name in backlogs:
                note(name, "through_per_s", [through(houses[name], effort)])
        for name in names:
            note(name, "executed_per_s", [throughput(houses[name], EXECUTED, effort.of(200, 5_000))])
        for name in names:
            note(name, "pickup", pickups(houses[name], effort))
    for name, took in claims(houses, effort.of(10, 200)).items():
        note(name, "claim", took)
    return found


def figures(samples: Samples) -> Figures:
    """Return the median of each rate, and the percentiles of what takes time."""
    made: Figures = {}
    for name, values in samples.items():
        made |= {name: median(values)} if name.endswith("_per_s") else in_ms(values, f"{name}_{{}}_ms")
    return made


def flatness(empty: Samples, full: Samples) -> float:
    """Return the worst of all: how good it is when full, as a share of how good when empty.

    Rates are compared turn by turn, and the median share counts; of times the median and the 95th percentile.
    """
    return min(_share(name, empty[name], values) for name, values in full.items())


def _share(name: str, empty: Sequence[float], full: Sequence[float]) -> float:
    if name.endswith("_per_s"):
        return median(one / other for one, other in zip(full, empty, strict=True))
    found = zip(percentiles(empty, COMPARED), percentiles(full, COMPARED), strict=True)
    return min(without / within if within > 0 else 1.0 for without, within in found)


def through(house: House, effort: Effort) -> float:
    """Return the rate of a backlog of COMPUTED. It must last longer than that takes."""
    seconds = effort.of(0.5, 5.0)
    with stopping(house.worker()):
        time.sleep(effort.of(0.2, 3.0))
        begun = time.time()
        time.sleep(seconds)
    ended = house.count(_BACKLOG_ENDED, LEAST_URGENT, begun, begun + seconds)
    return COMPUTED.activities * ended / seconds


def throughput(house: House, work: Work, processes: int) -> float:
    """Return how many activities a second a worker ends, from the first process's begin to the last one's end."""
    first = _made(house, work, processes)
    house.ground.settle(house.dsn("superuser"))
    with stopping(house.worker()) as worker:
        none_left(house, worker, OPEN, first)
    with house.connect("superuser") as db:
        row = db.execute(_SPAN, (first,)).fetchone()
    if row is None or not row[0]:
        raise Unable(f"{processes} processes took no time: too few to measure")
    return processes * work.activities / float(row[0])


def claims(houses: Mapping[str, House], times: int) -> dict[str, list[float]]:
    """Return how many seconds a claim of a hundred processes takes as a session sees it, which does nothing else.

    With a backlog, half of what is claimed is of it. All is given back, and what was started for this is carried out.
    """
    first = {name: _made(house, SINGLE, times * CLAIMED) for name, house in houses.items()}
    for house in houses.values():
        house.ground.settle(house.dsn("superuser"))
    took = asyncio.run(_claims({name: house.dsn("worker") for name, house in houses.items()}, times))
    for name, house in houses.items():
        with stopping(house.worker()) as worker:
            none_left(house, worker, OPEN, first[name])
    return took


async def _claims(urls: Mapping[str, str], times: int) -> dict[str, list[float]]:
    claimers = {name: await _Claimer.opened(url) for name, url in urls.items()}
    for _ in range(times):
        for claimer in claimers.values():
            await claimer.claim()
    for claimer in claimers.values():
        await claimer.close()
    return {name: claimer.took for name, claimer in claimers.items()}


class _Claimer:
    """A session that only claims."""

    def __init__(self, link: Link, me: int) -> None:
        self.took: list[float] = []
        self._link = link
        self._me = me
        self._lanes = Lanes(CLAIMED)

    @classmethod
    async def opened(cls, url: str) -> _Claimer:
        link = Link(url, "claims")
        await link.open()
        me, _ = await queue.register(link, "bench", lock=True)
        return cls(link, me)

    async def claim(self) -> None:
        begun, room = time.monotonic(), self._lanes.room(CLAIMED)
        asked = queue.Asked(slots=room, lanes=self._lanes.ask(CLAIMED, begun, idle=False), whole=False)
        tick = await queue.tick(self._link, self._me, asked)
        ended = time.monotonic()
        self._lanes.answer(tick.taken, tick.waiting, tick.took, ended)
        if len(tick.claimed) < room:
            raise Unable(f"a claim found {len(tick.claimed)} jobs instead of {room}")
        self.took.append(ended - begun)

    async def close(self) -> None:
        await rescue.bury(self._link, [self._me], others=False)
        await self._link.close()


def pickups(house: House, effort: Effort) -> list[float]:
    """Return how many seconds processes wait for a worker at 50 starts a second; it is idle, or works on a backlog.

    Counted after a while: a worker that has just claimed all it can from a backlog is through with all of it at once.
    """
    warm_s, seconds = effort.of(0.3, 2.0), effort.of(1.0, 8.0)
    first = house.count(_NEXT_ID)
    with stopping(house.worker()) as worker, Arrivals(_single(house, warm_s + seconds)) as arrivals:
        told = arrivals.wait()
        none_left(house, worker, OPEN, first)
    begun = told.began_at + warm_s
    return waits(house, begun, begun + seconds).created


def _single(house: House, seconds: float) -> Spec:
    return Spec(house.dsn(house.tenants[0]), (Flow(SINGLE.name, more={"n": 1}),), PICKUPS_PER_S, seconds)


def _made(house: House, work: Work, processes: int) -> int:
    """Start so many processes; return an id below theirs and above all others."""
    first = house.count(_NEXT_ID)
    house.start(work.name, work.inputs(processes))
    return first
