"""How processes are started: set-based by SQL, or one request each through the API. An open loop either way.

The n-th start is due at begin + n / rate, whatever the engine does meanwhile: it may come late, it is never left out.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp

from bench.cases import Unable
from bench.house import House

TICK_S = 0.005  # what is due meanwhile is started together
MOST = 1000  # starts in one statement
CONNECTIONS = 64  # to the API
_START = "select cardinality(stepwell.start_processes(%s, %s::jsonb))"


class Door(Protocol):
    """A way to start processes."""

    def start(self, count: int) -> None:
        """Start so many now; it may return before they are."""

    def finish(self) -> None:
        """Wait until all are started. Raises Unable where one could not be."""


class SqlDoor:
    """Starts by `stepwell.start_processes`, all that are due in one statement."""

    def __init__(self, house: House, name: str, payload: Any) -> None:
        self._connection = house.connect(house.tenants[0])
        self._name = name
        self._payload = json.dumps(payload)

    def start(self, count: int) -> None:
        """Start so many; return once they are committed."""
        self._connection.execute(_START, (self._name, f"[{','.join([self._payload] * count)}]"))

    def finish(self) -> None:
        """Return: nothing is on its way."""


class ApiDoor:
    """Starts by POST /api/v1/processes, from a thread with a loop of its own."""

    def __init__(self, url: str, key: str, name: str, payload: Any) -> None:
        self._url = f"{url}/api/v1/processes"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._body = json.dumps({"definition": name, "input": payload}).encode()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._under_way: list[Future[None]] = []
        self._session: aiohttp.ClientSession | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._session = asyncio.run_coroutine_threadsafe(self._opened(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._closed(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _opened(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers=self._headers, connector=aiohttp.TCPConnector(limit=CONNECTIONS))

    async def _closed(self) -> None:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        if self._session is not None:
            await self._session.close()

    def start(self, count: int) -> None:
        """Send so many requests; their answers come later."""
        self._under_way += [asyncio.run_coroutine_threadsafe(self._post(), self._loop) for _ in range(count)]

    def finish(self) -> None:
        """Wait for all answers. Raises Unable for one that is no 201."""
        for future in self._under_way:
            try:
                future.result()
            except (aiohttp.ClientError, TimeoutError) as error:
                raise Unable(f"the API did not answer a start: {type(error).__name__} {error}") from error
        self._under_way.clear()

    async def _post(self) -> None:
        if self._session is None:
            raise RuntimeError("the door is used outside its block")
        async with self._session.post(self._url, data=self._body) as answer:
            if answer.status != 201:
                raise Unable(f"the API answered a start with {answer.status}: {(await answer.text())[:500]}")


def offer(door: Door, rate: float, seconds: float) -> tuple[list[float], list[float]]:
    """Start processes at a rate for so many seconds; return when each was due and how late each batch was.

    At least one is started. The clock is that of the database's machine, which is this one.
    """
    begin = time.time()
    due = [begin + n / rate for n in range(max(1, round(rate * seconds)))]
    late, done = [], 0
    while done < len(due):
        ready = done
        now = time.time()
        while ready < len(due) and due[ready] <= now and ready - done < MOST:
            ready += 1
        if ready == done:
            time.sleep(max(TICK_S, due[done] - now))
            continue
        door.start(ready - done)
        late.append(time.time() - due[done])
        done = ready
    door.finish()
    return due, late
