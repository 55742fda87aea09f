"""What requests may hold at a time in one API process, and of that one key or one environment: so others get theirs.

Each limit counts for one event loop and gives back what was taken, whatever became of the request. Who waits, waits for
a bounded time and is then told to come again.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from engine.errors import RateLimited, Unavailable

LARGE_AT_ONCE = 2
PLACE_WAIT_S = 10.0  # for a place for a large body; each takes some seconds
BODY_BYTES = 256 << 20  # of all bodies at a time; one key has at most half of it
UNWEIGHED = 64 << 10  # of each body: small ones pass whatever the large ones take
BYTES_WAIT_S = 2.0
BREATH_S = 0.005
KEYS_PART = 4  # one key has at most this part of the connections for requests at work

_LATER = "Try again in a few seconds with the same Idempotency-Key; nothing of it was done."


class Places:
    """Room for large bodies. A request keeps its place until its answer is made: so long its values live."""

    _SLOT = "stepwell.place"

    def __init__(self, number: int = LARGE_AT_ONCE) -> None:
        self._free = asyncio.Semaphore(number)

    async def take(self, scope: Any) -> None:
        """Wait for a place for the request of this ASGI scope. Raises Unavailable."""
        try:
            async with asyncio.timeout(PLACE_WAIT_S):
                await self._free.acquire()
        except TimeoutError:
            raise Unavailable("too many large bodies are being worked on at the moment", advice=_LATER) from None
        scope[self._SLOT] = True

    def give_back(self, scope: Any) -> None:
        """End the request's hold on a place, if it has one."""
        if scope.pop(self._SLOT, False):
            self._free.release()


class Bytes:
    """How many bytes of bodies are in memory."""

    _SLOT = "stepwell.bytes"

    def __init__(self, total: int = BODY_BYTES) -> None:
        self._total = total
        self._taken: Counter[int] = Counter()  # key id → bytes
        self._given_back = asyncio.Event()

    async def take(self, scope: Any, size: int) -> None:
        """Wait until `size` bytes more of this request's body may be kept. Raises Unavailable."""
        key_id = _key_id(scope)
        try:
            async with asyncio.timeout(BYTES_WAIT_S):
                while not self._fits(key_id, size):
                    await self._given_back.wait()
        except TimeoutError:
            raise Unavailable("too many large bodies are being received at the moment", advice=_LATER) from None
        self._taken[key_id] += size
        scope[self._SLOT] = scope.get(self._SLOT, 0) + size

    def _fits(self, key_id: int, size: int) -> bool:
        return self._taken[key_id] + size <= self._total // 2 and self._taken.total() + size <= self._total

    def give_back(self, scope: Any) -> None:
        """Count the bytes of this request no longer."""
        size, key_id = scope.pop(self._SLOT, 0), _key_id(scope)
        if size:
            self._taken[key_id] -= size
            if not self._taken[key_id]:
                del self._taken[key_id]
            self._given_back.set()
            self._given_back = asyncio.Event()


class UnderWay:
    """How many requests of each key are at work. `connections`: how many the API may have open."""

    _SLOT = "stepwell.under_way"

    def __init__(self, connections: int) -> None:
        self.connections = connections
        self._of: Counter[int] = Counter()

    def begin(self, scope: Any, key_id: int) -> None:
        """Count a request of this key. Raises RateLimited, and then does not count it."""
        if self._of[key_id] >= self.connections // KEYS_PART:
            raise RateLimited("this API key has as many requests at work as it may", retry_after_s=1)
        self._of[key_id] += 1
        scope[self._SLOT] = key_id

    def end(self, scope: Any) -> None:
        """Count the request no longer, if it was."""
        key_id = scope.pop(self._SLOT, None)
        if key_id is not None:
            self._of[key_id] -= 1
            if not self._of[key_id]:
                del self._of[key_id]


class Breaths:
    """Pauses in a long computation of one request, so that all others go on meanwhile."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    async def take(self) -> None:
        """Pause if it is time to."""
        if time.monotonic() - self._since > BREATH_S:
            await asyncio.sleep(0)
            self._since = time.monotonic()


class Turns:
    """At most `most` at a time for each of many; the others wait in the order they came."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._queues: dict[int, asyncio.Semaphore] = {}
        self._there: Counter[int] = Counter()  # at it or waiting

    @asynccontextmanager
    async def turn(self, who: int, wait_s: float) -> AsyncIterator[None]:
        """Wait for a turn, and have it for the time of the block. Raises Unavailable."""
        queue = self._queues.setdefault(who, asyncio.Semaphore(self._most))
        self._there[who] += 1
        try:
            await _acquire(queue, wait_s)
            try:
                yield
            finally:
                queue.release()
        finally:
            self._there[who] -= 1
            if not self._there[who]:
                del self._there[who], self._queues[who]


async def _acquire(queue: asyncio.Semaphore, wait_s: float) -> None:
    try:
        async with asyncio.timeout(wait_s):
            await queue.acquire()
    except TimeoutError:
        message = "this environment has as many transactions under way as it may, or PostgreSQL is overloaded"
        raise Unavailable(message) from None


def _key_id(scope: Any) -> int:
    """Return the id of the key that asks, 0 without one."""
    user = scope.get("user")
    return 0 if user is None else int(user.id)
