"""A process as the API shows it: its row, its state, and the steps of its definition nobody has touched yet.

Pure: values in, wire types out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from api.catalogue import Step
from api.wire import ActivityView, ProcessDetail, ProcessView
from engine.core.ids import execution_id, public_id, task_id
from engine.core.model import Activity, ActivityStatus, ProcessStatus, State
from engine.store.processes import ProcessRow

_CURRENT = frozenset({ActivityStatus.RUNNING, ActivityStatus.WAITING})


def view(row: ProcessRow) -> ProcessView:
    """Return a process as lists show it."""
    return ProcessView(**_common(row))


def detail(row: ProcessRow, state: State, steps: Sequence[Step], payloads: dict[int, str]) -> ProcessDetail:
    """Return a process with everything. `payloads`: values that `refs_of` named, as JSON text, or some of them."""
    # Row and history are read in one snapshot, but status on the row is written with its event: the state is the truth.
    common = _common(row)
    error = state.error
    common.update(status=state.status, started_at=state.started_at, ended_at=state.ended_at)
    common.update(error_code=error and error.code, failed_step=error and error.step_id)
    activities = [_activity(row.id, activity, step, payloads) for activity, step in all_activities(state, steps)]
    current = [activity.path for activity in activities if _is_current(activity)]
    return ProcessDetail(
        **common,
        input=_value(state.input, state.input_ref, payloads),
        output=_value(state.output, state.output_ref, payloads),
        input_ref=_left_out(state.input_ref, payloads),
        output_ref=_left_out(state.output_ref, payloads),
        error=error,
        current_activity=current[0] if current else None,
        current_activities=current,
        activities=activities,
    )


def refs_of(state: State) -> list[int]:
    """Return the numbers of all values kept aside that a view of the state needs, the process's own first."""
    refs = (state.input_ref, state.output_ref, *(a.output_ref for a in state.activities.values()))
    return [ref for ref in refs if ref is not None]


def _common(row: ProcessRow) -> dict[str, Any]:
    return {
        "id": public_id("prc", row.id),
        "type": row.definition,
        "definition_id": public_id("wf", row.definition_id),
        "version": row.version,
        "status": ProcessStatus(row.status),
        "business_key": row.business_key,
        "priority": row.priority,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "labels": row.labels,
        "error_code": row.error_code,
        "failed_step": row.failed_step,
    }


def all_activities(state: State, steps: Sequence[Step]) -> Iterator[tuple[Activity, Step]]:
    """Yield every activity in the order of the definition's steps; untouched steps as PENDING."""
    touched: dict[str, list[Activity]] = {}
    for activity in state.activities.values():
        touched.setdefault(_step_of(activity.path), []).append(activity)
    for step in steps:
        for activity in touched.pop(step.id, None) or [Activity(path=step.id, status=ActivityStatus.PENDING)]:
            yield activity, step
    for step_id, rest in touched.items():
        for activity in rest:
            yield activity, Step(step_id, None, None)


def _step_of(path: str) -> str:
    """Return the step id in a path such as ship[17]/pack#3: of its last part, without item and turn."""
    return path.rpartition("/")[2].partition("[")[0].partition("#")[0]


def _activity(process_id: int, activity: Activity, step: Step, payloads: dict[int, str]) -> ActivityView:
    is_task = activity.wait is not None and activity.wait.kind == "task"
    return ActivityView(
        id=execution_id(process_id, activity.path, activity.run),
        step_id=step.id,
        path=activity.path,
        name=step.name,
        type=step.type,
        status=activity.status,
        attempt=activity.attempt,
        started_at=activity.started_at,
        ended_at=activity.ended_at,
        due_at=activity.due_at,
        deadline_at=activity.deadline_at,
        output=_value(activity.output, activity.output_ref, payloads),
        output_ref=_left_out(activity.output_ref, payloads),
        error=activity.error,
        wait=activity.wait,
        skip_reason=activity.skip_reason,
        task_id=task_id(process_id, activity.path, activity.run) if is_task else None,
    )


def _is_current(activity: ActivityView) -> bool:
    """Tell whether something happens or will happen by itself: running, waiting, or due for its next attempt."""
    between = activity.status == ActivityStatus.PENDING and activity.due_at is not None
    return activity.status in _CURRENT or between


def _value(value: Any, ref: int | None, payloads: dict[int, str]) -> Any:
    if ref is None or ref not in payloads:
        return value
    return msgspec.Raw(payloads[ref])  # goes out as it is


def _left_out(ref: int | None, payloads: dict[int, str]) -> int | None:
    return None if ref in payloads else ref
