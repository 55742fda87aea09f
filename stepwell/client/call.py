"""What one call of the API is, and what its answer means. Pure: values in, values out; it opens no connection.

Both clients, the one with `await` and the one without, build and read their calls here. Nothing of the API is repeated:
bodies and answers are the structs of `api.wire`, errors the tree of `engine.errors`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct, field

from api.wire import Taken
from engine.errors import (
    BadInput,
    Conflict,
    Finding,
    Forbidden,
    NotFound,
    RateLimited,
    StepwellError,
    TooLarge,
    TooSlow,
    TryAgain,
    Unauthenticated,
    Unavailable,
    tree,
)

T = TypeVar("T")

PREFIX = "/api/v1"
FOREIGN_ADVICE = "Check the URL; a proxy in front of the API answers so, too, if it does not let the request pass."
NOTHING: dict[str, Any] = {}  # an input or data left out; never written to
_HEADER = re.compile(r"[\x21-\x7e]{1,1000}")
_ESCAPED, _ESCAPE = re.compile(r"([\\,])"), r"\\\1"  # in the value of a label


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    """One request: ready to be sent, and to be sent again."""

    method: str
    path: str
    answer: type[T]
    query: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    needs_key: bool = True


class Failed(Struct, frozen=True):
    """A call that was not answered as hoped. `again`: it may be sent again as it is; `after_s`: not before that."""

    problem: StepwellError
    again: bool
    after_s: float = 0.0


def reading(answer: type[T], path: str, **query: Any) -> Call[T]:
    """Return a call that reads. Parameters that are None are left out."""
    return Call(method="GET", path=PREFIX + path, answer=answer, query=_query(query))


def asking(answer: type[T], path: str, body: Any) -> Call[T]:
    """Return a call that sends something to be looked at, and changes nothing. Raises BadInput."""
    return Call(method="POST", path=PREFIX + path, answer=answer, body=_encoded(body))


def acting(
    answer: type[T],
    path: str,
    body: Any = None,
    *,
    idempotency_key: str | None,
    method: str = "POST",
    headers: Mapping[str, str | None] | None = None,
    query: Mapping[str, Any] | None = None,
) -> Call[T]:
    """Return a call that acts: with an Idempotency-Key of its own, unless one is given. Raises BadInput.

    `body`: a struct of `api.wire`, of which only what differs from its defaults is sent, so that an older API
    understands it as long as nothing newer is asked of it; or a document, which is sent as it is.
    """
    key = secrets.token_hex(16) if idempotency_key is None else idempotency_key
    sent = {"Idempotency-Key": key, **(headers or {})}
    return Call(
        method=method,
        path=PREFIX + path,
        answer=answer,
        query=_query(query or {}),
        body=None if body is None else _encoded(_given(body) if isinstance(body, Taken) else body),
        headers={name: _header(name, value) for name, value in sent.items() if value is not None},
    )


def at(*parts: str) -> str:
    """Return a path: whatever an id contains, it stays one part of it. Raises BadInput for an empty one."""
    if "" in parts:
        raise BadInput("an id is empty", advice="Pass the id or name.")
    return "".join(f"/{_part(part)}" for part in parts)


def _part(part: str) -> str:
    quoted = quote(part, safe="")
    return quoted.replace(".", "%2E") if part in (".", "..") else quoted  # else it would be another path


def authorization(key: str | None) -> dict[str, str]:
    """Return the header that carries a key. Raises Unauthenticated for what cannot be one."""
    if key is None:
        return {}
    if not _HEADER.fullmatch(key):
        raise Unauthenticated("this is not an API key")
    return {"Authorization": f"Bearer {key}"}


def read(call: Call[T], status: int, headers: Mapping[str, str], content: bytes) -> T | Failed:
    """Return what an answer says: the value asked for, or why there is none."""
    if not 200 <= status < 300:
        return _refused(status, headers, content)
    try:
        return msgspec.json.decode(content, type=call.answer)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        advice = "Check what the URL names; if it is the API, use a client of its release."
        return Failed(StepwellError(f"the answer is not one of this API: {error}", advice=advice), again=False)


def _query(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: _as_text(value) for name, value in values.items() if value is not None}


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):  # labels
        return ",".join(f"{name}:{_ESCAPED.sub(_ESCAPE, text)}" for name, text in value.items())
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _given(body: Taken) -> dict[str, Any]:
    """Return the fields of a body that differ from their defaults."""
    fields = ((known, getattr(body, known.name)) for known in msgspec.structs.fields(body))
    return {known.encode_name: value for known, value in fields if known.required or value != _default(known)}


def _default(known: msgspec.structs.FieldInfo) -> Any:
    return known.default_factory() if known.default is msgspec.NODEFAULT else known.default


def _encoded(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"this cannot be written as JSON: {error}") from None


def _header(name: str, value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise BadInput(
            f"{name} must be printable ASCII characters without spaces", advice="Leave it out, or correct it."
        )
    return value


class _Told(Struct, frozen=True):
    """What a problem document may tell. All of it may be missing: a proxy answers in words of its own."""

    detail: str = ""
    code: str = ""
    advice: str | None = None
    pointer: str | None = None
    findings: tuple[Finding, ...] = ()
    details: dict[str, Any] = {}


_BY_STATUS: dict[int, type[StepwellError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
_AGAIN = frozenset({429, 502, 503, 504})
_AGAIN_CODES = frozenset({"idempotency_in_progress", TryAgain.code})
_SECONDS = re.compile(r"[0-9]{1,9}")  # more of them is nothing to wait for, and need not fit a number


def _refused(status: int, headers: Mapping[str, str], content: bytes) -> Failed:
    try:
        told = msgspec.json.decode(content, type=_Told)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        told = _Told()
    again = (status in _AGAIN and told.code != TooSlow.code) or told.code in _AGAIN_CODES
    after = headers.get("Retry-After", "")
    after_s = float(after) if _SECONDS.fullmatch(after) else 0.0
    return Failed(_problem(status, told, after_s), again, after_s)


def _problem(status: int, told: _Told, after_s: float) -> StepwellError:
    foreign = not told.code and status not in _AGAIN  # those may be a proxy's that cannot reach the API
    who = "what answers at this URL is no Stepwell API: it" if foreign else "the API"
    message = told.detail or f"{who} answered {status}"
    if status == RateLimited.status:
        return RateLimited(message, retry_after_s=round(after_s))
    problem = _kind(status, told.code)(
        message,
        advice=told.advice or (FOREIGN_ADVICE if foreign else None),
        pointer=told.pointer,
        code=told.code or None,
        findings=told.findings,
        details=told.details,
    )
    problem.status = status
    return problem


def _kind(status: int, code: str) -> type[StepwellError]:
    """Return the class for a problem: that of its code, else that of its status."""
    named = next((kind for kind in tree() if (kind.code, kind.status) == (code, status)), None)
    return named or _BY_STATUS.get(status) or (BadInput if 400 <= status < 500 else StepwellError)
