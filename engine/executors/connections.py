"""The client's connections, with bounds that the client lacks.

It bounds single headers and their number, and we bound bodies. But a partner can send what counts as neither, at the
speed of the wire until the call's timeout, and keep a whole worker busy with it: interim answers (100 to 199) without
end, chunks of nothing, compressed nothing. So what comes for one request is counted here.

Uses two attributes that the client does not publish, `TCPConnector._factory` and `ResponseHandler._payload`; tests with
such partners tell when that no longer holds.
"""

from __future__ import annotations

import functools
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

MAX_INTERIM = 20  # answers before the final one; honest servers send one or two
MAX_RECEIVED = 80 << 20  # bytes: the largest body allowed, in chunks of one byte, with room to spare


class Overrun(aiohttp.ClientError):
    """More came than any answer within the limits needs."""


class BoundedConnector(aiohttp.TCPConnector):
    """A connector whose connections end when a partner does not come to the point."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = functools.partial(_Bounded, loop=self._loop)  # type: ignore[assignment]


class _Bounded(ResponseHandler):
    _received = 0
    _interim = 0
    _overrun = False

    def set_response_params(self, **params: Any) -> None:
        """Begin with the answer to the next request."""
        self._received = self._interim = 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the wire."""
        self._received += len(data)
        if self._received > MAX_RECEIVED:
            self._end()
        else:
            super().data_received(data)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Take the head of an answer from the parser."""
        if 100 <= data[0].code < 200:
            self._interim += 1
        if self._interim > MAX_INTERIM:
            self._end()
        else:
            super().feed_data(data, size)

    def _end(self) -> None:
        """Close the connection; whoever reads from it gets an Overrun."""
        if self._overrun:
            return
        self._overrun = True
        fault = Overrun()
        if self._payload is not None:
            self._payload.set_exception(fault)
        self.set_exception(fault)
        if self.transport is not None:
            self.transport.abort()
