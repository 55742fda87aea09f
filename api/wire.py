"""What travels: the bodies the API takes and gives, field for field.

Bodies taken forbid unknown fields, so that a misspelt one is refused instead of ignored. Ids are public ids, times are
RFC 3339 in UTC. Nothing here knows a table.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct

from engine.core.model import ActivityStatus, Failure, ProcessStatus, SkipReason, Wait
from engine.errors import Finding

T = TypeVar("T")

By = Annotated[str, Meta(min_length=1, max_length=150, description="Who asks. The API key's id is stored with it.")]
Reason = Annotated[str, Meta(min_length=1, max_length=2000, description="Why; stored in history.")]
DefinitionName = Annotated[str, Meta(min_length=1, max_length=200, description="Name or id (wf_…) of a definition.")]
Version = Annotated[int, Meta(ge=1, le=2147483647, description="Absent: the latest.")]
# Without characters that cannot be seen where it is shown; see `checks.check_visible`. `$` alone lets a newline by.
Visible = Annotated[
    str, Meta(min_length=1, max_length=200, pattern="^[^\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]*$(?!\\n)")
]
BusinessKey = Visible
LabelName = Annotated[str, Meta(min_length=1, max_length=63, pattern="^[A-Za-z0-9_.-]*$(?!\\n)")]
Labels = Annotated[
    dict[LabelName, Visible],
    Meta(max_length=16, description="What to find it by: at most 16; names of letters, digits and _ . -"),
]
Priority = Annotated[int, Meta(ge=-100, le=100, description="Smaller is claimed first.")]

Searched = Annotated[str, Meta(min_length=1, max_length=200)]

LeftOut = Annotated[int | None, Meta(description="Number of a value left out: the answer would be too large.")]

Moment = Annotated[datetime, Meta(tz=True)]

MAX_BULK = 10_000
MAX_RETRIES = 1000  # in one request


class Taken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all request bodies."""


class StartProcess(Taken, frozen=True):
    """Starts one process."""

    definition: DefinitionName
    input: Any = {}
    version: Version | None = None
    business_key: BusinessKey | None = None
    labels: Labels = {}
    priority: Priority = 0
    by: By | None = None
    reason: Reason | None = None


class StartProcesses(Taken, frozen=True):
    """Starts one process of a definition for each input, all or nothing."""

    definition: DefinitionName
    inputs: Annotated[list[Any], Meta(min_length=1, max_length=MAX_BULK)]
    version: Version | None = None
    labels: Labels = {}
    priority: Priority = 0
    by: By | None = None
    reason: Reason | None = None


class Order(Taken, frozen=True):
    """Who asks for something, and why."""

    by: By | None = None
    reason: Reason | None = None


class ResumeActivity(Taken, frozen=True):
    """Ends a wait or a task with an output of the caller's."""

    output: Any = {}
    by: By | None = None
    reason: Reason | None = None


class RetryProcesses(Taken, frozen=True):
    """Retries failed processes: those of `ids`, or the newest of those that match all the filters given."""

    ids: Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(min_length=1, max_length=MAX_RETRIES)] | None = None
    definition: DefinitionName | None = None
    error_code: Searched | None = None
    failed_step: Searched | None = None
    created_after: Annotated[Moment | None, Meta(description="At or after.")] = None
    created_before: Moment | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_RETRIES)] | None = None
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


class ClaimTask(Taken, frozen=True):
    """Takes a task for oneself."""

    by: By
    reason: Reason | None = None


class ReassignTask(Taken, frozen=True):
    """Puts a task into somebody's hands. `to` null: back to its group."""

    to: Visible | None
    by: By
    reason: Reason | None = None


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
    labels: dict[str, str]
    error_code: Annotated[str | None, Meta(description="Why it failed; null unless FAILED.")]
    failed_step: Annotated[str | None, Meta(description="The step that failed it; null unless FAILED.")]


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
    id: str | None = None  # of the process, task or activity it was asked of


class SentRetry(Struct, frozen=True):
    """A failed process was asked to go on; the outcome will be in its history under this id."""

    process_id: str
    command_id: str


class RefusedRetry(Struct, frozen=True):
    """A process that was not asked, and why: `not_found`, `not_failed`, `business_key_taken`, `conflict`."""

    process_id: str
    code: str
    detail: str


class RetriesView(Struct, frozen=True):
    """What became of a bulk retry."""

    accepted: list[SentRetry]
    refused: list[RefusedRetry]


class TriggerDefinition(Taken, frozen=True):
    """Starts a process of a definition by hand; `trigger_data` is its input."""

    trigger_data: Any = {}
    by: By | None = None
    reason: Reason | None = None


class DeletedDefinition(Struct, frozen=True):
    """A definition that is gone, and how many of its processes were sent a cancel."""

    id: str
    cancelled: int


class TriggeredExecution(Struct, frozen=True):
    """A process that was started by hand."""

    execution_id: str
    status: ExecutionStatus


class ValidationView(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What publishing a document would find. `name` and `steps` (ids in the order of the document) if it is valid."""

    valid: bool
    findings: Annotated[list[Finding], Meta(description="One for each fault.")]
    name: str | None = None
    steps: list[str] | None = None


class StepTypeView(Struct, frozen=True, kw_only=True):
    """A type of step. `effectful`: a worker acts outside for it; all others are decided within PostgreSQL."""

    type: str
    description: str
    effectful: bool
    config_schema: Annotated[dict[str, Any], Meta(description="JSON Schema of the step's `config`.")]


class StepTypes(Struct, frozen=True):
    """All types of step there are."""

    items: list[StepTypeView]


class ExecutionStatus(StrEnum):
    """The states of a process, in words of their own. IN_PROGRESS and WAITING are both running."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepStatus(StrEnum):
    """The states of an activity, in words of their own."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class StepExecutionView(Struct, frozen=True, kw_only=True):
    """One step of an execution. A value that is null may be too large to be shown here; the process has it."""

    step_id: str
    status: StepStatus
    output: Any
    error: Failure | None
    attempt: int
    started_at: datetime | None
    completed_at: datetime | None


class ExecutionContext(Struct, frozen=True, kw_only=True):
    """The values of an execution: `steps` has the output of each completed step."""

    input: Any
    steps: dict[str, Any]
    output: Any


class ExecutionView(Struct, frozen=True, kw_only=True):
    """A process in other words. `trigger_event` is what set it off: its input, where it was triggered, else null."""

    id: str
    workflow_id: str
    workflow_name: str
    tenant_id: str
    environment_id: str
    trigger_type: str
    trigger_event: Any
    status: ExecutionStatus
    started_at: datetime | None
    completed_at: datetime | None
    context: ExecutionContext
    error: Failure | None
    step_executions: list[StepExecutionView]


class Health(Struct, frozen=True):
    """How the program is."""

    status: str
