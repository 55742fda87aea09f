"""What can be asked of a process: by its holder, by executors, by the clock, and by mail.

Mail comes from `inbox`; each mail ends as exactly one event that carries its id, accepted or rejected.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from engine.core.model import Failure


class Opened(Struct, frozen=True):
    """A worker has just loaded the process: begin it if CREATED; whatever is RUNNING was lost with its
    worker, unless the process was `handed` over in good order: then it has not begun, and may.
    """

    handed: bool = False


class Woken(Struct, frozen=True):
    """Time has passed: retries, waits and deadlines may be due."""


class Completed(Struct, frozen=True):
    """Outcome of an attempt: it succeeded. `output` has passed `values.admit`."""

    output: Any = None
    size: int = 0  # bytes of JSON, as `admit` counted them


class Failed(Struct, frozen=True):
    """Outcome of an attempt: it failed."""

    error: Failure
    retryable: bool = True
    retry_after_seconds: float | None = None


class Reported(Struct, frozen=True):
    """An executor tells how an attempt ended."""

    path: str
    attempt: int
    outcome: Completed | Failed


class Broken(Struct, frozen=True):
    """The process cannot go on for a reason outside its definition (a value PostgreSQL refuses): it fails."""

    error: Failure


class Order(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What a mail says. `by` and `reason` are stored with the outcome."""

    by: str | None = None
    reason: str | None = None


class Cancel(Order, frozen=True, tag="cancel"):
    pass


class Retry(Order, frozen=True, tag="retry"):
    pass


class CompleteTask(Order, frozen=True, tag="complete_task"):
    path: str
    run: int = 1
    data: Any = None


class RejectTask(Order, frozen=True, tag="reject_task"):
    path: str
    run: int = 1


class AssignTask(Order, frozen=True, tag="assign_task"):
    """Puts a task into the hands of `to`, None = back to its group. `claim`: only where nobody else has it."""

    path: str
    run: int = 1
    to: str | None = None
    claim: bool = False


class Resume(Order, frozen=True, tag="resume"):
    """An operator ends a wait or a task with an output of his own. `run` None: the present one."""

    path: str
    run: int | None = None
    output: Any = None


class Signal(Order, frozen=True, tag="signal"):
    signal_id: int
    name: str
    correlation: str = ""
    data: Any = None


class Unreadable(Order, frozen=True, tag="unreadable"):
    """Stands for mail of a known kind that could not be read, or that could not be decided: it is rejected."""

    why: str = ""


Orders = Cancel | Retry | CompleteTask | RejectTask | AssignTask | Resume | Signal | Unreadable


class Mail(Struct, frozen=True):
    """An order with the id under which its outcome is recorded."""

    id: int
    order: Orders


Command = Opened | Woken | Reported | Broken | Mail
