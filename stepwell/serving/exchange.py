"""One request and its answer on a connection: uvicorn's, which does not read ahead of a client that reads nothing.

Invariant: while an answer before it waits for its reader, nothing of a request's body is handed to the application, so
that who reads nothing holds neither memory nor a place meant for bodies.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

LEFT_BYTES = 64 << 10  # a body nobody needs is read to its end if it is no larger, to keep the connection


class Exchange(RequestResponseCycle):
    """One request and its answer. `held`: bytes of the answer that are made and wait to be written."""

    held = 0

    async def receive(self) -> Any:
        """Receive a part of the body: not while the client leaves our last answer unread, or it would hold both."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        return await super().receive()

    async def send(self, message: Any) -> None:
        """Send a part of the answer; before the first, see whether the connection can go on after it."""
        if message["type"] == "http.response.start" and self.more_body and not self._ends_soon():
            self.keep_alive = False
        self.held = max(self.held, len(message.get("body", b"")), _length(message.get("headers", ())))
        await super().send(message)
        if message["type"] == "http.response.body":
            self.held = 0

    def _ends_soon(self) -> bool:
        """Tell whether the rest of the body is worth reading. Who expects a 100 and gets another status sends none."""
        headers = self.scope["headers"]
        known = any(name == b"content-length" for name, _ in headers)
        return not self.waiting_for_100_continue and known and _length(headers) <= LEFT_BYTES


def _length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return the Content-Length among headers, 0 without one."""
    return int(next((value for name, value in headers if name.lower() == b"content-length"), b"0"))
