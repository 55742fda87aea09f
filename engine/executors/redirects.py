"""Where the requests of one call go: the first, and those that redirects lead to.

Must not do input or output, and must not trust a Location: the partner wrote it. Invariants: nothing leads from https
to http; a header with a secret never leaves its origin, and once dropped does not come back; a body with a secret
never leaves its origin; what another origin led to is `foreign` from there on; only 307 and 308 repeat a POST.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from yarl import URL

from engine.core.commands import Failed
from engine.core.headers import SECRET
from engine.core.model import Category
from engine.executors.failures import failed
from engine.executors.http_request import HttpRequest
from engine.executors.names import is_host

MAX_LOCATION = 8000  # characters; as many as a config's url may have
SHOWN_LOCATION = 2048

_STATUSES = frozenset({301, 302, 303, 307, 308})
_BODY_HEADERS = frozenset(
    {"content-type", "content-encoding", "content-language", "content-location", "content-disposition"}
    | {"content-digest", "digest", "content-md5", "idempotency-key"}
)
_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f-\x9f\\]")


class RedirectRefused(Exception):
    """A redirect that is not followed; what was called before it was called."""

    def __init__(self, why: str, status: int, location: str) -> None:
        super().__init__(why)
        self.why = why
        self.details = {"status": status, "location": location[:SHOWN_LOCATION]}

    def failed(self, where: str) -> Failed:
        """Return this as the outcome of the attempt: the service would answer the same again."""
        return failed(
            Category.EXTERNAL,
            "redirect_refused",
            f"{where} answered with a redirect that is not followed: {self.why}.",
            "Call the address that you trust in this step, or have the service redirect to it.",
            retryable=False,
            details=self.details,
        )


class Hop(NamedTuple):
    """One request of a call. `redirected`: a partner chose its address; `foreign`: it was one of another origin."""

    method: str
    url: URL
    headers: dict[str, str]
    content: bytes | None
    redirected: bool = False
    foreign: bool = False

    @property
    def where(self) -> str:
        """Return method, host and port: what messages say of a request. It may hold a secret still."""
        return f"{self.method} {self.url.raw_authority}"


def first_hop(request: HttpRequest) -> Hop:
    """Return the request that the config describes. Raises RequestInvalid."""
    return Hop(request.method, request.target, request.sent_headers(), request.content)


def redirects(request: HttpRequest, status: int, locations: Sequence[str]) -> bool:
    """Tell whether an answer is a redirect to be followed; a status that is expected is none."""
    return request.max_redirects > 0 and status in _STATUSES and any(locations) and not request.expects(status)


def next_hop(request: HttpRequest, hop: Hop, status: int, locations: Sequence[str]) -> Hop:
    """Return the request that a redirect asks for. Raises RedirectRefused."""
    url = _target(hop.url, status, locations)
    method = _method(hop.method, status)
    kept = method == hop.method
    headers = {name: text for name, text in hop.headers.items() if kept or name.lower() not in _BODY_HEADERS}
    content = hop.content if kept else None
    leaves = url.origin() != hop.url.origin()
    if leaves:
        headers = {name: text for name, text in headers.items() if not _secret_header(request, name, text)}
        if content is not None and _secret_body(request, content):
            why = "its body holds a secret, which would go to another host"
            raise RedirectRefused(why, status, _shown(locations[0]))
    return Hop(method, url, headers, content, redirected=True, foreign=hop.foreign or leaves)


def too_many(request: HttpRequest, hop: Hop, status: int, locations: Sequence[str]) -> Failed:
    """Return the failure for one redirect more than the config allows."""
    details: dict[str, Any] = {"status": status, "location": _shown(locations[0])}
    return failed(
        Category.EXTERNAL,
        "too_many_redirects",
        f"{hop.where} redirected again after {request.max_redirects} redirects.",
        "See where 'location' leads; if the service is right, raise max_redirects in the step's config (at most 10).",
        retryable=False,
        details=details,
    )


def _method(method: str, status: int) -> str:
    """Return the method of the next request, as RFC 9110 (15.4) has it and browsers do."""
    if (status == 303 and method != "HEAD") or (status in {301, 302} and method == "POST"):
        return "GET"
    return method


def _target(base: URL, status: int, locations: Sequence[str]) -> URL:
    """Return the address that a Location names. Raises RedirectRefused."""

    def refuse(why: str) -> RedirectRefused:
        return RedirectRefused(why, status, _shown(locations[0]))

    if len(set(locations)) != 1:
        raise refuse("it names several addresses")
    text = locations[0]
    if len(text) > MAX_LOCATION:
        raise refuse(f"its address has more than {MAX_LOCATION} characters")
    if _NOT_IN_URL.search(text) or not _is_text(text):
        raise refuse("its address contains a space, a backslash, a control character or bytes that are no text")
    url = _joined(base, text)
    if url is None:
        raise refuse("its address cannot be read")
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise refuse("its address does not begin with http:// or https:// and a host")
    if not is_host(url.raw_host):
        raise refuse("its host is neither a name nor an address in its usual form")
    if url.raw_user is not None or url.raw_password is not None:
        raise refuse("its address holds a user or password")
    if base.scheme == "https" and url.scheme == "http":
        raise refuse("it leads from https to http")
    return url


def _joined(base: URL, text: str) -> URL | None:
    """Return a Location relative to the address that sent it, None if it cannot be read.

    Path and query stay as they are written, where that is ASCII: the service may have signed them.
    """
    try:
        given = URL(text)
        url = base.join(given).with_fragment(None)
        url.host  # noqa: B018 - decodes the host, which is where a bad one shows
        exact = base.join(URL(text, encoded=True)) if text.isascii() else url
    except ValueError:
        return None
    if given.scheme and not given.raw_host:
        return None
    return URL.build(
        scheme=url.scheme,
        authority=url.raw_authority,
        path=exact.raw_path,
        query_string=exact.raw_query_string,
        encoded=True,
    )


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(location: str) -> str:
    """Return a Location as PostgreSQL takes it."""
    return location.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\x00", "\ufffd")


def _secret_header(request: HttpRequest, name: str, text: str) -> bool:
    if name.lower() in SECRET or name in request.secret_headers:
        return True
    return request.redactor().text(text) != text


def _secret_body(request: HttpRequest, content: bytes) -> bool:
    return request.secret_body or request.redactor().content(content) != content
