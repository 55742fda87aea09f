"""What can happen to a process: the rows of its history.

An event carries what it decided (which activities it starts and skips, the process status it leads to), so
that `evolve` only applies. A body's shape is kept for ever: to change one, raise its version in VERSIONS and
add a pure upcaster; release N reads v+1, release N+1 writes it. gc=False: as in engine/core/model.py.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from engine.core.model import Failure, ProcessStatus, SkipReason, Wait


class Start(Struct, frozen=True, omit_defaults=True, gc=False):
    """An activity that begins its attempt with the event that names it."""

    path: str
    attempt: int = 1
    deadline_at: datetime | None = None


class Skip(Struct, frozen=True, omit_defaults=True, gc=False):
    """An activity that will not run. For people, where its condition was false: the condition, and what it read."""

    path: str
    reason: SkipReason
    when: str | None = None
    inputs: dict[str, Any] = {}


class Body(Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """Common to all bodies. `status`: the process status this event leads to, where it changes."""

    status: ProcessStatus | None = None
    starts: tuple[Start, ...] = ()
    skips: tuple[Skip, ...] = ()
    command: int | None = None  # id of the mail this event is the outcome of
    by: str | None = None
    reason: str | None = None


class ProcessCreated(Body, frozen=True):
    """Written by stepwell.start_process in the caller's transaction."""

    definition_id: int
    version: int
    input: Any = None
    input_ref: int | None = None
    priority: int = 0
    business_key: str | None = None
    trigger: Any = None
    labels: dict[str, str] = {}
    traceparent: str | None = None  # W3C trace context of the caller


class ProcessStarted(Body, frozen=True):
    deadline_at: datetime | None = None


class ProcessCompleted(Body, frozen=True):
    output: Any = None
    output_ref: int | None = None


class ProcessFailed(Body, frozen=True):
    error: Failure
    cancels: tuple[str, ...] = ()  # paths that were open


class ProcessCancelled(Body, frozen=True):
    cancels: tuple[str, ...] = ()


class ProcessRetried(Body, frozen=True):
    """FAILED → IN_PROGRESS. `resets` become PENDING with a new attempt group; their execution ids stay."""

    resets: tuple[str, ...] = ()
    deadline_at: datetime | None = None


class ActivityStarted(Body, frozen=True):
    """A further attempt begins. `lost`: the one before ended with its worker, so it does not count as a
    failure.
    """

    deadline_at: datetime | None = None
    lost: bool = False


class ActivityWaiting(Body, frozen=True):
    wait: Wait
    due_at: datetime | None = None
    deadline_at: datetime | None = None


class TaskCreated(Body, frozen=True):
    wait: Wait
    deadline_at: datetime | None = None


class TaskAssigned(Body, frozen=True):
    """An open task is in other hands now; None: anybody of its group may take it."""

    assignee: str | None = None


class ActivityCompleted(Body, frozen=True):
    output: Any = None
    output_ref: int | None = None
    signal_id: int | None = None


class ActivityFailed(Body, frozen=True):
    """An attempt failed. `retry_at` None: for good."""

    error: Failure
    retry_at: datetime | None = None


class CommandRejected(Body, frozen=True):
    kind: str
    code: str
    message: str
    pointer: str = ""  # where in the data, for data that does not suit a form


class CustomerEvent(Body, frozen=True):
    """An event of the customer's own name, written by an `event` step for the feed."""

    payload: Any = None
    payload_ref: int | None = None


class Event(Struct, frozen=True, gc=False):
    """One history row."""

    seq: int
    at: datetime
    type: str
    body: AnyBody
    path: str | None = None
    attempt: int | None = None
    v: int = 1


AnyBody = (
    ProcessCreated
    | ProcessStarted
    | ProcessCompleted
    | ProcessFailed
    | ProcessCancelled
    | ProcessRetried
    | ActivityStarted
    | ActivityWaiting
    | TaskCreated
    | TaskAssigned
    | ActivityCompleted
    | ActivityFailed
    | CommandRejected
    | CustomerEvent
)

BODIES: dict[str, type[AnyBody]] = {
    "process.created": ProcessCreated,
    "process.started": ProcessStarted,
    "process.completed": ProcessCompleted,
    "process.failed": ProcessFailed,
    "process.cancelled": ProcessCancelled,
    "process.retried": ProcessRetried,
    "activity.started": ActivityStarted,
    "activity.waiting": ActivityWaiting,
    "task.created": TaskCreated,
    "task.assigned": TaskAssigned,
    "activity.completed": ActivityCompleted,
    "activity.failed": ActivityFailed,
    "command.rejected": CommandRejected,
}
TYPES = {body: name for name, body in BODIES.items()}
RESERVED_PREFIXES = ("process.", "activity.", "task.", "command.")

VERSIONS: dict[str, int] = {}  # type → newest version read here; absent = 1
UPCASTERS: dict[tuple[str, int], Callable[[Any], Any]] = {}  # (type, from version) → pure function on the decoded JSON

_ENCODER = msgspec.json.Encoder()
_DECODERS = {name: msgspec.json.Decoder(body) for name, body in BODIES.items()}
_CUSTOMER = msgspec.json.Decoder(CustomerEvent)


class NewerEvent(Exception):
    """The event was written by a newer release: this worker must give the process back."""


def encode_body(body: Body) -> bytes:
    """Return the JSON for `history.data`."""
    return _ENCODER.encode(body)


def decode_body(type_: str, v: int, data: bytes | str) -> AnyBody:
    """Return the body of a history row. Raises NewerEvent for a version or engine type this release does not
    know.
    """
    newest = VERSIONS.get(type_, 1)
    decoder = _DECODERS.get(type_)
    if v > newest or (decoder is None and type_.startswith(RESERVED_PREFIXES)):
        raise NewerEvent(f"{type_} v{v} is newer than this release reads (v{newest})")
    if v < newest:
        value = msgspec.json.decode(data)
        for step in range(v, newest):
            value = UPCASTERS[type_, step](value)
        return msgspec.convert(value, BODIES[type_])
    return (decoder or _CUSTOMER).decode(data)
