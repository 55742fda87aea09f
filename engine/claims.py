"""A session's ticks: what to claim (see lanes), and when to look again (see rest). Decides nothing about a process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection

import sql
from engine import queue
from engine.db import Link
from engine.lanes import NET_SECONDS, QUICK_SECONDS, Lanes, Pace
from engine.queue import Asked, Tick
from engine.rest import WHOLE_SECONDS, Rest

EARLY_SECONDS = 0.005  # timers ring a little early: without this one tick in four would be one too many


class Claims:
    """One session's way to the queue. `hurry` is called when somebody has made work.

    `listens`: somebody may wake us. Not through a transaction-mode pooler, which would tell whoever comes next.
    """

    def __init__(self, link: Link, me: int, slots: int, hurry: Callable[[], None], *, listens: bool) -> None:
        self.lanes = Lanes(slots)
        self.more = False  # the last claim left something
        self._link = link
        self._me = me
        self._hurry = hurry
        self._listens = listens
        self._rest = Rest()
        self._called = False  # somebody has notified since the last tick
        self._unmet = False  # somebody has called, or may have wanted to, and what is known had no job
        self._told = False  # the last tick has said that we sleep
        self._whole_at = 0.0  # when the next whole tick is due
        self._net_at = 0.0  # and the next with the net
        self._net_pace = Pace()

    async def begin(self) -> None:
        """Listen to those who make work."""
        self._listens = self._listens and not self._link.pooled
        if self._listens:
            await self._link.listen(sql.query("worker.listen"), self._call)

    def _call(self) -> None:
        self._called = True
        if not self._rest.deaf:
            self._hurry()

    async def tick(self, free: int | None, held: Collection[int]) -> tuple[Tick | None, float]:
        """Tick; claim for `free` slots beside what is `held`, nothing for None.

        Return the answer, None where there was no reason to tick, and how long to wait for a reason to do so again.
        Raises Fenced.
        """
        sent = time.monotonic()
        whole = sent >= self._whole_at - EARLY_SECONDS
        woken, self._called = self._called, False
        self._unmet = self._unmet and free is not None
        wanted = None if free is None else self.lanes.ask(free, sent, idle=not self.more, unmet=self._unmet)
        if wanted is None and free:
            self._unmet = self._unmet or woken  # of what is known, nothing may be taken
            if self.lanes.knows_none:
                self._rest.doze()
        sleeping = self._listens and self._rest.sleeping and bool(free)
        falls_asleep = sleeping and not self._told
        if wanted is None and not whole and not falls_asleep:
            return None, min(self._whole_at, self._sweep_at()) - sent
        net = whole and sent >= self._net_at
        asked = Asked(
            slots=0 if wanted is None else self.lanes.room(free or 0),
            lanes=wanted,
            whole=whole,
            sleeping=sleeping,
            held=list(held) if whole else [],
            net=net,
            old=net or self._net_pace.last < QUICK_SECONDS,
        )
        tick = await queue.tick(self._link, self._me, asked)
        now = time.monotonic()
        self._told = sleeping
        if whole:
            self._whole_at = now + WHOLE_SECONDS
        if net:
            self._net_at = now + max(self._net_pace.after(tick.took, len(tick.claimed)), NET_SECONDS)
        if wanted is not None:
            self.more = self.lanes.answer(tick.taken, tick.waiting, tick.took, now)
            self._unmet = (self._unmet or (woken and not tick.taken)) and "others" not in wanted
        if wanted is None:
            self._unmet = self._unmet or falls_asleep  # who looked before we said so has not called
            return tick, min(self._whole_at, self._sweep_at()) - now
        if not free or (self.more and tick.taken):
            return tick, 0.0 if self.more else self._whole_at - now
        rest = self._rest.after(len(tick.taken), whole=whole, woken=woken, now=sent)
        return tick, min(rest, self._whole_at - now, self._sweep_at() - now)

    def _sweep_at(self) -> float:
        """Return when to look for the job that somebody called for, if it was not where jobs are known to be."""
        return self.lanes.sweep_at(idle=True, unmet=True) if self._unmet else math.inf
