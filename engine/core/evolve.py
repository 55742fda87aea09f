"""Applies events to a state. Decides nothing: no definition, no condition, no expression comes near it.

`apply` is total over every type of event and changes the state it is given, which nobody else may hold by then;
`evolve` and `fold` leave theirs as it was. Folding a process's history gives its state; the events say all that
happened, so old histories fold alike under every release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

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

_replace = msgspec.structs.replace
_PENDING = ActivityStatus.PENDING
_RUNNING = ActivityStatus.RUNNING
_WAITING = ActivityStatus.WAITING
_COMPLETED = ActivityStatus.COMPLETED


def fold(events: Iterable[Event], state: State | None = None) -> State:
    """Return the state after `events`, from the beginning or from a snapshot. Raises ValueError on a gap."""
    after = State() if state is None else state.copy()
    for event in events:
        apply(after, event)
    return after


def evolve(state: State, event: Event) -> State:
    """Return the state after one event. Raises ValueError unless the event is the next one."""
    return fold((event,), state)


def apply(state: State, event: Event) -> None:
    """Bring a state that nobody else holds to where an event leads. Raises ValueError unless it is the next one."""
    if event.seq != state.seq + 1:
        raise ValueError(f"event {event.seq} does not follow event {state.seq}")
    body = event.body
    state.seq = event.seq
    state.last_at = event.at
    if body.status is not None:
        state.status = body.status
    _apply(state, event, body)
    if body.starts or body.skips:
        _begin(state.activities, body, event.at)


def _apply(  # noqa: C901, PLR0912  one flat case per type of event; splitting it would hide that it is total
    state: State, event: Event, body: AnyBody
) -> None:
    activities = state.activities
    match body:
        case ActivityCompleted():
            _complete(event, body, activities)
            if body.output_ref is not None:
                _count_payload(state, body.output_ref)
            if body.signal_id is not None and body.signal_id not in state.signals:
                state.signals = (*state.signals, body.signal_id)
        case ActivityStarted():
            path = event.path or ""
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
            _count_payload(state, body.payload_ref)
        case CommandRejected():
            pass
        case ProcessCreated():
            _create(state, event, body)
        case ProcessStarted():
            state.started_at, state.deadline_at = event.at, body.deadline_at
        case ProcessCompleted():
            state.ended_at, state.output, state.output_ref = event.at, body.output, body.output_ref
            _count_payload(state, body.output_ref)
        case ProcessFailed():
            state.ended_at, state.error = event.at, body.error
            _cancel(activities, body.cancels, event.at)
        case ProcessCancelled():
            state.ended_at = event.at
            _cancel(activities, body.cancels, event.at)
        case ProcessRetried():
            _retry(state, event, body)
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
    path = event.path or ""
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
    path = event.path or ""
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
    path = event.path or ""
    old = activities.get(path) or Activity(path=path, status=_RUNNING)
    activities[path] = _replace(old, status=_WAITING, wait=body.wait, due_at=due, deadline_at=body.deadline_at)


def _assign(event: Event, body: TaskAssigned, activities: dict[str, Activity]) -> None:
    path = event.path or ""
    old = activities.get(path)
    if old is not None and old.wait is not None and old.wait.task is not None:
        wait = _replace(old.wait, task=_replace(old.wait.task, assignee=body.assignee))
        activities[path] = _replace(old, wait=wait)


def _create(state: State, event: Event, body: ProcessCreated) -> None:
    state.definition_id, state.version = body.definition_id, body.version
    state.input, state.input_ref = body.input, body.input_ref
    state.trigger, state.traceparent = body.trigger, body.traceparent
    state.business_key = body.business_key
    state.created_at = event.at
    _count_payload(state, body.input_ref)


def _retry(state: State, event: Event, body: ProcessRetried) -> None:
    state.started_at = state.started_at or event.at  # it may have failed before it began
    state.ended_at = state.error = None
    state.deadline_at = body.deadline_at
    for path in body.resets:
        state.activities[path] = _reset(path, state.activities.get(path))


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


def _count_payload(state: State, ref: int | None) -> None:
    if ref is not None and ref >= state.payloads:
        state.payloads = ref + 1
