"""A partner that notes when each call arrived: what an engine does, seen from outside.

Runs in a thread of the harness, for some hundred calls a second at most; each is answered at once with an empty object.
Who is called /seen/7 is noted under "7", the first time it comes.
"""

from __future__ import annotations

import asyncio
import threading
import time
from types import TracebackType
from typing import Self, cast

import httptools

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
PATIENCE_S = 10.0


class Watcher:
    """A server on loopback for the time of a block. `seen`: name → seconds since 1970."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self.url = ""
        self._wires: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(PATIENCE_S):
            raise RuntimeError("the watching server did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        made = self._loop.create_server(lambda: _Wire(self.seen, self._wires), "127.0.0.1", 0)
        server = self._loop.run_until_complete(made)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for wire in list(self._wires):
            wire.close()
        self._loop.run_until_complete(asyncio.sleep(0))  # a connection is closed in the next turn
        self._loop.close()


class _Wire(asyncio.Protocol):
    def __init__(self, seen: dict[str, float], wires: set[asyncio.Transport]) -> None:
        self._seen = seen
        self._wires = wires
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._wires.add(self._transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self._wires.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_url(self, url: bytes) -> None:
        self._seen.setdefault(url.rpartition(b"/")[2].decode(), time.time())

    def on_message_complete(self) -> None:
        self._transport.write(_ANSWER)
