"""Runs http activities: one call, one outcome.

Must not retry (the retry policy does, with every call on record), not follow redirects, not keep cookies
between calls (they would cross tenants) and not use a proxy (the address check would see only the proxy's).
Cancelling `run` at any point leaves nothing open. No exception but cancellation leaves it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
from aiohttp import ClientHandlerType
from aiohttp.http_exceptions import ContentEncodingError

from engine.core.commands import Completed, Failed
from engine.core.model import Category
from engine.executors.http_outcome import Answer, failed, outcome_of
from engine.executors.http_request import HttpRequest, RequestInvalid
from engine.executors.names import Names, NameUnresolved
from engine.executors.network import ADVICE, AddressForbidden, Network, guarded_sockets

__all__ = ["HttpExecutor", "HttpRequest", "RequestInvalid"]

IDLE_SECONDS = 4.0  # below the 5 s after which many servers close an idle connection (Node's default)
FAILURE_BYTES = 64 << 10  # read of the answer to a failed call, so that its connection can be used again
PIECE_BYTES = 64 << 10

_AGAIN = "It will be tried again with the same Idempotency-Key, as the retry policy says."


class ConnectionLost(aiohttp.ClientError):
    """The connection ended before the answer did; the partner may have acted."""


_LOST = (ConnectionLost, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError)


class HttpExecutor:
    """One session for all calls of a worker. `concurrency` bounds the calls under way; others wait.

    `connections_per_host` (0 = no bound) keeps one slow partner from taking all connections; a wait for it
    counts towards the call's timeout. `tls` replaces the default trust, for a customer's own CA.
    """

    def __init__(
        self,
        *,
        allowed_networks: tuple[Network, ...] = (),
        concurrency: int = 100,
        connections_per_host: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed_networks
        self._concurrency = concurrency
        self._per_host = connections_per_host
        self._tls = tls
        self._turns = asyncio.Semaphore(concurrency)
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the session. Called once, in the loop that runs the calls."""
        connector = aiohttp.TCPConnector(
            limit=self._concurrency,
            limit_per_host=self._per_host,
            keepalive_timeout=IDLE_SECONDS,
            socket_factory=guarded_sockets(self._allowed),
            resolver=Names(),
            ssl=self._tls if self._tls is not None else True,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "stepwell"},
            middlewares=(_once,),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the session and its connections. The caller has ended the calls before."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def run(self, request: HttpRequest, ready: Callable[[], Awaitable[None]] | None = None) -> Completed | Failed:
        """Make the call and return how it ended. No failure that leaves here holds a secret of the request.

        `ready` is awaited when the call's turn has come, as the last thing before it.
        """
        async with self._turns:
            if ready is not None:
                await ready()
            outcome = await self._outcome(request)
        return request.redactor().failed(outcome) if isinstance(outcome, Failed) else outcome

    async def _outcome(self, request: HttpRequest) -> Completed | Failed:
        try:
            return outcome_of(request, await self._call(request))
        except RequestInvalid as exc:
            return exc.failed()
        except Exception as exc:  # noqa: BLE001 - the activity ends with a failure on record, whatever it was
            return failure_of(request, exc)

    async def _call(self, request: HttpRequest) -> Answer:
        if self._session is None:
            raise RuntimeError("the executor was not started")
        headers, data = request.sent_headers(), request.content()
        body: bytes | AsyncIterator[bytes] | None = data
        if data is not None and len(data) > PIECE_BYTES:
            body = _pieces(data)
            headers["Content-Length"] = str(len(data))
        async with self._session.request(
            request.method,
            request.target(),
            data=body,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=request.timeout_seconds),
            allow_redirects=False,
        ) as response:
            limit = request.max_response_bytes
            if not request.expects(response.status):
                limit = min(limit, FAILURE_BYTES)
            received, whole = await _read(response, limit)
            return Answer(response.status, list(response.headers.items()), received, whole)


def failure_of(request: HttpRequest, exc: Exception) -> Failed:
    """Return the failure for an exception of the client. Its own text is not used: it may hold secrets."""
    where = f"{request.method} {request.label()}"
    if isinstance(exc, aiohttp.ClientConnectorError):
        return _not_connected(where, exc)
    if isinstance(exc, TimeoutError):
        return failed(
            Category.TIMEOUT,
            "http_timeout",
            f"{where} gave no full answer within {request.timeout_seconds:g} s.",
            f"The service may have acted. {_AGAIN}",
            retryable=True,
        )
    if isinstance(exc, aiohttp.InvalidURL | UnicodeError):
        return RequestInvalid("The URL's host is neither a name nor an address in its usual form.", "/url").failed()
    if isinstance(exc, aiohttp.ClientResponseError) or isinstance(exc.__cause__, ContentEncodingError):
        return failed(
            Category.EXTERNAL,
            "response_invalid",
            f"{where} answered with something that is not valid HTTP.",
            "Have the service looked at.",
            retryable=False,
        )
    if isinstance(exc, _LOST):
        return _connect_failed(f"{where}: the connection was lost before the whole answer came.")
    return failed(
        Category.EXECUTION,
        "executor_failed",
        f"The call failed inside Stepwell ({type(exc).__name__}).",
        "Look in the worker's log for this process; if it persists, report it.",
        retryable=True,
        details={"type": type(exc).__name__},
    )


def _not_connected(where: str, exc: aiohttp.ClientConnectorError) -> Failed:
    if isinstance(exc.os_error, AddressForbidden):
        return failed(
            Category.VALIDATION,
            "address_forbidden",
            f"{where} was not called: its address {exc.os_error.address} is not public.",
            ADVICE,
            retryable=False,
        )
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        return failed(
            Category.EXTERNAL,
            "tls_invalid",
            f"{where} was not called: the service's certificate is not trusted.",
            "Have the service's certificate renewed, or give the workers the authority that signed it.",
            retryable=False,
        )
    if isinstance(exc.os_error, NameUnresolved):
        return _connect_failed(f"{where}: the host's name could not be resolved in time.")
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return _connect_failed(f"{where}: the host's name could not be resolved.")
    if isinstance(exc, aiohttp.ClientConnectorSSLError):
        return _connect_failed(f"{where}: no TLS connection could be made.")
    return _connect_failed(f"{where}: no connection could be made.")


def _connect_failed(message: str) -> Failed:
    advice = f"Check that the service runs and can be reached from the workers. {_AGAIN}"
    return failed(Category.EXTERNAL, "connect_failed", message, advice, retryable=True)


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


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    """Send large bodies in pieces, so that other calls go on meanwhile."""
    for begin in range(0, len(content), PIECE_BYTES):
        yield content[begin : begin + PIECE_BYTES]


async def _read(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """Return the body, decompressed, and whether that is all of it; if not, the connection is closed."""
    received = bytearray()
    async for piece in response.content.iter_any():
        received += piece
        if len(received) > limit:
            return bytes(received[:limit]), False
    return bytes(received), True
