"""What travels: the bodies the API takes and gives, field for field.

Bodies taken forbid unknown fields, so that a misspelt one is refused instead of ignored. Ids are public ids, times are
RFC 3339 in UTC. Nothing here knows a table.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct

from engine.core.model import ActivityStatus, Failure, ProcessStatus, SkipReason, Wait

T = TypeVar("T")

By = Annotated[str, Meta(min_length=1, max_length=150, description="Who asks. The API key's id is stored with it.")]
Reason = Annotated[str, Meta(min_length=1, max_length=2000, description="Why; stored in history.")]
DefinitionName = Annotated[str, Meta(min_length=1, max_length=200, description="Name or id (wf_…) of a definition.")]
Version = Annotated[int, Meta(ge=1, le=2147483647, description="Absent: the latest.")]
# Without characters that cannot be seen where it is shown; see `checks.check_visible`.
BusinessKey = Annotated[
    str, Meta(min_length=1, max_length=200, pattern="^[^\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]*$")
]
Priority = Annotated[int, Meta(ge=-100, le=100, description="Smaller is claimed first.")]

LeftOut = Annotated[int | None, Meta(description="Number of a value left out: the answer would be too large.")]

MAX_BULK = 10_000


class Taken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all request bodies."""


class StartProcess(Taken, frozen=True):
    """Starts one process."""

    definition: DefinitionName
    input: Any = {}
    version: Version | None = None
    business_key: BusinessKey | None = None
    priority: Priority = 0
    by: By | None = None
    reason: Reason | None = None


class StartProcesses(Taken, frozen=True):
    """Starts one process of a definition for each input, all or nothing."""

    definition: DefinitionName
    inputs: Annotated[list[Any], Meta(min_length=1, max_length=MAX_BULK)]
    version: Version | None = None
    priority: Priority = 0
    by: By | None = None
    reason: Reason | None = None


class Order(Taken, frozen=True):
    """Who asks a process for something, and why."""

    by: By | None = None
    reason: Reason | None = None


class SendSignal(Taken, frozen=True):
    """Sends a signal to whatever waits for it. The same id twice within a day sends once."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    data: Any = {}
    correlation_key: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    ttl_seconds: Annotated[int, Meta(ge=1, le=31536000, description="How long it is kept for a later wait.")] = 604800


class CompleteTask(Taken, frozen=True):
    """Completes a task."""

    by: By
    data: Any = {}
    reason: Reason | None = None


class RejectTask(Taken, frozen=True):
    """Rejects a task."""

    by: By
    reason: Reason


class Page(Struct, Generic[T], frozen=True, omit_defaults=True):
    """One page of a list. `next_cursor` absent: this was the last."""

    items: list[T]
    next_cursor: str | None = None
    count: int | None = None


class DefinitionView(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A published definition."""

    id: str
    name: str
    version: int
    status: str
    enabled: bool
    tenant_id: str
    environment_id: str
    created_at: datetime
    updated_at: datetime
    created_by: str
    document: Any = None


class ProcessView(Struct, frozen=True, kw_only=True):
    """A process as lists show it. `type` is its definition's name."""

    id: str
    type: str
    definition_id: str
    version: int
    status: ProcessStatus
    business_key: str | None
    priority: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class ActivityView(Struct, frozen=True, kw_only=True):
    """One step of the definition, or one execution of it. PENDING: not reached, or between two attempts (`due_at`)."""

    id: str
    step_id: str
    path: str
    name: str | None
    type: str | None
    status: ActivityStatus
    attempt: int
    started_at: datetime | None = None
    ended_at: datetime | None = None
    due_at: datetime | None = None
    deadline_at: datetime | None = None
    output: Any = None
    output_ref: LeftOut = None
    error: Failure | None = None
    wait: Wait | None = None
    skip_reason: SkipReason | None = None
    task_id: str | None = None


class ProcessDetail(ProcessView, frozen=True, kw_only=True):
    """A process with everything its history tells now."""

    input: Any
    output: Any
    input_ref: LeftOut
    output_ref: LeftOut
    error: Failure | None
    current_activity: str | None
    current_activities: list[str]
    activities: list[ActivityView]


class Ids(Struct, frozen=True):
    """Public ids, in the order of what was asked."""

    ids: list[str]


class SignalView(Struct, frozen=True):
    """A signal that was accepted; it is matched with waits afterwards."""

    id: str


class EventView(Struct, frozen=True, kw_only=True):
    """One row of history. `data` holds references for values over 8 KB unless `payloads=true` was asked."""

    seq: int
    at: datetime
    type: str
    v: int
    path: str | None
    attempt: int | None
    data: Any


class TaskView(Struct, frozen=True, kw_only=True):
    """An open task. `form` is a JSON Schema for the data that completes it."""

    id: str
    process_id: str
    path: str
    definition_id: str
    definition: str
    title: str
    assignee: str | None
    group: str | None
    form: Any
    due_at: datetime | None
    created_at: datetime
    overdue: bool


class CommandView(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What became of a command. Status `accepted`: not decided yet; the outcome will be in history under this id."""

    command_id: str
    process_id: str
    status: str
    id: str | None = None  # of the process or task it was asked of


class Health(Struct, frozen=True):
    """How the program is."""

    status: str
