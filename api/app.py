"""The REST API as an ASGI application.

Stateless: everything a request needs is in PostgreSQL. It starts, reads and orders; it never executes an activity. It
starts while PostgreSQL is away and answers 503 until it is back.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from litestar import Litestar, MediaType, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import Message

from api import (
    activities,
    definition_orders,
    definitions,
    executions,
    health,
    metrics,
    operating,
    processes,
    signals,
    step_types,
    tasks,
)
from api.auth import Keys, authorize
from api.bodies import MAX_BODY, Asked, let_go
from api.catalogue import Catalogue
from api.database import Database
from api.document import Document
from api.documented import StrictStructs
from api.gathering import Gathered
from api.limits import Bytes, Places, UnderWay
from api.problems import Handlers
from api.queries import refuse_unknown_parameters
from api.rate import RateLimit
from api.reference import reference
from engine.config import Settings
from engine.errors import SettingError
from engine.measure import Measure
from engine.observe import Observer, Readers, RequestServed, nowhere
from engine.scrape import Scrape

PREFIX = "/api/v1"
POOL_SIZE = 10  # connections of one API process; a request holds one for some milliseconds


class Application(Litestar):
    """Litestar with one observation a request, whatever answered it."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve, and report what was served."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        began = time.monotonic()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                let_go(self.state, scope)  # the answer is made: who reads it slowly keeps nobody from a place
            await send(message)

        try:
            await super().__call__(scope, receive, watched)
        finally:
            let_go(self.state, scope)
            self.state.under_way.end(scope)
            self.state.observe(
                RequestServed(
                    level=_level(scope["path"], status),
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    duration_s=round(time.monotonic() - began, 6),
                    code=scope.get("stepwell.code"),
                    route=scope.get("path_template"),
                )
            )


def _level(path: str, status: int) -> str:
    """Return the level of a request's log line: a probe every second that finds all well is noise."""
    return "debug" if path.startswith((health.PREFIX, metrics.PATH)) and status < HTTPStatus.BAD_REQUEST else "info"


def create_app(settings: Settings, observe: Observer = nowhere, *, pool_size: int = POOL_SIZE) -> Litestar:
    """Return the application. `settings.database_url`: a login of kind api. Raises SettingError without one."""
    if settings.database_url is None:
        raise SettingError("the API needs STEPWELL_DATABASE_URL", advice="Name a login of kind api.")
    database = Database(settings.database_url, pool_size)
    catalogue = Catalogue(database)
    starts = Gathered(catalogue)
    counted = metrics.ApiMetrics(database.stats)
    observe = Readers(observe, counted)
    scrape = Scrape(counted, Measure(metrics.asking(database)), settings.metrics_token)

    @asynccontextmanager
    async def connected(_app: Litestar) -> AsyncIterator[None]:
        await database.open()
        try:
            yield
        finally:
            await scrape.close()
            await database.close()

    return Application(
        route_handlers=[_routes(), *health.ROUTES, *metrics.ROUTES, reference],
        lifespan=[connected],
        state=State(
            {
                "api_keys": Keys(database),
                "rate_limit": RateLimit(settings.rate_limit_per_second, settings.rate_burst),
                "observe": observe,
                "scrape": scrape,
                "body_places": Places(),
                "body_bytes": Bytes(),
                "under_way": UnderWay(settings.api_connections),
            }
        ),
        dependencies={
            "database": Provide(lambda: database, sync_to_thread=False),
            "catalogue": Provide(lambda: catalogue, sync_to_thread=False),
            "starts": Provide(lambda: starts, sync_to_thread=False),
        },
        request_class=Asked,
        request_max_body_size=MAX_BODY,
        before_request=refuse_unknown_parameters,
        exception_handlers=Handlers(observe).table(),
        openapi_config=_openapi(),
        plugins=[StrictStructs()],
        logging_config=None,
        pdb_on_exception=False,
        debug=False,
    )


class _DataOnly(Router):
    """Serves the OpenAPI document, without the page that Litestar adds for every other path below it."""

    def register(self, value: Any) -> list[Any]:
        """Register a route unless it is a page."""
        return [] if getattr(value, "media_type", None) == MediaType.HTML else list(super().register(value))


def _routes() -> Router:
    nouns: Any = (
        definitions,
        definition_orders,
        step_types,
        executions,
        processes,
        operating,
        activities,
        signals,
        tasks,
    )
    return Router(PREFIX, route_handlers=[r for noun in nouns for r in noun.ROUTES], guards=[authorize])


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Stepwell",
        version=version("stepwell"),
        description="Start, watch and steer processes. Errors are application/problem+json with a stable code.",
        path="/",
        openapi_router=_DataOnly("/", route_handlers=[], include_in_schema=False),
        render_plugins=[Document()],
        components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
        use_handler_docstrings=True,
    )
