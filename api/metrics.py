"""/metrics: what this API process has counted, and what waits in the database. For Prometheus; no API key.

Not in /openapi.json: it is the operator's, and what it answers with is no JSON. docs/observability.md lists all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import State
from prometheus_client.metrics_core import Metric

from api.database import Database
from engine.measure import STATEMENT, Ask
from engine.metrics import Metrics
from engine.observe import ConnectionsEnded, RequestServed
from engine.scrape import Scrape

PATH = "/metrics"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "_OTHER"  # anybody can make up methods; OpenTelemetry calls them so
NO_ROUTE = "(none)"

PoolStats = Callable[[], Mapping[str, int]]


class ApiMetrics(Metrics):
    """What the API counts. `pool`: figures of psycopg's pool, as it names them."""

    def __init__(self, pool: PoolStats) -> None:
        super().__init__("api")
        self._pool = pool
        self._requests = self.histogram("http_request_duration_seconds")
        self._readers |= {RequestServed: self._request, ConnectionsEnded: self._connections}

    def collect(self) -> Iterable[Metric]:
        """Yield what there is to tell, the pool as it is now."""
        self._look_at_pool()
        yield from super().collect()

    def _request(self, told: RequestServed) -> None:
        method = told.method if told.method in METHODS else OTHER_METHOD
        self._requests.observe(told.duration_s, (method, told.route or NO_ROUTE, str(told.status)))

    def _connections(self, told: ConnectionsEnded) -> None:
        ended = self.counter("http_connections_ended_total")
        for why in ("made_room", "refused", "late"):
            ended.add((why,), getattr(told, why))

    def _look_at_pool(self) -> None:
        stats = self._pool()
        size, free = stats.get("pool_size", 0), stats.get("pool_available", 0)
        self.gauge("pool_connections").set(free, ("free",))
        self.gauge("pool_connections").set(size - free, ("used",))
        self.gauge("pool_waiting_requests").set(stats.get("requests_waiting", 0))
        self.counter("pool_waits_total").rise_to(stats.get("requests_queued", 0))
        self.counter("pool_wait_seconds_total").rise_to(stats.get("requests_wait_ms", 0) / 1000)
        self.counter("pool_timeouts_total").rise_to(stats.get("requests_errors", 0))


def asking(database: Database) -> Ask:
    """Return how the API measures: on a connection of its pool."""

    async def ask() -> str:
        async with database.connection() as connection:
            row = await (await connection.execute(STATEMENT)).fetchone()
        return str(row[0]) if row is not None else ""

    return ask


@get(PATH, include_in_schema=False)
async def metrics(request: Request[Any, Any, State]) -> Response[bytes]:
    """Answer a scrape."""
    scrape: Scrape = request.app.state.scrape
    body, content_type = await scrape.answer(request.headers.get("authorization"), request.headers.get("accept"))
    return Response(body, headers={"Content-Type": content_type})


ROUTES = (metrics,)
