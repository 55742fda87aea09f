"""A server that answers the first request of each connection with bytes that do not end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Endless:
    """What became of the calls."""

    def __init__(self) -> None:
        self.url = ""
        self.gone = asyncio.Event()  # a caller hung up


@asynccontextmanager
async def endless(head: bytes, piece: bytes, pause: float | None = None) -> AsyncIterator[Endless]:
    """Serve `head` and then `piece` again and again, as fast as it is taken, or with pauses (seconds)."""
    partner = Endless()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head)
            while True:
                writer.write(piece)
                await writer.drain()
                if pause is not None:
                    await asyncio.sleep(pause)
        partner.gone.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    partner.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield partner
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
