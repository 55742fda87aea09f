"""Sends calls over one pool of connections and returns what they were answered, again where that is safe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from secrets import SystemRandom
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import httpx

from api.wire import Page
from engine.errors import Unauthenticated
from stepwell.client import sending
from stepwell.client.call import Call, Failed, authorization, read

T = TypeVar("T")
P = ParamSpec("P")


class AsyncCaller:
    """The API at one address, asked with one key. Its operations are in the classes below it."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        ca_file: Path | None = None,
        timeout_s: float = sending.TIMEOUT_S,
        retries: int = sending.RETRIES,
        trust_env: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Prepare to ask; nothing is sent yet.

        `ca_file`: authorities (PEM) to trust instead of those known everywhere. `retries`: how often a call that is
        safe to repeat is sent again. `trust_env`: use the environment's proxies. Raises BadInput, Unauthenticated,
        SettingError.
        """
        self.url = sending.checked_url(url)
        self._has_key = key is not None
        self._timeout_s = timeout_s
        self._retries = retries
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers={"Accept": "application/json, application/problem+json", **authorization(key)},
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, sending.CONNECT_S)),
            verify=sending.trust(ca_file),
            trust_env=trust_env,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def every(
        self, operation: Callable[P, Awaitable[Page[T]]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[T]:
        """Yield every item of a list, page after page: `every(client.list_processes, status=...)`.

        `limit` is the size of a page. Raises StepwellError.
        """
        while True:
            page = await operation(*args, **kwargs)
            for item in page.items:
                yield item
            if page.next_cursor is None:
                return
            kwargs["cursor"] = page.next_cursor

    async def _call(self, call: Call[T]) -> T:
        """Return what a call is answered. Raises StepwellError: what the API said, or Unavailable."""
        if call.needs_key and not self._has_key:
            raise Unauthenticated("no API key")
        tried = 1
        while isinstance(answer := await self._once(call), Failed):
            pause = sending.pause_s(answer, tried, self._retries, SystemRandom().random())
            if pause is None:
                raise answer.problem
            await asyncio.sleep(pause)
            tried += 1
        return answer

    async def _once(self, call: Call[T]) -> T | Failed:
        try:
            answer = await self._http.request(
                call.method,
                call.path,
                params=call.query,
                content=call.body,
                headers={**call.headers, **({} if call.body is None else {"Content-Type": "application/json"})},
            )
        except httpx.TransportError as error:
            return sending.unreachable(self.url, error, self._timeout_s)
        return read(call, answer.status_code, answer.headers, answer.content)
