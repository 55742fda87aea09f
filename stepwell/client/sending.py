"""How calls are sent: to which address, trusting whom, and when again. Pure, but for reading certificates.

Only what is safe is repeated: what changes nothing, or has an Idempotency-Key; there are no other calls. A connection
that could not be made or broke, 429, 502, 503, 504 and "the same request is still being worked on" pass by themselves,
and so does `try_again`; `too_slow` does not.
A call that was not answered in time is not repeated: it may still be at work, and whoever waits has waited enough.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx

from engine.errors import BadInput, SettingError, Unavailable
from stepwell.client.call import Failed

RETRIES = 3
TIMEOUT_S = 30.0
CONNECT_S = 5.0
FIRST_S = 0.1
LONGEST_S = 10.0  # a caller that is told to wait longer decides by itself
CERTIFICATE_ADVICE = "Name the authority that signed it: ca_file, STEPWELL_CA_FILE."
NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")
NOT_TLS_ADVICE = "Check the port; write http:// if it is meant to be without TLS."
AWAY_ADVICE = "Check the URL, and that the API runs."


def pause_s(failed: Failed, tried: int, retries: int, chance: float) -> float | None:
    """Return how long to wait before the next try, None to give up. `tried`: tries so far; `chance`: 0 to 1."""
    if not failed.again or tried > retries or failed.after_s > LONGEST_S:
        return None
    backoff = FIRST_S * 2.0 ** (tried - 1) * (0.5 + chance)
    return max(failed.after_s, min(backoff, LONGEST_S))


def unreachable(url: str, error: httpx.TransportError, timeout_s: float) -> Failed:
    """Return what it means that a request got no answer."""
    if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
        return Failed(Unavailable(f"the API at {url} did not answer within {timeout_s:g} s"), again=False)
    cause = _tls_error(error)
    if cause is not None and cause.reason in NOT_TLS:
        return Failed(Unavailable(f"what answers at {url} does not speak TLS", advice=NOT_TLS_ADVICE), again=False)
    if isinstance(cause, ssl.SSLCertVerificationError):
        fault = cause.verify_message
        message = f"the certificate of {url} is not trusted: {fault}"
        return Failed(Unavailable(message, advice=CERTIFICATE_ADVICE), again=False)
    problem = Unavailable(f"no API answers at {url} ({str(error) or type(error).__name__})", advice=AWAY_ADVICE)
    return Failed(problem, again=not isinstance(error, httpx.ProxyError))


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def checked_url(url: str) -> str:
    """Return the URL of an API without a slash at its end. Raises BadInput."""
    try:
        parsed = httpx.URL(url)
        usable = parsed.scheme in ("http", "https") and bool(parsed.host) and (parsed.port or 1) < 65536
    except (httpx.InvalidURL, ValueError):
        usable = False
    if not usable:
        raise BadInput(f"{url!r} is not the URL of an API", advice="Write it as https://stepwell.example.com.")
    return url.rstrip("/")


def trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    """Return whom to trust: the authorities in a PEM file, without one those known everywhere. Raises SettingError."""
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise SettingError(
            f"{ca_file} cannot be read as certificates: {error}", advice="Name a PEM file of certificate authorities."
        ) from None
