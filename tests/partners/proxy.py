"""A small HTTP proxy: passes on plain requests in absolute form, and tunnels by CONNECT."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple

_CLOSED = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)


class Asked(NamedTuple):
    """One request to the proxy."""

    method: str
    target: str
    headers: dict[str, str]


class ForwardProxy:
    """`authorization` is what it wants to see as Proxy-Authorization; `answer` is given to all instead of service.

    Every host name is 127.0.0.1 to it: the tests have no name server.
    """

    def __init__(self, authorization: str | None = None, answer: bytes | None = None, hang: bool = False) -> None:
        self.asked: list[Asked] = []
        self.arrived = asyncio.Event()
        self.gone = asyncio.Event()  # a caller hung up, or was hung up on
        self._authorization = authorization
        self._answer = answer
        self._hang = hang
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ForwardProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
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
        with suppress(*_CLOSED):
            while await self._handle(reader, writer):
                pass
        self.gone.set()
        writer.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Deal with one request; true if another may follow on this connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")[:-2]
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.asked.append(Asked(method, target, headers))
        self.arrived.set()
        if self._hang:
            await reader.read()
        elif self._answer is not None:
            writer.write(self._answer)
            await writer.drain()
        elif self._authorization is not None and headers.get("proxy-authorization") != self._authorization:
            body = f"who are you, {headers.get('proxy-authorization')}?".encode()
            writer.write(b"HTTP/1.1 407 No\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
        elif method == "CONNECT":
            await self._tunnel(target, reader, writer)
        else:
            await self._pass_on(head, target, headers, reader, writer)
            return True
        return False

    async def _tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    async def _pass_on(
        self,
        head: bytes,
        target: str,
        headers: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        authority, _, path = target.removeprefix("http://").partition("/")
        there, back = await asyncio.open_connection("127.0.0.1", int(authority.rpartition(":")[2]))
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"proxy-", b"connection:"))]
        lines[0] = lines[0].replace(target.encode(), f"/{path}".encode())
        back.write(b"\r\n".join([*lines[:-2], b"Connection: close", b"", b""]))
        back.write(await reader.readexactly(int(headers.get("content-length", "0"))))
        try:
            answer = await there.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", answer.lower())
            writer.write(answer + await there.readexactly(int(length[1]) if length else 0))
            await writer.drain()
        finally:
            back.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(*_CLOSED):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
