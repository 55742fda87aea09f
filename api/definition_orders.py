"""/workflows/definitions/{id}: delete, enable, disable, trigger."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, delete, post
from litestar.params import FromPath, JSONBody, QueryParameter

from api.auth import signed
from api.bodies import Asked, check_value
from api.catalogue import Kept
from api.catalogue import definition_id as number_of
from api.database import Db
from api.definitions import definition_view
from api.documented import Triggering, described
from api.idempotency import Answer, once, respond
from api.problems import not_found
from api.tracing import traceparent
from api.wire import DefinitionView, DeletedDefinition, ExecutionStatus, Order, TriggerDefinition, TriggeredExecution
from engine.store.base import AsyncConnection, Scope
from engine.store.definitions import delete_definition, enable_definition, get_definition
from engine.store.processes import start_process

Force = Annotated[bool, QueryParameter(description="Cancel its processes that have not ended, instead of refusing.")]
By = Annotated[str | None, QueryParameter(min_length=1, max_length=150, description="Who asks.")]
Reason = Annotated[str | None, QueryParameter(min_length=1, max_length=2000, description="Why.")]


@delete(
    "/workflows/definitions/{definition_id:str}",
    **described("delete_definition", "Delete a definition", 200, "workflows:write", errors=(404,), acts=True),
)
async def remove(
    request: Asked,
    database: Db,
    definition_id: FromPath[str],
    *,
    force: Force = False,
    by: By = None,
    reason: Reason = None,
) -> Response[DeletedDefinition]:
    """Take a definition away from new processes. Its history stays; processes that are cancelled end soon after."""
    number = number_of(definition_id)

    async def act(connection: AsyncConnection, scope: Scope) -> Answer:
        values = {"id": number, "force": force, "by": signed(request.user, by), "reason": reason}
        return Answer(200, DeletedDefinition(definition_id, await delete_definition(connection, scope, values)))

    return respond(*await once(request, database, request.user, act))


@post(
    "/workflows/definitions/{definition_id:str}/enable",
    **described("enable_definition", "Enable a definition", 200, "workflows:write", errors=(404,), acts=True),
)
async def enable(
    request: Asked, database: Db, definition_id: FromPath[str], data: JSONBody[Order | None] = None
) -> Response[DefinitionView]:
    """Let a definition take new processes."""
    return await _switch(request, database, definition_id, data or Order(), enabled=True)


@post(
    "/workflows/definitions/{definition_id:str}/disable",
    **described("disable_definition", "Disable a definition", 200, "workflows:write", errors=(404,), acts=True),
)
async def disable(
    request: Asked, database: Db, definition_id: FromPath[str], data: JSONBody[Order | None] = None
) -> Response[DefinitionView]:
    """Let a definition take no new processes; those it has go on."""
    return await _switch(request, database, definition_id, data or Order(), enabled=False)


async def _switch(
    request: Asked, database: Db, definition_id: str, data: Order, *, enabled: bool
) -> Response[DefinitionView]:
    number = number_of(definition_id)

    async def act(connection: AsyncConnection, scope: Scope) -> Answer:
        values = {"id": number, "enabled": enabled, "by": signed(request.user, data.by), "reason": data.reason}
        await enable_definition(connection, scope, values)
        row = await get_definition(connection, scope, number)
        if row is None:
            raise not_found("definition")
        return Answer(200, definition_view(scope, row))

    return respond(*await once(request, database, request.user, act))


@post(
    "/workflows/definitions/{definition_id:str}/trigger",
    **described("trigger_definition", "Start a process by hand", 202, "workflows:execute", errors=(404,), acts=True)
    | {"operation_class": Triggering},
)
async def trigger(
    request: Asked,
    catalogue: Kept,
    definition_id: FromPath[str],
    data: JSONBody[TriggerDefinition | None] = None,
) -> Response[TriggeredExecution]:
    """Check the data against the definition, then start a process of its latest version with it as input."""
    number = number_of(definition_id)
    given = data or TriggerDefinition()
    check_value(given.trigger_data, "/trigger_data")

    async def act(connection: AsyncConnection, scope: Scope) -> Answer:
        version = await catalogue.latest(connection, scope, number)
        version.check_input(given.trigger_data, "/trigger_data")
        values = {
            "definition": definition_id,
            "version": version.version,
            "input": given.trigger_data,
            "trigger": {"type": "manual"},
            "business_key": None,
            "priority": 0,
            "by": signed(request.user, given.by),
            "reason": given.reason,
            "traceparent": traceparent(request),
        }
        made = await start_process(connection, scope, values)
        view = TriggeredExecution(made, ExecutionStatus.PENDING)
        return Answer(202, view, f"/api/v1/workflows/executions/{made}")

    return respond(*await once(request, catalogue.database, request.user, act))


ROUTES = (remove, enable, disable, trigger)
