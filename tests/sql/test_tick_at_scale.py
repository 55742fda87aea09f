"""What a tick reads is bounded by what it claims: with a million jobs and timers beside it, right after they came, and while a
snapshot keeps a hundred thousand dead jobs before those that are claimed.

Counted in buffers, as PostgreSQL does; no time is measured.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg

import sql
from engine.lanes import FLOOR_SECONDS, Lanes
from engine.queue import Tick
from tests.house import House
from tests.sql.million import JOBS, PRIORITIES, fill

SLOTS, FREE = 2_000, 300
DEAD = 100_000
SWEEP_TOOK = 0.02  # seconds: over so many dead the next one is four seconds away
OFTEN = 8  # ticks before what counts: more than PostgreSQL plans anew for one statement
# Buffers. A job is found and locked, then deleted; its lease goes into a table and two indexes.
PER_JOB, PER_HELD = 30, 4
IDLE = 1_500  # of a tick that claims nothing, with a hundred workers whose leases it looks at
EXPLAIN = "explain (analyze, buffers, format json) insert into answer select stepwell.tick(%(me)s, %(slots)s, %(lanes)s, %(whole)s, false)"


@dataclass
class Worker:
    """One worker's view of the queue, on a connection of its own; its clock is a number."""

    db: psycopg.Connection[Any]
    lanes: Lanes
    now: float = 0.0
    held: int = 0

    def __post_init__(self) -> None:
        self.db.execute("create temp table answer (a jsonb)")
        made = self.db.execute(sql.query("worker.register"), {"host": "here", "pid": 1, "release": "1"}).fetchone()
        assert made is not None
        self.me = made[0]

    def tick(self, free: int = FREE, *, sweep: bool = False, whole: bool = True) -> tuple[int, int]:
        """Tick as a session does, giving nothing back; return how many jobs it took and how many buffers that read."""
        self.now += 5.0 if sweep else 0.01
        asked = self.lanes.ask(free, self.now, idle=False)
        values = {"me": self.me, "slots": free, "lanes": json.dumps(asked), "whole": whole}
        ((shown,),) = psycopg.ClientCursor(self.db).execute(EXPLAIN, values).fetchall()
        plan = (shown if isinstance(shown, list) else json.loads(shown))[0]["Plan"]
        ((answer,),) = self.db.execute("delete from answer returning a").fetchall()
        tick = msgspec.convert(answer, Tick, strict=False)
        self.lanes.answer(tick.taken, tick.waiting, SWEEP_TOOK, self.now)
        taken = sum(part.jobs for part in tick.taken)
        self.held += taken
        return taken, plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

    def assert_bounded(self, *, whole: bool = True) -> None:
        """Tick often; each time what is read must be in proportion to what is taken."""
        for _ in range(OFTEN):
            taken, read = self.tick(whole=whole)
            assert taken >= FREE // 3
            assert read <= IDLE + PER_JOB * taken + PER_HELD * self.held * whole, f"{read} buffers for {taken} jobs"


def crowd(house: House, *tables: str, jobs: int = JOBS) -> None:
    """Fill tables after the statistics were made."""
    house.publish({"name": "x", "steps": [{"id": "a", "type": "transform", "config": {"mapping": {"x": 1}}}]})
    house.start("x")
    house.owner.execute("vacuum analyze")
    fill(house.owner, *tables, jobs=jobs)


def test_a_tick_reads_a_bounded_number_of_pages_for_each_job_whatever_lies_in_the_queue(house: House) -> None:
    crowd(house, "worker", "job", "lease", "timer", "wait")
    worker = Worker(house.connect("house_worker"), Lanes(SLOTS))
    worker.tick(sweep=True)
    worker.assert_bounded()
    house.owner.execute("analyze stepwell.job, stepwell.lease, stepwell.timer")
    worker.tick(sweep=True)
    worker.assert_bounded()
    assert house.value("select count(*) from stepwell.job") > JOBS - 20 * FREE


def test_a_tick_walks_over_no_job_that_was_claimed_before_while_a_snapshot_keeps_them(house: House) -> None:
    crowd(house, "job", jobs=2 * PRIORITIES * DEAD)  # so that those of one priority outlast what is claimed
    worker = Worker(house.connect("house_worker"), Lanes(10 * DEAD))
    with house.connect("superuser", autocommit=False) as reader:
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select from stepwell.job limit 1")
        while worker.held < DEAD:
            assert worker.tick(DEAD // 10, sweep=worker.held == 0, whole=False)[0] > 0
        worker.now += 2 * FLOOR_SECONDS
        worker.assert_bounded(whole=False)
        assert worker.tick(sweep=True, whole=False)[1] > DEAD // 2, (
            "a look without floors meets no dead: nothing is shown"
        )
