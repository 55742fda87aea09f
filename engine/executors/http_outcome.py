"""What an http activity makes of an answer, or of the lack of one: outcomes as values.

Must not do input or output. Nothing here takes text from an exception of the client library: it may hold the
URL with its query. What the partner sent is shown only after the request's secrets were taken out of it.
"""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from aiohttp.helpers import parse_mimetype

from engine.core.commands import Completed, Failed
from engine.core.headers import is_json
from engine.core.model import Category, Failure
from engine.core.values import Inadmissible, admit
from engine.executors.failures import failed
from engine.executors.http_request import HttpRequest

EXCERPT_BYTES = 2048
HEADER_BYTES = 256 << 10  # room for the headers in an output, beside its body
RETRY_AFTER_SECONDS = 86_400.0  # more is not believed
DROPPED_HEADERS = frozenset({"set-cookie", "set-cookie2"})  # the partner's sessions: secrets, of no use here

_RETRYABLE = frozenset({408, 425, 429})
_CODES = {
    401: "permission_denied",
    403: "permission_denied",
    404: "not_found",
    408: "request_timeout",
    409: "conflict",
    410: "not_found",
    425: "too_early",
    429: "rate_limited",
    503: "unavailable",
}
_ADVICE = {
    "permission_denied": "Check the credentials and rights of this call at the service.",
    "not_found": "Check the URL; if it is right, the thing it names does not exist at the service.",
    "conflict": "The service holds a state that contradicts this call; see the excerpt of its answer.",
    "rate_limited": "The service asks for fewer calls; another attempt waits as long as it says. "
    "If the process has failed: retry it later.",
    "rejected": "The service does not accept this request; see the excerpt of its answer.",
    "redirect": "Call the address in 'location', allow redirects with max_redirects, or expect this status.",
    "unexpected_status": "List this status in expect_status if it is a success for this step.",
}
_SERVICE_ADVICE = "The fault is at the service. If the process has failed: retry it when the service is well again."

# Others of Python's text encodings take quadratic time (punycode, idna) or make surrogates (unicode_escape).
_CHARSET = re.compile(
    r"(utf[-_]?(8|16|32)|(us-)?ascii|latin|iso-?8859|iso-?2022|cp\d|windows|koi8|gb|big5|shift|euc|mac)[\w-]*"
)


class Answer(NamedTuple):
    """A response read to its end, or to its limit: then `whole` is false. `where`: to which request."""

    where: str
    status: int
    headers: list[tuple[str, str]]
    content: bytes
    whole: bool

    def locations(self) -> list[str]:
        """Return the values of its Location headers."""
        return [value for name, value in self.headers if name.lower() == "location"]


def outcome_of(request: HttpRequest, answer: Answer) -> Completed | Failed:
    """Return the outcome of an attempt that was answered."""
    answer = _without_secrets(request, answer)
    if not request.expects(answer.status):
        return _refused(answer)
    if not answer.whole:
        return _too_large(request, answer)
    headers = _joined(answer.headers)
    try:
        body = read_body(headers.get("content-type", ""), answer.content)
        if isinstance(body, str):  # in a charset whose bytes showed no secret
            body = request.redactor().text(body)
        output = {"status": answer.status, "headers": headers, "body": body}
        # base64 takes four bytes for three
        admitted = admit(output, max_bytes=request.max_response_bytes * 4 // 3 + HEADER_BYTES)
    except Inadmissible as exc:
        if exc.code == "too_large":
            return _too_large(request, answer)
        return _unreadable(answer, exc.message, exc.pointer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _unreadable(answer, "it says it is JSON, but it is not valid JSON of moderate depth")
    return Completed(output=admitted.value, size=admitted.size)


def read_body(content_type: str, content: bytes) -> Any:
    """Return JSON by its content type, text as a string, else `{base64}`; None for an empty body.

    Raises msgspec.MsgspecError, UnicodeDecodeError or RecursionError on content that only claims to be JSON.
    """
    if not content:
        return None
    kind = parse_mimetype(content_type)
    name = f"{kind.type}/{kind.subtype}" + (f"+{kind.suffix}" if kind.suffix else "")
    if is_json(name):
        # RFC 8259 (8.1) lets readers ignore a byte order mark; some servers write one.
        return msgspec.json.decode(content.removeprefix(codecs.BOM_UTF8))
    if kind.type == "text" or kind.subtype in {"xml", "x-www-form-urlencoded"} or kind.suffix == "xml":
        text = _decoded(content, kind.parameters.get("charset", "utf-8"))
        if text is not None:
            return text
    return {"base64": base64.b64encode(content).decode()}


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that Retry-After asks for, None if unreadable. A date counts from the answer's."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), RETRY_AFTER_SECONDS)
    until = _date(value)
    if until is None:
        return None
    begin = _date(headers.get("date", "")) or now
    return min(max((until - begin).total_seconds(), 0.0), RETRY_AFTER_SECONDS)


def _refused(answer: Answer) -> Failed:
    """Return the failure for a status that is no success."""
    status, headers = answer.status, _joined(answer.headers)
    retryable = status in _RETRYABLE or status >= 500
    code = _code(status)
    details = _details(answer)
    if code == "redirect":
        details["location"] = headers.get("location", "")[:EXCERPT_BYTES]
    error = Failure(
        category=Category.EXTERNAL,
        code=code,
        message=f"{answer.where} answered {status}{_phrase(status)}.",
        details=details,
        advice=_ADVICE.get(code, _SERVICE_ADVICE),
    )
    seconds = retry_after(headers, datetime.now(UTC)) if retryable else None
    return Failed(error, retryable=retryable, retry_after_seconds=seconds)


def _code(status: int) -> str:
    if status in _CODES:
        return _CODES[status]
    if status >= 500:
        return "service_error"
    if status >= 400:
        return "rejected"
    return "redirect" if status in {301, 302, 303, 307, 308} else "unexpected_status"


def _phrase(status: int) -> str:
    """Return our own words for a status: the partner's could hold anything."""
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _too_large(request: HttpRequest, answer: Answer) -> Failed:
    return failed(
        Category.EXTERNAL,
        "response_too_large",
        f"The response is over {request.max_response_bytes} bytes.",
        "Ask the service for less, or raise max_response_bytes in the step's config (at most 10 MiB).",
        retryable=False,
        details=_details(answer),
    )


def _unreadable(answer: Answer, why: str, pointer: str | None = None) -> Failed:
    details = _details(answer)
    if pointer is not None:
        details["pointer"] = pointer
    return failed(
        Category.EXTERNAL,
        "response_invalid",
        f"The response cannot be used: {why}.",
        "Have the service send a body that fits its Content-Type, without NUL, at most 64 levels deep.",
        retryable=False,
        details=details,
    )


def _details(answer: Answer) -> dict[str, Any]:
    """Return what a failure shows of an answer: text that PostgreSQL takes."""
    text = answer.content[:EXCERPT_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd")
    return {"status": answer.status, "body": text}


def _joined(headers: list[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name; several of one name are joined as RFC 9110 (5.3) says."""
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        if key not in DROPPED_HEADERS:
            joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined


def _without_secrets(request: HttpRequest, answer: Answer) -> Answer:
    """Take the request's secrets out of an answer, for a partner that echoes what it was sent."""
    redactor = request.redactor()
    headers = [(redactor.text(name), redactor.text(_clean(value))) for name, value in answer.headers]
    return answer._replace(headers=headers, content=redactor.content(answer.content))


def _clean(value: str) -> str:
    """Return header text without the surrogates that stand for bytes that were no UTF-8."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _decoded(content: bytes, charset: str) -> str | None:
    if not _CHARSET.fullmatch(charset.lower()):
        return None
    try:
        return content.decode(charset)
    except (LookupError, ValueError):
        return None


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
