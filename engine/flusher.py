"""A session's flushes: what holds have decided leaves one flush at a time, and what one has made durable is worked in
while the next is on its way. So PostgreSQL and the worker work at the same time, each on half of what is held; each
process is in one of the two (docs/decisions/0018).

Must not decide, and must not start or end a hold: the session does.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import msgspec
from msgspec import Struct

from engine import flush, queue
from engine.db import Link
from engine.hold import Hold
from engine.observe import Observer

_Taken = list[tuple[Hold, flush.Slip | None]]


class Flight(Struct):
    """A flush that has returned. Without a slip: the hold had nothing to write, but may have something to look for."""

    taken: _Taken
    parked: frozenset[int]
    refused: list[flush.Refused]


class Crew(Protocol):
    """What flushes ask of the session that they write for."""

    holds: dict[int, Hold]

    def confirm_fence(self, sent: float) -> None:
        """Note that a statement begun at `sent` found our worker row."""

    async def work_in(self, flight: Flight) -> None:
        """Go on with what is durable."""

    async def begin_anew(self, hold: Hold, error: Exception) -> None:
        """Have a process fail whose slip cannot be made."""


class Flusher:
    """One flush at a time, as long as its session lives."""

    def __init__(self, link: Link, me: int, observe: Observer, crew: Crew) -> None:
        self._link = link
        self._me = me
        self._observe = observe
        self._crew = crew
        self._dirty: dict[int, Hold] = {}
        self._work = asyncio.Event()  # something is to be flushed or looked for

    def put(self, hold: Hold) -> None:
        """Take what the hold has to write along with the next flush."""
        self._dirty[hold.id] = hold
        self._work.set()

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Flush for ever. Raises Fenced, LinkLost, psycopg.Error."""
        last: Flight | None = None
        while True:
            if last is None:
                await self._work.wait()
            self._work.clear()
            taken = self._take(group)
            sending = group.create_task(self._send(taken)) if taken else None
            if last is not None:
                await asyncio.sleep(0)  # the next one leaves first
                await self._crew.work_in(last)
            last = await sending if sending is not None else None

    async def _send(self, taken: _Taken) -> Flight:
        """Write slips in one flush."""
        slips = [slip for _, slip in taken if slip is not None]
        if not slips:
            return Flight(taken, frozenset(), [])
        sent = time.monotonic()
        parked, refused = await flush.send(self._link, self._me, slips, self._observe)
        self._crew.confirm_fence(sent)
        return Flight(taken, parked, refused)

    def _take(self, group: asyncio.TaskGroup) -> _Taken:
        """Collect slips up to the cap; a suspect's slip travels alone."""
        taken: _Taken = []
        rows = size = 0
        while self._dirty and rows < flush.MOST_EVENTS and size < flush.MOST_BYTES:
            id_, hold = next(iter(self._dirty.items()))
            suspect = hold.losses >= queue.ALONE_FROM
            if suspect and rows:
                break
            del self._dirty[id_]
            slip = self._slip(hold, group) if self._crew.holds.get(id_) is hold else None
            taken.append((hold, slip))
            if slip is not None:
                rows += len(slip.events) + 1
                size += slip.size
            if suspect:
                break
        if self._dirty:
            self._work.set()
        return taken

    def _slip(self, hold: Hold, group: asyncio.TaskGroup) -> flush.Slip | None:
        try:
            return hold.take()
        except (UnicodeEncodeError, msgspec.MsgspecError) as error:
            group.create_task(self._crew.begin_anew(hold, error))
            return None
