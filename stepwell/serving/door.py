"""Where connections come in: accepted, counted, and, where there is a certificate, brought to TLS.

Accepting is done here and not by the event loop's server, because that one counts nobody before the TLS handshake has
ended, and a handshake that never ends is the cheapest way to hold a connection.

Invariant: every accepted socket is in the room, as an arrival and then as a connection, until it is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any

from stepwell.serving import refusals
from stepwell.serving.room import ANSWER_SECONDS, Guest, Room, Welcome
from stepwell.tls import Identity

AT_ONCE = 64  # connections accepted before others get their turn
PAUSE_SECONDS = 0.5  # when the system has no more file descriptors, or no memory for sockets
TLS_HANDSHAKE = b"\x16"  # first byte of whoever speaks TLS (RFC 8446, section 5.1)

Make = Callable[[Guest, bool], asyncio.Protocol]  # arrival, whether there is no room → connection


class Door:
    """The listening sockets of one API. `make` returns the protocol of a new connection."""

    def __init__(self, listeners: list[socket.socket], room: Room, identity: Identity | None, make: Make) -> None:
        self.identity = identity
        self.room = room
        self.make = make
        self.loop = asyncio.get_running_loop()
        self.tasks: set[asyncio.Task[None]] = set()
        self._listeners = listeners

    def open(self) -> None:
        """Begin to accept."""
        for listener in self._listeners:
            listener.setblocking(False)
            self._listen(listener)

    def close(self) -> None:
        """Accept no more, and end what has not become a connection yet."""
        for listener in self._listeners:
            self.loop.remove_reader(listener)
            listener.close()
        for task in list(self.tasks):
            task.cancel()

    def _listen(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self.loop.add_reader(listener, self._knock, listener)

    def _knock(self, listener: socket.socket) -> None:
        """Accept who is waiting."""
        for _ in range(AT_ONCE):
            try:
                wire, _address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self.loop.remove_reader(listener)
                self.loop.call_later(PAUSE_SECONDS, self._listen, listener)
                return
            wire.setblocking(False)
            Arrival(self, wire).come()


class Arrival:
    """A socket that was accepted and is not a connection yet."""

    def __init__(self, door: Door, wire: socket.socket) -> None:
        self._door = door
        self._wire = wire
        self._full = False
        self._handed_over = False  # the socket is the event loop's from then on
        self._task: asyncio.Task[None] | None = None

    def come(self) -> None:
        """Enter the room if it can be; then wait for the first byte where it tells TLS from what is none."""
        welcome = self._door.room.enter(self)
        self._full = welcome is Welcome.FULL
        if welcome is Welcome.SHUT:
            self._wire.close()
        elif self._door.identity is None:
            self._begin(None)
        else:
            self._door.loop.add_reader(self._wire, self._first_byte, self._door.identity)

    def late(self) -> None:
        """End: no handshake in time."""
        self.give_way()

    def give_way(self) -> None:
        """End at once."""
        self._door.room.leave(self)
        if self._task is not None:
            self._task.cancel()
        if not self._handed_over:
            self._shut()

    def unsent(self) -> int:
        """Return 0: nothing was said yet."""
        return 0

    def taken(self) -> None:
        """Do nothing."""

    def _first_byte(self, identity: Identity) -> None:
        self._door.loop.remove_reader(self._wire)
        first = b""
        with contextlib.suppress(OSError):
            first = self._wire.recv(1, socket.MSG_PEEK)
        if first == TLS_HANDSHAKE:
            self._begin(identity.context)
            return
        with contextlib.suppress(OSError):
            if first:
                self._wire.recv(refusals.READ_BYTES)  # what is left unread would make the answer a reset
                self._wire.send(refusals.answer_bytes(refusals.SPEAKS_TLS))
        self.give_way()

    def _shut(self) -> None:
        if self._wire.fileno() >= 0:
            self._door.loop.remove_reader(self._wire)
            self._wire.close()

    def _begin(self, context: ssl.SSLContext | None) -> None:
        self._task = self._door.loop.create_task(self._connect(context))
        self._door.tasks.add(self._task)
        self._task.add_done_callback(self._door.tasks.discard)

    async def _connect(self, context: ssl.SSLContext | None) -> None:
        """Become a connection. Who breaks off meanwhile, or speaks another TLS, is gone without a word."""
        secured: dict[str, Any] = {}
        if context is not None:
            secured = {"ssl": context, "ssl_shutdown_timeout": ANSWER_SECONDS}  # the room sees to the handshake
        self._handed_over = True
        try:
            await self._door.loop.connect_accepted_socket(self._made, self._wire, **secured)
        except OSError:
            pass
        finally:
            self._task = None
            self._door.room.leave(self)

    def _made(self) -> asyncio.Protocol:
        return self._door.make(self, self._full)
