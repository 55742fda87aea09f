"""What a hold's progress looks like to those who watch: events turned into observations. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.commands import Completed, Failed
from engine.core.events import ActivityCompleted, ActivityFailed, Event
from engine.core.model import TERMINAL, Activity
from engine.hold import Hold
from engine.observe import ActivityBegan, ActivityEnded, Observation, ProcessEnded


def progress(hold: Hold, events: list[Event]) -> Iterator[Observation]:
    """Yield what durable events tell: begins and ends of pure activities, the end of the process."""
    for event in events:
        pure = event.path is not None and not hold.plan.effectful(event.path)
        if pure and isinstance(event.body, ActivityCompleted | ActivityFailed):
            yield _pure_end(hold, event)
        for start in event.body.starts:
            if not hold.plan.effectful(start.path):
                kind = hold.plan.steps[start.path].type
                yield ActivityBegan(process=hold.id, path=start.path, attempt=start.attempt, kind=kind)
        if event.body.status in TERMINAL:
            yield _process_end(hold)


def _pure_end(hold: Hold, event: Event) -> Observation:
    path = event.path or ""
    activity = hold.state.activities[path]
    begun = activity.attempt_at or event.at
    failed = isinstance(event.body, ActivityFailed)
    return ActivityEnded(
        process=hold.id,
        level="error" if failed else "info",
        path=path,
        attempt=event.attempt or 1,
        kind=hold.plan.steps[path].type,
        duration_s=(event.at - begun).total_seconds(),
        outcome="failed" if failed else "completed",
        error=getattr(event.body, "error", None),
    )


def _process_end(hold: Hold) -> Observation:
    state = hold.state
    lasted = (state.ended_at - state.created_at).total_seconds() if state.ended_at and state.created_at else None
    return ProcessEnded(
        process=hold.id,
        level="error" if state.error is not None else "info",
        status=state.status,
        duration_s=lasted,
        error=state.error,
    )


def ended(hold: Hold, activity: Activity, kind: str, outcome: Completed | Failed, seconds: float) -> Observation:
    """Return the end of an effect."""
    failed = isinstance(outcome, Failed)
    return ActivityEnded(
        process=hold.id,
        level="error" if failed else "info",
        path=activity.path,
        attempt=activity.attempt,
        kind=kind,
        duration_s=seconds,
        outcome="failed" if failed else "completed",
        error=outcome.error if isinstance(outcome, Failed) else None,
    )
