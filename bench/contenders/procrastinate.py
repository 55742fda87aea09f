"""procrastinate: a job queue for Python, on psycopg. As a program: a child of it.

Its worker claims and finishes each job by itself; the settings that matter are how many it does side by side, and
psycopg's pool, which is a little wider. While it drains it does not LISTEN, for nothing new comes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from bench.cases import Contender
from bench.contenders import pace
from bench.contenders.child import Answer, Ask, Gate, serve
from bench.contenders.crew import python
from bench.contenders.packages import needs, version
from bench.contenders.queue import Queue

CONCURRENCY = 20  # of all processes
AT_REST = 10  # the concurrency of an idle worker that is to pick up

missing = needs("procrastinate")


def jobs() -> tuple[Contender, ...]:
    """Return it with one and with two worker processes."""
    return _drain(1, ""), _drain(2, "2 processes")


def pickup() -> Contender:
    """Return it as an idle worker."""
    return _queue().pickup(f"concurrency {AT_REST}, LISTEN/NOTIFY.", concurrency=AT_REST)


def starts() -> tuple[Contender, ...]:
    """Return it enqueueing one by one, and many in a call."""
    return _queue().starts((200, 10_000), (1_000, 100_000), concurrency=pace.PRODUCERS)


def _queue() -> Queue:
    return Queue(
        name="procrastinate",
        release=f"procrastinate {version('procrastinate')}",
        program=lambda: python(__name__),
        missing=missing,
        keeps="the job's row and its events",
        left="select count(*) from procrastinate_jobs where status <> 'succeeded'",
        done="select count(*) from procrastinate_jobs where status = 'succeeded'",
    )


def _drain(processes: int, how: str) -> Contender:
    each = CONCURRENCY // processes
    note = (
        f"{processes} x concurrency {each}, jobs kept when done (its default). Favours it: a job is one step, and "
        "leaves a status and two events behind, no results."
    )
    return _queue().drain(how, (200, 8_000), note, processes=processes, concurrency=each)


# -- the child


def _within(work: Callable[[Any, Ask], Awaitable[Answer]]) -> Callable[[Ask, Gate], Answer]:
    """Return the task that does its work with an open app, once the gate has opened."""

    async def run(ask: Ask, gate: Gate) -> Answer:
        logging.disable(logging.CRITICAL)
        peer = import_module("procrastinate")
        pool = {"min_size": 4, "max_size": ask.settings["concurrency"] + 2}
        app = peer.App(connector=peer.PsycopgConnector(conninfo=ask.url, **pool))
        async with app.open_async():
            gate()
            return await work(app, ask)

    return lambda ask, gate: asyncio.run(run(ask, gate))


async def install(app: Any, _: Ask) -> Answer:
    """Make its tables."""
    await app.schema_manager.apply_schema_async()
    return {}


async def fill(app: Any, ask: Ask) -> Answer:
    """Enqueue no-op jobs."""
    noop = app.task(name="noop", queue="q")(_nothing)
    one = [lambda n: noop.defer_async(n=n)] * pace.PRODUCERS
    many = [lambda numbers: noop.batch_defer_async(*({"n": n} for n in numbers))] * pace.BULK_PRODUCERS
    return await pace.fill(ask, one, many)


async def drain(app: Any, ask: Ask) -> Answer:
    """Do all jobs that wait."""
    app.task(name="noop", queue="q")(_nothing)
    await app.run_worker_async(wait=False, listen_notify=False, **_worker(ask))
    return {}


async def attend(app: Any, ask: Ask) -> Answer:
    """Pick up jobs as they come."""
    arrivals = pace.Arrivals(ask)

    async def note(at: float) -> None:
        arrivals.note(at)

    app.task(name="note", queue="q")(note)
    worker = asyncio.ensure_future(app.run_worker_async(**_worker(ask)))
    answer = await arrivals.all()
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    return answer


async def trickle(app: Any, ask: Ask) -> Answer:
    """Enqueue evenly."""
    note = app.task(name="note", queue="q")(_nothing)
    return await pace.trickle(ask, lambda at: note.defer_async(at=at))


async def _nothing(**_: Any) -> None:
    pass


def _worker(ask: Ask) -> dict[str, Any]:
    return {"queues": ["q"], "concurrency": ask.settings["concurrency"], "install_signal_handlers": False}


if __name__ == "__main__":
    serve({task.__name__: _within(task) for task in (install, fill, drain, attend, trickle)})
