"""What operators do to processes: retry many that failed, let one out of the quarantine."""

from __future__ import annotations

from datetime import UTC, datetime

from litestar import Response, post
from litestar.params import FromPath, JSONBody

from api.auth import signed
from api.bodies import Asked
from api.catalogue import process_id as number_of
from api.database import Db
from api.documented import described
from api.idempotency import Answer, once, respond
from api.problems import not_found
from api.process_view import view
from api.search import definition_number
from api.wire import MAX_RETRIES, Order, ProcessView, RefusedRetry, RetriesView, RetryProcesses, SentRetry
from engine.core.ids import public_id
from engine.core.model import ProcessStatus
from engine.errors import BadInput
from engine.store.base import AsyncConnection, Scope
from engine.store.orders import RetryRow, release_process, retry_processes
from engine.store.processes import ProcessFilter, get_process_row, list_processes

_FILTERS = ("definition", "error_code", "failed_step", "created_after", "created_before")


@post(
    "/processes/retry",
    **described("retry_processes", "Retry many failed processes", 202, "workflows:execute", acts=True),
)
async def retry_many(request: Asked, database: Db, data: JSONBody[RetryProcesses]) -> Response[RetriesView]:
    """Ask each of up to 1,000 failed processes to go on; tell of each other one why it was not asked."""
    _check(data)

    async def act(connection: AsyncConnection, scope: Scope) -> Answer:
        wanted = data.ids or await _matching(connection, scope, data)
        rows: list[RetryRow] = []
        if wanted:
            rows = await retry_processes(connection, scope, wanted, signed(request.user, data.by), data.reason)
        return Answer(202, _view(wanted, rows))

    return respond(*await once(request, database, request.user, act))


def _check(data: RetryProcesses) -> None:
    """Refuse what does not say which processes are meant, or says it twice. Raises BadInput."""
    filters = [name for name in _FILTERS if getattr(data, name) is not None]
    more = [*filters, *(["limit"] if data.limit is not None else [])]
    if data.ids is not None and more:
        advice = "Leave out either 'ids' or the filters."
        raise BadInput("processes are named by 'ids' or by filters, not both", pointer=f"/{more[0]}", advice=advice)
    if data.ids is None and not filters:
        advice = f"Pass 'ids', or at least one of {', '.join(_FILTERS)}."
        raise BadInput("nothing says which processes to retry", advice=advice)


async def _matching(connection: AsyncConnection, scope: Scope, data: RetryProcesses) -> list[str]:
    """Return the ids of the newest failed processes that match."""
    wanted = ProcessFilter(
        status=ProcessStatus.FAILED,
        definition_id=await definition_number(connection, scope, data.definition),
        error_code=data.error_code,
        failed_step=data.failed_step,
        created_after=_in_utc(data.created_after, "/created_after"),
        created_before=_in_utc(data.created_before, "/created_before"),
    )
    rows = await list_processes(connection, scope, wanted, None, data.limit or MAX_RETRIES)
    return [public_id("prc", row.id) for row in rows]


def _in_utc(moment: datetime | None, pointer: str) -> datetime | None:
    try:
        return moment.astimezone(UTC) if moment is not None else None
    except OverflowError:
        advice = "In UTC its year must be from 1 to 9999."
        raise BadInput("the time is out of range", pointer=pointer, advice=advice) from None


def _view(wanted: list[str], rows: list[RetryRow]) -> RetriesView:
    """Return what became of them, in the order in which they were asked for."""
    place = {process: number for number, process in enumerate(wanted)}
    rows = sorted(rows, key=lambda row: place[row.process])
    return RetriesView(
        accepted=[SentRetry(row.process, public_id("cmd", row.command)) for row in rows if row.command is not None],
        refused=[RefusedRetry(row.process, row.code or "", row.detail or "") for row in rows if row.command is None],
    )


@post(
    "/processes/{process_id:str}/release",
    **described("release_process", "Let a process out of the quarantine", 200, "admin", errors=(404,), acts=True),
)
async def release(
    request: Asked, database: Db, process_id: FromPath[str], data: JSONBody[Order | None] = None
) -> Response[ProcessView]:
    """Forgive the losses of a process that is set aside and ring for it: it goes on where it was."""
    number, order = number_of(process_id), data or Order()

    async def act(connection: AsyncConnection, scope: Scope) -> Answer:
        await release_process(connection, scope, process_id, signed(request.user, order.by), order.reason)
        row = await get_process_row(connection, scope, number)
        if row is None:
            raise not_found("process")
        return Answer(200, view(row))

    return respond(*await once(request, database, request.user, act))


ROUTES = (retry_many, release)
