"""The client: every operation of the API as a method of the operation's name.

Made from `awaited/client.py` by `stepwell/client/generate.py`: change that.
"""

from __future__ import annotations

from typing import Any

from api.wire import Health, SendSignal, SignalView
from stepwell.client.blocking.definitions import Definitions
from stepwell.client.blocking.executions import Executions
from stepwell.client.blocking.processes import Processes
from stepwell.client.blocking.tasks import Tasks
from stepwell.client.call import NOTHING, Call, acting


class Client(Definitions, Executions, Processes, Tasks):
    """The API of Stepwell at one address, with one key. `with Client(url, key) as client: ...`."""

    def send_signal(
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
        return self._call(acting(SignalView, "/signals", body, idempotency_key=idempotency_key))

    def live(self) -> Health:
        """Return how the program is, without its database. Needs no key."""
        return self._call(_probe("/health/live"))

    def ready(self) -> Health:
        """Return how the program is; raises Unavailable while it cannot work. Needs no key."""
        return self._call(_probe("/health/ready"))


def _probe(path: str) -> Call[Health]:
    return Call(method="GET", path=path, answer=Health, needs_key=False)
