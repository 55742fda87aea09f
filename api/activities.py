"""/processes/{id}/activities: orders to one activity of a process."""

from __future__ import annotations

from litestar import Response, post
from litestar.params import FromPath, JSONBody

from api.auth import signed
from api.bodies import Asked, check_value
from api.catalogue import process_id as number_of
from api.database import Db
from api.documented import commanded
from api.outcomes import command
from api.problems import not_found
from api.wire import CommandView, ResumeActivity
from engine.store.base import AsyncConnection, Scope
from engine.store.orders import resume_activity

MAX_NAME = 800  # characters of a path or an execution id, as in SQL


@post(
    "/processes/{process_id:str}/activities/{activity:str}/resume",
    **commanded("resume_activity", "Resume a waiting activity", "workflows:execute"),
)
async def resume(
    request: Asked,
    database: Db,
    process_id: FromPath[str],
    activity: FromPath[str],
    data: JSONBody[ResumeActivity | None] = None,
) -> Response[CommandView]:
    """End a wait or a task that is WAITING with an output of the caller's. `activity`: step id or execution id."""
    number, order = number_of(process_id), data or ResumeActivity()
    if "\0" in activity or len(activity) > MAX_NAME:
        raise not_found("activity")
    check_value(order.output, "/output")

    async def send(connection: AsyncConnection, scope: Scope) -> int:
        values = {
            "process": process_id,
            "activity": activity,
            "output": order.output,
            "by": signed(request.user, order.by),
            "reason": order.reason,
        }
        return await resume_activity(connection, scope, values)

    return await command(request, database, number, send, activity=activity)


ROUTES = (resume,)
