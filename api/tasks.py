"""/tasks: what waits for a person."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.auth import signed
from api.bodies import Asked, check_value
from api.database import Db
from api.documented import commanded, described
from api.lists import Cursor, Limit, bad_cursor, page
from api.outcomes import Send, command
from api.problems import not_found
from api.queries import refused
from api.search import definition_number
from api.wire import ClaimTask, CommandView, CompleteTask, Page, ReassignTask, RejectTask, TaskView
from engine.core.ids import parse_task_id, private_id, public_id, task_id
from engine.errors import NotFound
from engine.store.base import AsyncConnection, Scope
from engine.store.orders import assign_task, complete_task, reject_task
from engine.store.tasks import TaskRow, get_task, list_tasks

_CLOSED = "List open tasks with GET /api/v1/tasks; the history of the process says how one ended."


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
        values = {
            "after_process": after_process,
            "after_path": after_path,
            "assignee": assignee,
            "group": group,
            "definition_id": await definition_number(connection, scope, definition),
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


@get(
    "/tasks/{task:str}",
    **described("get_task", "Read an open task", 200, "tasks:act", "workflows:read", errors=(404,)),
)
async def read(request: Asked, database: Db, task: FromPath[str]) -> TaskView:
    """Return a task as long as it is open."""
    number, path, run = _named(task)
    scope = request.user.scope
    async with database.transaction(scope) as connection:
        row = await get_task(connection, scope, number, path)
    if row is None or row.run != run:
        raise NotFound("no open task with this id in this tenant and environment", advice=_CLOSED)
    return _view(row)


@post(
    "/tasks/{task:str}/claim",
    **commanded("claim_task", "Claim a task", "tasks:act"),
)
async def claim(request: Asked, database: Db, task: FromPath[str], data: JSONBody[ClaimTask]) -> Response[CommandView]:
    """Take a task for a person; refused if somebody else has it."""

    async def send(connection: AsyncConnection, scope: Scope) -> int:
        values = _values(request, task, data) | {"to": data.by, "claim": True}
        return await assign_task(connection, scope, values)

    return await _act_on(request, database, task, send)


@post(
    "/tasks/{task:str}/reassign",
    **commanded("reassign_task", "Reassign a task", "tasks:act"),
)
async def reassign(
    request: Asked, database: Db, task: FromPath[str], data: JSONBody[ReassignTask]
) -> Response[CommandView]:
    """Put a task into another person's hands, or back to its group, whoever has it."""

    async def send(connection: AsyncConnection, scope: Scope) -> int:
        values = _values(request, task, data) | {"to": data.to, "claim": False}
        return await assign_task(connection, scope, values)

    return await _act_on(request, database, task, send)


@post(
    "/tasks/{task:str}/complete",
    **commanded("complete_task", "Complete a task", "tasks:act"),
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
    **commanded("reject_task", "Reject a task", "tasks:act"),
)
async def reject(
    request: Asked, database: Db, task: FromPath[str], data: JSONBody[RejectTask]
) -> Response[CommandView]:
    """Reject a task with a reason, in the name of a person."""

    async def send(connection: AsyncConnection, scope: Scope) -> int:
        return await reject_task(connection, scope, _values(request, task, data))

    return await _act_on(request, database, task, send)


def _values(request: Asked, task: str, data: ClaimTask | ReassignTask | CompleteTask | RejectTask) -> dict[str, Any]:
    return {"task": task, "by": signed(request.user, data.by), "reason": data.reason}


async def _act_on(request: Asked, database: Db, task: str, send: Send) -> Response[CommandView]:
    number, _, _ = _named(task)
    return await command(request, database, number, send, task=task)


def _named(task: str) -> tuple[int, str, int]:
    """Return (process, path, run) of a task's public id. Raises NotFound for anything else."""
    try:
        number, path, run = parse_task_id(task)
    except ValueError:
        raise not_found("task") from None
    if "\0" in path:
        raise not_found("task")
    return number, path, run


ROUTES = (list_all, read, claim, reassign, complete, reject)
