"""An HTTP server made of bytes: it can answer what no library would let it answer, and it can break off."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

CERTIFICATE = Path(__file__).with_name("loopback.pem")  # signed by itself, with its key; worth nothing elsewhere


class Received(NamedTuple):
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Received], Awaitable[bytes | None]]


class RawPartner:
    """Gives every request to `answer` and writes the bytes it returns; None resets the connection.

    `tls`: with the certificate that lies beside this file, or with a context of the test's own.
    """

    def __init__(self, answer: Answer, tls: bool | ssl.SSLContext = False) -> None:
        self.requests: list[Received] = []
        self.arrived = asyncio.Event()  # a request came
        self.gone = asyncio.Event()  # a caller hung up
        self.connections = 0
        self.seen_certificates: list[str | None] = []  # common names that callers showed, by connection
        self._answer = answer
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> RawPartner:
        context = self._tls if isinstance(self._tls, ssl.SSLContext) else None
        if self._tls is True:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(CERTIFICATE)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self.seen_certificates.append(_client(writer))
        with suppress(ConnectionError, asyncio.CancelledError):
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                self.arrived.set()
                if not await self._respond(request, reader, writer):
                    break
        self.gone.set()
        writer.close()
        with suppress(ConnectionError, asyncio.CancelledError, ssl.SSLError):
            await writer.wait_closed()

    async def _respond(self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; false when the connection is at its end, or the caller hung up meanwhile."""
        answer = asyncio.ensure_future(self._answer(request))
        hang_up = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answer, hang_up}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                return False
            data = answer.result()
        finally:
            answer.cancel()
            hang_up.cancel()
            await asyncio.gather(answer, hang_up, return_exceptions=True)
        if data is None:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        writer.write(data)
        await writer.drain()
        return b"connection: close" not in data.lower()


def _client(writer: asyncio.StreamWriter) -> str | None:
    """Return the common name of the certificate that a caller showed."""
    shown = writer.get_extra_info("peercert")
    return dict(pair for names in shown["subject"] for pair in names)["commonName"] if shown else None


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    except asyncio.IncompleteReadError:
        return None
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-1])}
    return Received(method, target, headers, await _body(reader, headers))


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    return await reader.readexactly(int(headers.get("content-length", "0")))


def reply(status: int = 200, body: bytes = b"", content_type: str | None = None, **headers: str) -> bytes:
    """Return the bytes of a response; underscores in header names stand for hyphens."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def always(data: bytes | None) -> Answer:
    """Return an answer that does not depend on the request."""

    async def answer(_: Received) -> bytes | None:
        return data

    return answer


async def never(_: Received) -> bytes | None:
    """Do not answer until the caller hangs up."""
    await asyncio.Event().wait()
    return None
