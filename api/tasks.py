"""/tasks: what waits for a person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.auth import signed
from api.bodies import Asked, check_value
from api.catalogue import find_definition
from api.database import Db
from api.documented import described
from api.idempotency import Answer, Follow, once, respond
from api.lists import Cursor, Limit, bad_cursor, page
from api.outcomes import accepted, settle
from api.problems import not_found
from api.queries import refused
from api.wire import CommandView, CompleteTask, Page, RejectTask, TaskView
from engine.core.ids import parse_task_id, private_id, public_id, task_id
from engine.store import AsyncConnection, Scope, TaskRow, complete_task, last_seq, list_tasks, reject_task

_Send = Callable[[AsyncConnection, Scope], Awaitable[int]]


@get(
    "/tasks",
    **described("list_tasks", "List open tasks, oldest process first", 200, "tasks:act", "workflows:read"),
)
async def list_all(  # noqa: PLR0913  a list has its filters
    request: Asked,
    database: Db,
    *,
    cursor: Cursor = None,
    limit: Limit = 50,
    assignee: FromQuery[str | None] = None,
    group: FromQuery[str | None] = None,
    definition: Annotated[str | None, QueryParameter(description="Name or id (wf_…).", max_length=200)] = None,
    process: Annotated[str | None, QueryParameter(description="Id of a process (prc_…).")] = None,
) -> Page[TaskView]:
    """Return a page of open tasks."""
    scope = request.user.scope
    after_process, after_path = _after(cursor)
    number = _number(process)
    async with database.transaction(scope) as connection:
        definition_id = None
        if definition is not None:
            found = await find_definition(connection, scope, definition)
            definition_id = found[0] if found else -1  # no task has that
        values = {
            "after_process": after_process,
            "after_path": after_path,
            "assignee": assignee,
            "group": group,
            "definition_id": definition_id,
            "process_id": number,
            "limit": limit + 1,
        }
        rows = await list_tasks(connection, scope, values)
    return page([_view(row) for row in rows], limit, lambda item: item.id)


def _number(process: str | None) -> int | None:
    """Return the number of the process asked for. Raises BadInput: a filter is not a thing that is not found."""
    try:
        return private_id("prc", process) if process is not None else None
    except ValueError:
        raise refused("this is not the id of a process", "process", "Pass an id as POST /processes gave it.") from None


def _after(cursor: str | None) -> tuple[int, str]:
    if cursor is None:
        return 0, ""
    try:
        process, path, _ = parse_task_id(cursor)
    except ValueError:
        raise bad_cursor() from None
    if "\0" in path:
        raise bad_cursor()
    return process, path


def _view(row: TaskRow) -> TaskView:
    return TaskView(
        id=task_id(row.process_id, row.path, row.run),
        process_id=public_id("prc", row.process_id),
        path=row.path,
        definition_id=public_id("wf", row.definition_id),
        definition=row.definition,
        title=row.title,
        assignee=row.assignee,
        group=row.group,
        form=msgspec.json.decode(row.form) if row.form is not None else None,
        due_at=row.due_at,
        created_at=row.created_at,
        overdue=row.overdue,
    )


@post(
    "/tasks/{task:str}/complete",
    **described(
        "complete_task", "Complete a task", 200, "tasks:act", errors=(404,), acts=True, also={202: CommandView}
    ),
)
async def complete(
    request: Asked, database: Db, task: FromPath[str], data: JSONBody[CompleteTask]
) -> Response[CommandView]:
    """Complete a task with data that satisfies its form, in the name of a person."""
    check_value(data.data, "/data")

    async def send(connection: AsyncConnection, scope: Scope) -> int:
        values = _values(request, task, data) | {"data": data.data}
        return await complete_task(connection, scope, values)

    return await _act_on(request, database, task, send)


@post(
    "/tasks/{task:str}/reject",
    **described("reject_task", "Reject a task", 200, "tasks:act", errors=(404,), acts=True, also={202: CommandView}),
)
async def reject(
    request: Asked, database: Db, task: FromPath[str], data: JSONBody[RejectTask]
) -> Response[CommandView]:
    """Reject a task with a reason, in the name of a person."""

    async def send(connection: AsyncConnection, scope: Scope) -> int:
        return await reject_task(connection, scope, _values(request, task, data))

    return await _act_on(request, database, task, send)


def _values(request: Asked, task: str, data: CompleteTask | RejectTask) -> dict[str, Any]:
    return {"task": task, "by": signed(request.user, data.by), "reason": data.reason}


async def _act_on(request: Asked, database: Db, task: str, send: _Send) -> Response[CommandView]:
    try:
        number, path, _ = parse_task_id(task)
    except ValueError:
        raise not_found("task") from None
    if "\0" in path:
        raise not_found("task")

    async def act(connection: AsyncConnection, scope: Scope) -> Answer:
        after = await last_seq(connection, scope, number)
        return accepted(Follow(number, after, await send(connection, scope), task))

    answer, replayed = await once(request, database, request.user, act)
    if answer.follow is not None:
        answer = await settle(database, request.user.scope, answer.follow)
    return respond(answer, replayed)


ROUTES = (list_all, complete, reject)
