"""Runs the API: uvicorn with our door and connections, enough file descriptors, the certificate kept fresh."""

from __future__ import annotations

import logging
import resource
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from engine.config import Settings
from engine.errors import OperatorError
from engine.observe import ConnectionsEnded, Noted, Observer, Trouble
from stepwell import tls
from stepwell.serving.connection import Connection
from stepwell.serving.door import Door
from stepwell.serving.listening import say_where
from stepwell.serving.room import OTHER_FILES, SPARE, Guest, Room, Toll

STOP_SECONDS = 3  # for the answers at hand


class Server(uvicorn.Server):
    """uvicorn's server with our door, room and connections."""

    def __init__(
        self, app: Any, listeners: list[socket.socket], room: Room, identity: tls.Identity | None, observe: Observer
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http=Connection,
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self.servers = []  # of the event loop: none, the door does their work
        self._listeners = listeners
        self._room = room
        self._identity = identity
        self._observe = observe
        self._door: Door | None = None
        self.on_listening: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002  the door has them
        """Start the application, then let connections in."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            self.should_exit = True
            return
        self._door = Door(self._listeners, self._room, self._identity, self._make)
        self._door.open()
        self.started = True
        self.on_listening()

    def _make(self, arrival: Guest, full: bool) -> Connection:
        return Connection(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            room=self._room,
            arrival=arrival,
            full=full,
            observe=self._observe,
        )

    async def on_tick(self, counter: int) -> bool:
        """Look after connections and certificate once a second."""
        if counter % 10 == 0:
            self._room.sweep()
            self._tell_toll()
            self._renew()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody in any more, and end in order."""
        if self._door is not None:
            self._door.close()
        await super().shutdown(sockets)

    def _tell_toll(self) -> None:
        toll, self._room.toll = self._room.toll, Toll()
        if toll:
            self._observe(
                ConnectionsEnded(
                    open=len(self._room.guests), made_room=toll.made_room, refused=toll.refused, late=toll.late
                )
            )

    def _renew(self) -> None:
        try:
            if self._identity is not None and self._identity.renew():
                self._observe(Noted(where="tls", message="the certificate was replaced"))
        except OperatorError as error:
            self._observe(Trouble(level="error", where="tls", message=f"{error.message}; the certificate in use stays"))


class LibrariesLog(logging.Handler):
    """Tells what the server's libraries complain of."""

    def __init__(self, observe: Observer) -> None:
        super().__init__(logging.WARNING)
        self._observe = observe
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Report one complaint."""
        self._observe(
            Trouble(level="error", where=record.name, message=record.getMessage()[:500], detail=self.format(record))
        )


def serve(
    app: Any, listeners: list[socket.socket], settings: Settings, observe: Observer, on_listening: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT. Raises SettingError, and OperatorError where the application does not start."""
    identity = tls.identity(settings)
    say_where(listeners, secured=identity is not None, observe=observe)
    for name in ("uvicorn.error", "asyncio", "psycopg.pool"):
        logging.getLogger(name).addHandler(LibrariesLog(observe))
    room = Room(connections_allowed(settings.api_connections, observe))
    app.state.under_way.connections = room.limit
    server = Server(app, listeners, room, identity, observe)
    server.on_listening = on_listening
    server.run()
    if not server.started:
        raise OperatorError("the API did not start", advice="Look in the log above.")


def connections_allowed(wanted: int, observe: Observer) -> int:
    """Raise the limit of open files as far as we may; return how many connections fit into it, `wanted` at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + SPARE + OTHER_FILES
    reach = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < reach:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reach, hard))
        soft = reach
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    allowed = max(1, soft - SPARE - OTHER_FILES)
    observe(
        Noted(
            where="limits",
            message=f"the system allows {soft} open files: at most {allowed} connections instead of {wanted}",
            detail=f"raise its limit (ulimit -n, LimitNOFILE) to {needed}, or lower STEPWELL_API_CONNECTIONS",
        )
    )
    return allowed
