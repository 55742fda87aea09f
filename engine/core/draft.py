"""One decision in the making: the events decided so far, and the state they lead to.

A Draft lives within one call of `decide`. It numbers and stamps events, applies them to a state of its own, names in
each the process status it leads to, and keeps large values aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from engine.cel.fuel import MADE_PER_UNIT, Fuel
from engine.core.events import TYPES, AnyBody, Event
from engine.core.evolve import apply
from engine.core.model import (
    PAYLOAD_BYTES,
    SETTLED,
    TERMINAL,
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

_PENDING = ActivityStatus.PENDING
_RUNNING = ActivityStatus.RUNNING
_WAITING = ActivityStatus.WAITING


def begin(plan: Plan, state: State, inputs: Inputs) -> Draft:
    """Return a draft that has decided nothing yet."""
    last = state.last_at
    return Draft(plan, state.copy(), inputs, inputs.now if last is None or last < inputs.now else last)


class Draft(Struct):
    """See the module. `todo`: activities begun, to be decided in this order; `doomed`: those whose condition failed."""

    plan: Plan
    state: State  # ours alone until it is part of the decision
    inputs: Inputs
    at: datetime
    events: list[Event] = []
    payloads: dict[int, Any] = {}
    todo: list[str] = []
    doomed: dict[str, Failure] = {}
    fuel: Fuel = field(default_factory=Fuel)
    reads: StateScope | None = None  # it reads `state` as it grows; made anew with each new payload

    @property
    def ended(self) -> bool:
        """Tell whether the process is in a terminal state."""
        return self.state.status in TERMINAL

    @property
    def settled(self) -> bool:
        """Tell whether every step has come to its end."""
        activities = self.state.activities
        # The last to begin is the first to look at: it is seldom the first to end.
        return len(activities) == len(self.plan.steps) and all(
            activity.status in SETTLED for activity in reversed(activities.values())
        )

    def decision(self) -> Decision:
        """Return what has been decided."""
        return Decision(tuple(self.events), self.payloads, self.state)

    def step(self, path: str) -> StepPlan:
        """Return the plan of an activity's step."""
        steps = self.plan.steps
        return steps.get(path) or steps[step_of(path)]

    def scope(self) -> StateScope:
        """Return what expressions can read now."""
        if self.reads is None:
            payloads = {**self.inputs.payloads, **self.payloads}
            self.reads = StateScope(self.state, payloads, self.inputs.process_id, self.at, fuel=self.fuel)
        return self.reads

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
        self.reads = None
        return {"output_ref": number}

    def emit(
        self,
        body: type[AnyBody],
        path: str | None = None,
        mark: Mark = NO_MARK,
        *,
        name: str = "",
        **fields: Any,
    ) -> None:
        """Add an event that leaves activities and process status alone."""
        attempt = self.state.activities[path].attempt if path is not None else None
        self._add(body, mark, fields, path, attempt, name)

    def move(
        self,
        body: type[AnyBody],
        path: str,
        to: ActivityStatus,
        mark: Mark = NO_MARK,
        *,
        attempt: int | None = None,
        **fields: Any,
    ) -> None:
        """Add an event that brings one activity to another state and may start or skip others."""
        if "starts" in fields or to is _RUNNING or to is _PENDING:  # PENDING until its next attempt
            status = ProcessStatus.IN_PROGRESS
        else:
            status = self._status_without(path, waiting=to is _WAITING)
        if status is not self.state.status:
            fields["status"] = status
        if attempt is None:
            attempt = self.state.activities[path].attempt
        self._add(body, mark, fields, path, attempt)

    def _status_without(self, path: str, *, waiting: bool) -> ProcessStatus:
        """Return what the process is while one activity does not run: WAITING where no other runs and one waits."""
        for activity in reversed(self.state.activities.values()):  # as in `settled`
            if activity.path == path:
                continue
            status = activity.status
            if status is _RUNNING or (status is _PENDING and activity.due_at is not None):
                return ProcessStatus.IN_PROGRESS
            waiting = waiting or status is _WAITING
        return ProcessStatus.WAITING if waiting else ProcessStatus.IN_PROGRESS

    def turn(self, body: type[AnyBody], status: ProcessStatus, mark: Mark = NO_MARK, **fields: Any) -> None:
        """Add an event that brings the process to another state."""
        self._add(body, mark, {**fields, "status": status}, None, None)

    def _add(
        self,
        body: type[AnyBody],
        mark: Mark,
        fields: dict[str, Any],
        path: str | None,
        attempt: int | None,
        name: str = "",
    ) -> None:
        if mark is not NO_MARK:
            fields.update(command=mark.command, by=mark.by, reason=mark.reason)
        event = Event(self.state.seq + 1, self.at, name or TYPES[body], body(**fields), path, attempt)
        apply(self.state, event)
        self.events.append(event)


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
