"""The allowed moves of processes and activities, one table each.

The code that decides must not consult these tables: they state the promise that the tests hold it to, and
docs/state-machine.md is drawn from them.
"""

from __future__ import annotations

from msgspec import Struct

from engine.core.model import ActivityStatus as A
from engine.core.model import ProcessStatus as P


class Move(Struct, frozen=True):
    """One allowed move, and the events that make it. `before` None: the thing begins to exist."""

    before: str
    after: str
    events: tuple[str, ...]


# Between WAITING and IN_PROGRESS any event may move a process: its status says whether something runs.
_ACTIVITY_EVENTS = (
    "activity.started",
    "activity.completed",
    "activity.failed",
    "activity.waiting",
    "task.created",
)

PROCESS_MOVES: tuple[Move, ...] = (
    Move(P.CREATED, P.IN_PROGRESS, ("process.started",)),
    Move(P.CREATED, P.FAILED, ("process.failed",)),
    Move(P.CREATED, P.CANCELLED, ("process.cancelled",)),
    Move(P.IN_PROGRESS, P.WAITING, _ACTIVITY_EVENTS),
    Move(P.IN_PROGRESS, P.COMPLETED, ("process.completed",)),
    Move(P.IN_PROGRESS, P.FAILED, ("process.failed",)),
    Move(P.IN_PROGRESS, P.CANCELLED, ("process.cancelled",)),
    Move(P.WAITING, P.IN_PROGRESS, ("activity.completed", "activity.failed")),
    Move(P.WAITING, P.FAILED, ("process.failed",)),
    Move(P.WAITING, P.CANCELLED, ("process.cancelled",)),
    Move(P.FAILED, P.IN_PROGRESS, ("process.retried",)),
)

# Where an activity begins with an event that names it in `starts` or `skips`, that event makes the move.
_ENDS = ("process.failed", "process.cancelled")
_NAMES_IT = ("process.started", "process.retried", "activity.completed")

ACTIVITY_MOVES: tuple[Move, ...] = (
    Move(A.PENDING, A.RUNNING, (*_NAMES_IT, "activity.started")),
    Move(A.PENDING, A.SKIPPED, (*_NAMES_IT, *_ENDS)),
    Move(A.PENDING, A.CANCELLED, _ENDS),
    Move(A.RUNNING, A.RUNNING, ("activity.started",)),
    Move(A.RUNNING, A.PENDING, ("activity.failed",)),
    Move(A.RUNNING, A.WAITING, ("activity.waiting", "task.created")),
    Move(A.RUNNING, A.COMPLETED, ("activity.completed",)),
    Move(A.RUNNING, A.FAILED, ("activity.failed",)),
    Move(A.RUNNING, A.CANCELLED, _ENDS),
    Move(A.WAITING, A.COMPLETED, ("activity.completed",)),
    Move(A.WAITING, A.FAILED, ("activity.failed",)),
    Move(A.WAITING, A.CANCELLED, _ENDS),
    Move(A.FAILED, A.PENDING, ("process.retried",)),
    Move(A.CANCELLED, A.PENDING, ("process.retried",)),
    Move(A.SKIPPED, A.PENDING, ("process.retried",)),
)


def allowed(moves: tuple[Move, ...], before: str, after: str, event: str) -> bool:
    """Tell whether `event` may lead from one state to another; staying is always allowed."""
    return before == after or any(m.before == before and m.after == after and event in m.events for m in moves)
