"""What is answered on the wire before the application sees a request, or where it never will.

The form is that of every other error (api/problems.py), and the connection is closed after it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from api.problems import MEDIA_TYPE, Problem, problem_of
from engine import codes
from engine.errors import StepwellError
from stepwell.serving.room import HEAD_SECONDS

_encode = msgspec.json.Encoder().encode


class Refused(Exception):
    """A request cannot be read on. Raised inside the parser's callbacks."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def refusal(code: str, detail: str, advice: str) -> Problem:
    """Return the problem of a code of `engine.codes`."""
    error = StepwellError(detail, code=code, advice=advice)
    error.status = codes.REFUSALS[code].status
    return problem_of(error)


def malformed(why: str) -> Problem:
    """Return the problem of bytes that are no request."""
    return refusal("malformed_request", f"this is not an HTTP/1.1 request: {why}", "Send HTTP/1.1 or HTTP/1.0.")


def too_large(limit: str) -> Problem:
    """Return the problem of a request whose head has no end, or nearly none."""
    return refusal(
        "head_too_large",
        f"the head of a request, or what follows its body, may have {limit}",
        "Send fewer headers, or a shorter address.",
    )


def unknown_method() -> Problem:
    """Return the problem of a method that HTTP does not have."""
    return refusal(
        "not_implemented", "this method is not known here", "Use a method that GET /openapi.json names for the path."
    )


def no_protocol_change() -> Problem:
    """Return the problem of a request that wants to go on in another protocol."""
    return refusal(
        "not_implemented", "there are no WebSockets and no tunnels here", "Use what GET /openapi.json names."
    )


HEAD_TOO_SLOW = refusal(
    "head_too_slow", f"the head of the request did not arrive within {HEAD_SECONDS:g} s", "Send the request again."
)
NO_ROOM = refusal(
    "too_many_connections",
    "this API has as many open connections as it may have, and all of them are at work",
    "Try again after Retry-After, or ask another API of this installation.",
)
SPEAKS_TLS = refusal("tls_required", "this port speaks TLS only", "Use https:// in the address.")


READ_BYTES = 64 << 10  # of a request that is refused unread


def headers_of(problem: Problem) -> list[tuple[bytes, bytes]]:
    """Return the headers of the answer."""
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"2"))
    return headers


def answer_bytes(problem: Problem) -> bytes:
    """Return the whole answer as it goes over the wire."""
    body = _encode(problem)
    headers = [*headers_of(problem), (b"content-length", b"%d" % len(body))]
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (problem.status, problem.title.encode(), lines, body)


def application(problem: Problem) -> Any:
    """Return an ASGI application that answers with the problem."""
    body = _encode(problem)
    headers = [*headers_of(problem), (b"content-length", b"%d" % len(body))]

    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer
