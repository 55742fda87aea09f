"""Who is dead: judged by what this observer has itself seen while connected, on its own monotonic clock.

A database clock would make everybody look dead after an outage. A worker is dead when its row has not changed for the
silence limit, or when its session lock is gone and its row has not changed for LOCK_SILENCE. A new connection means a
new Watch, so that an outage does not look like everybody's death.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec

import sql
from engine.db import Link

WATCH_SECONDS = 1.0
STALL = 3.0  # seconds between two judgements, meant to be one apart, after which the watch begins anew
LOCK_SILENCE = 2.0  # seconds; with the lock gone the process is gone, but a row just registered may still lack it

_buried = msgspec.json.Decoder(tuple[list[int], int])


class Watch:
    """What one observer remembers of the others' rows."""

    def __init__(self, limit_seconds: float, *, probe_locks: bool) -> None:
        self._limit = limit_seconds
        self._probe = probe_locks
        self._judged = 0.0
        self._seen: dict[int, tuple[int, float]] = {}  # worker → beat, monotonic time it was first seen with it

    def judge(self, rows: list[tuple[int, int, bool]], now: float) -> list[int]:
        """Return the ids that are dead, given (id, beat, lock held) of every worker row and the monotonic time."""
        if now - self._judged > STALL:
            self._seen = {}  # we, or the server, stood still: what looks like silence may be ours
        self._judged = now
        seen = {}
        dead = []
        for id_, beat, locked in rows:
            known = self._seen.get(id_)
            seen[id_] = known if known is not None and known[0] == beat else (beat, now)
            silent = now - seen[id_][1]
            if silent >= self._limit or (self._probe and not locked and silent >= LOCK_SILENCE):
                dead.append(id_)
        self._seen = seen
        return dead


async def buried(link: Link, me: int, others: Watch) -> AsyncIterator[tuple[list[int], int]]:
    """Look at the others for ever, and bury the dead; yield who was buried, and how many leases they left."""
    while True:
        dead = [id_ for id_ in others.judge(await watch(link), time.monotonic()) if id_ != me]
        gone, leases = await bury(link, dead) if dead else ([], 0)
        if gone:
            yield gone, leases
        await asyncio.sleep(WATCH_SECONDS)


async def watch(link: Link) -> list[tuple[int, int, bool]]:
    """Read every worker row."""
    return await link.all(sql.query("worker.watch"), {})


async def bury(link: Link, dead: list[int], *, others: bool = True) -> tuple[list[int], int]:
    """Remove the rows of dead workers and turn their leases into jobs; return which, and how many leases.

    `others` False: our own row, at the end or after a lost connection; then it waits for what is in flight.
    """
    row = await link.only(sql.query("worker.rescue"), {"dead": dead, "others": others})
    return _buried.decode(row[0])
