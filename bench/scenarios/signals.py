"""Waits and signals: how many processes are woken in a second, and how soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from bench.cases import OURS, Contender, Effort, Figures, Scenario, Trial, Unable
from bench.drain import PATIENCE_S, check
from bench.ground import Ground
from bench.house import House
from bench.meter import Meter, percentiles
from bench.programs import Program
from bench.work import parked

WORK = parked()
IN_BATCHES = (3_000, 20_000)  # processes, quick and full
ONE_BY_ONE = (200, 1_000)
BATCH = 100  # signals in one statement
PACE_PER_S = 100  # signals one by one
LOOK_S = 0.02
_PARKED = "select count(*) = %s from stepwell.wait"
_RESUMED = "select not exists (select from stepwell.wait)"
_SEND = "select count(stepwell.send_signal('go', '{}', key)) from unnest(%s::text[]) as key"
_RESUMED_AT = """
select created.data #>> '{input,key}', extract(epoch from resumed.at)::float8
from stepwell.history as resumed
join stepwell.history as created on created.process_id = resumed.process_id and created.seq = 1
where resumed.type = 'activity.completed'
"""

Sent = Iterator[tuple[str, float]]  # correlation key, and when its signal was sent
Send = Callable[[psycopg.Connection[Any], list[str]], Sent]


def _trial(sizes: tuple[int, int], send: Send) -> Trial:
    def trial(ground: Ground, effort: Effort) -> Figures:
        processes = effort.of(*sizes)
        inputs = WORK.inputs(processes)
        with ground.database("signals") as dsn, House(ground, dsn) as house:
            house.publish(WORK.document)
            house.start(WORK.name, inputs)
            worker = house.worker()
            _until(house, worker, _PARKED, processes)
            house.drained(PATIENCE_S)
            ground.settle(dsn)
            with Meter(ground, [worker.pid]) as meter:
                sent = dict(send(house.connect(house.tenants[0]), [input_["key"] for input_ in inputs]))
                _until(house, worker, _RESUMED)
                house.drained(PATIENCE_S)
            check(house, WORK, processes)
            resumed = house.connect("superuser").execute(_RESUMED_AT).fetchall()
        p50, p95, p99 = percentiles([(at - sent[key]) * 1000 for key, at in resumed])
        used = meter.measured.figures(processes, "round_trip")
        return {"resumed_p50_ms": p50, "resumed_p95_ms": p95, "resumed_p99_ms": p99, **used}

    return trial


def _until(house: House, worker: Program, statement: str, *parameters: int) -> None:
    """Wait until a statement says true. Raises Unable when it takes too long, or the worker ends."""
    deadline = time.monotonic() + PATIENCE_S
    while not house.count(statement, *parameters):
        worker.check()
        if time.monotonic() > deadline:
            raise Unable(f"after {PATIENCE_S:g} s still not: {statement}")
        time.sleep(LOOK_S)


def _in_batches(db: psycopg.Connection[Any], keys: list[str]) -> Sent:
    for first in range(0, len(keys), BATCH):
        batch, now = keys[first : first + BATCH], time.time()
        db.execute(_SEND, (batch,))
        yield from ((key, now) for key in batch)


def _one_by_one(db: psycopg.Connection[Any], keys: list[str]) -> Sent:
    begun = time.time()
    for number, key in enumerate(keys):
        time.sleep(max(0.0, begun + number / PACE_PER_S - time.time()))
        now = time.time()
        db.execute(_SEND, ([key],))
        yield key, now


SCENARIO = Scenario(
    name="signals",
    title="Waits and signals",
    about="Processes that are parked, held by nobody, each waiting for a signal under a key of its own. Signals are "
    f"sent by SQL: {BATCH} to a statement, as fast as they are taken, which shows how many round trips (signal, "
    f"match, mail, claim, load, resume, end) fit into a second; and one to a transaction at {PACE_PER_S} a second, "
    "which shows how soon an idle engine resumes. How soon: from just before the signal is sent to the moment that "
    "the history of the process gives for it. That moment is the worker's reading of the database's clock, so it may "
    "lie some milliseconds beside it; the flush that makes it durable follows.",
    main="round_trips_per_s",
    contenders=(
        Contender(OURS, _trial(IN_BATCHES, _in_batches), f"{BATCH} signals to a statement, one worker process."),
        Contender(
            f"{OURS}, one by one",
            _trial(ONE_BY_ONE, _one_by_one),
            f"{PACE_PER_S} signals a second, so that is its rate: look at how soon. One worker process.",
        ),
    ),
)
