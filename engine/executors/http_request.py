"""What an http activity sends, checked before anything is sent.

Must not do input or output, and must not put a header, a query or a body into a message: they may be secret.
The config comes with its references already resolved, so every value is hostile until checked here.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from msgspec import Struct
from yarl import URL

from engine.core.document import MAX_REDIRECTS
from engine.core.headers import RESERVED, SECRET
from engine.executors.bodies import DEFAULT_TYPES, body_type_of, check_types, escape, pairs, written
from engine.executors.names import is_host
from engine.executors.redaction import Redactor
from engine.executors.refusals import RequestInvalid, scalar, utf8

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
DEFAULT_TIMEOUT_SECONDS = 30.0
MAX_TIMEOUT_SECONDS = 86_400.0
DEFAULT_RESPONSE_BYTES = 1 << 20  # design section 5, limits
MAX_RESPONSE_BYTES = 10 << 20
MAX_REQUEST_BYTES = 16 << 20

UNREADABLE_HOST = "The URL's host is neither a name nor an address in its usual form."

SECRET_LENGTH = 6  # shorter ones cannot be told from ordinary text

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")


class HttpRequest(Struct, frozen=True, kw_only=True, dict=True):
    """One call. `query` in order, repeated names allowed; `expect_status` None means any 2xx.

    `redact` holds secret values that must not come back in outputs, headers and failures. `secret_headers` and
    `secret_body` tell which parts must not follow a redirect to another origin.
    """

    method: str
    url: str
    execution_id: str
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = {}
    body: Any = None
    body_type: str | None = None
    expect_status: tuple[int, ...] | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    max_response_bytes: int = DEFAULT_RESPONSE_BYTES
    max_redirects: int = 0
    idempotency_key: str | None = None  # None = the execution id
    redact: tuple[str, ...] = ()
    secret_headers: tuple[str, ...] = ()
    secret_body: bool = False

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
            body_type=config.get("body_type"),
            expect_status=_expect_status(config.get("expect_status")),
            timeout_seconds=_timeout(config.get("timeout_seconds"), timeout_seconds),
            max_response_bytes=_max_response_bytes(config.get("max_response_bytes")),
            max_redirects=_max_redirects(config.get("max_redirects")),
            idempotency_key=config.get("idempotency_key"),
            redact=(*redact, *config.get("derived", ())),
            secret_headers=tuple(config.get("secret_headers", ())),
            secret_body=config.get("secret_body", False),
        )
        _ = request.target, request.content  # each is made once, and refused here
        return request

    @cached_property
    def target(self) -> URL:
        """The URL with its query. Raises RequestInvalid."""
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
        if not is_host(url.raw_host):
            raise RequestInvalid(UNREADABLE_HOST, "/url")
        if url.raw_user is not None or url.raw_password is not None:
            raise RequestInvalid("The URL must not hold a user or password; use a header.", "/url")
        return query

    @cached_property
    def content(self) -> bytes | None:
        """The body as sent. Raises RequestInvalid."""
        given = self._header("content-type")
        check_types(self.body_type, given)
        if self.body is None:
            return None
        data = written(self.body, body_type_of(self.body_type, given))
        if len(data) > MAX_REQUEST_BYTES:
            raise RequestInvalid(f"The body is over {MAX_REQUEST_BYTES} bytes.", "/body")
        return data

    def sent_headers(self) -> dict[str, str]:
        """Return the config's headers, the content type and the key that makes repeats harmless."""
        sent = dict(self.headers)
        if self.body is not None and self._header("content-type") is None:
            sent["Content-Type"] = DEFAULT_TYPES[body_type_of(self.body_type, None)]
        sent["Idempotency-Key"] = self.idempotency_key or self.execution_id
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
            if name.lower() in SECRET:
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


def _method(value: Any) -> str:
    method = value.upper() if isinstance(value, str) else ""
    if method not in METHODS:
        raise RequestInvalid(f"The method must be one of {', '.join(METHODS)}.", "/method")
    return method


def _text(value: Any, pointer: str) -> str:
    if not isinstance(value, str) or not value:
        raise RequestInvalid("A string that is not empty is needed here.", pointer)
    utf8(value, pointer)
    return value


def _query(value: Any) -> tuple[tuple[str, str], ...]:
    return () if value is None else pairs(value, "/query", "query")


def _headers(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestInvalid("The headers must be an object.", "/headers")
    return dict(_header(name, given) for name, given in value.items() if given is not None)


def _header(name: Any, value: Any) -> tuple[str, str]:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise RequestInvalid("A header's name contains a character that is not allowed.", "/headers")
    pointer = f"/headers/{escape(name)}"
    if name.lower() in RESERVED:
        raise RequestInvalid(f"The header {name} is set by Stepwell itself or not allowed.", pointer)
    text = scalar(value, pointer)
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


def _max_redirects(value: Any) -> int:
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= MAX_REDIRECTS:
        raise RequestInvalid(f"max_redirects must be 0 to {MAX_REDIRECTS}.", "/max_redirects")
    return value
