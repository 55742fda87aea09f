"""What the state of a process is: the fold of its history.

Only values live here. Nothing in this module decides; `decide` does, and `evolve` applies what it decided.

Python's garbage collector leaves them alone (gc=False): they are trees of JSON and cannot form a cycle, and thousands
of processes are held at a time.

Invariants: a `State` holds only activities that have been touched (started, skipped); every other step of the
definition is PENDING. `seq` is the number of the last event applied. Times are aware UTC datetimes.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace


class ProcessStatus(StrEnum):
    """States of a process. COMPLETED and CANCELLED absorb; FAILED is left only by `process.retried`."""

    CREATED = "CREATED"
    IN_PROGRESS = "IN_PROGRESS"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class ActivityStatus(StrEnum):
    """States of an activity (one execution of a step)."""

    PENDING = "PENDING"  # not started, or between two attempts (then due_at is set)
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"


class SkipReason(StrEnum):
    """Why an activity was not run."""

    CONDITION = "condition"  # its own condition was false
    DECISION = "decision"  # a decision took another branch
    DEPENDENCY = "dependency"  # everything it depends on was skipped (or its join asks for more)
    PROCESS_ENDED = "process_ended"  # the process failed or was cancelled first; undone by process.retried


class Category(StrEnum):
    """Classes of failure."""

    VALIDATION = "validation"
    EXECUTION = "execution"
    EXTERNAL = "external"
    TIMEOUT = "timeout"


class Failure(Struct, frozen=True, omit_defaults=True, gc=False):
    """Why an attempt, an activity or a process failed: a value, stored in history as it is."""

    category: Category
    code: str
    message: str
    step_id: str | None = None
    details: Any = None
    advice: str = ""


class Wait(Struct, frozen=True, omit_defaults=True, gc=False):
    """What a WAITING activity waits for. `kind` is 'signal', 'time' or 'task'."""

    kind: str
    signal: str | None = None  # name of the signal
    correlation: str = ""  # correlation key; '' = none
    on_timeout: str = "fail"  # fail | continue
    task: Task | None = None


class Task(Struct, frozen=True, omit_defaults=True, gc=False):
    """A manual activity in somebody's inbox. `form` is a JSON Schema that completion data must satisfy."""

    title: str
    assignee: str | None = None
    group: str | None = None
    form: Any = None
    due_at: datetime | None = None  # only marks it overdue
    on_reject: str = "continue"  # continue | fail


class Activity(Struct, frozen=True, omit_defaults=True, gc=False):
    """One execution of a step, over all its attempts."""

    path: str  # identity within the process: the step id, with [i] and #n for list items and loop turns
    status: ActivityStatus
    run: int = 1  # rises at rerun only; (process, path, run) is the execution id
    attempt: int = 0  # attempts begun so far
    failures: int = 0  # failed attempts in the present attempt group (a manual retry opens a new group)
    started_at: datetime | None = None  # begin of the first attempt
    attempt_at: datetime | None = None  # begin of the present or last attempt
    ended_at: datetime | None = None
    due_at: datetime | None = None  # PENDING: next attempt; WAITING: when a time wait is over
    deadline_at: datetime | None = None  # timeout of the present attempt or wait
    output: Any = None
    output_ref: int | None = None  # number in `payload`, for an output over PAYLOAD_BYTES
    error: Failure | None = None
    skip_reason: SkipReason | None = None
    wait: Wait | None = None


class State(Struct, omit_defaults=True, gc=False):
    """A process as its history tells it. Must not be changed but by `evolve`, and by that only before it is shared."""

    seq: int = 0
    status: ProcessStatus = ProcessStatus.CREATED
    definition_id: int = 0
    version: int = 0
    input: Any = None
    input_ref: int | None = None
    trigger: Any = None  # what set it off: {type, ...}; None = started directly
    traceparent: str | None = None  # W3C trace context of whoever started it
    business_key: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    deadline_at: datetime | None = None  # process timeout
    last_at: datetime | None = None  # `at` of the last event; never falls
    output: Any = None
    output_ref: int | None = None
    error: Failure | None = None
    activities: dict[str, Activity] = field(default_factory=dict)
    signals: tuple[int, ...] = ()  # ids of accepted signals: each counts once
    payloads: int = 1  # next free number in `payload` (0 is the input)

    def copy(self) -> State:
        """Return a state that may be changed while this one stays as it is."""
        return replace(self, activities=self.activities.copy())


PAYLOAD_BYTES = (
    8192  # values above go to `payload` (design section 3: one 250 KB value per event made loads 300x slower)
)

SETTLED = frozenset({ActivityStatus.COMPLETED, ActivityStatus.FAILED, ActivityStatus.SKIPPED, ActivityStatus.CANCELLED})
TERMINAL = frozenset({ProcessStatus.COMPLETED, ProcessStatus.FAILED, ProcessStatus.CANCELLED})


def next_due(state: State) -> datetime | None:
    """Return the earliest moment at which this process wants to be woken, None if never."""
    if state.status in TERMINAL:
        return None
    first = state.deadline_at
    for activity in state.activities.values():
        if (activity.due_at or activity.deadline_at) and activity.status not in SETTLED:
            times = (first, activity.due_at, activity.deadline_at)
            first = min(moment for moment in times if moment is not None)
    return first
