"""Applies events to a state. Decides nothing: no definition, no condition, no expression comes near it.

`evolve` is total over every type of event, builds a new state and leaves the old one as it was. Folding a
process's history with it gives its state; the events say all that happened, so old histories fold alike under
every release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never, cast

import msgspec

from engine.core.events import (
    ActivityCompleted,
    ActivityFailed,
    ActivityStarted,
    ActivityWaiting,
    AnyBody,
    Body,
    CommandRejected,
    CustomerEvent,
    Event,
    ProcessCancelled,
    ProcessCompleted,
    ProcessCreated,
    ProcessFailed,
    ProcessRetried,
    ProcessStarted,
    TaskAssigned,
    TaskCreated,
)
from engine.core.model import Activity, ActivityStatus, State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from typing import Any

_replace = msgspec.structs.replace
_PENDING = ActivityStatus.PENDING
_RUNNING = ActivityStatus.RUNNING
_WAITING = ActivityStatus.WAITING
_COMPLETED = ActivityStatus.COMPLETED


def fold(events: Iterable[Event], state: State | None = None) -> State:
    """Return the state after `events`, from the beginning or from a snapshot. Raises ValueError on a gap."""
    state = state or State()
    for event in events:
        state = evolve(state, event)
    return state


def evolve(state: State, event: Event) -> State:
    """Return the state after one event. Raises ValueError unless the event is the next one."""
    if event.seq != state.seq + 1:
        raise ValueError(f"event {event.seq} does not follow event {state.seq}")
    body = event.body
    activities = state.activities.copy()
    fields: dict[str, Any] = {"seq": event.seq, "last_at": event.at, "activities": activities}
    if body.status is not None:
        fields["status"] = body.status
    _apply(state, event, cast("AnyBody", body), activities, fields)
    _begin(activities, body, event.at)
    return _replace(state, **fields)


def _apply(  # noqa: C901, PLR0912, PLR0915  one flat case per type of event; splitting it would hide that it is total
    state: State, event: Event, body: AnyBody, activities: dict[str, Activity], fields: dict[str, Any]
) -> None:
    match body:
        case ActivityCompleted():
            _complete(event, body, activities)
            _count_payload(state, body.output_ref, fields)
            if body.signal_id is not None and body.signal_id not in state.signals:
                fields["signals"] = (*state.signals, body.signal_id)
        case ActivityStarted():
            path = cast("str", event.path)
            activities[path] = _run(activities.get(path), path, event.attempt or 1, event.at, body.deadline_at)
        case ActivityFailed():
            _fail(event, body, activities)
        case ActivityWaiting():
            _wait(event, body, activities, body.due_at)
        case TaskCreated():
            _wait(event, body, activities, None)
        case TaskAssigned():
            _assign(event, body, activities)
        case CustomerEvent():
            _count_payload(state, body.payload_ref, fields)
        case CommandRejected():
            pass
        case ProcessCreated():
            _create(event, body, fields)
            _count_payload(state, body.input_ref, fields)
        case ProcessStarted():
            fields.update(started_at=event.at, deadline_at=body.deadline_at)
        case ProcessCompleted():
            fields.update(ended_at=event.at, output=body.output, output_ref=body.output_ref)
            _count_payload(state, body.output_ref, fields)
        case ProcessFailed():
            fields.update(ended_at=event.at, error=body.error)
            _cancel(activities, body.cancels, event.at)
        case ProcessCancelled():
            fields.update(ended_at=event.at)
            _cancel(activities, body.cancels, event.at)
        case ProcessRetried():
            started = state.started_at or event.at  # it may have failed before it began
            fields.update(started_at=started, ended_at=None, error=None, deadline_at=body.deadline_at)
            for path in body.resets:
                activities[path] = _reset(path, activities.get(path))
        case _:
            assert_never(body)


def _begin(activities: dict[str, Activity], body: Body, at: datetime) -> None:
    for start in body.starts:
        old = activities.get(start.path)
        activities[start.path] = _run(old, start.path, start.attempt, at, start.deadline_at)
    for skip in body.skips:
        old = activities.get(skip.path)
        activities[skip.path] = Activity(
            path=skip.path,
            status=ActivityStatus.SKIPPED,
            run=old.run if old else 1,
            attempt=old.attempt if old else 0,
            ended_at=at,
            skip_reason=skip.reason,
        )


def _run(old: Activity | None, path: str, attempt: int, at: datetime, deadline: datetime | None) -> Activity:
    if old is None:
        return Activity(path=path, status=_RUNNING, attempt=attempt, started_at=at, attempt_at=at, deadline_at=deadline)
    return Activity(
        path=path,
        status=_RUNNING,
        run=old.run,
        attempt=attempt,
        failures=old.failures,
        started_at=old.started_at or at,
        attempt_at=at,
        deadline_at=deadline,
        error=old.error,
    )


def _complete(event: Event, body: ActivityCompleted, activities: dict[str, Activity]) -> None:
    path = cast("str", event.path)
    old = activities.get(path) or Activity(path=path, status=_RUNNING)
    activities[path] = Activity(
        path=path,
        status=_COMPLETED,
        run=old.run,
        attempt=old.attempt,
        failures=old.failures,
        started_at=old.started_at,
        attempt_at=old.attempt_at,
        ended_at=event.at,
        output=body.output,
        output_ref=body.output_ref,
    )


def _fail(event: Event, body: ActivityFailed, activities: dict[str, Activity]) -> None:
    path = cast("str", event.path)
    old = activities.get(path) or Activity(path=path, status=_RUNNING)
    final = body.retry_at is None
    activities[path] = _replace(
        old,
        status=ActivityStatus.FAILED if final else _PENDING,
        failures=old.failures + 1,
        error=body.error,
        due_at=body.retry_at,
        deadline_at=None,
        ended_at=event.at if final else None,
        wait=None,
    )


def _wait(
    event: Event, body: ActivityWaiting | TaskCreated, activities: dict[str, Activity], due: datetime | None
) -> None:
    path = cast("str", event.path)
    old = activities.get(path) or Activity(path=path, status=_RUNNING)
    activities[path] = _replace(old, status=_WAITING, wait=body.wait, due_at=due, deadline_at=body.deadline_at)


def _assign(event: Event, body: TaskAssigned, activities: dict[str, Activity]) -> None:
    path = cast("str", event.path)
    old = activities.get(path)
    if old is not None and old.wait is not None and old.wait.task is not None:
        wait = _replace(old.wait, task=_replace(old.wait.task, assignee=body.assignee))
        activities[path] = _replace(old, wait=wait)


def _create(event: Event, body: ProcessCreated, fields: dict[str, Any]) -> None:
    fields.update(
        definition_id=body.definition_id,
        version=body.version,
        input=body.input,
        input_ref=body.input_ref,
        trigger=body.trigger,
        traceparent=body.traceparent,
        business_key=body.business_key,
        created_at=event.at,
    )


def _cancel(activities: dict[str, Activity], paths: tuple[str, ...], at: datetime) -> None:
    for path in paths:
        old = activities.get(path) or Activity(path=path, status=_PENDING)
        activities[path] = _replace(
            old, status=ActivityStatus.CANCELLED, ended_at=at, due_at=None, deadline_at=None, wait=None
        )


def _reset(path: str, old: Activity | None) -> Activity:
    """Return the activity before a new attempt group: attempts go on counting, failures begin anew."""
    if old is None:
        return Activity(path=path, status=_PENDING)
    return Activity(path=path, status=_PENDING, run=old.run, attempt=old.attempt, started_at=old.started_at)


def _count_payload(state: State, ref: int | None, fields: dict[str, Any]) -> None:
    if ref is not None and ref >= state.payloads:
        fields["payloads"] = ref + 1
