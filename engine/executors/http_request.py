"""What an http activity sends, checked before anything is sent.

Must not do input or output, and must not put a header, a query or a body into a message: they may be secret.
The config comes with its references already resolved, so every value is hostile until checked here.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec
from msgspec import Struct
from yarl import URL

from engine.core.commands import Failed
from engine.core.model import Category, Failure
from engine.executors.redaction import Redactor

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
DEFAULT_TIMEOUT_SECONDS = 30.0
MAX_TIMEOUT_SECONDS = 86_400.0
DEFAULT_RESPONSE_BYTES = 1 << 20  # design section 5, limits
MAX_RESPONSE_BYTES = 10 << 20
MAX_REQUEST_BYTES = 16 << 20

# Set by the client itself or meaningful for one connection only: given by hand they allow request smuggling.
RESERVED_HEADERS = frozenset(
    {"connection", "content-length", "expect", "idempotency-key", "keep-alive", "proxy-authorization"}
    | {"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
SECRET_HEADERS = frozenset({"authorization", "cookie", "x-api-key"})
SECRET_LENGTH = 6  # shorter ones cannot be told from ordinary text

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")


class RequestInvalid(ValueError):
    """The resolved config is no request that can be sent. `pointer` names the place within the config."""

    def __init__(self, message: str, pointer: str) -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer

    def failed(self) -> Failed:
        """Return this as the outcome of the attempt: trying again cannot help."""
        error = Failure(
            category=Category.VALIDATION,
            code="request_invalid",
            message=self.message,
            details={"pointer": self.pointer},
            advice="Correct the step's config, or the value that its reference brings.",
        )
        return Failed(error, retryable=False)


class HttpRequest(Struct, frozen=True, kw_only=True):
    """One call. `query` in order, repeated names allowed; `expect_status` None means any 2xx.

    `redact` holds secret values that must not come back in outputs, headers and failures.
    """

    method: str
    url: str
    execution_id: str
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = {}
    body: Any = None
    expect_status: tuple[int, ...] | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    max_response_bytes: int = DEFAULT_RESPONSE_BYTES
    redact: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"HttpRequest({self.method} {self.redactor().text(self.label())}, {self.execution_id})"

    @classmethod
    def from_config(
        cls,
        config: dict[str, Any],
        execution_id: str,
        timeout_seconds: float | None = None,
        redact: tuple[str, ...] = (),
    ) -> HttpRequest:
        """Return the request that a resolved config describes. Raises RequestInvalid.

        `timeout_seconds` is the step's own; the smaller of the two counts.
        """
        request = cls(
            method=_method(config.get("method", "GET")),
            url=_text(config.get("url"), "/url"),
            execution_id=execution_id,
            query=_query(config.get("query")),
            headers=_headers(config.get("headers")),
            body=config.get("body"),
            expect_status=_expect_status(config.get("expect_status")),
            timeout_seconds=_timeout(config.get("timeout_seconds"), timeout_seconds),
            max_response_bytes=_max_response_bytes(config.get("max_response_bytes")),
            redact=redact,
        )
        request.target()
        request.content()
        return request

    def target(self) -> URL:
        """Return the URL with its query. Raises RequestInvalid."""
        if _NOT_IN_URL.search(self.url):
            raise RequestInvalid("The URL contains a space, a backslash or a control character.", "/url")
        try:
            url = URL(self.url)
            url.host  # noqa: B018 - decodes the host, which is where a bad one shows
            query = url.extend_query(self.query).with_fragment(None)
        except ValueError:
            raise RequestInvalid("The URL cannot be read.", "/url") from None
        if url.scheme not in {"http", "https"} or not url.raw_host:
            raise RequestInvalid("The URL must begin with http:// or https:// and name a host.", "/url")
        if url.raw_user is not None or url.raw_password is not None:
            raise RequestInvalid("The URL must not hold a user or password; use a header.", "/url")
        return query

    def content(self) -> bytes | None:
        """Return the body as sent: JSON, or a string under another Content-Type. Raises RequestInvalid."""
        if self.body is None:
            return None
        if self._json():
            try:
                data = msgspec.json.encode(self.body)
            except (TypeError, ValueError, RecursionError):
                raise RequestInvalid("The body cannot be written as JSON.", "/body") from None
        elif isinstance(self.body, str):
            data = _utf8(self.body, "/body")
        else:
            raise RequestInvalid("With a Content-Type other than JSON the body must be a string.", "/body")
        if len(data) > MAX_REQUEST_BYTES:
            raise RequestInvalid(f"The body is over {MAX_REQUEST_BYTES} bytes.", "/body")
        return data

    def sent_headers(self) -> dict[str, str]:
        """Return the config's headers, the content type and the key that makes repeats harmless."""
        sent = dict(self.headers)
        if self.body is not None and self._header("content-type") is None:
            sent["Content-Type"] = "application/json"
        sent["Idempotency-Key"] = self.execution_id
        return sent

    def expects(self, status: int) -> bool:
        """Tell whether this status is a success."""
        if self.expect_status is None:
            return 200 <= status <= 299
        return status in self.expect_status

    def secrets(self) -> tuple[str, ...]:
        """Return what must not be shown, longest first, so that no part of one is left standing."""
        found = set(self.redact)
        for name, value in self.headers.items():
            if name.lower() in SECRET_HEADERS:
                found.update((value, value.rpartition(" ")[2]))
        return tuple(sorted((s for s in found if len(s) >= SECRET_LENGTH), key=len, reverse=True))

    def redactor(self) -> Redactor:
        """Return what takes the request's secrets out of whatever is shown."""
        return Redactor(self.secrets())

    def label(self) -> str:
        """Return host and port, the only part of the URL that goes into messages. It may hold a secret still."""
        try:
            return URL(self.url).authority.rpartition("@")[2] or "?"
        except ValueError:
            return "?"

    def _header(self, name: str) -> str | None:
        return next((value for key, value in self.headers.items() if key.lower() == name), None)

    def _json(self) -> bool:
        kind = (self._header("content-type") or "application/json").partition(";")[0].strip().lower()
        return is_json(kind)


def is_json(content_type: str) -> bool:
    """Tell whether a media type, without parameters and in lower case, holds JSON."""
    return content_type == "application/json" or content_type.endswith("+json")


def _method(value: Any) -> str:
    method = value.upper() if isinstance(value, str) else ""
    if method not in METHODS:
        raise RequestInvalid(f"The method must be one of {', '.join(METHODS)}.", "/method")
    return method


def _text(value: Any, pointer: str) -> str:
    if not isinstance(value, str) or not value:
        raise RequestInvalid("A string that is not empty is needed here.", pointer)
    _utf8(value, pointer)
    return value


def _utf8(value: str, pointer: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise RequestInvalid("The text contains a lone surrogate.", pointer) from None


def _scalar(value: Any, pointer: str) -> str:
    """Return a string, number or boolean as the text that JSON has for it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    if not isinstance(value, str):
        raise RequestInvalid("A string, number or boolean is needed here.", pointer)
    _utf8(value, pointer)
    return value


def _query(value: Any) -> tuple[tuple[str, str], ...]:
    """Return name and value pairs. A list repeats its name; null leaves the name out."""
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise RequestInvalid("The query must be an object.", "/query")
    pairs: list[tuple[str, str]] = []
    for name, given in value.items():
        pointer = f"/query/{_escape(name)}"
        many = given if isinstance(given, list) else [given]
        pairs += [(_scalar(name, pointer), _scalar(one, pointer)) for one in many if one is not None]
    return tuple(pairs)


def _headers(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestInvalid("The headers must be an object.", "/headers")
    return dict(_header(name, given) for name, given in value.items() if given is not None)


def _header(name: Any, value: Any) -> tuple[str, str]:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise RequestInvalid("A header's name contains a character that is not allowed.", "/headers")
    pointer = f"/headers/{_escape(name)}"
    if name.lower() in RESERVED_HEADERS:
        raise RequestInvalid(f"The header {name} is set by Stepwell itself or not allowed.", pointer)
    text = _scalar(value, pointer)
    if _CONTROL.search(text):
        raise RequestInvalid(f"The value of header {name} contains a control character.", pointer)
    return name, text


def _expect_status(value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    many = value if isinstance(value, list | tuple) else [value]
    if not many or not all(type(one) is int and 200 <= one <= 599 for one in many):
        raise RequestInvalid("expect_status must be one or more statuses from 200 to 599.", "/expect_status")
    return tuple(many)


def _timeout(value: Any, step: float | None) -> float:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise RequestInvalid("timeout_seconds must be a number.", "/timeout_seconds")
    given = [t for t in (value, step) if t is not None]
    if not all(0 < t <= MAX_TIMEOUT_SECONDS for t in given):
        raise RequestInvalid(
            f"timeout_seconds must be above 0 and at most {MAX_TIMEOUT_SECONDS:.0f}.", "/timeout_seconds"
        )
    return float(min(given, default=DEFAULT_TIMEOUT_SECONDS))


def _max_response_bytes(value: Any) -> int:
    if value is None:
        return DEFAULT_RESPONSE_BYTES
    if type(value) is not int or not 0 < value <= MAX_RESPONSE_BYTES:
        raise RequestInvalid(f"max_response_bytes must be 1 to {MAX_RESPONSE_BYTES}.", "/max_response_bytes")
    return value


def _escape(name: Any) -> str:
    """Return one reference token of a JSON pointer."""
    return str(name).replace("~", "~0").replace("/", "~1")
