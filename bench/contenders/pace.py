"""What the children of several peers do alike: enqueue one by one or many at a time, enqueue evenly, note who waited.

Runs in a child; knows no peer. Times are of the system's clock, for who enqueues and who picks up are two processes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from bench.contenders.child import Answer, Ask

PRODUCERS = 16  # coroutines that enqueue side by side
BULK_PRODUCERS = 4  # of those that enqueue many in a call

Enqueue = Callable[[Any], Awaitable[Any]]


async def fill(ask: Ask, one: Sequence[Enqueue], many: Sequence[Enqueue]) -> Answer:
    """Enqueue the numbers below `count`: each by itself with `one`, or ranges with `many`; each function on its own."""
    count, batch = ask.settings["count"], ask.settings["batch"]
    ranges = (range(first, min(first + batch, count)) for first in range(0, count, batch))
    portions: Iterator[Any] = ranges if batch > 1 else iter(range(count))

    async def produce(enqueue: Enqueue) -> None:
        for portion in portions:
            await enqueue(portion)

    await asyncio.gather(*(produce(enqueue) for enqueue in (many if batch > 1 else one)))
    return {}


async def trickle(ask: Ask, enqueue: Enqueue) -> Answer:
    """Enqueue `count` jobs at an even `rate`, each with the moment at which it was."""
    begun = time.time()
    for number in range(ask.settings["count"]):
        await asyncio.sleep(max(0.0, begun + number / ask.settings["rate"] - time.time()))
        await enqueue(time.time())
    return {}


class Arrivals:
    """The jobs that a worker picks up: how long each has waited, and whether all are there."""

    def __init__(self, ask: Ask) -> None:
        self._wanted = ask.settings["count"]
        self._waited_ms: list[float] = []
        self._complete = asyncio.Event()

    def note(self, enqueued_at: float) -> None:
        """Note that a job enqueued at that moment has reached its handler."""
        self._waited_ms.append((time.time() - enqueued_at) * 1000)
        if len(self._waited_ms) == self._wanted:
            self._complete.set()

    async def all(self) -> Answer:
        """Wait for the last one; return how long each waited."""
        await self._complete.wait()
        return {"waited_ms": self._waited_ms}
