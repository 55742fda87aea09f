"""What the engine notices: facts in, logs out.

Code reports an observation; this module alone decides what becomes of it (JSON lines on stderr for now; metrics and
spans read the same facts). It must never raise and never block: an engine that stops because a log is full is worse
than a missing line.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
from msgspec import Struct

from engine.core.ids import public_id


class Observation(Struct, frozen=True, kw_only=True, tag_field="event"):
    """Common to all. `process`: the process id; it is shown as a public id."""

    process: int | None = None
    level: str = "info"


class ActivityBegan(Observation, frozen=True, tag="activity.start"):
    path: str
    attempt: int
    kind: str


class ActivityEnded(Observation, frozen=True, tag="activity.end"):
    path: str
    attempt: int
    kind: str
    duration_s: float
    outcome: str  # completed | failed | retrying
    error: Any = None


class ProcessEnded(Observation, frozen=True, tag="process.end"):
    status: str
    duration_s: float | None = None
    error: Any = None


class WorkerChanged(Observation, frozen=True, tag="worker"):
    worker: int
    what: str  # registered | fenced | connection_lost | outdated | stopped
    detail: str = ""


class Rescued(Observation, frozen=True, tag="rescue"):
    workers: list[int]
    leases: int
    detail: str = ""


class FlushFailed(Observation, frozen=True, tag="flush.failed"):
    processes: int
    reason: str


class RequestServed(Observation, frozen=True, tag="request"):
    method: str
    path: str
    status: int
    duration_s: float
    code: str | None = None


class Trouble(Observation, frozen=True, tag="error"):
    """An error no more special observation tells of."""

    where: str
    message: str
    detail: str = ""


Observer = Callable[[Observation], None]

LEVELS = {"debug": 10, "info": 20, "error": 40}


class JsonLog:
    """Write each observation at or above `level` as one JSON line. Safe from several threads."""

    def __init__(self, level: str = "info", stream: TextIO | None = None, **fixed: Any) -> None:
        self._floor = LEVELS[level]
        self._stream = stream or sys.stderr
        self._fixed = fixed
        self._lock = threading.Lock()

    def __call__(self, observation: Observation) -> None:
        """Write one line."""
        if LEVELS[observation.level] < self._floor:
            return
        try:
            line = msgspec.json.encode(self._fields(observation)).decode()
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError, TypeError, UnicodeError):
            pass  # see the module's docstring

    def _fields(self, observation: Observation) -> dict[str, Any]:
        fields = {"at": datetime.now(UTC), **msgspec.to_builtins(observation), **self._fixed}
        process = fields.pop("process", None)
        if process is not None:
            fields["process_id"] = public_id("prc", process)
        return {name: value for name, value in fields.items() if value not in (None, "")}


def nowhere(observation: Observation) -> None:
    """Discard: for tools and tests that do not look."""
