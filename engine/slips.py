"""What a flush writes for one hold: rows of history, and what follows from them for waits, tasks and the process row.

Knows what of the process is durable beside its history, so that a slip holds the difference. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from engine.core.events import ActivityWaiting, Body, CommandRejected, Event, TaskAssigned, TaskCreated
from engine.core.model import TERMINAL, Activity, ActivityStatus, State, Task
from engine.core.snapshot import snapshot_of
from engine.flush import Slip, event_row
from engine.queue import Claimed

SNAPSHOT_AT_PARK = 64  # events since the last snapshot (design section 3)
SNAPSHOT_IN_FLUSH = 256

Wait = tuple[str, str, str]  # name, correlation, path
Signals = dict[int, dict[str, Any]]  # mail id → row of the signal

_encode = msgspec.json.Encoder().encode


class Writer:
    """Writes the slips of one hold. `waits`: those that are durable once the slip in flight is."""

    def __init__(self, claimed: Claimed, state: State, snapshot_seq: int) -> None:
        self.waits = _waits(state)
        self._scope = (claimed.process_id, claimed.tenant_id, claimed.environment_id)
        self._tasks = _tasks(state)
        self._status = state.status
        self._snapshot_seq = snapshot_seq

    def slip(self, events: list[Event], state: State, payloads: Mapping[int, Any], signals: Signals) -> Slip:
        """Return what these events, which lead to `state`, change. Takes the signals whose outcome is among them.

        Raises UnicodeEncodeError when a decided value cannot be written at all.
        """
        slip = Slip(*self._scope)
        if not events:
            return slip
        slip.events = [event_row(*self._scope, event) for event in events]
        slip.size = sum([len(row.data) for row in slip.events])
        if payloads:
            bodies = {n: msgspec.Raw(_encode(value)) for n, value in payloads.items()}
            slip.put("payloads", [{"n": n, "body": body} for n, body in bodies.items()])
            slip.size += sum(map(len, bodies.values()))
        opened = ended = False
        for event in events:
            body = event.body
            if body.command is not None:
                _put_mail(slip, body, signals.pop(body.command, None))
            opened = opened or isinstance(body, ActivityWaiting | TaskCreated)
            ended = ended or body.status in TERMINAL
        if opened or self.waits or self._tasks:
            self._put_waits(slip, events, state)
        if ended or state.status is not self._status:  # a retry that fails at once ends where it began, but ended anew
            self._put_status(slip, state)
        if state.seq - self._snapshot_seq >= SNAPSHOT_IN_FLUSH:
            self._put_snapshot(slip, state)
        return slip

    def park(self, slip: Slip, state: State, bell: int, due: datetime | None) -> None:
        """Give up the lease with this slip, if nobody has rung beyond `bell`."""
        slip.park = True
        slip.put("parks", [{"bell": bell, "due_at": due}])
        if state.seq - self._snapshot_seq >= SNAPSHOT_AT_PARK and state.status not in TERMINAL:
            self._put_snapshot(slip, state)

    def _put_waits(self, slip: Slip, events: list[Event], state: State) -> None:
        waits, tasks = _waits(state), _tasks(state)
        slip.put("waits", [_wait_row(key) for key in waits - self.waits])
        slip.put("unwaits", [_wait_row(key) for key in self.waits - waits])
        slip.put("tasks", [_task_row(state, path) for path in tasks - self._tasks])
        slip.put("untasks", [{"path": path} for path in self._tasks - tasks])
        assigned = {event.path for event in events if event.path and isinstance(event.body, TaskAssigned)}
        slip.put("assignments", [_assignment(state, path) for path in assigned & tasks & self._tasks])
        self.waits, self._tasks = waits, tasks

    def _put_status(self, slip: Slip, state: State) -> None:
        row: dict[str, Any] = {"status": state.status, "started_at": state.started_at, "ended_at": state.ended_at}
        if state.error is not None:
            row |= {"error_code": state.error.code, "failed_step": state.error.step_id}
        slip.put("processes", [row])
        if state.status in TERMINAL and state.business_key is not None:
            slip.put("ended", [{"definition_id": state.definition_id, "business_key": state.business_key}])
        self._status = state.status

    def _put_snapshot(self, slip: Slip, state: State) -> None:
        slip.rows.pop("snapshots", None)
        slip.put("snapshots", [{"seq": state.seq, "state": snapshot_of(state)}])
        self._snapshot_seq = state.seq


def give_back(slip: Slip, seq: int) -> None:
    """Give the process back to the queue: nothing of what is RUNNING after event `seq` has begun."""
    slip.give_back = True
    slip.put("give_backs", [{"seq": seq}])


def _put_mail(slip: Slip, body: Body, signal: dict[str, Any] | None) -> None:
    """Put down the mail that this is the outcome of; a signal refused for want of a wait may serve another one."""
    slip.put("mail", [{"id": body.command}])
    if signal is not None and isinstance(body, CommandRejected) and body.code == "no_matching_wait":
        slip.put("undeliveries", [signal])


def _waits(state: State) -> frozenset[Wait]:
    """Return every open signal wait."""
    return frozenset(
        (a.wait.signal, a.wait.correlation, a.path)
        for a in state.activities.values()
        if a.status is ActivityStatus.WAITING and a.wait is not None and a.wait.signal is not None
    )


def _tasks(state: State) -> frozenset[str]:
    """Return the path of every open task."""
    return frozenset(a.path for a in state.activities.values() if _task_of(a) is not None)


def _task_of(activity: Activity) -> Task | None:
    """Return the open task of an activity."""
    waiting = activity.status is ActivityStatus.WAITING and activity.wait is not None
    return activity.wait.task if waiting and activity.wait is not None else None


def _wait_row(key: Wait) -> dict[str, Any]:
    name, correlation, path = key
    return {"name": name, "correlation": correlation, "path": path}


def _assignment(state: State, path: str) -> dict[str, Any]:
    task = _task_of(state.activities[path])
    return {"path": path, "assignee": task.assignee if task else None}


def _task_row(state: State, path: str) -> dict[str, Any]:
    activity = state.activities[path]
    task = _task_of(activity)
    assert task is not None  # noqa: S101  `path` comes from _tasks
    return {
        "path": path,
        "run": activity.run,
        "definition_id": state.definition_id,
        "title": task.title,
        "assignee": task.assignee,
        "group": task.group,
        "form": task.form,
        "due_at": task.due_at,
        "created_at": state.last_at,
    }
