"""A job queue of one table, as a peer's program: it knows every task, and loses or holds up jobs if it is asked to."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import psycopg

from bench.contenders import pace
from bench.contenders.child import Answer, Ask, Gate, serve
from bench.contenders.crew import Program
from bench.contenders.queue import Queue

PLAIN = Queue(
    name="plain-queue",
    release="plain-queue 1",
    program=lambda: Program((sys.executable, "-P", str(Path(__file__)))),
    missing=lambda: None,
    left="select count(*) from waiting",
    done="select count(*) from done",
)


def install(ask: Ask, gate: Gate) -> Answer:
    """Make its tables."""
    gate()
    with psycopg.connect(ask.url) as db:
        db.execute("create table waiting (number integer, enqueued_at float8)")
        db.execute("create table done (number integer)")
    return {}


def fill(ask: Ask, gate: Gate) -> Answer:
    """Insert jobs."""
    gate()
    with psycopg.connect(ask.url) as db:
        db.execute("insert into waiting select generate_series(1, %s)", (ask.settings["count"],))
    return {}


def drain(ask: Ask, gate: Gate) -> Answer:
    """Move those jobs that are this process's, all but those it loses."""
    print("peers print, which must not be taken for an answer", flush=True)
    gate()
    mine = (ask.settings["processes"], ask.settings["number"])
    with psycopg.connect(ask.url) as db:
        db.execute("insert into done select number from waiting where number %% %s = %s", mine)
        db.execute("delete from waiting where number %% %s = %s", mine)
        db.execute("delete from done where number <= %s", (ask.settings.get("lost", 0),))
    return {}


def attend(ask: Ask, gate: Gate) -> Answer:
    """Look for jobs all the time."""

    async def look(db: psycopg.Connection) -> Answer:
        arrivals = pace.Arrivals(ask)
        complete = asyncio.ensure_future(arrivals.all())
        while not complete.done():
            for (enqueued_at,) in db.execute("delete from waiting returning enqueued_at").fetchall():
                arrivals.note(enqueued_at - ask.settings.get("held_up_s", 0))
            await asyncio.sleep(0.001)
        return await complete

    with psycopg.connect(ask.url, autocommit=True) as db:
        gate()
        return asyncio.run(look(db))


def trickle(ask: Ask, gate: Gate) -> Answer:
    """Insert jobs evenly."""

    async def run(db: psycopg.Connection) -> Answer:
        async def enqueue(at: float) -> None:
            db.execute("insert into waiting values (0, %s)", (at,))

        return await pace.trickle(ask, enqueue)

    with psycopg.connect(ask.url, autocommit=True) as db:
        gate()
        return asyncio.run(run(db))


def sleep(_: Ask, gate: Gate) -> Answer:
    """Never answer."""
    gate()
    time.sleep(1000)
    return {}


if __name__ == "__main__":
    serve({task.__name__: task for task in (install, fill, drain, attend, trickle, sleep)})
