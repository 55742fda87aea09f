"""PgQueuer: a job queue for Python, on asyncpg (its recommended driver) and uvloop. As a program: a child of it.

Its worker claims jobs in batches and writes their ends in batches of the same size; the batch is the setting that
matters. Durability is its default, all tables logged. Job and log are two tables: a done job leaves the first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module
from typing import Any

from bench.cases import Contender
from bench.contenders import pace
from bench.contenders.child import Answer, Ask, Gate, serve
from bench.contenders.crew import python
from bench.contenders.packages import needs, version
from bench.contenders.queue import Queue

AT_REST = 10  # the batch of an idle worker that is to pick up: its default

missing = needs("pgqueuer", "asyncpg")


def jobs() -> tuple[Contender, ...]:
    """Return it with one and with two worker processes, each with the batch that was fastest."""
    return _drain(1, 500, ""), _drain(2, 100, "2 processes")


def pickup() -> Contender:
    """Return it as an idle worker."""
    return _queue().pickup(f"batch {AT_REST}, LISTEN/NOTIFY.", taken=AT_REST)


def starts() -> tuple[Contender, ...]:
    """Return it enqueueing one by one, and many in a call."""
    return _queue().starts((200, 10_000), (2_000, 200_000))


def _queue() -> Queue:
    return Queue(
        name="pgqueuer",
        release=f"pgqueuer {version('pgqueuer')}, asyncpg {version('asyncpg')}, uvloop",
        program=lambda: python(__name__),
        missing=missing,
        keeps="a row in a log",
        left="select count(*) from pgqueuer",
        done="select count(*) from pgqueuer_log where status = 'successful'",
    )


def _drain(processes: int, batch: int, how: str) -> Contender:
    note = (
        f"{processes} x batch {batch}. Favours it: a job is one step, leaves two rows in a log and no results, and a "
        "batch of jobs runs again after a crash."
    )
    return _queue().drain(how, (2_000, 100_000), note, processes=processes, taken=batch)


# -- the child


class _Room:
    """The connections of one child."""

    def __init__(self, ask: Ask, stack: AsyncExitStack) -> None:
        self._url = ask.url
        self._stack = stack

    async def driver(self) -> Any:
        """Return a driver with a connection of its own."""
        connection = await import_module("asyncpg").connect(self._url)
        self._stack.push_async_callback(connection.close)
        return import_module("pgqueuer.db").AsyncpgDriver(connection)

    async def queries(self) -> Any:
        """Return what enqueues."""
        return import_module("pgqueuer.queries").Queries(await self.driver())

    async def worker(self, entrypoint: str, handler: Callable[[Any], Awaitable[None]]) -> Any:
        """Return what dequeues."""
        peer = import_module("pgqueuer").PgQueuer(await self.driver())
        peer.entrypoint(entrypoint)(handler)
        return peer.qm


def _within(work: Callable[[_Room, Ask, Gate], Awaitable[Answer]]) -> Callable[[Ask, Gate], Answer]:
    """Return the task that does its work on uvloop and closes its connections."""

    async def run(ask: Ask, gate: Gate) -> Answer:
        logging.disable(logging.CRITICAL)
        async with AsyncExitStack() as stack:
            return await work(_Room(ask, stack), ask, gate)

    def task(ask: Ask, gate: Gate) -> Answer:
        answer: Answer = import_module("uvloop").run(run(ask, gate))
        return answer

    return task


async def install(room: _Room, _: Ask, gate: Gate) -> Answer:
    """Make its tables."""
    gate()
    await (await room.queries()).install()
    return {}


async def fill(room: _Room, ask: Ask, gate: Gate) -> Answer:
    """Enqueue no-op jobs."""
    producers = [await room.queries() for _ in range(pace.PRODUCERS)]
    one = [lambda n, queries=queries: queries.enqueue("noop", _payload(n)) for queries in producers]
    many = [partial(_enqueue_many, queries) for queries in producers[: pace.BULK_PRODUCERS]]
    gate()
    return await pace.fill(ask, one, many)


async def drain(room: _Room, ask: Ask, gate: Gate) -> Answer:
    """Do all jobs that wait."""
    worker = await room.worker("noop", _nothing)
    mode = import_module("pgqueuer.types").QueueExecutionMode.drain
    gate()
    await worker.run(batch_size=ask.settings["taken"], mode=mode)
    return {}


async def attend(room: _Room, ask: Ask, gate: Gate) -> Answer:
    """Pick up jobs as they come."""
    arrivals = pace.Arrivals(ask)

    async def note(job: Any) -> None:
        arrivals.note(float(job.payload))

    worker = await room.worker("note", note)
    gate()
    running = asyncio.ensure_future(worker.run(batch_size=ask.settings["taken"]))
    answer = await arrivals.all()
    worker.shutdown.set()
    await asyncio.gather(running, return_exceptions=True)
    return answer


async def trickle(room: _Room, ask: Ask, gate: Gate) -> Answer:
    """Enqueue evenly."""
    queries = await room.queries()
    gate()
    return await pace.trickle(ask, lambda at: queries.enqueue("note", repr(at).encode()))


def _enqueue_many(queries: Any, numbers: range) -> Any:
    return queries.enqueue(["noop"] * len(numbers), [_payload(n) for n in numbers], [0] * len(numbers))


def _payload(number: int) -> bytes:
    return b'{"n": %d}' % number


async def _nothing(_: Any) -> None:
    pass


if __name__ == "__main__":
    serve({task.__name__: _within(task) for task in (install, fill, drain, attend, trickle)})
