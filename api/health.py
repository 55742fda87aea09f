"""/health: whether the program lives, and whether it can work. No key is needed and nothing is told."""

from __future__ import annotations

import psycopg
from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec

from api.database import Db
from api.problems import MEDIA_TYPE, Problem
from api.wire import Health
from engine.errors import SchemaError, Unavailable
from engine.store.access import reachable

PREFIX = "/health/"

_BAD_QUERY = ResponseSpec(Problem, media_type=MEDIA_TYPE, description="A query parameter", generate_examples=False)


@get(
    "/health/live",
    operation_id="live",
    summary="The program runs",
    security=[{}],
    responses={400: _BAD_QUERY},
)
async def live() -> Health:
    """Answer as long as the program runs; asks no database."""
    return Health("ok")


@get(
    "/health/ready",
    operation_id="ready",
    summary="The program can work",
    security=[{}],
    responses={
        400: _BAD_QUERY,
        503: ResponseSpec(Problem, media_type=MEDIA_TYPE, description="Not now", generate_examples=False),
    },
)
async def ready(database: Db) -> Response[Health]:
    """Answer 200 if PostgreSQL is there with a schema this login can use, else 503."""
    try:
        async with database.connection() as connection:
            await reachable(connection)
    except psycopg.OperationalError as error:
        raise Unavailable("PostgreSQL cannot be reached at the moment") from error
    except psycopg.Error as error:
        raise Unavailable("the schema is missing or this login may not use it", advice=SchemaError.advice) from error
    return Response(Health("ok"))


ROUTES = (live, ready)
