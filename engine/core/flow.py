"""Which steps begin and which are skipped when others have come to their end; how a process ends.

Explicit edges pass a skip on, implicit ones never do. A step is looked at each time something it depends on
settles, and settled once all of that has. Nothing here waits: what can be decided is decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


class Flow:
    """What one event starts and skips. `fresh` are activities as that event will leave them."""

    def __init__(self, draft: Draft, fresh: dict[str, Activity]) -> None:
        self.draft = draft
        self.fresh = fresh
        self.starts: list[Start] = []
        self.skips: list[Skip] = []
        self._room = MAX_TOLD_ALL
        self._scope: StateScope | None = None

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
                settled = all(self._status(d) in SETTLED for d in step.deciders)
                if settled and not self._chosen(step):
                    self._skip(Skip(path=step_id, reason=SkipReason.DECISION))
                    self.look(step.dependants)

    def _activity(self, step_id: str) -> Activity | None:
        return self.fresh.get(step_id) or self.draft.state.activities.get(step_id)

    def _status(self, step_id: str) -> ActivityStatus:
        activity = self._activity(step_id)
        return _PENDING if activity is None else activity.status

    def _untouched(self, step_id: str) -> bool:
        activity = self._activity(step_id)
        return activity is None or (activity.status is _PENDING and activity.due_at is None)

    def _ready(self, step: StepPlan) -> bool:
        return all(self._status(edge.before) in SETTLED for edge in step.edges)

    def _chosen(self, step: StepPlan) -> bool:
        for decision in step.deciders:
            activity = self._activity(decision)
            if activity and activity.status is _COMPLETED and step.id in activity.output["chosen"]:
                return True
        return False

    def _refusal(self, step: StepPlan) -> Skip | None:
        """Return the skip of a ready step that does not run, None where it does."""
        if self._passed_over(step):
            return Skip(path=step.id, reason=SkipReason.DECISION)
        if not self._joined(step):
            return Skip(path=step.id, reason=SkipReason.DEPENDENCY)
        if step.condition is None:
            return None
        try:
            return None if step.condition.evaluate(self._reads()) else self._refused(step.id, step.condition)
        except EvaluationError as fault:
            # The activity fails; to fail it must begin. `decide` settles it in the same decision.
            self.draft.doomed[step.id] = expression_failed(fault, step.id, "condition")
            return None

    def _refused(self, step_id: str, condition: Program) -> Skip:
        """Return the skip of a step whose condition is false, with what led to that as far as there is room for it."""
        when = cut(condition.text)
        left = min(self._room, MAX_TOLD) - size(when) - size({}) - _NAMES
        if left < 0:
            return Skip(path=step_id, reason=SkipReason.CONDITION)
        inputs = shortened(read(condition, self._reads()), left)
        self._room -= size(when) + size(inputs) + _NAMES
        return Skip(path=step_id, reason=SkipReason.CONDITION, when=when, inputs=inputs)

    def _passed_over(self, step: StepPlan) -> bool:
        decided = any(self._status(d) is _COMPLETED for d in step.deciders)
        return decided and not self._chosen(step)

    def _joined(self, step: StepPlan) -> bool:
        if step.join == "always":
            return True
        explicit = [edge.before for edge in step.edges if edge.explicit]
        if not explicit:
            return True
        completed = (self._status(i) is _COMPLETED for i in explicit)
        return all(completed) if step.join == "all" else any(completed)

    def _reads(self) -> StateScope:
        if self._scope is None:
            self._scope = self.draft.scope(self.fresh)
        return self._scope

    def _start(self, step: StepPlan) -> None:
        old = self._activity(step.id)
        deadline = later(self.draft.at, step.timeout_seconds) if step.effectful else None
        attempt = old.attempt + 1 if old else 1
        self.starts.append(Start(path=step.id, attempt=attempt, deadline_at=deadline))
        self.fresh[step.id] = Activity(path=step.id, status=ActivityStatus.RUNNING)
        self._scope = None

    def _skip(self, skip: Skip) -> None:
        self.skips.append(skip)
        self.fresh[skip.path] = Activity(path=skip.path, status=_SKIPPED)
        self._scope = None


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
    fresh = {path: Activity(path=path, status=_COMPLETED, **fields)}
    flow = Flow(draft, fresh)
    if step.targets:
        flow.drop(step, output["chosen"])
    if step.dependants:
        flow.look(step.dependants)
    fields.update(flow.result())
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
