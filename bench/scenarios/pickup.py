"""How long does a process that has just been started wait for an idle worker?"""

from __future__ import annotations

import json
import time

from msgspec import Struct

from bench.cases import OURS, Contender, Effort, Figures, Goal, Scenario, Unable
from bench.contenders import graphile, pgboss, pgqueuer, procrastinate
from bench.contenders.queue import PICKED_UP
from bench.contenders.trials import IDLE_S, RATE
from bench.ground import Ground
from bench.house import House
from bench.load.latency import in_ms
from bench.load.watcher import Watcher

_START = "select stepwell.private_id('prc', stepwell.start_process('seen', %s::jsonb))"
_BEGUN = "select process_id, extract(epoch from at)::float8 from stepwell.history where type = 'process.started'"


class Started(Struct, frozen=True):
    """One start, by the caller's clock."""

    process_id: int
    asked_at: float
    committed_at: float


def trial(ground: Ground, effort: Effort) -> Figures:
    """Start processes evenly; compare when with when each was begun, and when its first call arrived."""
    with ground.database("pickup") as dsn, House(ground, dsn) as house, Watcher() as watcher:
        config = {"method": "GET", "url": f"{watcher.url}/seen/${{input.n}}"}
        house.publish({"name": "seen", "steps": [{"id": "call", "type": "http", "config": config}]})
        ground.settle(dsn)
        house.worker()
        time.sleep(IDLE_S)
        started = _start(house, effort.of(*PICKED_UP))
        house.drained(60)
        with house.connect("superuser") as db:
            begun = dict(db.execute(_BEGUN).fetchall())
        if len(watcher.seen) != len(started):
            raise Unable(f"{len(started)} processes were started, {len(watcher.seen)} of them called")
        called = [watcher.seen[str(number)] for number in range(len(started))]
    return {
        **in_ms([begun[one.process_id] - one.asked_at for one in started]),
        **in_ms([begun[one.process_id] - one.committed_at for one in started], "committed_{}_ms"),
        **in_ms([at - one.asked_at for one, at in zip(started, called, strict=True)], "call_{}_ms"),
    }


def _start(house: House, count: int) -> list[Started]:
    """Start evenly, by SQL, each in a transaction of its own."""
    found, begun = [], time.time()
    with house.connect(house.tenants[0]) as db:
        for number in range(count):
            time.sleep(max(0.0, begun + number / RATE - time.time()))
            asked_at = time.time()
            row = db.execute(_START, (json.dumps({"n": number}),)).fetchone()
            if row is None:
                raise Unable("a start returned nothing")
            found.append(Started(row[0], asked_at, time.time()))
    return found


SCENARIO = Scenario(
    name="pickup",
    title="Pick-up by an idle worker",
    about=(
        f"{RATE} starts a second at an even pace, {PICKED_UP[1]:,} of them for each contender, and nothing else to "
        "do. Counted is from the moment before the start is asked for. A peer's figure ends when its handler runs; "
        "ours (p50 and so on) ends when the worker decides that the process begins, by the clock it has from the "
        "database, which may be some tenths of a millisecond behind: our first call leaves later, when that decision "
        "is durable, and has arrived at its partner at call_…, by the harness's own clock. So set call_… beside the "
        "peers for the moment at which work is done outside. committed_… counts from when the start had returned."
    ),
    main="p50_ms",
    contenders=(
        Contender(OURS, trial, "one worker, one transaction a start"),
        graphile.pickup(),
        pgqueuer.pickup(),
        procrastinate.pickup(),
        pgboss.pickup(),
    ),
    against=(
        Goal("p50_ms", "at_most", 3, "ms until an idle worker begins, p50"),
        Goal("p99_ms", "at_most", 6, "ms until an idle worker begins, p99"),
    ),
)
