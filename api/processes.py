"""/processes: start, read, list; and the orders to a running one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.auth import signed
from api.bodies import Asked, check_value, check_values
from api.catalogue import Kept
from api.catalogue import process_id as number_of
from api.database import Db
from api.documented import commanded, described
from api.gathering import SMALL, Start, Starts, started
from api.idempotency import Answer, named, once, respond
from api.limits import Breaths
from api.lists import Cursor, Limit, bad_cursor, cursor_id, page
from api.outcomes import command
from api.problems import not_found
from api.process_view import detail, refs_of, view
from api.search import MAX_TEXT, definition_number, in_utc, labels_of
from api.tracing import traceparent
from api.wire import (
    CommandView,
    EventView,
    Ids,
    Order,
    Page,
    ProcessDetail,
    ProcessView,
    StartProcess,
    StartProcesses,
)
from engine.core.ids import private_id, public_id
from engine.core.model import ProcessStatus
from engine.store.base import AsyncConnection, Scope
from engine.store.history import HistoryRow, read_history, read_payloads
from engine.store.orders import order_process
from engine.store.processes import (
    ProcessFilter,
    count_processes,
    get_process_row,
    list_processes,
    load_process,
    process_exists,
    start_process,
    start_processes,
)
from engine.store.processes import quarantined as set_aside

_MAX_HISTORY = 1000
_LABEL = "`name:value`; several, separated by commas, must all match. A comma in a value is written `\\,`."
_QUARANTINED = "Only those that are set aside for an operator."
_PAYLOADS = "Put values over 8 KB in place of references, up to 8 MiB of them."


@post(
    "/processes",
    **described("start_process", "Start a process", 201, "workflows:execute", errors=(404,), acts=True),
)
async def start(request: Asked, starts: Starts, data: JSONBody[StartProcess]) -> Response[ProcessView]:
    """Check the input against the definition, then write the process; a worker takes it from there."""
    check_value(data.input, "/input")
    values = _start_values(request, data)
    if data.business_key is None and len(await request.body()) <= SMALL:
        wanted = Start(request.user.scope, data.definition, data.version, data.input, values, await named(request))
        answer = await starts.start(wanted)
        if answer is not None:
            return respond(answer, replayed=False)

    async def act(connection: AsyncConnection, scope: Scope) -> Answer:
        version = await starts.catalogue.find(connection, scope, data.definition, data.version)
        version.check_input(data.input, "/input")
        given = {**values, **version.named(), "input": data.input, "business_key": data.business_key}
        row = await get_process_row(connection, scope, private_id("prc", await start_process(connection, scope, given)))
        if row is None:
            raise not_found("process")
        return started(row)

    return respond(*await once(request, starts.catalogue.database, request.user, act))


@post(
    "/processes/bulk",
    **described(
        "start_processes", "Start many processes of one definition", 201, "workflows:execute", errors=(404,), acts=True
    ),
)
async def start_many(request: Asked, catalogue: Kept, data: JSONBody[StartProcesses]) -> Response[Ids]:
    """Check every input, then write all processes, or none where one input is refused."""
    await check_values(data.inputs, "/inputs")

    async def act(connection: AsyncConnection, scope: Scope) -> Answer:
        version = await catalogue.find(connection, scope, data.definition, data.version)
        breaths = Breaths()
        for place, value in enumerate(data.inputs):
            version.check_input(value, f"/inputs/{place}")
            await breaths.take()
        values = {**_start_values(request, data), **version.named(), "inputs": data.inputs}
        return Answer(201, Ids(await start_processes(connection, scope, values)))

    return respond(*await once(request, catalogue.database, request.user, act))


def _start_values(request: Asked, data: StartProcess | StartProcesses) -> dict[str, Any]:
    """Return what both starts pass beside the version and the input."""
    return {
        "priority": data.priority,
        "labels": data.labels or None,
        "by": signed(request.user, data.by),
        "reason": data.reason,
        "traceparent": traceparent(request),
    }


@get(
    "/processes",
    **described("list_processes", "List processes, newest first", 200, "workflows:read"),
)
async def list_all(  # noqa: PLR0913  a list has its filters
    request: Asked,
    database: Db,
    *,
    cursor: Cursor = None,
    limit: Limit = 50,
    status: FromQuery[ProcessStatus | None] = None,
    definition: Annotated[str | None, QueryParameter(description="Name or id (wf_…).", max_length=200)] = None,
    business_key: Annotated[str | None, QueryParameter(max_length=200)] = None,
    created_after: Annotated[datetime | None, QueryParameter(description="At or after.")] = None,
    created_before: FromQuery[datetime | None] = None,
    ended_after: Annotated[datetime | None, QueryParameter(description="At or after.")] = None,
    ended_before: FromQuery[datetime | None] = None,
    label: Annotated[str | None, QueryParameter(description=_LABEL, max_length=MAX_TEXT)] = None,
    error_code: Annotated[str | None, QueryParameter(description="Why it FAILED.", max_length=200)] = None,
    failed_step: Annotated[
        str | None, QueryParameter(description="Id of the step that failed.", max_length=200)
    ] = None,
    quarantined: Annotated[bool, QueryParameter(description=_QUARANTINED)] = False,
    count: Annotated[bool, QueryParameter(description="Add how many match in all; reads them all.")] = False,
) -> Page[ProcessView]:
    """Return a page of the processes that match all the filters given."""
    scope = request.user.scope
    before = cursor_id("prc", cursor)
    wanted = ProcessFilter(
        status=status,
        business_key=business_key,
        created_after=in_utc(created_after, "created_after"),
        created_before=in_utc(created_before, "created_before"),
        ended_after=in_utc(ended_after, "ended_after"),
        ended_before=in_utc(ended_before, "ended_before"),
        labels=labels_of(label),
        error_code=error_code,
        failed_step=failed_step,
    )
    async with database.transaction(scope) as connection:
        wanted = msgspec.structs.replace(
            wanted,
            definition_id=await definition_number(connection, scope, definition),
            ids=await set_aside(connection, scope) if quarantined else None,
        )
        rows = await list_processes(connection, scope, wanted, before, limit + 1)
        total = await count_processes(connection, scope, wanted) if count else None
    return page([view(row) for row in rows], limit, lambda item: item.id, total)


@get(
    "/processes/{process_id:str}",
    **described("get_process", "Read a process with all its activities", 200, "workflows:read", errors=(404,)),
)
async def read(request: Asked, catalogue: Kept, process_id: FromPath[str]) -> ProcessDetail:
    """Return what the history tells now: row, snapshot and the events since, all by primary key."""
    scope = request.user.scope
    number = number_of(process_id)
    async with catalogue.database.transaction(scope) as connection:
        loaded = await load_process(connection, scope, number)
        if loaded is None:
            raise not_found("process")
        row, state = loaded
        version = await catalogue.version(connection, scope, row.definition_id, row.version)
        payloads = await read_payloads(connection, scope, number, refs_of(state))
    return detail(row, state, version.steps if version else (), payloads)


@get(
    "/processes/{process_id:str}/history",
    **described(
        "get_process_history", "Read the history of a process, oldest first", 200, "workflows:read", errors=(404,)
    ),
)
async def history(
    request: Asked,
    database: Db,
    process_id: FromPath[str],
    cursor: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=_MAX_HISTORY)] = 100,
    payloads: Annotated[bool, QueryParameter(description=_PAYLOADS)] = False,
) -> Page[EventView]:
    """Return a page of events."""
    scope = request.user.scope
    number = number_of(process_id)
    after = _seq(cursor)
    async with database.transaction(scope) as connection:
        if not await process_exists(connection, scope, number):
            raise not_found("process")
        rows = await read_history(connection, scope, number, after, limit + 1)
        found = [(row, msgspec.json.decode(row.data)) for row in rows]
        values: dict[int, str] = {}
        if payloads:
            wanted = [data[name] for _, data in found[:limit] for name in _REFS if name in data]
            values = await read_payloads(connection, scope, number, wanted)
    items = [_event(row, data, values) for row, data in found]
    return page(items, limit, lambda item: str(item.seq))


_REFS = {"input_ref": "input", "output_ref": "output", "payload_ref": "payload"}


# Ids in history are numbers beyond what a double holds; a client gets them as it knows them from elsewhere.
_IDS = {"command": "cmd", "definition_id": "wf", "signal_id": "sig"}


def _event(row: HistoryRow, data: dict[str, Any], values: dict[int, str]) -> EventView:
    for name, prefix in _IDS.items():
        if name in data:
            data[name] = public_id(prefix, data[name])
    for ref, name in _REFS.items():
        if data.get(ref) in values:
            data[name] = msgspec.Raw(values[data.pop(ref)])
    return EventView(seq=row.seq, at=row.at, type=row.type, v=row.v, path=row.path, attempt=row.attempt, data=data)


def _seq(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise bad_cursor()
    return int(cursor)


@post(
    "/processes/{process_id:str}/cancel",
    **commanded("cancel_process", "Cancel a process", "workflows:execute"),
)
async def cancel(
    request: Asked, database: Db, process_id: FromPath[str], data: JSONBody[Order | None] = None
) -> Response[CommandView]:
    """Ask a process to end; answers what became of it, or 202 if that takes longer than 2 s."""
    return await order(request, database, "cancel", process_id, data or Order())


@post(
    "/processes/{process_id:str}/retry",
    **commanded("retry_process", "Retry a failed process", "workflows:execute"),
)
async def retry(
    request: Asked, database: Db, process_id: FromPath[str], data: JSONBody[Order | None] = None
) -> Response[CommandView]:
    """Ask a failed process to go on from where it failed."""
    return await order(request, database, "retry", process_id, data or Order())


async def order(request: Asked, database: Db, verb: str, process_id: str, data: Order) -> Response[CommandView]:
    """Send a process the order `verb` (cancel, retry) and answer with what became of it."""

    async def send(connection: AsyncConnection, scope: Scope) -> int:
        return await order_process(connection, scope, verb, process_id, signed(request.user, data.by), data.reason)

    return await command(request, database, number_of(process_id), send)


ROUTES = (start, start_many, list_all, read, history, cancel, retry)
