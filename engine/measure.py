"""What /metrics tells of the whole database, asked rarely however often somebody scrapes.

One statement (sql/functions/070_measure.sql), at most once in FRESH_S for each program and only while somebody scrapes.
It is cheap but where a held snapshot keeps a million dead jobs in the queue's index; so the longer it took, the later
it is asked again. No timeout instead: that would tell of a database that is away.
With PostgreSQL away or slow the answer is just that, after at most PATIENCE_S: no scrape fails because of the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import msgspec

import sql
from engine.db import Link

FRESH_S = 10.0
SHARE = 0.02  # of the time, at most, a program has the database measure
OLDEST_S = 60.0  # no answer is kept longer, however long it took
PATIENCE_S = 3.0  # below the 10 s that Prometheus waits

STATEMENT = sql.query("metrics.measure")
AWAY: dict[str, float] = {"database_up": 0.0}

Ask = Callable[[], Awaitable[str]]  # executes STATEMENT, returns what it answers; raises whatever it likes

_decode = msgspec.json.Decoder(dict[str, float]).decode


class Measure:
    """The last measurement of one program. Used by one event loop."""

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._known: dict[str, float] = {}
        self._until = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def now(self) -> dict[str, float]:
        """Return the gauges, {database_up: 0} without an answer in time. Whoever comes meanwhile waits for the same."""
        if self._clock() >= self._until and self._asking is None:
            self._asking = asyncio.create_task(self._take())
        if self._asking is not None:
            await asyncio.wait((self._asking,), timeout=PATIENCE_S)
        return self._known if self._asking is None else AWAY

    async def _take(self) -> None:
        """Ask; lasts until there is an answer, so that a slow database is asked once and not by each scrape."""
        began = self._clock()
        try:
            answer = await self._ask()
            self._known = {"database_up": 1.0, **_decode(answer)}
        except Exception:  # noqa: BLE001  that it is away is the answer
            self._known = AWAY
        finally:
            now = self._clock()
            self._until = now + min(max(FRESH_S, (now - began) / SHARE), OLDEST_S)
            self._asking = None

    async def close(self) -> None:
        """Give up what is still being asked."""
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking


def asking(url: str) -> Ask:
    """Return how a worker asks: on a connection that lasts no longer, beside the one it works on."""

    async def ask() -> str:
        link = Link(url, "metrics")
        try:
            await link.open()
            answer = await link.only(STATEMENT, {})
        finally:
            await link.close()
        return str(answer[0])

    return ask
