"""One decision in the making: the events decided so far, and the state they lead to.

A Draft lives within one call of `decide`. It numbers and stamps events, applies them, keeps count of what is
open, so that every event can name the process status it leads to, and keeps large values aside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from engine.cel.fuel import MADE_PER_UNIT, Fuel
from engine.core.events import TYPES, Body, Event
from engine.core.evolve import evolve
from engine.core.model import (
    PAYLOAD_BYTES,
    SETTLED,
    TERMINAL,
    Activity,
    ActivityStatus,
    Failure,
    ProcessStatus,
    State,
)
from engine.core.scope import StateScope
from engine.core.values import Admitted, Inadmissible, admit

if TYPE_CHECKING:
    from engine.core.compile import Plan, StepPlan

MAX_DETAILS = PAYLOAD_BYTES  # bytes of a failure's details
MAX_MESSAGE = 2000  # characters of a failure's message


class Inputs(Struct, frozen=True):
    """All that a decision needs from outside. `payloads` holds loaded values by number; `jitter` is in [0,
    1).
    """

    now: datetime
    jitter: float = 0.5
    payloads: Mapping[int, Any] = {}
    process_id: int = 0


class Decision(Struct, frozen=True):
    """What was decided: events, the values over PAYLOAD_BYTES they refer to, and the state after them."""

    events: tuple[Event, ...]
    payloads: dict[int, Any]
    state: State


class Mark(Struct, frozen=True):
    """What the outcome of a mail carries: its id, who asked and why."""

    command: int | None = None
    by: str | None = None
    reason: str | None = None


NO_MARK = Mark()


class Draft:
    """See the module. `todo`: activities begun, not yet decided; `doomed`: those whose condition failed."""

    def __init__(self, plan: Plan, state: State, inputs: Inputs) -> None:
        self.plan = plan
        self.state = state
        self.inputs = inputs
        last = state.last_at
        self.at = inputs.now if last is None or last < inputs.now else last
        self.events: list[Event] = []
        self.payloads: dict[int, Any] = {}
        self.todo: deque[str] = deque()
        self.doomed: dict[str, Failure] = {}
        self.fuel = Fuel()
        self._count()

    def _count(self) -> None:
        self._busy = self._waiting = self._settled = 0
        for activity in self.state.activities.values():
            self._tally(activity, 1)

    def _tally(self, activity: Activity, by: int) -> None:
        status = activity.status
        if status in SETTLED:
            self._settled += by
        elif status is ActivityStatus.WAITING:
            self._waiting += by
        elif status is ActivityStatus.RUNNING or activity.due_at is not None:
            self._busy += by

    @property
    def ended(self) -> bool:
        """Tell whether the process is in a terminal state."""
        return self.state.status in TERMINAL

    @property
    def settled(self) -> bool:
        """Tell whether every step has come to its end."""
        return self._settled == len(self.plan.steps)

    def decision(self) -> Decision:
        """Return what has been decided."""
        return Decision(tuple(self.events), self.payloads, self.state)

    def step(self, path: str) -> StepPlan:
        """Return the plan of an activity's step."""
        return self.plan.steps[step_of(path)]

    def scope(self, fresh: Mapping[str, Activity] | None = None) -> StateScope:
        """Return what expressions can read now."""
        payloads = {**self.inputs.payloads, **self.payloads} if self.payloads else self.inputs.payloads
        return StateScope(self.state, payloads, self.inputs.process_id, self.at, fresh=fresh, fuel=self.fuel)

    def admit(self, value: Any) -> Admitted:
        """Return a value that is going to be stored, paid for: 3 units an item, 1 for 16 bytes.

        So one decision stores 30 MB at most. Raises Inadmissible, OutOfFuel.
        """
        admitted = admit(value)
        self.fuel.spend(1 + 3 * admitted.items + admitted.size // MADE_PER_UNIT)
        return admitted

    def store(self, value: Any, size: int) -> dict[str, Any]:
        """Return the fields that hold an output: inline, or as a reference to a payload."""
        if size <= PAYLOAD_BYTES:
            return {"output": value}
        number = self.state.payloads
        self.payloads[number] = value
        return {"output_ref": number}

    def emit(
        self,
        body: type[Body],
        path: str | None = None,
        mark: Mark = NO_MARK,
        *,
        name: str = "",
        **fields: Any,
    ) -> None:
        """Add an event that leaves activities and process status alone."""
        attempt = self.state.activities[path].attempt if path is not None else None
        self._add(_make(body, mark, fields), path, name, attempt)

    def move(
        self,
        body: type[Body],
        path: str,
        to: ActivityStatus,
        mark: Mark = NO_MARK,
        *,
        attempt: int | None = None,
        **fields: Any,
    ) -> None:
        """Add an event that brings one activity to another state and may start or skip others."""
        old = self.state.activities[path]
        self._tally(old, -1)
        if to in SETTLED:
            self._settled += 1
        elif to is ActivityStatus.WAITING:
            self._waiting += 1
        else:
            self._busy += 1  # RUNNING, or PENDING until its next attempt
        starts = fields.get("starts", ())
        self._busy += len(starts)
        self._settled += len(fields.get("skips", ()))
        status = ProcessStatus.WAITING if self._waiting and not self._busy else ProcessStatus.IN_PROGRESS
        if status is not self.state.status:
            fields["status"] = status
        self._add(_make(body, mark, fields), path, "", old.attempt if attempt is None else attempt)
        self._queue(starts)

    def turn(self, body: type[Body], status: ProcessStatus, mark: Mark = NO_MARK, **fields: Any) -> None:
        """Add an event that brings the process to another state."""
        self._add(_make(body, mark, {**fields, "status": status}), None, "")
        self._count()
        self._queue(fields.get("starts", ()))

    def _queue(self, starts: Any) -> None:
        for start in starts:
            if start.path in self.doomed or not self.step(start.path).effectful:
                self.todo.append(start.path)

    def _add(self, body: Body, path: str | None, name: str, attempt: int | None = None) -> None:
        event = Event(
            seq=self.state.seq + 1,
            at=self.at,
            type=name or TYPES[type(body)],
            body=body,
            path=path,
            attempt=attempt,
        )
        self.state = evolve(self.state, event)
        self.events.append(event)


def _make(body: type[Body], mark: Mark, fields: dict[str, Any]) -> Body:
    if mark is NO_MARK:
        return body(**fields)
    return body(command=mark.command, by=mark.by, reason=mark.reason, **fields)


def step_of(path: str) -> str:
    """Return the step id of a path such as `ship[17]` or `pack#3`, the last part of a nested one."""
    last = path.rpartition("/")[2]
    for mark in "[#":
        last = last.partition(mark)[0]
    return last


def clean(failure: Failure, step_id: str | None = None) -> Failure:
    """Return a failure that can be stored: bounded, without characters that jsonb refuses."""
    details = failure.details
    if details is not None:
        try:
            details = admit(details, max_bytes=MAX_DETAILS).value
        except Inadmissible as fault:
            details = {"left_out": fault.message}
    return msgspec.structs.replace(
        failure,
        code=_text(failure.code, 100),
        message=_text(failure.message, MAX_MESSAGE),
        advice=_text(failure.advice, MAX_MESSAGE),
        details=details,
        step_id=failure.step_id or step_id,
    )


def _text(text: str, most: int) -> str:
    text = text[:most].replace("\0", "�")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
