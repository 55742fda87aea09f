"""Errors as application/problem+json: one table, drawn from the tree in engine/errors.py.

Whatever goes wrong leaves here in one form: our own errors, the framework's (unknown path, wrong method, a parameter
that cannot be read), PostgreSQL's, and what nobody expected. The last shows nothing of the inside and is reported.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import psycopg
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from msgspec import Struct

from engine.core.events import NewerEvent
from engine.core.values import escape
from engine.db import translate
from engine.errors import Finding, NotFound, StepwellError, TooLarge, Unavailable
from engine.observe import Observer, Trouble

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:stepwell:problem:"


class Problem(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What every error is answered with (RFC 9457). `code` is stable: branch on it."""

    type: str  # urn:stepwell:problem:<code>
    title: str
    status: int
    code: str
    detail: str
    advice: str
    pointer: str | None = None
    findings: tuple[Finding, ...] = ()
    details: dict[str, Any] = {}
    instance: str | None = None


def problem_of(error: StepwellError, instance: str | None = None) -> Problem:
    """Return the wire form of one of our errors."""
    return Problem(
        type=_TYPE + error.code,
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        code=error.code,
        detail=error.message,
        advice=error.advice,
        pointer=error.pointer,
        findings=error.findings,
        details=error.details,
        instance=instance,
    )


def answer(problem: Problem, headers: dict[str, str] | None = None) -> Response[Problem]:
    """Return the response that carries a problem."""
    headers = dict(headers or {})
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="stepwell"'
    if problem.status == HTTPStatus.REQUEST_TIMEOUT:
        headers["Connection"] = "close"  # what is left of the request would be taken for the next one
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "2"
    if problem.status == HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = str(problem.details["retry_after_seconds"])
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


class Handlers:
    """The exception handlers of the application. Each notes its code in the request's state for the log line."""

    def __init__(self, observe: Observer) -> None:
        self._observe = observe

    def table(self) -> dict[type[Exception] | int, Any]:
        """Return what Litestar wants: exception class → handler."""
        return {
            StepwellError: self.ours,
            psycopg.Error: self.database,
            NewerEvent: self.newer,
            HTTPException: self.framework,
            Exception: self.unexpected,
        }

    def ours(self, request: Request[Any, Any, Any], error: StepwellError) -> Response[Problem]:
        """Answer one of our own errors; report it if it is our fault."""
        if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return self.unexpected(request, error)
        return _noted(request, problem_of(error, request.url.path))

    def database(self, request: Request[Any, Any, Any], error: psycopg.Error) -> Response[Problem]:
        """Answer an error of PostgreSQL by its SQLSTATE."""
        ours = translate(error)
        if ours.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return self.unexpected(request, error)
        if ours.status == HTTPStatus.SERVICE_UNAVAILABLE:
            self._report(request, error)
        return _noted(request, problem_of(ours, request.url.path))

    def newer(self, request: Request[Any, Any, Any], error: NewerEvent) -> Response[Problem]:
        """Answer for a process that a newer release has moved on."""
        ours = Unavailable(f"a newer release has moved this process on: {error}", advice="Update this program.")
        return _noted(request, problem_of(ours, request.url.path))

    def framework(self, request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
        """Answer an error that Litestar found: routing, parameters, size."""
        if error.detail == "client disconnected prematurely":  # nobody reads the answer; no fault of ours
            error = HTTPException(status_code=400)
        if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self.unexpected(request, error)
        headers = {k: v for k, v in (error.headers or {}).items() if k.lower() == "allow"}
        return _noted(request, framework_problem(error, request.url.path), headers)

    def unexpected(self, request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
        """Answer what nobody expected: nothing of the inside is shown, all of it is reported."""
        self._report(request, error)
        hidden = StepwellError("an unexpected error; it has been logged")
        return _noted(request, problem_of(hidden, request.url.path))

    def _report(self, request: Request[Any, Any, Any], error: Exception) -> None:
        where = f"{request.method} {request.url.path}"
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
        self._observe(
            Trouble(level="error", where=where, message=f"{type(error).__name__}: {error}"[:500], detail=place.strip())
        )


def _noted(
    request: Request[Any, Any, Any], problem: Problem, headers: dict[str, str] | None = None
) -> Response[Problem]:
    request.scope["stepwell.code"] = problem.code  # type: ignore[typeddict-unknown-key]  # for the log line
    return answer(problem, headers)


_PLAIN: dict[int, tuple[str, str]] = {
    400: ("invalid_input", "Correct the request and send it again."),
    404: ("not_found", "Check the path; GET /openapi.json lists all of them."),
    405: ("method_not_allowed", "Use a method that the Allow header or GET /openapi.json names."),
    413: (TooLarge.code, "Send at most 16 MiB; keep large content elsewhere and pass a reference to it."),
    415: ("unsupported_media_type", "Send JSON with 'Content-Type: application/json'."),
}


def framework_problem(error: HTTPException, instance: str) -> Problem:
    """Return the problem for an error of Litestar's."""
    status = error.status_code
    code, advice = _PLAIN.get(status, ("invalid_input", "Correct the request and send it again."))
    detail, pointer = HTTPStatus(status).phrase, None
    if isinstance(error, ValidationException):
        code, advice = "invalid_parameter", "Correct the named parameter."
        detail, pointer = _parameter(error)
    elif status == HTTPStatus.NOT_FOUND:
        detail = "there is nothing at this path"
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = "this path does not know that method"
    elif status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        detail = "the request is larger than 16 MiB"
    return Problem(
        type=_TYPE + code,
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        advice=advice,
        pointer=pointer,
        instance=instance,
    )


_WHERE = re.compile(r" - at `\$[^`]*`$")


def _parameter(error: ValidationException) -> tuple[str, str | None]:
    """Return message and pointer of the first fault Litestar names; parameters are pointed at as /name."""
    extra = error.extra
    first = extra[0] if isinstance(extra, list) and extra else extra
    if isinstance(first, dict) and "message" in first:
        key = str(first.get("key", ""))
        if key == "data":
            return "the request has no body", None
        message = _WHERE.sub("", str(first["message"]))
        return (f"{key}: {message}", f"/{escape(key)}") if key else (message, None)
    # 'Missing required query parameter 'x' for path …' names no more than we would.
    return str(error.detail).split(" for path ")[0].split(" for url ")[0], None


def not_found(what: str) -> NotFound:
    """Return the 404 that unknown ids and other tenants' ids alike are answered with."""
    return NotFound(f"no {what} with this id in this tenant and environment")
