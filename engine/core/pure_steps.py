"""The steps that are decided in memory: event, wait, decision, transform, manual.

Each is given an activity that is RUNNING and leaves it COMPLETED, WAITING or FAILED.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

import msgspec

from engine.cel import EvaluationError
from engine.cel import Program as Expression
from engine.cel.errors import OutOfFuel
from engine.cel.functions.times import parse as timestamp
from engine.cel.values import kind, shown, text
from engine.core.document import TEN_YEARS
from engine.core.events import ActivityWaiting, CustomerEvent, TaskCreated
from engine.core.flow import complete, expression_failed, fail, inadmissible
from engine.core.model import PAYLOAD_BYTES, ActivityStatus, Category, Failure, Task, Wait
from engine.core.programs import (
    DecisionProgram,
    EventProgram,
    HttpProgram,
    ManualProgram,
    NoopProgram,
    Program,
    TransformProgram,
    WaitProgram,
)
from engine.core.retry import later
from engine.core.scope import PayloadNeeded, StateScope
from engine.core.shown import cut, shortened
from engine.core.values import Inadmissible, admit

if TYPE_CHECKING:
    from datetime import datetime

    from engine.core.compile import StepPlan
    from engine.core.draft import Draft

MAX_SHOWN_ALL = PAYLOAD_BYTES // 2  # a decision's output must stay in its event: the flow reads it
MAX_NAME = 200  # characters of a signal's name
MAX_CORRELATION = 500
# Both are the key of an index, whose rows are bounded in bytes; send_signal has the same limits (check_text).
BYTES_PER_CHARACTER = 2


def run(draft: Draft, path: str) -> None:
    """Decide an activity that has just begun. Raises PayloadNeeded."""
    step = draft.step(path)
    try:
        _run(draft, path, step)
    except EvaluationError as fault:
        fail(draft, path, expression_failed(fault, step.id, "config"))
    except Inadmissible as fault:
        fail(draft, path, inadmissible(fault, step.id))
    except PayloadNeeded as fault:
        begun = draft.todo[draft.todo.index(path) :]  # all of them are decided now
        raise draft.scope().needed(fault, [e for p in begun for e in _expressions(draft.step(p).program)]) from None


def _expressions(program: Program) -> list[Expression]:
    ways = program.ways if isinstance(program, DecisionProgram) else ()
    parts = [*msgspec.structs.astuple(program), *(way.when for way in ways)]
    return [part for part in parts if isinstance(part, Expression)]


def _run(draft: Draft, path: str, step: StepPlan) -> None:
    program = step.program
    match program:
        case TransformProgram():
            output = draft.admit(program.mapping.evaluate(draft.scope()))
            complete(draft, path, output.value, output.size)
        case DecisionProgram():
            _decide(draft, path, program)
        case EventProgram():
            _announce(draft, path, program)
        case WaitProgram():
            _wait(draft, path, step, program)
        case ManualProgram():
            _ask(draft, path, step, program)
        case HttpProgram() | NoopProgram():
            error = Failure(Category.EXECUTION, "not_decidable", "an executor does this step", step.id)
            fail(draft, path, error)
        case _:
            assert_never(program)


def _decide(draft: Draft, path: str, program: DecisionProgram) -> None:
    scope = draft.scope()
    inputs: dict[str, Any] = {}
    taken: dict[str, Any] = {"when": None, "branch": "fallback", "chosen": list(program.fallback)}  # in jsonb's order
    try:
        for index, way in enumerate(program.ways):
            inputs.update(way.when.inputs(scope))
            if way.when.evaluate(scope):
                taken = {"when": cut(way.when.text), "branch": index, "chosen": list(way.then)}
                break
    except EvaluationError as fault:
        if program.on_error == "fail" or isinstance(fault, OutOfFuel):  # what follows would find no fuel either
            raise
        taken["error"] = msgspec.to_builtins(expression_failed(fault, draft.step(path).id, "config"))
    output = admit({**taken, "inputs": shortened(inputs, MAX_SHOWN_ALL)})
    # `store` must keep this inline, whatever it holds: 100 ids of 64 characters and MAX_SHOWN_ALL may pass 8
    # KB.
    complete(draft, path, output.value, min(output.size, PAYLOAD_BYTES))


def _announce(draft: Draft, path: str, program: EventProgram) -> None:
    payload = draft.admit(program.payload.evaluate(draft.scope()))
    stored = {name.replace("output", "payload"): v for name, v in draft.store(payload.value, payload.size).items()}
    draft.emit(CustomerEvent, path, name=program.name, **stored)
    output = admit({"name": program.name})
    complete(draft, path, output.value, output.size)


def _wait(draft: Draft, path: str, step: StepPlan, program: WaitProgram) -> None:
    scope = draft.scope()
    deadline = later(draft.at, _smaller(step.timeout_seconds, program.timeout_seconds))
    if program.signal is not None:
        wait = Wait(
            kind="signal",
            signal=_words(program.signal, scope, "signal", MAX_NAME),
            correlation=_key(program.correlation, scope),
            on_timeout=program.on_timeout,
        )
        draft.move(ActivityWaiting, path, ActivityStatus.WAITING, wait=wait, deadline_at=deadline)
        return
    due = _due(draft, program, scope)
    if due <= draft.at:
        waited(draft, path, due)
        return
    wait = Wait(kind="time", on_timeout=program.on_timeout)
    draft.move(ActivityWaiting, path, ActivityStatus.WAITING, wait=wait, due_at=due, deadline_at=deadline)


def waited(draft: Draft, path: str, due: datetime) -> None:
    """Complete a wait whose time has come."""
    output = admit({"waited_until": msgspec.to_builtins(due)})
    complete(draft, path, output.value, output.size)


def _due(draft: Draft, program: WaitProgram, scope: StateScope) -> datetime:
    if program.until is not None:
        return _moment(program.until, scope)
    if program.seconds is None:
        return draft.at
    seconds = program.seconds.evaluate(scope)
    if type(seconds) not in (int, float) or not 0 <= seconds <= TEN_YEARS:
        raise program.seconds.refused(f"seconds must be a number from 0 to {TEN_YEARS}, and this is {shown(seconds)}")
    return later(draft.at, seconds) or draft.at


def _moment(until: Expression, scope: StateScope) -> datetime:
    try:
        return timestamp(until.evaluate(scope))
    except EvaluationError as fault:
        raise (fault if fault.expression else until.refused(f"until: {fault.message}")) from None


def _ask(draft: Draft, path: str, step: StepPlan, program: ManualProgram) -> None:
    scope = draft.scope()
    task = Task(
        title=_words(program.title, scope, "title", 2000),
        assignee=_words(program.assignee, scope, "assignee", 500, empty=True) or None,
        group=_words(program.group, scope, "group", 500, empty=True) or None,
        form=program.form,
        due_at=later(draft.at, program.due_seconds),
        on_reject=program.on_reject,
    )
    deadline = later(draft.at, step.timeout_seconds)
    wait = Wait(kind="task", task=task)
    draft.move(TaskCreated, path, ActivityStatus.WAITING, wait=wait, deadline_at=deadline)


def _key(template: Expression | None, scope: StateScope) -> str:
    """Return a correlation key, '' where the wait has none. One that comes to nothing would meet strangers' signals."""
    return "" if template is None else _words(template, scope, "correlation_key", MAX_CORRELATION)


def _words(template: Expression, scope: StateScope, what: str, most: int, *, empty: bool = False) -> str:
    """Return a template as text: null as '' where it may be empty, numbers as in any text."""
    value = template.evaluate(scope)
    if value is None and empty:
        value = ""
    if type(value) in (int, float):
        value = text(scope.fuel, value)
    if type(value) is str and "\0" in value:
        raise template.refused(f"{what} has a NUL character, which PostgreSQL cannot store")
    if type(value) is not str:
        raise template.refused(f"{what} must be a text, and this is {kind(value)}")
    if len(value) > most or not (value or empty):
        raise template.refused(f"{what} must have {0 if empty else 1} to {most} characters, and this has {len(value)}")
    if len(value.encode("utf-8", "replace")) > BYTES_PER_CHARACTER * most:
        raise template.refused(f"{what} must have at most {BYTES_PER_CHARACTER * most} bytes")
    return value


def _smaller(*seconds: float | None) -> float | None:
    return min((s for s in seconds if s is not None), default=None)
