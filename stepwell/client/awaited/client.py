"""The client: every operation of the API as a method of the operation's name."""

from __future__ import annotations

from typing import Any

from api.wire import Health, SendSignal, SignalView
from stepwell.client.awaited.definitions import AsyncDefinitions
from stepwell.client.awaited.executions import AsyncExecutions
from stepwell.client.awaited.processes import AsyncProcesses
from stepwell.client.awaited.tasks import AsyncTasks
from stepwell.client.call import NOTHING, Call, acting


class AsyncClient(AsyncDefinitions, AsyncExecutions, AsyncProcesses, AsyncTasks):
    """The API of Stepwell at one address, with one key. `async with AsyncClient(url, key) as client: ...`."""

    async def send_signal(
        self,
        name: str,
        *,
        data: Any = NOTHING,
        correlation_key: str | None = None,
        id: str | None = None,
        ttl_seconds: int = 604800,
        idempotency_key: str | None = None,
    ) -> SignalView:
        """Send a signal to whatever waits for it. The same `id` twice within a day sends once."""
        body = SendSignal(name=name, data=data, correlation_key=correlation_key, id=id, ttl_seconds=ttl_seconds)
        return await self._call(acting(SignalView, "/signals", body, idempotency_key=idempotency_key))

    async def live(self) -> Health:
        """Return how the program is, without its database. Needs no key."""
        return await self._call(_probe("/health/live"))

    async def ready(self) -> Health:
        """Return how the program is; raises Unavailable while it cannot work. Needs no key."""
        return await self._call(_probe("/health/ready"))


def _probe(path: str) -> Call[Health]:
    return Call(method="GET", path=path, answer=Health, needs_key=False)
