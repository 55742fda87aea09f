"""Starts that go together: what comes while earlier ones are being written goes into the next transaction, with all
else that came meanwhile. A request that comes alone waits for nobody (docs/decisions/0019).

Together go starts of one definition in one environment that differ in their inputs alone, so nobody's locks, limits or
failures reach another's. Each is answered for itself: an input that the definition refuses fails alone; and where
PostgreSQL refuses the transaction for something that one of them brought, nothing of it is done and each is told to go
on its own. An answer comes after the commit, as ever.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

import msgspec
import psycopg
from litestar.di import NamedDependency
from msgspec import Struct

from api.catalogue import Catalogue
from api.database import WAIT_S
from api.idempotency import Answer, Named, keep_new
from api.limits import Breaths
from api.process_view import view
from engine.errors import BadInput, Conflict, Unavailable
from engine.store.access import known_keys
from engine.store.base import AsyncConnection, Scope
from engine.store.processes import ProcessRow, start_alike

MOST = 200  # in one transaction
AT_ONCE = 2  # transactions of one queue: while PostgreSQL has one in hand, the answers of the other are made
SMALL = 16 << 10  # bytes of a request's body; larger ones go on their own
_OF_ONE = ("SW", "22", "23", "40")  # SQLSTATEs, or their beginnings, that undo all and may be the fault of one
_OF_ALL = ("SW404", "SW411")  # those of the definition: no version, disabled

_encode = msgspec.json.Encoder().encode


class Start(Struct, frozen=True):
    """One process to start. `values`: arguments of stepwell.start_processes but definition, version and inputs."""

    scope: Scope
    definition: str
    version: int | None
    input: Any
    values: dict[str, Any]
    named: Named | None = None


_Name = tuple[int, str, int | None, bytes]  # environment, definition and version as the caller says them, values
_Result = Answer | Exception | None


class _Waiting(Struct):
    """A start and who waits for its answer; None: it must go on its own."""

    start: Start
    since: float
    answer: asyncio.Future[Answer | None]

    def settle(self, result: _Result) -> None:
        """Answer, unless who asked is gone."""
        if self.answer.done():
            return
        if isinstance(result, Exception):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)


class _Queue:
    """Starts that may go together, and who works on them."""

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()
        self.tasks: set[asyncio.Task[None] | None] = set()

    def next(self) -> list[_Waiting]:
        """Take those that go into the next transaction; who has waited too long is told so, as everywhere."""
        taken: list[_Waiting] = []
        while self.waiting and len(taken) < MOST:
            one = self.waiting.popleft()
            if time.monotonic() - one.since > WAIT_S:
                one.settle(Unavailable("too many starts of this definition are waiting, or PostgreSQL is overloaded"))
            elif not one.answer.done():
                taken.append(one)
        return taken


class Gathered:
    """The starts of one application that are under way. Used by one event loop."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._queues: dict[_Name, _Queue] = {}  # only those somebody works on

    async def start(self, wanted: Start) -> Answer | None:
        """Start a process; None: nothing was done, it must go on its own.

        Raises BadInput, NotFound, Conflict, Unavailable; psycopg.Error passes through.
        """
        name = wanted.scope.environment_id, wanted.definition, wanted.version, _encode(wanted.values)
        queue = self._queues.setdefault(name, _Queue())
        waiting = _Waiting(wanted, time.monotonic(), asyncio.get_running_loop().create_future())
        queue.waiting.append(waiting)
        if len(queue.tasks) < AT_ONCE:
            queue.tasks.add(asyncio.create_task(self._work(name, queue)))
        return await waiting.answer

    async def _work(self, name: _Name, queue: _Queue) -> None:
        """Work in a queue until nobody waits in it."""
        while taken := queue.next():
            await self._together(taken)
        queue.tasks.discard(asyncio.current_task())
        if not queue.tasks:
            del self._queues[name]

    async def _together(self, taken: list[_Waiting]) -> None:
        starts = [waiting.start for waiting in taken]
        results: list[_Result]
        try:
            async with self.catalogue.database.transaction(starts[0].scope) as connection:
                results = await self._act(connection, starts)
        except Conflict as error:  # somebody else holds the Idempotency-Key of one of them
            results = [error if len(starts) == 1 else None] * len(starts)
        except Exception as error:  # noqa: BLE001  it is each request's, and raised there
            results = [None if _of_one(error) else error] * len(starts)
        for waiting, result in zip(taken, results, strict=True):
            waiting.settle(result)

    async def _act(self, connection: AsyncConnection, starts: list[Start]) -> list[_Result]:
        scope, breaths = starts[0].scope, Breaths()
        version = await self.catalogue.find(connection, scope, starts[0].definition, starts[0].version)
        taken = await known_keys(connection, scope, [wanted.named.key for wanted in starts if wanted.named])
        results: list[_Result] = [None] * len(starts)
        good: list[int] = []
        for place, wanted in enumerate(starts):
            if wanted.named and wanted.named.key in taken:
                continue  # a replay, or the same key twice
            try:
                version.check_input(wanted.input, "/input")
            except BadInput as fault:
                results[place] = fault
            else:
                good.append(place)
                taken |= {wanted.named.key} if wanted.named else set()
            await breaths.take()
        if good:
            values = {**starts[0].values, **version.named()}
            rows = await start_alike(connection, scope, values, [starts[place].input for place in good])
            answers = [started(row) for row in rows]
            for place, answer in zip(good, answers, strict=True):
                results[place] = answer
            names = [starts[place].named for place in good]
            await keep_new(connection, scope, [(n, a) for n, a in zip(names, answers, strict=True) if n])
        return results


def started(row: ProcessRow) -> Answer:
    """Return what the request for a process is answered."""
    made = view(row)
    return Answer(201, made, f"/api/v1/processes/{made.id}")


def _of_one(error: Exception) -> bool:
    """Tell whether an error may be the fault of a single start, and is known to have undone all of them."""
    state = (error.sqlstate or "") if isinstance(error, psycopg.Error) else ""
    return state.startswith(_OF_ONE) and state not in _OF_ALL


Starts = NamedDependency[Gathered]  # how a route asks for it, and by it for catalogue and database
