"""Runs http activities: one call, one outcome.

Must not retry (the retry policy does, with every call on record), not keep cookies between calls (they would cross
tenants), and not leave redirects to the client: each is checked and made here. Cancelling `run` at any point leaves
nothing open. No exception but cancellation leaves it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp import ClientHandlerType
from msgspec.structs import replace

from engine.core.commands import Completed, Failed
from engine.executors.connections import BoundedConnector
from engine.executors.http_faults import ConnectionLost, ProxyRefused, failure_of
from engine.executors.http_outcome import Answer, outcome_of
from engine.executors.http_request import HttpRequest
from engine.executors.names import Names
from engine.executors.network import Network, guarded_sockets
from engine.executors.proxy import Proxy, check_target
from engine.executors.redirects import Hop, RedirectRefused, first_hop, next_hop, redirects, too_many
from engine.executors.refusals import RequestInvalid
from engine.executors.room import Part, Room
from engine.executors.tls import Trust, system_trust

__all__ = ["HttpExecutor", "HttpRequest", "RequestInvalid"]

IDLE_SECONDS = 4.0  # below the 5 s after which many servers close an idle connection (Node's default)
FAILURE_BYTES = 64 << 10  # read of the answer to a failed call, so that its connection can be used again
PIECE_BYTES = 64 << 10


class HttpExecutor:
    """One session for all calls of a worker, and one for those through a proxy. `concurrency` bounds the calls under
    way; others wait.

    `connections_per_host` (0 = no bound) keeps one slow partner from taking all connections; a wait for it
    counts towards the call's timeout. `trust` says whose certificates are taken and which are shown,
    `room` how much of answers is held at a time.
    """

    def __init__(
        self,
        *,
        allowed_networks: tuple[Network, ...] = (),
        concurrency: int = 100,
        connections_per_host: int = 0,
        trust: Trust | None = None,
        proxy: Proxy | None = None,
        room: Room | None = None,
    ) -> None:
        self._allowed = allowed_networks
        self._concurrency = concurrency
        self._per_host = connections_per_host
        self._trust = trust if trust is not None else system_trust()
        self._proxy = proxy
        self._room = room if room is not None else Room()
        self._turns = asyncio.Semaphore(concurrency)
        self._direct: aiohttp.ClientSession | None = None
        self._through_proxy: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the sessions. Called once, in the loop that runs the calls."""
        self._direct = self._session(socket_factory=guarded_sockets(self._allowed))
        if self._proxy is not None:  # whose own address the operator has chosen
            self._through_proxy = self._session()

    def _session(self, **options: Any) -> aiohttp.ClientSession:
        connector = BoundedConnector(
            limit=self._concurrency,
            limit_per_host=self._per_host,
            keepalive_timeout=IDLE_SECONDS,
            resolver=Names(),
            **options,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "stepwell", "Accept-Encoding": "gzip, deflate"},
            middlewares=(_once,),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the sessions and their connections. The caller has ended the calls before."""
        for session in (self._direct, self._through_proxy):
            if session is not None:
                await session.close()
        self._direct = self._through_proxy = None

    async def run(self, request: HttpRequest, ready: Callable[[], Awaitable[None]] | None = None) -> Completed | Failed:
        """Make the call and return how it ended. No failure that leaves here holds a secret of the request.

        `ready` is awaited when the call's turn has come, as the last thing before it.
        """
        if self._proxy is not None:
            request = replace(request, redact=(*request.redact, *self._proxy.secrets))
        async with self._turns:
            if ready is not None:
                await ready()
            outcome = await self._outcome(request)
        return request.redactor().failed(outcome) if isinstance(outcome, Failed) else outcome

    async def _outcome(self, request: HttpRequest) -> Completed | Failed:
        try:
            hop = first_hop(request)
        except RequestInvalid as exc:
            return exc.failed()
        end = asyncio.get_running_loop().time() + request.timeout_seconds
        for left in range(request.max_redirects, -1, -1):
            try:
                answer = await self._send(request, hop, end)
                locations = answer.locations()
                if not redirects(request, answer.status, locations):
                    return outcome_of(request, answer)
                if left:
                    hop = next_hop(request, hop, answer.status, locations)
            except RedirectRefused as exc:
                return exc.failed(hop.where)
            except Exception as exc:  # noqa: BLE001 - the activity ends with a failure on record, whatever it was
                return failure_of(request, hop, exc, proxied=self._proxy_for(hop) is not None)
        return too_many(request, hop, answer.status, locations)

    async def _send(self, request: HttpRequest, hop: Hop, end: float) -> Answer:
        """Make one request of a call that must be over at `end`, of the loop's clock."""
        seconds = end - asyncio.get_running_loop().time()
        if seconds <= 0:  # which the client would take for no limit
            raise TimeoutError
        session, options = self._way(hop)
        async with session.request(
            hop.method,
            hop.url,
            data=_body(hop.content),
            ssl=self._trust.context(hop.url.raw_host or "", foreign=hop.foreign),
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
            **options,
        ) as response:
            if "proxy" in options and hop.url.scheme == "http" and response.status == 407:
                raise ProxyRefused(407)
            headers = list(response.headers.items())
            if redirects(request, response.status, response.headers.getall("Location", ())):
                return Answer(hop.where, response.status, headers, b"", True)
            limit = request.max_response_bytes
            if not request.expects(response.status):
                limit = min(limit, FAILURE_BYTES)
            with self._room.answer() as part:
                received, whole = await _read(response, limit, part)
            return Answer(hop.where, response.status, headers, received, whole)

    def _way(self, hop: Hop) -> tuple[aiohttp.ClientSession, dict[str, Any]]:
        """Return the session for a request and what is said to it. Raises what `check_target` raises."""
        headers = dict(hop.headers)
        if hop.content is not None and len(hop.content) > PIECE_BYTES:
            headers["Content-Length"] = str(len(hop.content))
        options: dict[str, Any] = {"headers": headers}
        proxy = self._proxy_for(hop)
        session = self._direct if proxy is None else self._through_proxy
        if session is None:
            raise RuntimeError("the executor was not started")
        if proxy is not None:
            check_target(hop.url.raw_host or "", self._allowed)
            options["proxy"] = proxy.url
            if proxy.authorization is not None:
                seen = headers if hop.url.scheme == "http" else options.setdefault("proxy_headers", {})
                seen["Proxy-Authorization"] = proxy.authorization
        return session, options

    def _proxy_for(self, hop: Hop) -> Proxy | None:
        if self._proxy is None or not self._proxy.carries(hop.url.raw_host or ""):
            return None
        return self._proxy


async def _once(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep the client from sending a GET, PUT or DELETE again by itself: each call is an attempt on record.

    It does so on two classes of exception, which leave here as another one.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise ConnectionLost from exc


def _body(content: bytes | None) -> bytes | AsyncIterator[bytes] | None:
    return _pieces(content) if content is not None and len(content) > PIECE_BYTES else content


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    """Send large bodies in pieces, so that other calls go on meanwhile."""
    for begin in range(0, len(content), PIECE_BYTES):
        yield content[begin : begin + PIECE_BYTES]


async def _read(response: aiohttp.ClientResponse, limit: int, part: Part) -> tuple[bytes, bool]:
    """Return the body, decompressed, and whether that is all of it; if not, the connection is closed. Raises NoRoom."""
    received = bytearray()
    async for piece in response.content.iter_any():
        received += piece
        if len(received) > limit:
            return bytes(received[:limit]), False
        part.grow(len(received))
    return bytes(received), True
