"""Decides: given the state of a process and a command, what happens.

`decide` is total: for any state and command it returns a decision, and raises nothing but PayloadNeeded. It
returns the whole cascade: afterwards only activities that an executor does are RUNNING. Must not: look at a
clock, draw lots, or read anything but its arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from engine.core.commands import Broken, Completed, Failed, Mail, Opened, Reported, Woken
from engine.core.draft import Decision, Draft, Inputs, begin, clean
from engine.core.events import ActivityStarted, ProcessStarted
from engine.core.flow import Flow, complete, complete_process, fail, fail_process, inadmissible
from engine.core.model import SETTLED, Activity, ActivityStatus, Category, Failure, ProcessStatus, Wait
from engine.core.orders import input_fault, obey
from engine.core.pure_steps import run, waited
from engine.core.retry import earliest, later
from engine.core.scope import PayloadNeeded
from engine.core.values import Inadmissible, admit

if TYPE_CHECKING:
    from datetime import datetime

    from engine.core.commands import Command
    from engine.core.compile import Plan
    from engine.core.model import State

_ANY_OUTPUT = 11 << 20  # bytes; the executor has enforced the step's own limit, at most 10 MiB of response

__all__ = ["Decision", "Inputs", "PayloadNeeded", "decide"]


def decide(plan: Plan, state: State, command: Command, inputs: Inputs) -> Decision:
    """Return what happens. Raises PayloadNeeded where a value over 8 KB has to be loaded first."""
    draft = begin(plan, state, inputs)
    match command:
        case Reported():
            _report(draft, command)
        case Mail():
            obey(draft, command)
        case Woken():
            _wake(draft)
        case Opened():
            _open(draft, handed=command.handed)
        case Broken():
            if not draft.ended:
                fail_process(draft, clean(command.error))
        case _:
            assert_never(command)
    if draft.events or draft.todo:
        _settle(draft)
    return draft.decision()


def _settle(draft: Draft) -> None:
    """Decide what has begun until only effects are left; end the process when every step has ended."""
    for path in draft.todo:  # grows while it is walked
        if draft.ended:
            return
        if draft.state.activities[path].status is not ActivityStatus.RUNNING:
            continue
        doom = draft.doomed.get(path)
        if doom is not None:
            fail(draft, path, doom)
        else:
            run(draft, path)
    if draft.state.status in (ProcessStatus.IN_PROGRESS, ProcessStatus.WAITING) and draft.settled:
        complete_process(draft)


def _report(draft: Draft, command: Reported) -> None:
    activity = draft.state.activities.get(command.path)
    if (
        activity is None
        or activity.status is not ActivityStatus.RUNNING
        or activity.attempt != command.attempt
        or draft.ended
    ):
        return  # an attempt that is over: it timed out, was lost or cancelled
    outcome = command.outcome
    if isinstance(outcome, Failed):
        error = clean(outcome.error, draft.step(command.path).id)
        retry_after = outcome.retry_after_seconds
        fail(draft, command.path, error, retryable=outcome.retryable, retry_after=retry_after)
        return
    _succeed(draft, command.path, outcome)


def _succeed(draft: Draft, path: str, outcome: Completed) -> None:
    output, size = outcome.output, outcome.size
    if size <= 0 and output is not None:
        try:
            admitted = admit(output, max_bytes=_ANY_OUTPUT)
        except Inadmissible as fault:
            fail(draft, path, inadmissible(fault, draft.step(path).id))
            return
        output, size = admitted.value, admitted.size
    complete(draft, path, output, size)


def _open(draft: Draft, *, handed: bool) -> None:
    if draft.state.status is ProcessStatus.CREATED:
        _begin(draft)
        return
    if draft.ended or _expired(draft):
        return
    for path, activity in tuple(draft.state.activities.items()):
        if activity.status is ActivityStatus.RUNNING:
            if not draft.step(path).effectful:
                draft.todo.append(path)
            elif not handed:
                _attempt(draft, path, activity, lost=True)
    _wake(draft)


def _begin(draft: Draft) -> None:
    error = input_fault(draft)
    if error is not None:
        fail_process(draft, error)
        return
    flow = Flow(draft, draft.state.activities.copy())
    flow.look(draft.plan.roots)
    deadline = later(draft.at, draft.plan.timeout_seconds)
    draft.turn(ProcessStarted, ProcessStatus.IN_PROGRESS, deadline_at=deadline, **flow.result())


def _wake(draft: Draft) -> None:
    """Apply everything that is due, in the order of its times."""
    if draft.ended or draft.state.status is ProcessStatus.CREATED or _expired(draft):
        return
    due: list[tuple[datetime, str]] = []
    for path, activity in draft.state.activities.items():
        when = earliest(activity.due_at, activity.deadline_at) if activity.status not in SETTLED else None
        if when is not None and when <= draft.at:
            due.append((when, path))
    for _, path in sorted(due):
        if not draft.ended:
            _ring(draft, path, draft.state.activities[path])


def _expired(draft: Draft) -> bool:
    """End the process if its own time is up; tell whether it was."""
    deadline = draft.state.deadline_at
    if deadline is None or deadline > draft.at:
        return False
    message = f"the process took longer than {draft.plan.timeout_seconds} seconds"
    advice = "Retry the process, or give the definition a longer timeout_seconds."
    fail_process(draft, Failure(Category.TIMEOUT, "process_timeout", message, advice=advice))
    return True


def _ring(draft: Draft, path: str, activity: Activity) -> None:
    """Apply what is due of one activity."""
    if activity.status is ActivityStatus.PENDING:
        _attempt(draft, path, activity)
    elif activity.status is ActivityStatus.RUNNING:
        error = _timeout("step_timeout", "the attempt took too long", draft, path)
        fail(draft, path, error, retryable=True)
    elif activity.wait is not None:
        _end_wait(draft, path, activity, activity.wait)


def _attempt(draft: Draft, path: str, activity: Activity, *, lost: bool = False) -> None:
    """Begin the next attempt. One lost with its worker is no failure: it is not counted, and there is no
    backoff.
    """
    deadline = later(draft.at, draft.step(path).timeout_seconds)
    attempt = activity.attempt + 1
    draft.move(ActivityStarted, path, ActivityStatus.RUNNING, attempt=attempt, deadline_at=deadline, lost=lost)


def _end_wait(draft: Draft, path: str, activity: Activity, wait: Wait) -> None:
    due, deadline = activity.due_at, activity.deadline_at
    if due is not None and (deadline is None or due <= deadline):
        waited(draft, path, due)
    elif wait.kind == "task":
        fail(draft, path, _timeout("task_timeout", "nobody ended the task in time", draft, path))
    elif wait.on_timeout == "continue":
        output = admit({"timed_out": True})
        complete(draft, path, output.value, output.size)
    else:
        fail(draft, path, _timeout("wait_timeout", "what it waited for did not come in time", draft, path))


def _timeout(code: str, message: str, draft: Draft, path: str) -> Failure:
    advice = "Retry the process, or give the step more time in its definition."
    return Failure(Category.TIMEOUT, code, message, draft.step(path).id, advice=advice)
