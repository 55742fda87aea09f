"""The same work, measured in a database that holds a lot and in one that does not: is it as fast there?

Measured are the throughput of 20-step processes, computed and executed; how long a claim takes, with nothing beside it;
and how long a process waits for a worker that is idle, or busy. Each measurement starts a worker of its own. What is
measured has the usual priority, so it stands before a backlog of the least urgency; `through` is the rate of the
backlog itself, whose jobs the claims then walk through.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from statistics import median

from bench.cases import Effort, Figures, Unable
from bench.house import House
from bench.load.arrivals import Arrivals, Flow, Spec
from bench.load.latency import in_ms, waits
from bench.load.rest import OPEN, none_left, stopping
from bench.scale.fill import LEAST_URGENT
from bench.work import Work, noops, transforms
from engine import queue, rescue
from engine.db import Link
from engine.lanes import Lanes

COMPUTED = transforms(20)
EXECUTED = noops(20)
SINGLE = transforms(1)
PICKUPS_PER_S = 50
CLAIMED = 100  # processes at a time

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


def computed(house: House, effort: Effort) -> Figures:
    """Measure the throughput of transforms."""
    return {"computed_per_s": throughput(house, COMPUTED, effort.of(400, 5_000))}


def executed(house: House, effort: Effort) -> Figures:
    """Measure that of no-op activities."""
    return {"executed_per_s": throughput(house, EXECUTED, effort.of(200, 5_000))}


def through(house: House, effort: Effort) -> Figures:
    """Measure the rate of a backlog of COMPUTED. It must last longer than that takes."""
    seconds = effort.of(0.5, 8.0)
    with stopping(house.worker()):
        time.sleep(effort.of(0.2, 3.0))
        begun = time.time()
        time.sleep(seconds)
    ended = house.count(_BACKLOG_ENDED, LEAST_URGENT, begun, begun + seconds)
    return {"through_per_s": COMPUTED.activities * ended / seconds}


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


def claims(house: House, effort: Effort) -> Figures:
    """Return how long a claim of a hundred processes takes as a session sees it, which does nothing else.

    With a backlog, half of what is claimed is of it. All is given back, and what was started for this is carried out.
    """
    times = effort.of(10, 100)
    first = _made(house, SINGLE, times * CLAIMED)
    house.ground.settle(house.dsn("superuser"))
    took = asyncio.run(_claims(house.dsn("worker"), times))
    with stopping(house.worker()) as worker:
        none_left(house, worker, OPEN, first)
    return in_ms(took, "claim_{}_ms")


async def _claims(url: str, times: int) -> list[float]:
    link = Link(url, "claims")
    await link.open()
    me, _ = await queue.register(link, "bench", lock=True)
    lanes, took = Lanes(CLAIMED), []
    room = lanes.room(CLAIMED)
    for _ in range(times):
        begun = time.monotonic()
        asked = queue.Asked(slots=room, lanes=lanes.ask(CLAIMED, begun, idle=False), whole=False)
        tick = await queue.tick(link, me, asked)
        ended = time.monotonic()
        lanes.answer(tick.taken, tick.waiting, tick.took, ended)
        if len(tick.claimed) < room:
            raise Unable(f"a claim found {len(tick.claimed)} jobs instead of {room}")
        took.append(ended - begun)
    await rescue.bury(link, [me], others=False)
    await link.close()
    return took


def pickups(house: House, effort: Effort) -> Figures:
    """Measure what processes wait for a worker at 50 starts a second; it is idle, or has a backlog to work on.

    Counted after a while: a worker that has just claimed all it can from a backlog is through with all of it at once.
    """
    warm_s, seconds = effort.of(0.3, 3.0), effort.of(1.0, 10.0)
    first = house.count(_NEXT_ID)
    with stopping(house.worker()) as worker, Arrivals(_single(house, warm_s + seconds)) as arrivals:
        told = arrivals.wait()
        none_left(house, worker, OPEN, first)
    begun = told.began_at + warm_s
    return in_ms(waits(house, begun, begun + seconds).created, "pickup_{}_ms")


def _single(house: House, seconds: float) -> Spec:
    return Spec(house.dsn(house.tenants[0]), (Flow(SINGLE.name, more={"n": 1}),), PICKUPS_PER_S, seconds)


def _made(house: House, work: Work, processes: int) -> int:
    """Start so many processes; return an id below theirs and above all others."""
    first = house.count(_NEXT_ID)
    house.start(work.name, work.inputs(processes))
    return first


def flatness(pairs: Sequence[tuple[Figures, Figures]]) -> float:
    """Return the worst of all figures: how good it is when full, as a share of how good when empty.

    A pair is what was measured side by side, (empty, full); of several the median share counts. 99th percentiles are
    left out: they are of a few values and differ by more between two runs of the same.
    """
    names = [name for name in pairs[0][1] if "p99" not in name]
    return min(median(_share(name, empty[name], full[name]) for empty, full in pairs) for name in names)


def _share(name: str, empty: float, full: float) -> float:
    better, worse = (full, empty) if name.endswith("_per_s") else (empty, full)
    return better / worse if worse > 0 else 1.0
