"""A process in the words of /workflows/executions: an execution, its steps, its values.

Pure: values in, wire types out. Which activities there are is said in one place, `process_view.all_activities`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from api.catalogue import Step
from api.process_view import all_activities, refs_of
from api.wire import ExecutionContext, ExecutionStatus, ExecutionView, StepExecutionView, StepStatus
from engine.core.ids import public_id
from engine.core.model import Activity, ActivityStatus, ProcessStatus, State
from engine.store.base import Scope
from engine.store.processes import ExecutionRow, ProcessRow

IN_WORDS: dict[ProcessStatus, ExecutionStatus] = {
    ProcessStatus.CREATED: ExecutionStatus.PENDING,
    ProcessStatus.IN_PROGRESS: ExecutionStatus.RUNNING,
    ProcessStatus.WAITING: ExecutionStatus.RUNNING,
    ProcessStatus.COMPLETED: ExecutionStatus.COMPLETED,
    ProcessStatus.FAILED: ExecutionStatus.FAILED,
    ProcessStatus.CANCELLED: ExecutionStatus.CANCELLED,
}
STARTED_DIRECTLY = "api"

Known = tuple[ExecutionRow | ProcessRow, State]
Payloads = Mapping[tuple[int, int], str]  # (process id, number) → JSON text
_encode = msgspec.json.Encoder().encode


class Room:
    """How much one answer may still take, in bytes of values: what does not fit is left out."""

    def __init__(self, left: float = math.inf) -> None:
        self.left = left

    def take(self, text: bytes | str) -> msgspec.Raw | None:
        """Return a value ready to go out as it is, None where it does not fit."""
        if len(text) > self.left:
            return None
        self.left -= len(text)
        return msgspec.Raw(text)


def statuses(wanted: ExecutionStatus | None) -> list[str] | None:
    """Return the states of a process that go by this word."""
    return None if wanted is None else [str(status) for status, word in IN_WORDS.items() if word == wanted]


def values_of(row: ExecutionRow | ProcessRow, state: State) -> list[tuple[int, int]]:
    """Return the names of all values kept aside that a view of the state needs."""
    return [(row.id, number) for number in refs_of(state)]


def execution(scope: Scope, known: Known, steps: Sequence[Step], payloads: Payloads, room: Room) -> ExecutionView:
    """Return a process as an execution. `payloads`: what `values_of` named, or some of it. Takes from `room`."""
    row, state = known

    def shown(value: Any, ref: int | None) -> Any:
        if ref is not None:
            text = payloads.get((row.id, ref))
            return room.take(text) if text is not None else None
        return room.take(_encode(value)) if value is not None else None

    given, result = shown(state.input, state.input_ref), shown(state.output, state.output_ref)
    found = [(a, step, shown(a.output, a.output_ref)) for a, step in all_activities(state, steps)]
    return ExecutionView(
        id=public_id("prc", row.id),
        workflow_id=public_id("wf", row.definition_id),
        workflow_name=row.definition,
        tenant_id=scope.tenant,
        environment_id=scope.environment,
        trigger_type=_trigger_type(state.trigger),
        trigger_event=given if state.trigger is not None else None,
        status=IN_WORDS[state.status],
        started_at=state.started_at,
        completed_at=state.ended_at,
        context=ExecutionContext(
            input=given,
            steps={a.path: output for a, _, output in found if a.status == ActivityStatus.COMPLETED},
            output=result,
        ),
        error=state.error,
        step_executions=[_step(activity, step, output) for activity, step, output in found],
    )


def _trigger_type(trigger: Any) -> str:
    kind = trigger.get("type") if isinstance(trigger, dict) else None
    return kind if isinstance(kind, str) else STARTED_DIRECTLY


def _step(activity: Activity, step: Step, output: Any) -> StepExecutionView:
    return StepExecutionView(
        step_id=step.id,
        status=StepStatus(activity.status.lower()),
        output=output,
        error=activity.error,
        attempt=activity.attempt,
        started_at=activity.started_at,
        completed_at=activity.ended_at,
    )
