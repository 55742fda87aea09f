"""Which steps begin and which are skipped when others have come to their end; how a process ends.

Explicit edges pass a skip on, implicit ones never do. A step is looked at each time something it depends on
settles, and settled once all of that has. Nothing here waits: what can be decided is decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.cel import EvaluationError
from engine.core.draft import NO_MARK, Draft, Mark, clean
from engine.core.events import (
    ActivityCompleted,
    ActivityFailed,
    ProcessCancelled,
    ProcessCompleted,
    ProcessFailed,
    Skip,
    Start,
)
from engine.core.model import (
    SETTLED,
    Activity,
    ActivityStatus,
    Category,
    Failure,
    ProcessStatus,
    SkipReason,
)
from engine.core.retry import delay, later
from engine.core.scope import PayloadNeeded
from engine.core.shown import cut, read, shortened, size
from engine.core.values import Inadmissible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.cel import Program
    from engine.core.compile import StepPlan
    from engine.core.scope import StateScope

MAX_SHOWN = 1000  # characters of an expression in a failure
MAX_TOLD = 1024  # bytes of what a skip says of its condition
MAX_TOLD_ALL = 4096  # of what all skips of one event say
_NAMES = len(',"when":,"inputs":')

_PENDING = ActivityStatus.PENDING
_COMPLETED = ActivityStatus.COMPLETED
_SKIPPED = ActivityStatus.SKIPPED


class Flow(Struct):
    """What one event starts and skips. `after`: the activities as that event will leave them."""

    draft: Draft
    after: dict[str, Activity]
    starts: list[Start] = []
    skips: list[Skip] = []
    room: int = MAX_TOLD_ALL

    def result(self) -> dict[str, Any]:
        """Return the fields of the event's body."""
        fields: dict[str, Any] = {}
        if self.starts:
            fields["starts"] = tuple(self.starts)
        if self.skips:
            fields["skips"] = tuple(self.skips)
        return fields

    def look(self, steps: Iterable[str]) -> None:
        """Start or skip those of `steps` whose time has come, and go on behind the skipped ones."""
        todo = list(steps)
        for step_id in todo:  # grows while it is walked
            step = self.draft.plan.steps[step_id]
            if self._untouched(step_id) and self._ready(step):
                skip = self._refusal(step)
                if skip is None:
                    self._start(step)
                else:
                    self._skip(skip)
                    todo += step.dependants

    def drop(self, decision: StepPlan, chosen: tuple[str, ...]) -> None:
        """Skip what a decision did not choose, unless another decision has chosen it or still may."""
        for step_id in decision.targets:
            if step_id not in chosen and self._untouched(step_id):
                step = self.draft.plan.steps[step_id]
                if all(map(self._settled, step.deciders)) and not self._chosen(step):
                    self._skip(Skip(path=step_id, reason=SkipReason.DECISION))
                    self.look(step.dependants)

    def _untouched(self, step_id: str) -> bool:
        activity = self.after.get(step_id)
        return activity is None or (activity.status is _PENDING and activity.due_at is None)

    def _ready(self, step: StepPlan) -> bool:
        for edge in reversed(step.edges):  # noqa: SIM110  a generator makes a decision 5 % slower
            if not self._settled(edge.before):  # most likely the last: what began last is seldom the first to end
                return False
        return True

    def _settled(self, step_id: str) -> bool:
        activity = self.after.get(step_id)
        return activity is not None and activity.status in SETTLED

    def _completed(self, step_id: str) -> bool:
        activity = self.after.get(step_id)
        return activity is not None and activity.status is _COMPLETED

    def _chosen(self, step: StepPlan) -> bool:
        return any(self._completed(d) and step.id in self.after[d].output["chosen"] for d in step.deciders)

    def _refusal(self, step: StepPlan) -> Skip | None:
        """Return the skip of a ready step that does not run, None where it does."""
        if step.deciders and self._passed_over(step):
            return Skip(path=step.id, reason=SkipReason.DECISION)
        if step.join != "always" and not self._joined(step):
            return Skip(path=step.id, reason=SkipReason.DEPENDENCY)
        if step.condition is None:
            return None
        scope = self.draft.scope().among(self.after)
        try:
            return None if step.condition.evaluate(scope) else self._refused(step.id, step.condition, scope)
        except EvaluationError as fault:
            # The activity fails; to fail it must begin. `decide` settles it in the same decision.
            self.draft.doomed[step.id] = expression_failed(fault, step.id, "condition")
            return None
        except PayloadNeeded as fault:
            raise scope.needed(fault, self._conditions()) from None

    def _conditions(self) -> list[Program]:
        """Return the conditions that are to be evaluated now: of all steps whose time has come."""
        free = (s for s in self.draft.plan.steps.values() if self._untouched(s.id) and self._ready(s))
        return [step.condition for step in free if step.condition is not None and not self._passed_over(step)]

    def _refused(self, step_id: str, condition: Program, scope: StateScope) -> Skip:
        """Return the skip of a step whose condition is false, with what led to that as far as there is room for it."""
        when = cut(condition.text)
        left = min(self.room, MAX_TOLD) - size(when) - size({}) - _NAMES
        if left < 0:
            return Skip(path=step_id, reason=SkipReason.CONDITION)
        inputs = shortened(read(condition, scope), left)
        self.room -= size(when) + size(inputs) + _NAMES
        return Skip(path=step_id, reason=SkipReason.CONDITION, when=when, inputs=inputs)

    def _passed_over(self, step: StepPlan) -> bool:
        return any(map(self._completed, step.deciders)) and not self._chosen(step)

    def _joined(self, step: StepPlan) -> bool:
        if step.join == "always" or not step.edges or not step.edges[0].explicit:  # all of a step's are of one kind
            return True
        completed = [self._completed(edge.before) for edge in step.edges]
        return all(completed) if step.join == "all" else any(completed)

    def _start(self, step: StepPlan) -> None:
        old = self.after.get(step.id)
        deadline = later(self.draft.at, step.timeout_seconds) if step.effectful else None
        self.starts.append(Start(step.id, old.attempt + 1 if old else 1, deadline))
        self.after[step.id] = Activity(step.id, ActivityStatus.RUNNING)
        if not step.effectful or step.id in self.draft.doomed:
            self.draft.todo.append(step.id)

    def _skip(self, skip: Skip) -> None:
        self.skips.append(skip)
        self.after[skip.path] = Activity(skip.path, _SKIPPED)


def complete(
    draft: Draft,
    path: str,
    output: Any,
    size: int,
    mark: Mark = NO_MARK,
    *,
    signal_id: int | None = None,
) -> None:
    """Complete an activity, and start and skip what follows. `output` has passed `admit` with this size."""
    step = draft.step(path)
    fields = draft.store(output, size)
    if step.dependants or step.targets:
        flow = Flow(draft, {**draft.state.activities, path: Activity(path, _COMPLETED, **fields)})
        if step.targets:
            flow.drop(step, output["chosen"])
        flow.look(step.dependants)
        fields |= flow.result()
    if signal_id is not None:
        fields["signal_id"] = signal_id
    draft.move(ActivityCompleted, path, _COMPLETED, mark, **fields)


def fail(
    draft: Draft,
    path: str,
    error: Failure,
    mark: Mark = NO_MARK,
    *,
    retryable: bool = False,
    retry_after: float | None = None,
) -> None:
    """Fail an attempt: the activity waits for its next one, or it has failed and the process with it."""
    step = draft.step(path)
    failures = draft.state.activities[path].failures + 1
    if retryable and failures < step.retry.max_attempts:
        wait = delay(step.retry, failures, draft.inputs.jitter, retry_after)
        retry_at = later(draft.at, wait)
        draft.move(ActivityFailed, path, _PENDING, mark, error=error, retry_at=retry_at)
        return
    draft.move(ActivityFailed, path, ActivityStatus.FAILED, mark, error=error)
    fail_process(draft, error)


def fail_process(draft: Draft, error: Failure, mark: Mark = NO_MARK) -> None:
    """End the process as FAILED: what is open is cancelled, the rest skipped."""
    draft.turn(ProcessFailed, ProcessStatus.FAILED, mark, error=error, **_leftovers(draft))


def cancel_process(draft: Draft, mark: Mark) -> None:
    """End the process as CANCELLED."""
    draft.turn(ProcessCancelled, ProcessStatus.CANCELLED, mark, **_leftovers(draft))


def _leftovers(draft: Draft) -> dict[str, Any]:
    activities = draft.state.activities
    skips = []
    for step_id in draft.plan.order:
        activity = activities.get(step_id)
        if activity is None or (activity.status is _PENDING and activity.due_at is None):
            skips.append(Skip(path=step_id, reason=SkipReason.PROCESS_ENDED))
    named = {skip.path for skip in skips}
    cancels = tuple(p for p, a in activities.items() if a.status not in SETTLED and p not in named)
    return {"skips": tuple(skips), "cancels": cancels}


def complete_process(draft: Draft) -> None:
    """End the process as COMPLETED with its output, or as FAILED where that cannot be made."""
    try:
        output = draft.admit(draft.plan.output.evaluate(draft.scope()))
    except EvaluationError as fault:
        fail_process(draft, expression_failed(fault, None, "output"))
    except Inadmissible as fault:
        fail_process(draft, inadmissible(fault, None))
    except PayloadNeeded as fault:
        raise draft.scope().needed(fault, (draft.plan.output,)) from None
    else:
        fields = draft.store(output.value, output.size)
        draft.turn(ProcessCompleted, ProcessStatus.COMPLETED, **fields)


def expression_failed(fault: EvaluationError, step_id: str | None, where: str) -> Failure:
    """Return the failure for an expression that could not be evaluated."""
    details: dict[str, Any] = {"where": where}
    if fault.expression:
        details.update(
            expression=fault.expression[:MAX_SHOWN],
            pointer=fault.pointer,
            path=fault.path[:MAX_SHOWN],
            line=fault.line,
            column=fault.column,
        )
    advice = "Compare the expression with the values it reads; publish a corrected version for new processes."
    failure = Failure(Category.VALIDATION, "expression_failed", fault.message, step_id, details, advice)
    return clean(failure)


def inadmissible(fault: Inadmissible, step_id: str | None) -> Failure:
    """Return the failure for an output that cannot be stored."""
    details = {"pointer": fault.pointer}
    advice = "Hand on only what later steps need, and keep large content elsewhere."
    return Failure(Category.VALIDATION, f"output_{fault.code}", fault.message, step_id, details, advice)
