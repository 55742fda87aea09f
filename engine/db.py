"""Connections to PostgreSQL, and what its errors mean to us.

`Link` is the worker's way: one synchronous connection in a thread of its own beside the event loop (a synchronous round
trip costs a third of the CPU of an asynchronous one; measured). `pool` is the API's way. Nothing here knows a table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool

import sql
from engine.errors import GIVEN_UP, SQLSTATES, BadInput, StepwellError, Unavailable

T = TypeVar("T")
Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]

# Half-open connections: noticed by the kernel after about 10 s instead of hours.
KEEPALIVE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

_SESSION = sql.query("doctor.session")


class LinkLost(Exception):
    """The connection went away; whether a statement in flight was committed is unknown."""


class Link:
    """One autocommitting connection, used by one statement at a time, in the order asked."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"link-{name}")
        self._connection: Connection | None = None
        self._under_way = 0  # statements
        self._heard: Callable[[], None] | None = None
        self._watched: int | None = None  # the socket that is read between statements

    async def open(self) -> None:
        """Connect. Raises LinkLost when the server cannot be reached."""
        self._connection = await self._run(lambda: connect(self._url, self._name))

    @property
    def pooled(self) -> bool:
        """Tell whether a pooler is between."""
        return self._connection is not None and self._connection.prepare_threshold is None

    async def close(self) -> None:
        """Close the connection and its thread; a statement in flight is left to the server."""
        self._fall_deaf()
        if self._connection is not None:
            await self._run(self._connection.close)
        self._thread.shutdown(wait=False)

    async def one(self, statement: LiteralString, parameters: Mapping[str, Any]) -> Row | None:
        """Execute one autocommitted statement and return its first row. Raises psycopg.Error, LinkLost."""
        return await self.call(lambda c: c.execute(statement, parameters, prepare=True).fetchone())

    async def only(self, statement: LiteralString, parameters: Mapping[str, Any]) -> Row:
        """Execute one autocommitted statement that must return a row. Raises LookupError, psycopg.Error, LinkLost."""
        row = await self.one(statement, parameters)
        if row is None:
            raise LookupError(f"nothing found by: {statement.partition(chr(10))[0]}")
        return row

    async def all(self, statement: LiteralString, parameters: Mapping[str, Any]) -> list[Row]:
        """Execute one autocommitted statement and return its rows. Raises psycopg.Error, LinkLost."""
        return await self.call(lambda c: c.execute(statement, parameters, prepare=True).fetchall())

    async def do(self, statement: LiteralString, parameters: Mapping[str, Any]) -> int:
        """Execute one autocommitted statement without result; return the rows it touched."""
        return await self.call(lambda c: c.execute(statement, parameters, prepare=True).rowcount)

    async def listen(self, statement: LiteralString, heard: Callable[[], None]) -> None:
        """Execute a `listen`, and from now on call `heard` in the event loop when somebody notifies."""
        loop = asyncio.get_running_loop()

        def during_a_statement(_: psycopg.Notify) -> None:
            loop.call_soon_threadsafe(heard)

        await self.call(lambda c: c.add_notify_handler(during_a_statement))
        await self.do(statement, {})
        self._heard = heard
        self._watch_socket()

    def _watch_socket(self) -> None:
        """Read what comes while no statement is under way. Only then: libpq serves one thread at a time."""
        if self._heard is not None and self._connection is not None and not self._connection.closed:
            self._watched = self._connection.fileno()
            asyncio.get_running_loop().add_reader(self._watched, self._read_socket, self._connection)

    def _leave_socket(self) -> None:
        """Stop that: by number, for a connection that was lost has none any more, and another may get it."""
        if self._watched is not None:
            asyncio.get_running_loop().remove_reader(self._watched)
            self._watched = None

    def _fall_deaf(self) -> None:
        self._leave_socket()
        self._heard = None

    def _read_socket(self, connection: Connection) -> None:
        try:
            connection.pgconn.consume_input()
            heard = any(iter(connection.pgconn.notifies, None))
        except psycopg.Error:
            heard = True  # the next statement tells that the connection is lost
        if connection.closed:
            self._leave_socket()
        if heard and self._heard is not None:
            self._heard()

    async def call(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on the connection in the link's thread."""
        connection = self._connection
        if connection is None:
            raise LinkLost("not connected")
        return await self._run(lambda: _guarded(connection, work))

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._under_way:
            self._leave_socket()
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except psycopg.OperationalError as error:
            if self._connection is None:
                raise LinkLost(str(error)) from error
            raise
        except asyncio.CancelledError:
            self._fall_deaf()  # the thread may still be in the statement
            raise
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._watch_socket()


def connect(url: str, name: str) -> Connection:
    """Open an autocommitting connection. Raises psycopg.OperationalError."""
    connection = psycopg.connect(url, autocommit=True, application_name=f"stepwell {name}", **KEEPALIVE)
    try:
        if is_pooled(connection):
            connection.prepare_threshold = None  # with None, `prepare=True` prepares nothing either
    except BaseException:
        connection.close()
        raise
    return connection


def is_pooled(connection: Connection) -> bool:
    """Tell whether a pooler is between, in whatever mode: it makes up the number by which a client cancels.

    Not by asking for the session's number several times: a pooler with one idle session answers with that each time.
    """
    return connection.execute(_SESSION).fetchone() != (connection.info.backend_pid,)


def _guarded(connection: Connection, work: Callable[[Connection], T]) -> T:
    """Run `work`; turn every error that leaves the connection unusable into LinkLost."""
    try:
        return work(connection)
    except psycopg.Error as error:
        # 57P01..57P05: the server ends the session; it may not have closed the socket yet.
        if connection.closed or connection.broken or (error.sqlstate or "").startswith("57P"):
            connection.close()
            raise LinkLost(str(error)) from error
        raise


def pool(
    url: str, name: str, size: int, configure: Callable[[psycopg.AsyncConnection[Row]], Awaitable[None]] | None = None
) -> AsyncConnectionPool[psycopg.AsyncConnection[Row]]:
    """Return a pool that is not yet open. It may be opened while PostgreSQL is away.

    `configure` sees each new connection, which is autocommitting; one for which it raises is not used.
    """

    async def begin(new: psycopg.AsyncConnection[Row]) -> None:
        if await (await new.execute(_SESSION)).fetchone() != (new.info.backend_pid,):
            new.prepare_threshold = None  # see is_pooled
        if configure is not None:
            await configure(new)

    return AsyncConnectionPool(
        url,
        min_size=1,
        max_size=size,
        open=False,
        reconnect_timeout=5.0,
        configure=begin,
        kwargs={"autocommit": True, "application_name": f"stepwell {name}", **KEEPALIVE},
        name=name,
    )


def translate(error: psycopg.Error) -> StepwellError:
    """Return our error for one of PostgreSQL's: by SQLSTATE; detail = JSON pointer, hint = advice."""
    state = error.sqlstate
    if state in GIVEN_UP:
        kind, message = GIVEN_UP[state]
        return kind(message)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and state not in SQLSTATES:
        return Unavailable("PostgreSQL cannot be reached at the moment")
    if state in SQLSTATES:
        pointer, _, extra = (error.diag.message_detail or "").partition(" ")
        return SQLSTATES[state](
            error.diag.message_primary or "refused",
            advice=error.diag.message_hint,
            pointer=pointer if pointer.startswith("/") else None,
            details=_details(state, extra),
        )
    if state is not None and state[:2] == "22":  # data exceptions: NUL in text, number out of range, …
        return BadInput("PostgreSQL cannot store one of the values", advice="Remove NUL characters and check numbers.")
    return StepwellError("an unexpected database error")


def _details(state: str | None, extra: str) -> dict[str, object]:
    """Return what an error says beside its message: the word after the pointer in its detail."""
    if state == "SW410" and extra:
        return {"process_id": extra}
    return {"running": int(extra)} if state == "SW414" else {}
