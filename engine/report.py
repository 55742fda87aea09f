"""What a hold's durable events tell those who watch: events turned into observations, one hold at a time.

Decides nothing and asks nobody: all it tells is in the events, so a process that changes hands is told of by each
holder for the part that it made durable. An attempt is told of when its end is on record, with begin and end as history
has them; where its worker died, by the holder that decides what becomes of it.
"""

from __future__ import annotations

from datetime import datetime

from engine.core.compile import Plan
from engine.core.events import (
    ActivityCompleted,
    ActivityFailed,
    ActivityStarted,
    CommandRejected,
    Event,
    ProcessCancelled,
    ProcessFailed,
    ProcessRetried,
    ProcessStarted,
    Start,
)
from engine.core.model import TERMINAL, ActivityStatus, Failure, State
from engine.observe import (
    About,
    ActivityBegan,
    ActivityEnded,
    Observation,
    ProcessBegan,
    ProcessEnded,
    Refused,
    Wanted,
)
from engine.queue import Claimed

_UNDER_WAY = (ActivityStatus.RUNNING, ActivityStatus.WAITING)
ALL = Wanted()
_UNKNOWN: tuple[int, datetime | None] = (0, None)


class Story:
    """One hold's part of what happens to a process."""

    def __init__(self, claimed: Claimed, plan: Plan, state: State) -> None:
        self._id = claimed.process_id
        self._plan = plan
        self._since = state.created_at  # of the present run: a retry begins another
        under_way = (a for a in state.activities.values() if a.status in _UNDER_WAY)
        self._begun = {a.path: (a.attempt, a.attempt_at) for a in under_way}
        self._about = About(
            definition=plan.definition.name,
            version=state.version,
            tenant_id=claimed.tenant_id,
            environment_id=claimed.environment_id,
            created_at=state.created_at,
            traceparent=state.traceparent,
        )

    def tell(self, events: list[Event], state: State, wanted: Wanted = ALL) -> list[Observation]:
        """Return what these events tell, in their order, as far as anybody wants it. `state`: theirs or a later one."""
        told: list[Observation] = []  # a list, not a generator: at 20,000 activities a second the difference counts
        for event in events:
            body = event.body
            if isinstance(body, ActivityCompleted):
                if wanted.ends:
                    told.append(self._ended(event.path or "", event.attempt or 1, event.at, state, "completed"))
                else:
                    self._begun.pop(event.path or "", None)
            elif isinstance(body, ActivityFailed):
                outcome = "failed" if body.retry_at is None else "retrying"
                told.append(self._ended(event.path or "", event.attempt or 1, event.at, state, outcome, body.error))
            elif isinstance(body, ActivityStarted):
                if body.lost:
                    told.append(self._lost(event, state))
                self._begun[event.path or ""] = (event.attempt or 1, event.at)
            else:
                self._other(told, event, state)
            for start in body.starts:
                self._begun[start.path] = (start.attempt, event.at)
                if wanted.begins:
                    self._begin(told, start, state)
            if body.status is not None and body.status in TERMINAL:
                told.append(self._process_end(event))
        return told

    def _other(self, told: list[Observation], event: Event, state: State) -> None:
        body, at, about = event.body, event.at, self._about
        if isinstance(body, ProcessStarted):
            told.append(ProcessBegan(process=self._id, level="debug", about=about, at=at, definition=about.definition))
        elif isinstance(body, CommandRejected):
            told.append(Refused(process=self._id, about=about, at=at, kind=body.kind, code=body.code))
        elif isinstance(body, ProcessRetried):
            self._since = at
        elif isinstance(body, ProcessFailed | ProcessCancelled):
            open_ = [path for path in body.cancels if path in self._begun]
            told += [self._ended(path, self._begun[path][0], at, state, "cancelled") for path in open_]

    def _begin(self, told: list[Observation], start: Start, state: State) -> None:
        """Tell of a begin; of an effect it is told by who starts it."""
        step = self._plan.steps[start.path]
        if not step.effectful:
            run = state.activities[start.path].run
            told.append(
                ActivityBegan(process=self._id, path=start.path, run=run, attempt=start.attempt, kind=step.type)
            )

    def _lost(self, event: Event, state: State) -> ActivityEnded:
        """Tell of the attempt before, which ended with its worker."""
        return self._ended(event.path or "", (event.attempt or 2) - 1, event.at, state, "lost")

    def _ended(
        self, path: str, attempt: int, at: datetime, state: State, outcome: str, error: Failure | None = None
    ) -> ActivityEnded:
        step = self._plan.steps[path]
        since = self._begun.pop(path, _UNKNOWN)[1] or at
        return ActivityEnded(
            process=self._id,
            level="info" if outcome in ("completed", "cancelled") else "error",
            about=self._about,
            since=since,
            at=at,
            path=path,
            run=state.activities[path].run,
            attempt=attempt,
            kind=step.type,
            duration_s=(at - since).total_seconds(),
            outcome=outcome,
            error=error,
            effectful=step.effectful,
        )

    def _process_end(self, event: Event) -> ProcessEnded:
        error = event.body.error if isinstance(event.body, ProcessFailed) else None
        created = self._about.created_at
        return ProcessEnded(
            process=self._id,
            level="info" if error is None else "error",
            about=self._about,
            since=self._since,
            at=event.at,
            definition=self._about.definition,
            status=str(event.body.status),
            duration_s=None if created is None else (event.at - created).total_seconds(),
            error=error,
        )
