"""How quickly does the API say how a process stands, while the engine is half loaded?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from bench.cases import OURS, Contender, Effort, Figures, Goal, Scenario
from bench.ground import Ground
from bench.house import House
from bench.load.arrivals import Arrivals, Flow, Spec
from bench.load.asking import Client, closed, paced
from bench.load.latency import highest, in_ms
from bench.work import noops

WORK = noops(5)
ASKS_PER_S = 50
CLIENTS = 8
LOAD = 0.5

_NEWEST = "select stepwell.public_id('prc', id) from stepwell.process order by id desc limit 2000"
Works = list[Callable[[], Awaitable[Any]]]


def trial(ground: Ground, effort: Effort) -> Figures:
    """Find the highest rate, load the engine with half of it, and ask."""
    with ground.database("status") as dsn, House(ground, dsn) as house:
        house.publish(WORK.document)
        house.worker()
        api = house.api()
        top = highest(house, [Flow(WORK.name)], effort.of(0.5, 3.0), effort.of(2.0, 15.0))
        with Arrivals(Spec(house.dsn("acme"), (Flow(WORK.name),), LOAD * top)) as arrivals:
            time.sleep(effort.of(0.5, 3.0))
            figures = asyncio.run(_ask(api.url, house, effort))
            late = arrivals.stop().punctual()
        house.drained(60)
    return {"load_per_s": LOAD * top, **figures, **late}


async def _ask(url: str, house: House, effort: Effort) -> Figures:
    async with Client.open(url, house.key) as client:
        seconds = effort.of(2.0, 30.0)
        works = _works(client, house)
        await paced(client, [("status", works[n % len(works)]) for n in range(round(ASKS_PER_S * seconds))], ASKS_PER_S)
        rate = await closed(_works(client, house), CLIENTS, effort.of(1.0, 10.0))
    return {**in_ms(client.taken["status"]), "queries_per_s": rate}


def _works(client: Client, house: House) -> Works:
    """Return requests for the newest processes, most of them ended, some under way."""
    with house.connect("superuser") as db:
        ids = [row[0] for row in db.execute(_NEWEST).fetchall()]
    return [partial(client.ask, "GET", f"processes/{id_}") for id_ in ids]


SCENARIO = Scenario(
    name="status-queries",
    title="Status queries at half load",
    about=(
        "GET /api/v1/processes/{id}, with all activities, of the 2,000 newest processes, while five-step processes "
        "are started at half the highest rate found before. First 50 requests a second by a schedule, latency "
        "counted from when a request was due; then eight clients that wait for their answers, which gives "
        "queries_per_s. API, worker, PostgreSQL and client share the cores."
    ),
    main="p95_ms",
    contenders=(Contender(OURS, trial, note="one worker, one API process"),),
    against=(
        Goal("p95_ms", "at_most", 20, "ms for a status query at 50 % load, p95"),
        Goal("p99_ms", "at_most", 50, "ms for a status query at 50 % load, p99"),
    ),
)
