"""Requests to the API by a schedule: an open loop, whose latency counts from the moment a request was due.

Runs in the harness's process, on one event loop; meant for some hundred requests a second, far below what it can do, so
that the client is not what is measured. Anything but an answer of the 200s is an error and ends the measurement.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp

from bench.cases import Unable

TIMEOUT_S = 30.0
CONNECTIONS = 200


class Client:
    """The API's client. `taken`: the seconds of each request that `timed` made, by the name it was given."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.taken: dict[str, list[float]] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, key: str) -> AsyncIterator[Self]:
        """Yield a client for the time of the block."""
        headers = {"Authorization": f"Bearer {key}"}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(url, headers=headers, timeout=timeout, connector=connector) as session:
            yield cls(session)

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer's body. Raises Unable for a refusal."""
        async with self._session.request(method, f"/api/v1/{path}", json=body) as answer:
            if answer.status >= 300:
                raise Unable(f"{method} {path} was answered with {answer.status}: {(await answer.text())[:300]}")
            return await answer.json(content_type=None)

    async def timed(self, name: str, due: float, work: Awaitable[Any]) -> None:
        """Await a piece of work, and note what it took since it was due."""
        await work
        self.taken.setdefault(name, []).append(time.monotonic() - due)


Ask = tuple[str, Callable[[], Awaitable[Any]]]  # its name, and what makes the request


async def paced(client: Client, asks: Sequence[Ask], per_s: float) -> None:
    """Make the requests one after the other at an even pace, whether earlier ones were answered or not.

    Raises Unable where one of them failed.
    """
    begun = time.monotonic()
    try:
        async with asyncio.TaskGroup() as group:
            for number, (name, work) in enumerate(asks):
                due = begun + number / per_s
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(client.timed(name, due, work()))
    except* (Unable, aiohttp.ClientError, TimeoutError) as errors:
        raise _first(errors) from None


async def closed(works: Sequence[Callable[[], Awaitable[Any]]], clients: int, seconds: float) -> float:
    """Return how many requests a second so many clients make that wait for each answer. `works`: taken in turn."""
    end, done = time.monotonic() + seconds, 0

    async def client(first: int) -> None:
        nonlocal done
        number = first
        while time.monotonic() < end:
            await works[number % len(works)]()
            number += clients
            done += 1

    begun = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for first in range(clients):
            group.create_task(client(first))
    return done / (time.monotonic() - begun)


def _first(errors: BaseExceptionGroup[BaseException]) -> Unable:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, Unable) else Unable(f"a request failed: {type(error).__name__} {error}")
