"""Commands to a process: send one, and wait up to 2 s for the event that carries its id.

The command is committed before; the wait holds no transaction and no connection between two looks. Whoever gives up
gets 202 and finds the outcome in history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from litestar import Response

from api.bodies import Asked
from api.database import Database
from api.idempotency import Answer, Follow, once, respond
from api.wire import CommandView
from engine.core.events import CommandRejected as Rejected
from engine.core.events import decode_body
from engine.core.ids import public_id
from engine.core.model import ActivityStatus
from engine.errors import BadInput, CommandRejected, NotFound, StepwellError
from engine.store.base import AsyncConnection, Scope
from engine.store.history import OutcomeRow, find_outcome, last_seq
from engine.store.processes import get_process_row

PATIENCE_S = 2.0
_PAUSES_S = (0.025, 0.025, 0.05, 0.05)
_LAST_PAUSE_S = 0.1
_OF_ACTIVITY = {  # what an event about an activity says of it
    "activity.completed": ActivityStatus.COMPLETED,
    "activity.failed": ActivityStatus.FAILED,
    "task.assigned": ActivityStatus.WAITING,
}
_ADVICE = {  # what to do about a refusal; else read the state and decide again
    "process_ended": "Nothing is to be done: read how it ended.",
    "not_failed": "Only what has FAILED can be retried; what is COMPLETED or CANCELLED stays so.",
    "not_waiting": "Read the process: only an activity that is WAITING can be resumed.",
    "task_not_open": "Read the process: its history says how the task ended.",
    "task_claimed": "Leave it to that person, or reassign it first.",
    "by_missing": "Name the person in 'by'.",
}

Send = Callable[[AsyncConnection, Scope], Awaitable[int]]


async def command(
    request: Asked,
    database: Database,
    process_id: int,
    send: Send,
    *,
    task: str | None = None,
    activity: str | None = None,
) -> Response[CommandView]:
    """Send a command, once per Idempotency-Key, and answer with what became of it.

    `send` leaves the mail and returns the command's id. `task`, `activity`: what it is asked of, if not of the process.
    Raises CommandRejected, BadInput.
    """

    async def act(connection: AsyncConnection, scope: Scope) -> Answer:
        after = await last_seq(connection, scope, process_id)
        return accepted(Follow(process_id, after, await send(connection, scope), task, activity))

    answer, replayed = await once(request, database, request.user, act)
    if answer.follow is not None:
        answer = await settle(database, request.user.scope, answer.follow)
    return respond(answer, replayed)


async def settle(database: Database, scope: Scope, follow: Follow) -> Answer:
    """Return 200 with what the command led to, 202 if that takes longer. Raises CommandRejected, BadInput."""
    row = await _await_row(database, scope, follow)
    if row is None:
        return Answer(202, _view(follow, "accepted"))
    body = decode_body(row.type, row.v, row.data)
    if isinstance(body, Rejected):
        raise refused(body, follow)
    if follow.task is not None or follow.activity is not None:
        return Answer(200, _view(follow, _OF_ACTIVITY[row.type]))
    return Answer(200, _view(follow, body.status or await _status(database, scope, follow.process_id)))


def refused(body: Rejected, follow: Follow) -> StepwellError:
    """Return the error for a command that its process refused."""
    details: dict[str, object] = {
        "code": body.code,
        "command_id": public_id("cmd", follow.command),
        "process_id": public_id("prc", follow.process_id),
    }
    if body.code == "form_invalid" or body.code.startswith("data_"):  # the data was wrong, not the moment
        field = "/data" if follow.activity is None else "/output"
        return BadInput(body.message, code=body.code, pointer=field + body.pointer, details=details)
    return CommandRejected(body.message, advice=_ADVICE.get(body.code), details=details)


def accepted(follow: Follow) -> Answer:
    """Return the answer to store with a command: what it is, for whoever asks again."""
    return Answer(202, _view(follow, "accepted"), follow=follow)


def _view(follow: Follow, status: str) -> CommandView:
    process = public_id("prc", follow.process_id)
    return CommandView(
        command_id=public_id("cmd", follow.command),
        process_id=process,
        status=str(status),
        id=follow.task or follow.activity or process,
    )


async def _await_row(database: Database, scope: Scope, follow: Follow) -> OutcomeRow | None:
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE_S
    pauses = iter(_PAUSES_S)
    while True:
        async with database.transaction(scope) as connection:
            row = await find_outcome(connection, scope, follow.process_id, follow.after, follow.command)
        if row is not None or loop.time() >= end:
            return row
        await asyncio.sleep(next(pauses, _LAST_PAUSE_S))


async def _status(database: Database, scope: Scope, process_id: int) -> str:
    async with database.transaction(scope) as connection:
        row = await get_process_row(connection, scope, process_id)
    if row is None:
        raise NotFound("the process is gone")
    return row.status
