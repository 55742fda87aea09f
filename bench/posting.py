"""A client that sends one request over and over, in a process of its own: closed loops over connections kept alive.

It must cost little beside the server that it loads: the request is ready-made bytes, and of an answer only the status
is looked at. What it is asked comes by its input, for there is a key in it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
import msgspec
import uvloop
from msgspec import Struct

from bench.cases import Unable

PATIENCE_S = 60.0  # for the last answers
LOST = 0  # in place of a status: the connection went away before the answer


class Ask(Struct, frozen=True):
    """What to send, and for how long. `connections`: each sends its next request when the last one is answered."""

    url: str
    key: str
    body: Any
    connections: int
    seconds: float


class Posted(Struct, frozen=True):
    """What came of it. `seconds`: from the first request to the last answer."""

    answered: int
    refused: dict[int, int]  # by status, or LOST
    seconds: float
    latencies_s: list[float]


def post(ask: Ask) -> Posted:
    """Send for the time asked. Raises Unable when anything but a 2xx comes, or nothing."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench.posting"],
        input=msgspec.json.encode(ask),
        capture_output=True,
        timeout=ask.seconds + PATIENCE_S,
        start_new_session=True,  # Ctrl-C is for the harness, which then ends it
        check=False,
    )
    if done.returncode:
        raise Unable(f"the client failed: {done.stderr.decode(errors='replace').strip()[-1000:]}")
    posted = msgspec.json.decode(done.stdout, type=Posted)
    if posted.refused or not posted.answered:
        raise Unable(f"{posted.answered:,} requests were answered; refused, by status: {posted.refused}")
    return posted


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        # It calls the methods it finds: without one for headers or body, it makes no objects of them.
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._sent: float | None = None  # the request that waits for its answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Note an answer and send the next request."""
        self._note(self._parser.get_status_code())
        if time.perf_counter() < self._client.end:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """Say that this one is through."""
        self._note(LOST)
        self._client.leave()

    def _note(self, status: int) -> None:
        if self._sent is not None:
            self._client.note(status, time.perf_counter() - self._sent)
        self._sent = None

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._client.request)


class Client:
    """All connections and what they note."""

    def __init__(self, ask: Ask) -> None:
        self.request = _request(ask)
        self.end = 0.0
        self._ask = ask
        self._left = ask.connections
        self._over = asyncio.Event()
        self._refused: dict[int, int] = {}
        self._latencies_s: list[float] = []

    def note(self, status: int, seconds: float) -> None:
        """Note an answer."""
        if 200 <= status < 300:
            self._latencies_s.append(seconds)
        else:
            self._refused[status] = self._refused.get(status, 0) + 1

    def leave(self) -> None:
        """Note that a connection is closed."""
        self._left -= 1
        if not self._left:
            self._over.set()

    async def run(self) -> Posted:
        """Send until the time is over and all is answered."""
        place, begun = urlsplit(self._ask.url), time.perf_counter()
        host, port = place.hostname or "", place.port or 80
        self.end = begun + self._ask.seconds
        for _ in range(self._ask.connections):
            await asyncio.get_running_loop().create_connection(lambda: Line(self), host, port)
        await self._over.wait()
        return Posted(len(self._latencies_s), self._refused, time.perf_counter() - begun, self._latencies_s)


def _request(ask: Ask) -> bytes:
    place, body = urlsplit(ask.url), msgspec.json.encode(ask.body)
    head = (
        f"POST {place.path or '/'} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {ask.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _main() -> None:
    posted = await Client(msgspec.json.decode(sys.stdin.buffer.read(), type=Ask)).run()
    sys.stdout.buffer.write(msgspec.json.encode(posted))


if __name__ == "__main__":
    uvloop.run(_main())
