"""Connections for requests: a pool, and one transaction under one scope at a time.

Of the pool one environment has at most half, lest locks that its requests wait for keep everybody else waiting.

PostgreSQL may be away when the program starts or at any time later: requests then fail with Unavailable after a short
wait, and the pool reconnects by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
from litestar.di import NamedDependency
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from api.limits import Turns
from engine import db, standing
from engine.errors import Unavailable
from engine.store.base import AsyncConnection, Scope, begin

WAIT_S = 2.0  # for a connection; then 503. Long enough for a restart of PostgreSQL to go unnoticed.
AWAY_WAIT_S = 0.25  # the same once a request has waited in vain, until one succeeds


Begin = Callable[[AsyncConnection], Awaitable[None]]


class Database:
    """The pool of one application."""

    def __init__(self, url: str, size: int) -> None:
        self._pool = db.pool(url, "api", size, lambda new: standing.refuse_login(new, "api"))
        self._turns = Turns(max(1, size // 2))  # what one environment waits for must not keep all others waiting
        self._mending: asyncio.Task[None] | None = None
        self._away = False

    async def open(self) -> None:
        """Begin to connect; does not wait, so that the program starts while PostgreSQL is away."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        if self._mending is not None:
            self._mending.cancel()
        await self._pool.close()

    def stats(self) -> dict[str, int]:
        """Return the pool's own figures, by psycopg's names."""
        return self._pool.get_stats()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection without a transaction. Raises Unavailable."""
        async with self._lent(AsyncConnectionPool.check_connection) as connection:
            yield connection

    @asynccontextmanager
    async def _lent(self, begin_with: Begin) -> AsyncIterator[AsyncConnection]:
        """Lend a connection with which the first thing to do has worked. Raises Unavailable; what that thing raises.

        A restart of the server broke those that lay in the pool: each is found out by that, and the next one is tried.
        To ask the server first whether it is there would be one more round trip for every request.
        """
        while True:
            connection = await self._taken()
            try:
                await begin_with(connection)
            except psycopg.OperationalError as error:
                lost = connection.closed or (error.sqlstate or "").startswith("57P")  # the server ends the session
                if lost:
                    await connection.close()
                await self._pool.putconn(connection)
                if not lost:
                    raise
                continue
            except BaseException:
                await self._pool.putconn(connection)
                raise
            break
        try:
            yield connection
        finally:
            await self._pool.putconn(connection)

    async def _taken(self) -> AsyncConnection:
        try:
            connection = await self._pool.getconn(AWAY_WAIT_S if self._away else WAIT_S)
        except PoolTimeout as error:
            self._away = True
            self._mend()
            raise Unavailable("PostgreSQL cannot be reached at the moment, or is overloaded") from error
        self._away = False
        return connection

    @asynccontextmanager
    async def transaction(self, scope: Scope) -> AsyncIterator[AsyncConnection]:
        """Lend a connection inside a transaction under `scope`: committed at the end, rolled back by an exception.

        Raises Unavailable; psycopg.Error passes through.
        """
        turn = self._turns.turn(scope.environment_id, AWAY_WAIT_S if self._away else WAIT_S)
        async with turn, self._lent(lambda connection: begin(connection, scope)) as connection:
            try:
                yield connection
            except BaseException:
                await _roll_back(connection)
                raise
            await connection.commit()

    def _mend(self) -> None:
        """Throw out the connections that a restart of the server broke, instead of finding them one a request."""
        if self._mending is None or self._mending.done():
            self._mending = asyncio.create_task(self._pool.check())


async def _roll_back(connection: AsyncConnection) -> None:
    try:
        await connection.rollback()
    except psycopg.Error:
        await connection.close()  # the pool replaces it; the server rolls back by itself


Db = NamedDependency[Database]  # how a route asks for it
