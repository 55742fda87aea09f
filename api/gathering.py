"""Starts that go together: what comes while earlier ones are being written goes into the next transaction, with all
else that came meanwhile. A request that comes alone waits for nobody (docs/decisions/0019).

Together go starts of one definition in one environment, so nobody's locks, limits or failures reach another's. Each is
answered for itself: an input that the definition refuses fails alone; and where PostgreSQL refuses the transaction for
something that one of them brought, nothing of it is done and each is told to go on its own. An answer comes after the
commit, as ever.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import msgspec
import psycopg
from litestar.di import NamedDependency
from msgspec import Struct

from api.catalogue import Catalogue
from api.idempotency import Answer, Named, keep_new
from api.process_view import view
from engine.errors import BadInput, Conflict
from engine.store.access import known_keys
from engine.store.base import AsyncConnection, Scope
from engine.store.processes import ProcessRow, start_alike

MOST = 200  # in one transaction
AT_ONCE = 2  # transactions of one queue: while PostgreSQL has one in hand, the answers of the other are made
SMALL = 16 << 10  # bytes of a request's body; larger ones go on their own
_OF_ONE = ("SW", "22", "23")  # SQLSTATEs, or their beginnings, of what one start may do to all of them

_encode = msgspec.json.Encoder().encode


class Start(Struct, frozen=True):
    """One process to start. `values`: arguments of stepwell.start_processes but definition, version and inputs."""

    scope: Scope
    definition: str
    version: int | None
    input: Any
    values: dict[str, Any]
    named: Named | None = None


_Name = tuple[int, str, int | None]  # environment, definition and version as the caller says them
_Waiting = tuple[Start, asyncio.Future[Answer | None]]
_Result = Answer | BadInput | None


class _Queue:
    """Starts of one name, and who works on them."""

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()
        self.tasks: set[asyncio.Task[None] | None] = set()


class Gathered:
    """The starts of one application that are under way. Used by one event loop."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._queues: dict[_Name, _Queue] = {}  # only those somebody works on

    async def start(self, wanted: Start) -> Answer | None:
        """Start a process; None: nothing was done, it must go on its own.

        Raises BadInput, NotFound, Unavailable; psycopg.Error passes through.
        """
        name = wanted.scope.environment_id, wanted.definition, wanted.version
        answer: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        queue = self._queues.setdefault(name, _Queue())
        queue.waiting.append((wanted, answer))
        if len(queue.tasks) < AT_ONCE:
            queue.tasks.add(asyncio.create_task(self._work(name, queue)))
        return await answer

    async def _work(self, name: _Name, queue: _Queue) -> None:
        """Work in a queue until nobody waits in it."""
        waiting = queue.waiting
        while waiting:
            await self._together([waiting.popleft() for _ in range(min(len(waiting), MOST))])
        queue.tasks.discard(asyncio.current_task())
        if not queue.tasks:
            del self._queues[name]

    async def _together(self, waiting: list[_Waiting]) -> None:
        starts = [wanted for wanted, _ in waiting]
        results: list[Any]
        try:
            async with self.catalogue.database.transaction(starts[0].scope) as connection:
                results = list(await self._act(connection, starts))
        except Conflict as error:  # somebody else holds the Idempotency-Key of one of them
            results = [error if len(starts) == 1 else None] * len(starts)
        except Exception as error:  # noqa: BLE001  it is each request's, and raised there
            results = [None if _of_one(error) else error] * len(starts)
        for (_, answer), result in zip(waiting, results, strict=True):
            if answer.done():  # who asked is gone
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)

    async def _act(self, connection: AsyncConnection, starts: list[Start]) -> list[_Result]:
        scope = starts[0].scope
        version = await self.catalogue.find(connection, scope, starts[0].definition, starts[0].version)
        taken = await known_keys(connection, scope, [wanted.named.key for wanted in starts if wanted.named])
        results: list[_Result] = [None] * len(starts)
        alike: dict[bytes, list[int]] = {}
        for place, wanted in enumerate(starts):
            if wanted.named and wanted.named.key in taken:
                continue  # a replay, or the same key twice
            try:
                version.check_input(wanted.input, "/input")
            except BadInput as fault:
                results[place] = fault
                continue
            if wanted.named:
                taken.add(wanted.named.key)
            alike.setdefault(_encode(wanted.values), []).append(place)
        for places in alike.values():
            values = {**starts[places[0]].values, **version.named()}
            rows = await start_alike(connection, scope, values, [starts[place].input for place in places])
            for place, row in zip(places, rows, strict=True):
                results[place] = started(row)
        made = zip(starts, results, strict=True)
        await keep_new(connection, scope, [(s.named, a) for s, a in made if s.named and isinstance(a, Answer)])
        return results


def started(row: ProcessRow) -> Answer:
    """Return what the request for a process is answered."""
    made = view(row)
    return Answer(201, made, f"/api/v1/processes/{made.id}")


def _of_one(error: Exception) -> bool:
    """Tell whether an error may be the fault of a single start, and is known to have undone all of them."""
    return isinstance(error, psycopg.Error) and (error.sqlstate or "").startswith(_OF_ONE)


Starts = NamedDependency[Gathered]  # how a route asks for it, and by it for catalogue and database
