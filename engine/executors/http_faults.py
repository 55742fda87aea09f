"""What an http activity makes of an exception: the call did not end with an answer.

Must not take text from an exception of the client library: it may hold the URL with its query, or the proxy's
password.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError

from engine.core.commands import Failed
from engine.core.model import Category
from engine.executors.connections import Overrun
from engine.executors.failures import failed
from engine.executors.http_request import UNREADABLE_HOST, HttpRequest
from engine.executors.names import NameUnresolved
from engine.executors.network import ADVICE, AddressForbidden
from engine.executors.redirects import Hop
from engine.executors.refusals import RequestInvalid
from engine.executors.room import NoRoom

# Of an attempt whose successor may have come to nothing too: it promises none.
_AGAIN = "Each attempt carries the same Idempotency-Key. If the process has failed: retry it when the cause is mended."
_PROXY_ADVICE = f"The operator checks STEPWELL_HTTP_PROXY on the workers, and the proxy. {_AGAIN}"


class ConnectionLost(aiohttp.ClientError):
    """The connection ended before the answer did; the partner may have acted."""


class ProxyRefused(Exception):
    """The proxy did not pass a request on."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


# How OpenSSL names the alerts: SSLV3_ALERT_BAD_CERTIFICATE, TLSV13_ALERT_CERTIFICATE_REQUIRED, ...
_REFUSING = re.compile(r"_ALERT_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE|PROTOCOL_VERSION)")
_LOST = (ConnectionLost, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError)


def failure_of(request: HttpRequest, hop: Hop, exc: Exception, *, proxied: bool = False) -> Failed:
    """Return the failure for an exception of the client, met by one request of a call."""
    found = _not_connected(hop.where, exc, proxied=proxied) or _not_answered(request, hop, exc)
    if found is not None:
        return found
    return failed(
        Category.EXECUTION,
        "executor_failed",
        f"The call failed inside Stepwell ({type(exc).__name__}).",
        "Look in the worker's log for this process; if it persists, report it.",
        retryable=True,
        details={"type": type(exc).__name__},
    )


def _not_connected(where: str, exc: Exception, *, proxied: bool) -> Failed | None:
    """Return the failure for a request that was not sent, None for one that may have been."""
    cause = exc.os_error if isinstance(exc, aiohttp.ClientConnectorError) else exc
    if isinstance(cause, AddressForbidden):
        return _forbidden(where, cause)
    if isinstance(exc, ProxyRefused | aiohttp.ClientHttpProxyError):
        return _proxy_refused(where, exc.status)
    if isinstance(exc, aiohttp.ClientConnectorError):
        return _not_secured(where, exc) or _not_reached(where, exc, proxied=proxied)
    return None


def _not_secured(where: str, exc: aiohttp.ClientConnectorError) -> Failed | None:
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        return failed(
            Category.EXTERNAL,
            "tls_invalid",
            f"{where} was not called: the service's certificate is not trusted.",
            "Have the service's certificate renewed, or have the operator give the workers the authority that signed "
            "it (STEPWELL_HTTP_CA_FILE).",
            retryable=False,
        )
    if _refusing_alert(exc):
        return _tls_refused(where)
    if isinstance(exc, aiohttp.ClientConnectorSSLError):
        return _connect_failed(f"{where}: no TLS connection could be made.")
    return None


def _not_reached(where: str, exc: aiohttp.ClientConnectorError, *, proxied: bool) -> Failed:
    if proxied:
        return _proxy_failed(f"{where} was not called: the proxy could not be reached.")
    if isinstance(exc.os_error, NameUnresolved):
        return _connect_failed(f"{where}: the host's name could not be resolved in time.")
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return _connect_failed(f"{where}: the host's name could not be resolved.")
    return _connect_failed(f"{where}: no connection could be made.")


def _not_answered(request: HttpRequest, hop: Hop, exc: Exception) -> Failed | None:
    """Return the failure for a request without a whole answer, None for an exception that nobody foresaw."""
    if isinstance(exc, TimeoutError):
        return failed(
            Category.TIMEOUT,
            "http_timeout",
            f"{hop.where} gave no full answer within {request.timeout_seconds:g} s.",
            f"The service may have acted. {_AGAIN}",
            retryable=True,
        )
    if isinstance(exc, NoRoom):
        return _no_room(hop.where)
    if isinstance(exc, aiohttp.InvalidURL | UnicodeError):
        return _host_unreadable(hop)
    if isinstance(exc, aiohttp.ClientResponseError | Overrun) or isinstance(exc.__cause__, ContentEncodingError):
        return failed(
            Category.EXTERNAL,
            "response_invalid",
            f"{hop.where} answered with something that is not valid HTTP, or does not come to an end.",
            "Have the service looked at.",
            retryable=False,
        )
    if isinstance(exc, _LOST):
        return _tls_refused(hop.where) if _refusing_alert(exc) else _lost(hop.where)
    return None


def _no_room(where: str) -> Failed:
    return failed(
        Category.EXECUTION,
        "responses_too_large_together",
        f"{where}: the answer was not read to its end: the worker was reading too many large answers.",
        "Ask services for less at a time, or have the operator run more workers. The service may have acted. " + _AGAIN,
        retryable=True,
    )


def _forbidden(where: str, exc: AddressForbidden) -> Failed:
    return failed(
        Category.VALIDATION,
        "address_forbidden",
        f"{where} was not called: its address {exc.address} is not public.",
        ADVICE,
        retryable=False,
    )


def _host_unreadable(hop: Hop) -> Failed:
    if not hop.redirected:
        return RequestInvalid(UNREADABLE_HOST, "/url").failed()
    return failed(
        Category.EXTERNAL,
        "redirect_refused",
        f"A redirect was not followed. {UNREADABLE_HOST}",
        "Call the address that you trust in this step, or have the service redirect to it.",
        retryable=False,
    )


def _proxy_refused(where: str, status: int) -> Failed:
    if status == 407:
        return _proxy_failed(f"{where} was not called: the proxy does not accept the workers' user and password.", 407)
    return _proxy_failed(f"{where} was not called: the proxy answered {status}.", status)


def _proxy_failed(message: str, status: int | None = None) -> Failed:
    details = None if status is None else {"status": status}
    return failed(Category.EXTERNAL, "proxy_failed", message, _PROXY_ADVICE, retryable=True, details=details)


def _refusing_alert(exc: BaseException) -> bool:
    """Tell whether the other side ended TLS in a way that it will again, mostly for want of our certificate."""
    reasons = (getattr(one, "reason", None) or "" for one in _causes(exc) if isinstance(one, ssl.SSLError))
    return any(_REFUSING.search(reason) for reason in reasons)


def _causes(exc: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = exc
    for _ in range(8):
        if found is None:
            return
        yield found
        found = found.__cause__ or found.__context__


def _tls_refused(where: str) -> Failed:
    return failed(
        Category.EXTERNAL,
        "tls_refused",
        f"{where}: the service refused the TLS connection.",
        "Mostly it wants a client certificate, or another one: the operator puts it into the workers' "
        "STEPWELL_HTTP_CLIENT_CERTIFICATES. None is shown where a redirect of another host leads. "
        "It may also speak only versions of TLS below 1.2.",
        retryable=False,
    )


def _lost(where: str) -> Failed:
    return _connect_failed(f"{where}: the connection was lost before the whole answer came.")


def _connect_failed(message: str) -> Failed:
    advice = f"Check that the service runs and can be reached from the workers. {_AGAIN}"
    return failed(Category.EXTERNAL, "connect_failed", message, advice, retryable=True)
