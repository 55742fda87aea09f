"""/workflows/executions: the processes again, in the words of workflow tools.

Nothing happens here that does not happen under /processes: reads fold the same history, orders take the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.bodies import Asked
from api.catalogue import Catalogue, Kept
from api.catalogue import process_id as number_of
from api.database import Db
from api.documented import commanded, described
from api.execution_view import Known, Room, execution, statuses, values_of
from api.lists import Cursor, Limit, Offset, check_offset, cursor_id, page
from api.problems import not_found
from api.processes import order
from api.search import definition_number
from api.wire import CommandView, ExecutionStatus, ExecutionView, Order, Page
from engine.store.base import AsyncConnection, Scope
from engine.store.history import MAX_PAYLOADS, read_values
from engine.store.processes import list_executions, load_process

_PORTION = 20  # states in memory at once: at most some 16 MB of JSON, a hundred activities with 8 KB each


@get(
    "/workflows/executions",
    **described("list_executions", "List executions, newest first", 200, "workflows:read"),
)
async def list_all(
    request: Asked,
    catalogue: Kept,
    *,
    cursor: Cursor = None,
    offset: Offset = None,
    limit: Limit = 50,
    workflow_id: Annotated[str | None, QueryParameter(description="Id (wf_…) or name.", max_length=200)] = None,
    status: FromQuery[ExecutionStatus | None] = None,
) -> Page[ExecutionView]:
    """Return a page of executions, with up to 8 MiB of values in all: beyond that values are null."""
    scope = request.user.scope
    values: dict[str, Any] = {
        "before": cursor_id("prc", cursor),
        "offset": check_offset(offset, cursor),
        "statuses": statuses(status),
    }
    found: list[ExecutionView] = []
    room = Room(MAX_PAYLOADS)
    async with catalogue.database.transaction(scope) as connection:
        values["definition_id"] = await definition_number(connection, scope, workflow_id)
        while len(found) <= limit:
            values["limit"] = min(_PORTION, limit + 1 - len(found))
            portion = await list_executions(connection, scope, values)
            found += await _views(connection, scope, catalogue, portion, room)
            if len(portion) < values["limit"]:
                break
            values.update(before=portion[-1][0].id, offset=0)
    return page(found, limit, lambda item: item.id)


@get(
    "/workflows/executions/{execution_id:str}",
    **described("get_execution", "Read an execution with all its steps", 200, "workflows:read", errors=(404,)),
)
async def read(request: Asked, catalogue: Kept, execution_id: FromPath[str]) -> ExecutionView:
    """Return what the history tells now. Values over 8 KB are null beyond 8 MiB of them."""
    scope = request.user.scope
    number = number_of(execution_id)
    async with catalogue.database.transaction(scope) as connection:
        loaded = await load_process(connection, scope, number)
        if loaded is None:
            raise not_found("execution")
        [view] = await _views(connection, scope, catalogue, [loaded], Room())
    return view


async def _views(
    connection: AsyncConnection, scope: Scope, catalogue: Catalogue, known: Sequence[Known], room: Room
) -> list[ExecutionView]:
    names = [name for row, state in known for name in values_of(row, state)]
    payloads = await read_values(connection, scope, names, int(min(room.left, MAX_PAYLOADS)))
    views = []
    for row, state in known:
        version = await catalogue.version(connection, scope, row.definition_id, row.version)
        views.append(execution(scope, (row, state), version.steps if version else (), payloads, room))
    return views


@post(
    "/workflows/executions/{execution_id:str}/cancel",
    **commanded("cancel_execution", "Cancel an execution", "workflows:execute"),
)
async def cancel(
    request: Asked, database: Db, execution_id: FromPath[str], data: JSONBody[Order | None] = None
) -> Response[CommandView]:
    """Ask an execution to end, as POST /processes/{id}/cancel does."""
    return await order(request, database, "cancel", execution_id, data or Order())


@post(
    "/workflows/executions/{execution_id:str}/retry",
    **commanded("retry_execution", "Retry a failed execution", "workflows:execute"),
)
async def retry(
    request: Asked, database: Db, execution_id: FromPath[str], data: JSONBody[Order | None] = None
) -> Response[CommandView]:
    """Ask a failed execution to go on from where it failed, as POST /processes/{id}/retry does."""
    return await order(request, database, "retry", execution_id, data or Order())


ROUTES = (list_all, read, cancel, retry)
