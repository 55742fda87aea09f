"""The command line's way to the API: httpx, one request at a time. Thin: it knows paths and problems, no rules."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from engine.errors import Finding, StepwellError, Unauthenticated, Unavailable

PREFIX = "/api/v1"
TIMEOUT_S = 30.0


class Client:
    """The API at one address, with one key."""

    def __init__(self, url: str, key: str | None, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"Accept": "application/json, application/problem+json"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        self.url = url.rstrip("/")
        self._has_key = key is not None
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT_S, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """Return what a resource says. Raises StepwellError."""
        return self._send("GET", PREFIX + path, params={k: v for k, v in query.items() if v is not None})

    def pages(self, path: str, limit: int | None = None, **query: Any) -> Iterator[Any]:
        """Yield the items of a list, page after page, `limit` at most."""
        left, cursor = limit, None
        while left is None or left > 0:
            page = self.get(path, cursor=cursor, **query)
            yield from page["items"][:left]
            left = None if left is None else left - len(page["items"])
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def post(self, path: str, body: Any, key: str | None = None) -> Any:
        """Send `body`; return the answer. Every call has an Idempotency-Key of its own unless given one."""
        headers = {"Idempotency-Key": key or f"cli-{secrets.token_hex(16)}"}
        return self._send("POST", PREFIX + path, json=body, headers=headers)

    def ready(self) -> bool:
        """Tell whether the API answers and reaches its database."""
        try:
            return self._http.get("/health/ready", timeout=5.0).status_code == 200
        except httpx.TransportError:
            return False

    def _send(self, method: str, path: str, **request: Any) -> Any:
        if not self._has_key:
            raise Unauthenticated(
                "no API key",
                advice="Use --key or STEPWELL_API_KEY; make one with 'stepwell key create', or run 'stepwell up' here.",
            )
        try:
            answer = self._http.request(method, path, **request)
        except httpx.InvalidURL as error:
            raise StepwellError(f"{self.url} is no URL: {error}", advice="Correct --url or STEPWELL_URL.") from None
        except httpx.TimeoutException:
            raise Unavailable(f"the API at {self.url} did not answer within {TIMEOUT_S:g} s") from None
        except httpx.TransportError as error:
            raise Unavailable(
                f"no API answers at {self.url} ({error})",
                advice="Start it with 'stepwell up', or name another with --url or STEPWELL_URL.",
            ) from None
        return _read(answer)


def _read(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json() if answer.content else None
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    raise _as_error(answer, problem if isinstance(problem, Mapping) else {})


def _as_error(answer: httpx.Response, problem: Mapping[str, Any]) -> StepwellError:
    """Return the problem the API told of. A 503 keeps its type: the exit code depends on it."""
    kind = Unavailable if answer.status_code == 503 else StepwellError
    findings = problem.get("findings") or problem.get("errors") or ()
    return kind(
        problem.get("detail")
        or problem.get("title")
        or f"the API answered {answer.status_code} {answer.reason_phrase}",
        advice=problem.get("advice"),
        pointer=problem.get("pointer"),
        code=problem.get("code"),
        findings=tuple(
            Finding(f.get("pointer", ""), f.get("message", ""), f.get("advice", ""), f.get("code", "invalid"))
            for f in findings
        ),
    )
