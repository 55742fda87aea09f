"""One HTTP connection: uvicorn's protocol, with an end to everything that a client may leave open.

What uvicorn lacks: a time limit for a request's head, limits of its size, a limit of pipelined requests, answers as
problems for what is no request, and a way to end a connection that does not lose the last answer. See `room` for the
time limits.

Invariants: answers leave in the order of their requests and are never mixed; after the last one the connection ends
whatever else has come; a connection that is over is in no list of ours.
"""

from __future__ import annotations

import asyncio
import fcntl
import termios
import urllib.parse
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.problems import Problem
from engine.observe import Observer, RequestServed
from stepwell.serving import refusals
from stepwell.serving.exchange import Exchange
from stepwell.serving.refusals import Refused
from stepwell.serving.room import Guest, Room

MAX_HEAD = 64 << 10  # bytes of request line and headers; also of what frames a body: trailers, a chunk's extensions
MAX_HEADERS = 100
VERSIONS = ("1.0", "1.1")
MAX_PIPELINED = 16  # requests sent ahead while one is being answered; the rest has to be sent anew


class Overrun(Exception):
    """More requests were sent ahead than are kept."""


class Connection(HttpToolsProtocol):
    """One connection. `arrival`: what held its place in the room until now; `full`: let in to be told so."""

    def __init__(self, *uvicorns: Any, room: Room, arrival: Guest, full: bool, observe: Observer, **named: Any) -> None:
        super().__init__(*uvicorns, **named)
        self._room = room
        self._arrival = arrival
        self._observe = observe
        self._active: Exchange | None = None  # the one being answered
        self._in_head = False  # a request's head has begun and not ended
        self._in_message = False  # a request has begun and not ended
        self._moved = False  # with the data at hand a request has begun, or its body gone on
        self._size = 0  # of what has come since
        self._switching = False  # it asks for another protocol, which is not heard
        self._deaf = False  # what comes is thrown away
        self._owed = 0  # bytes written since all was known to be taken
        self.ended = False
        if full:
            self.app = refusals.application(refusals.NO_ROOM)

    def is_closing(self) -> bool:
        """Tell whether the connection is ending."""
        return self.ended

    # -- coming and going

    def connection_made(self, transport: Any) -> None:
        """Take the place of the arrival."""
        super().connection_made(transport)
        if not self._room.replace(self._arrival, self):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the room; let what is being answered know."""
        self._room.leave(self)
        self.ended = self._deaf = True
        if self._active is not None:
            self._active.disconnected = True
            self._active.message_event.set()
        super().connection_lost(exc)
        self._forget()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for it; uvicorn never keeps one open
        """Answer what was asked before the client closed its side; tell whether there is anything to answer."""
        if self.pipeline and self.pipeline[0][0].more_body:
            self.pipeline.popleft()
        last = self.pipeline[0][0] if self.pipeline else self._active
        if last is None or last.more_body or self.scheme == "https":  # TLS is never half open
            return False
        self._deaf = True
        self._in_message = False  # nothing more will come
        last.keep_alive = False
        return True

    def close(self) -> None:
        """Send what is written, then end. What the client still sends is read: a reset would cost it our answer."""
        if self.ended:
            return
        self.ended = self._deaf = True
        self.flow.resume_reading()
        self._room.serve(self)
        self._room.answer(self)
        if self._in_message and self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """End, or end after the answer at hand: the server stops."""
        if self._active is not None:
            self._active.keep_alive = False
            self.pipeline.clear()
        elif self.unsent():
            self.close()
        else:
            self.transport.abort()  # TLS would wait for the client's consent

    # -- what the room asks

    def late(self) -> None:
        """End the connection; tell a client that has begun a request why."""
        if self._in_head and not self._deaf:
            self._refuse(refusals.HEAD_TOO_SLOW)
        else:
            self.transport.abort()

    def give_way(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def unsent(self) -> int:
        """Return how many bytes wait for the reader, written or not."""
        return self._unread() + (self._active.held if self._active is not None else 0)

    def _unread(self) -> int:
        """Return how many bytes of ours are on their way; under TLS what was written, until all of it is gone."""
        waiting = self.transport.get_write_buffer_size()
        if self.scheme == "https" and (waiting or self._kernel_has()):
            return self._owed
        self._owed = waiting
        return waiting

    def taken(self) -> None:
        """Be told that all is sent: the client has no more reason to stay if we are ending."""
        if self.ended:
            self._room.hurry(self)

    def write(self, data: bytes) -> None:
        """Write to the transport, and keep count."""
        self._owed += len(data)
        self.transport.write(data)

    def _kernel_has(self) -> bool:
        """Tell whether the kernel has bytes to send: TLS hides what lies between it and us."""
        wire = self.transport.get_extra_info("socket")
        try:
            return wire is not None and fcntl.ioctl(wire.fileno(), termios.TIOCOUTQ, bytes(4)) != bytes(4)
        except (OSError, ValueError):  # closed meanwhile
            return False

    # -- reading

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        if self._deaf:
            return
        self._moved = False
        try:
            rest = self._feed(data)
        except httptools.HttpParserError as error:
            self._unreadable(error)
            return
        if rest is not None:  # outside of any `except`: else the context of an error would be that, and not its cause
            self._go_on_as_before(rest)
            return
        if self._in_message and not self._moved:
            self._grow(len(data))
        self._take_place()

    def _feed(self, data: bytes) -> bytes | None:
        """Parse; return what follows a head that asks for another protocol, None if there is no such head."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return data[upgrade.args[0] :]
        return None

    def _take_place(self) -> None:
        """Tell the room whose turn it is."""
        if self.ended:
            return
        if self._active is not None:
            self._room.serve(self)
        elif self._in_message:
            self._room.hurry(self)

    def _grow(self, size: int) -> None:
        """Count bytes of a head, of trailers or of a chunk's extensions that have not ended.

        The parser joins the pieces of a value anew with each of them: without end, that would take all of its time.
        """
        self._size += size
        if self._size > MAX_HEAD:
            self._refuse(refusals.too_large(f"{MAX_HEAD >> 10} KB"))

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_head = self._in_message = True
        self._move()

    def on_chunk_header(self) -> None:
        """Begin a chunk of a body; the parser calls this for the last one, too, before the trailers."""
        self._move()

    def _move(self) -> None:
        self._moved = True
        self._size = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. What follows the body is none: it could say of the request what a proxy has not seen."""
        if not self._in_head:
            return
        if len(self.headers) >= MAX_HEADERS:
            raise Refused(refusals.too_large(f"{MAX_HEADERS} headers"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer, or queue the request behind the one that is being answered."""
        self._in_head = False
        self._check_head()
        if self.parser.should_upgrade():
            self._switching = True
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            raise Overrun
        self._name_target()
        self.cycle = self._exchange()
        if self._active is None:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _check_head(self) -> None:
        """Raise Refused for a head that asks for what there is not, or that others might read differently."""
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEAD:
            raise Refused(refusals.too_large(f"{MAX_HEAD >> 10} KB"))
        method, version = self.parser.get_method().decode("ascii"), self.parser.get_http_version()
        if method == "CONNECT" or self._get_upgrade() == b"websocket":
            raise Refused(refusals.no_protocol_change())
        if version not in VERSIONS:
            raise Refused(refusals.malformed(f"its version is {version}"))
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and version == "1.1"):
            raise Refused(refusals.malformed("it must have one Host header"))
        coded = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        if coded and (coded != [b"chunked"] or version != "1.1"):
            raise Refused(refusals.malformed("a body comes as it is or, in HTTP/1.1, chunked"))
        self.scope["method"] = method
        self.scope["http_version"] = version

    def _name_target(self) -> None:
        """Put path and query into the scope. Raises Refused."""
        try:
            target = httptools.parse_url(self.url)
            raw = target.path or b"/"
            path = raw.decode("ascii")
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
            raise Refused(refusals.malformed("its target is no path")) from None
        self.scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        self.scope["raw_path"] = raw
        self.scope["query_string"] = target.query or b""

    def _exchange(self) -> Exchange:
        return Exchange(
            scope=self.scope,
            transport=self,  # type: ignore[arg-type]  # write, is_closing and close are all that it asks of one
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=self.scope["http_version"] == "1.1" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body, unless nobody will ask for it."""
        self._move()
        if self._active is not None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if self._switching:
            return
        self._in_message = False
        if self._active is None:
            self._forget()
            self._room.rest(self)  # it was the rest of a body that nobody needed
        else:
            super().on_message_complete()

    def _go_on_as_before(self, rest: bytes) -> None:
        """Hear the request again without its wish for another protocol, which the parser would grant.

        Java's client asks for h2c with the first request it sends, whatever it is, and goes on in HTTP/1.1.
        """
        self._switching = False
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"".join((b"%b %b HTTP/%b\r\n" % (method, self.url, version), *lines, b"\r\n", rest)))

    # -- answering

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._active = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one."""
        self.server_state.total_requests += 1
        self._room.answer(self)
        self._active = None
        if self.ended:
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self.flow.resume_reading()
        if self._in_message:
            self._room.hurry(self)
        else:
            self._forget()
            self._room.rest(self)

    def _forget(self) -> None:
        """Let go of the last request: its values are large, and an idle connection lives long."""
        self._active = None
        self.cycle = self.scope = self.headers = None  # type: ignore[assignment]

    def pause_writing(self) -> None:
        """Wait for the reader."""
        super().pause_writing()
        self._room.answer(self)

    def _unreadable(self, error: httptools.HttpParserError) -> None:
        """Deal with what the parser, or one of our callbacks, does not take."""
        cause = error.__context__
        if isinstance(cause, Overrun):
            self._deaf = True
            self.pipeline[0][0].keep_alive = False
        elif isinstance(cause, Refused):
            self._refuse(cause.problem)
        elif isinstance(error, httptools.HttpParserCallbackError):
            self.logger.error("Error while a request was read", exc_info=cause)
            self.transport.abort()
        elif isinstance(error, httptools.HttpParserInvalidMethodError):
            self._refuse(refusals.unknown_method())
        else:
            self._refuse(refusals.malformed(str(error) or "it cannot be read"))

    def _refuse(self, problem: Problem) -> None:
        """Answer with a problem and end; where an answer is owed already, end after that one."""
        self._deaf = True
        active = self._active
        if active is None:
            self._tell(problem)
        elif active.more_body:  # its own body is at fault
            active.disconnected = True
            active.message_event.set()
            if active.response_started:
                self.transport.abort()
            else:
                self._tell(problem)
        else:
            self.pipeline.clear()
            active.keep_alive = False

    def _tell(self, problem: Problem) -> None:
        self._observe(RequestServed(method="-", path="-", status=problem.status, duration_s=0.0, code=problem.code))
        self._in_message = True  # more of it may come
        self.write(refusals.answer_bytes(problem))
        self.close()
