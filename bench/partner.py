"""A partner for http steps: a small, quick server in a process of its own, on loopback.

It answers every request with the same JSON, after a latency if one is given, and refuses a share of them with 503. It
must not be what bounds a measurement: it parses with httptools and writes ready-made bytes. The process ends when its
input does, so it cannot outlive who started it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import IO, Any, Self, cast

import httptools
import msgspec
import uvloop
from msgspec import Struct

ANSWER = {"accepted": True}
PATIENCE_S = 10.0  # for its end


class Manner(Struct, frozen=True):
    """How it answers. `failures`: the share of calls it refuses, spread evenly."""

    latency_ms: float
    failures: float
    answer: Any


class Partner:
    """The server as who starts it sees it."""

    def __init__(self, latency_ms: float = 0.0, failures: float = 0.0, answer: Any = ANSWER) -> None:
        self._manner = Manner(latency_ms, failures, answer)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        manner = msgspec.json.encode(self._manner).decode()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bench.partner", manner],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for who started it, who then ends it
        )
        try:
            self.url = f"http://127.0.0.1:{self._told()}"
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    @property
    def calls(self) -> int:
        """How many requests it has had so far."""
        told = _pipe(self._running().stdin)
        told.write(b"calls\n")
        told.flush()
        return self._told()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the partner is not running: use it in a with block")
        return self._process

    def _told(self) -> int:
        line = _pipe(self._running().stdout).readline()
        if not line:
            raise RuntimeError("the partner has ended by itself; what it wrote to stderr says why")
        return int(line)

    def _end(self) -> None:
        with self._running() as process:  # closes its input, which ends it
            _pipe(process.stdin).close()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
        self._process = None


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the partner was started without pipes")
    return pipe


class Desk:
    """What all connections of the server share: how to answer, and how often that was done."""

    def __init__(self, manner: Manner) -> None:
        self.calls = 0
        self.latency_s = manner.latency_ms / 1000
        self._failures = manner.failures
        self._good = _response("200 OK", manner.answer)
        self._bad = _response("503 Service Unavailable", {"accepted": False})

    def answer(self) -> bytes:
        """Count a call; return what it is answered."""
        refused = int(self.calls * self._failures)
        self.calls += 1
        return self._good if int(self.calls * self._failures) == refused else self._bad


def _response(status: str, body: Any) -> bytes:
    encoded = msgspec.json.encode(body)
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(encoded)}\r\n\r\n".encode()
        + encoded
    )


class Wire(asyncio.Protocol):
    """One connection. Answers leave in the order of the requests: all wait equally long."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        # It calls the methods it finds: without one for headers, it makes no objects of them.
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came; drop who does not speak HTTP."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_complete(self) -> None:
        """Answer a request."""
        answer, last = self._desk.answer(), not self._parser.should_keep_alive()
        if self._desk.latency_s:
            asyncio.get_running_loop().call_later(self._desk.latency_s, self._send, answer, last)
        else:
            self._send(answer, last)

    def _send(self, answer: bytes, last: bool) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)
            if last:
                self._transport.close()


async def _serve(manner: Manner) -> None:
    desk, over, loop = Desk(manner), asyncio.Event(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Wire(desk), "127.0.0.1", 0, backlog=4096)
    _say(server.sockets[0].getsockname()[1])
    threading.Thread(target=_listen, args=(desk, lambda: loop.call_soon_threadsafe(over.set)), daemon=True).start()
    async with server:
        await over.wait()


def _listen(desk: Desk, stop: Callable[[], object]) -> None:
    """Tell the number of calls whenever a line comes; stop when none can come any more."""
    for _ in sys.stdin.buffer:
        _say(desk.calls)
    stop()


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(_serve(msgspec.json.decode(sys.argv[1], type=Manner)))
