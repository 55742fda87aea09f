"""Who is dead: judged by what this observer has itself seen while connected, on its own monotonic clock.

A database clock would make everybody look dead after an outage. A worker is dead when its row has not changed for the
silence limit, or when its session lock is gone and its row has not changed for LOCK_SILENCE. A new connection means a new
Watch, so that an outage does not look like everybody's death.
"""

from __future__ import annotations

import sql
from engine.db import Connection, Link

LOCK_SILENCE = 2.0  # seconds; with the lock gone the process is gone, and only a row just registered could still lack it


class Watch:
    """What one observer remembers of the others' rows."""

    def __init__(self, limit_seconds: float, *, probe_locks: bool) -> None:
        self._limit = limit_seconds
        self._probe = probe_locks
        self._seen: dict[int, tuple[int, float]] = {}  # worker → beat, monotonic time it was first seen with it

    def judge(self, rows: list[tuple[int, int, bool]], now: float) -> list[int]:
        """Return the ids that are dead, given (id, beat, lock held) of every worker row and the monotonic time."""
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


async def watch(link: Link) -> list[tuple[int, int, bool]]:
    """Read every worker row."""
    return await link.all(sql.query("worker.watch"), {})  # type: ignore[return-value]


async def bury(link: Link, dead: list[int]) -> tuple[list[int], int]:
    """Remove the rows of dead workers and turn their leases into jobs; return which, and how many leases.

    One transaction of two statements at READ COMMITTED: the second sees what the victim's last flush committed.
    """

    def work(connection: Connection) -> tuple[list[int], int]:
        with connection.transaction():
            gone = [row[0] for row in connection.execute(sql.query("worker.bury"), {"dead": dead})]
            freed = connection.execute(sql.query("worker.sweep")).fetchone()
        return gone, freed[0] if freed else 0

    return await link.call(work)


async def leave(link: Link, old: int) -> int:
    """Remove our own row and turn what it still leased into jobs; return how many.

    After a lost connection the delete waits for the statement that connection may still be running; none can follow.
    """

    def work(connection: Connection) -> int:
        with connection.transaction():
            connection.execute(sql.query("worker.leave"), {"me": old})
            freed = connection.execute(sql.query("worker.sweep")).fetchone()
        return freed[0] if freed else 0

    return await link.call(work)
