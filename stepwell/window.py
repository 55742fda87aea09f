"""What a worker shows with --observe: its metrics, and whether it is well.

Served in a thread with an event loop of its own: a scrape takes nothing from the engine's but processor time. It is the
API's server (stepwell/serving), with its limits and its TLS.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from api.health import PREFIX
from api.problems import MEDIA_TYPE, problem_of
from engine.config import Settings
from engine.errors import NotFound, StepwellError, Unavailable
from engine.measure import Measure, asking
from engine.metrics import WorkerMetrics
from engine.observe import Noted, Observation, Observer, Ticked, Trouble, WorkerChanged, row_lost
from engine.scrape import Scrape
from stepwell import tls
from stepwell.serving.room import Room
from stepwell.serving.server import LibrariesLog, Server

MOST_CONNECTIONS = 64
STOP_S = 5.0


@contextlib.contextmanager
def opened(settings: Settings, listeners: Sequence[socket.socket], observe: Observer) -> Iterator[list[Observer]]:
    """Serve at these sockets for the time of the block; lend what must be given the worker's observations.

    Raises SettingError for a certificate that cannot be used.
    """
    metrics, pulse = WorkerMetrics(), Pulse(settings.silence_limit_seconds / 3)
    scrape = Scrape(metrics, Measure(asking(settings.database_url or "")), settings.metrics_token)
    with _serving(settings, listeners, Window(scrape, pulse), observe):
        yield [metrics, pulse]


class Pulse:
    """Knows whether the worker has its row, and has lately heard so. Read by another thread."""

    kinds = frozenset({Ticked, WorkerChanged, Trouble})

    def __init__(self, fresh_s: float) -> None:
        self._fresh_s = fresh_s
        self._registered = False
        self._heard_at = 0.0

    def __call__(self, told: Observation) -> None:
        """Take note."""
        if isinstance(told, Ticked):
            self._heard_at = time.monotonic()
        elif isinstance(told, WorkerChanged) and told.what == "registered":
            self._registered, self._heard_at = True, time.monotonic()
        elif row_lost(told):
            self._registered = False

    def ready(self) -> bool:
        """Tell whether it could begin an effect now."""
        return self._registered and time.monotonic() - self._heard_at < self._fresh_s


class Window:
    """The ASGI application of --observe: /metrics, /health/live, /health/ready."""

    def __init__(self, scrape: Scrape, pulse: Pulse) -> None:
        self._scrape = scrape
        self._pulse = pulse

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or live from start to stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            status, body, headers = await self._answered(scope)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _live(self, receive: Any, send: Any) -> None:
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.shutdown":
                await self._scrape.close()
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    async def _answered(self, scope: Any) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        try:
            body, content_type = await self._answer(scope)
        except StepwellError as error:
            problem = problem_of(error, scope["path"])
            extra = [(b"www-authenticate", b'Bearer realm="stepwell"')] if error.status == 401 else []
            return error.status, *_body(msgspec.json.encode(problem), MEDIA_TYPE, extra)
        return 200, *_body(body, content_type, [])

    async def _answer(self, scope: Any) -> tuple[bytes, str]:
        path = scope["path"] if scope["method"] in ("GET", "HEAD") else ""
        if path == "/metrics":
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            return await self._scrape.answer(headers.get(b"authorization"), headers.get(b"accept"))
        if path == f"{PREFIX}ready" and not self._pulse.ready():
            raise Unavailable("this worker has no row, or has not heard from PostgreSQL lately")
        if path in (f"{PREFIX}live", f"{PREFIX}ready"):
            return b'{"status":"ok"}', "application/json"
        raise NotFound("there is nothing here", advice="GET /metrics, /health/live and /health/ready are here.")


def _body(body: bytes, content_type: str, extra: list[tuple[bytes, bytes]]) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    length = str(len(body)).encode()
    return body, [(b"content-type", content_type.encode()), (b"content-length", length), *extra]


def _shown(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextlib.contextmanager
def _serving(settings: Settings, listeners: Sequence[socket.socket], app: Window, observe: Observer) -> Iterator[None]:
    """Serve in a thread for the time of the block."""
    identity = tls.identity(settings)
    scheme = "http" if identity is None else "https"
    for listener in listeners:
        observe(Noted(where="observe", message=f"/metrics and /health at {scheme}://{_shown(listener)}"))
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addHandler(LibrariesLog(observe))
    server = Server(app, list(listeners), Room(MOST_CONNECTIONS), identity, observe)
    thread = threading.Thread(target=server.run, name="observe", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(STOP_S)
