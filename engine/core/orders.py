"""Mail: what people and systems ask of a process. Each order ends as exactly one event with its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from engine.core.commands import AssignTask, Cancel, CompleteTask, Mail, RejectTask, Resume, Retry, Signal, Unreadable
from engine.core.draft import Draft, Mark, clean
from engine.core.events import CommandRejected, ProcessRetried, TaskAssigned
from engine.core.flow import Flow, cancel_process, complete, fail, fail_process
from engine.core.model import (
    Activity,
    ActivityStatus,
    Category,
    Failure,
    ProcessStatus,
    SkipReason,
    Task,
)
from engine.core.programs import ManualProgram
from engine.core.retry import later
from engine.core.schemas import Violation
from engine.core.values import MEBIBYTE, Admitted, Inadmissible, admit

if TYPE_CHECKING:
    from engine.core.commands import Orders

_ENVELOPE = 4096  # bytes that an output may have around the data, which has its own limit


def obey(draft: Draft, mail: Mail) -> None:
    """Decide one mail. Raises PayloadNeeded."""
    order = mail.order
    mark = Mark(command=mail.id, by=order.by, reason=order.reason)
    match order:
        case Cancel():
            if draft.ended:
                _reject(draft, mark, order, "process_ended", f"the process is already {draft.state.status}")
            else:
                cancel_process(draft, mark)
        case Retry():
            _retry(draft, mark, order)
        case CompleteTask():
            _complete_task(draft, mark, order)
        case RejectTask():
            _reject_task(draft, mark, order)
        case AssignTask():
            _assign_task(draft, mark, order)
        case Resume():
            _resume(draft, mark, order)
        case Signal():
            _signal(draft, mark, order)
        case Unreadable():
            _reject(draft, mark, order, "unreadable", order.why)
        case _:
            assert_never(order)


def _reject(draft: Draft, mark: Mark, order: Orders, code: str, message: str, pointer: str = "") -> None:
    kind = str(type(order).__struct_config__.tag)
    draft.emit(CommandRejected, None, mark, kind=kind, code=code, message=message[:2000], pointer=pointer)


def _retry(draft: Draft, mark: Mark, order: Retry) -> None:
    state = draft.state
    if state.status is not ProcessStatus.FAILED:
        _reject(draft, mark, order, "not_failed", f"only a FAILED process is retried; this one is {state.status}")
        return
    deadline = later(draft.at, draft.plan.timeout_seconds)
    fault = None if state.started_at else input_fault(draft)
    if fault is not None:  # retried as asked, but its input is what it was
        draft.turn(ProcessRetried, ProcessStatus.IN_PROGRESS, mark, deadline_at=deadline)
        fail_process(draft, fault)
        return
    resets = tuple(path for path, activity in state.activities.items() if _again(activity))
    flow = Flow(draft, state.activities | {path: _reset(state.activities[path]) for path in resets})
    flow.look(draft.plan.order)
    draft.turn(ProcessRetried, ProcessStatus.IN_PROGRESS, mark, resets=resets, deadline_at=deadline, **flow.result())


def _again(activity: Activity) -> bool:
    if activity.status is ActivityStatus.SKIPPED:
        return activity.skip_reason is SkipReason.PROCESS_ENDED
    return activity.status in (ActivityStatus.FAILED, ActivityStatus.CANCELLED)


def _reset(activity: Activity) -> Activity:
    return Activity(path=activity.path, status=ActivityStatus.PENDING, run=activity.run, attempt=activity.attempt)


def input_fault(draft: Draft) -> Failure | None:
    """Return why the input does not suit the definition, None where it does. Raises PayloadNeeded."""
    validator = draft.plan.input_validator
    if validator is None:
        return None
    try:
        validator.check(draft.scope().lookup("input"))
    except Violation as fault:
        details = {"pointer": fault.pointer}
        advice = "Start a new process with input that satisfies the definition's input_schema."
        return Failure(Category.VALIDATION, "input_invalid", fault.message, None, details, advice)
    return None


def _open_task(draft: Draft, mark: Mark, order: CompleteTask | RejectTask | AssignTask) -> Task | None:
    """Return the task an order speaks of, None after rejecting the order."""
    if draft.ended:
        _reject(draft, mark, order, "process_ended", f"the process is already {draft.state.status}")
        return None
    activity = draft.state.activities.get(order.path)
    if activity is None or activity.run != order.run or activity.wait is None or activity.wait.task is None:
        _reject(draft, mark, order, "task_not_open", f"no task is open at {order.path[:200]!r}")
        return None
    if not order.by:
        _reject(draft, mark, order, "by_missing", "a task needs the name of the person who ends it")
        return None
    return activity.wait.task


def _complete_task(draft: Draft, mark: Mark, order: CompleteTask) -> None:
    if _open_task(draft, mark, order) is None:
        return
    program = draft.step(order.path).program
    validator = program.validator if isinstance(program, ManualProgram) else None
    try:
        if validator is not None:
            validator.check(order.data)
        output = _wrapped({"outcome": "completed", "by": order.by, "data": order.data})
    except Violation as fault:
        _reject(draft, mark, order, "form_invalid", fault.message, fault.pointer)
    except Inadmissible as fault:
        _reject(draft, mark, order, f"data_{fault.code}", fault.message, fault.pointer)
    else:
        complete(draft, order.path, output.value, output.size, mark)


def _wrapped(output: dict[str, Any]) -> Admitted:
    return admit(output, max_bytes=MEBIBYTE + _ENVELOPE)


def _reject_task(draft: Draft, mark: Mark, order: RejectTask) -> None:
    task = _open_task(draft, mark, order)
    if task is None:
        return
    if task.on_reject == "fail":
        details = {"by": order.by, "reason": order.reason}
        message = f"{order.by} rejected the task" + (f": {order.reason}" if order.reason else "")
        step_id = draft.step(order.path).id
        advice = "Retry the process to ask again; on_reject: continue lets it decide by the outcome."
        error = Failure(Category.EXECUTION, "task_rejected", message, step_id, details, advice)
        fail(draft, order.path, clean(error), mark)
        return
    try:
        output = _wrapped({"outcome": "rejected", "by": order.by, "reason": order.reason})
    except Inadmissible as fault:
        _reject(draft, mark, order, f"data_{fault.code}", fault.message)
    else:
        complete(draft, order.path, output.value, output.size, mark)


def _assign_task(draft: Draft, mark: Mark, order: AssignTask) -> None:
    task = _open_task(draft, mark, order)
    if task is None:
        return
    if order.claim and task.assignee not in (None, order.to):
        _reject(draft, mark, order, "task_claimed", f"the task is with {task.assignee}")
        return
    draft.emit(TaskAssigned, order.path, mark, assignee=order.to)


def _resume(draft: Draft, mark: Mark, order: Resume) -> None:
    if draft.ended:
        _reject(draft, mark, order, "process_ended", f"the process is already {draft.state.status}")
        return
    activity = draft.state.activities.get(order.path)
    if activity is None or activity.status is not ActivityStatus.WAITING or order.run not in (None, activity.run):
        _reject(draft, mark, order, "not_waiting", f"no activity waits at {order.path[:200]!r}")
        return
    try:
        output = admit(order.output)
    except Inadmissible as fault:
        _reject(draft, mark, order, f"data_{fault.code}", fault.message, fault.pointer)
    else:
        complete(draft, order.path, output.value, output.size, mark)


def _signal(draft: Draft, mark: Mark, order: Signal) -> None:
    if order.signal_id in draft.state.signals:
        _reject(draft, mark, order, "duplicate_signal", "the process has already had this signal")
        return
    paths = [] if draft.ended else [p for p, a in draft.state.activities.items() if _awaits(a, order)]
    if not paths:
        _reject(draft, mark, order, "no_matching_wait", f"nothing waits for the signal {order.name[:200]!r}")
        return
    try:
        data = admit(order.data)
    except Inadmissible as fault:
        _reject(draft, mark, order, f"data_{fault.code}", fault.message, fault.pointer)
        return
    # Those open now; a wait that this very signal leads to is not among them.
    complete(draft, paths[0], data.value, data.size, mark, signal_id=order.signal_id)
    for path in paths[1:]:
        complete(draft, path, data.value, data.size, signal_id=order.signal_id)


def _awaits(activity: Activity, order: Signal) -> bool:
    wait = activity.wait
    return (
        wait is not None
        and wait.kind == "signal"
        and wait.signal == order.name
        and wait.correlation == order.correlation
    )
