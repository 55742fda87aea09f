"""What the engine notices: facts in; logs, metrics and spans are readers of them.

Code reports an observation; what becomes of it is decided by the readers that `stepwell` has put together: JsonLog
here, engine/metrics.py, engine/spans.py. None may raise or wait: an engine that stops because a log is full, or a
collector away, is worse than a missing line. So `Readers` catches what a reader lets out, and the log's lines are
written by a thread of its own, from a queue that drops what does not fit and says how much that was.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

from engine.core.ids import public_id

MOST_LINES = 10_000  # waiting to be written; some 3 MB
WRITE_PAUSE_S = 0.005  # between two writes: what comes meanwhile is written in one
LAST_WRITE_S = 2.0  # at the end, for what is still waiting


class About(Struct, frozen=True):
    """Which process it is, for metrics and spans; the same object for all that one hold tells."""

    definition: str
    version: int
    tenant_id: int
    environment_id: int
    created_at: datetime | None = None
    traceparent: str | None = None  # of whoever started it


class Observation(Struct, frozen=True, kw_only=True, tag_field="event"):
    """Common to all. `process`: the process id; it is shown as a public id.

    `about`, `since` and `at` are not logged: begin and end as the history has them, by the database's clock.
    """

    process: int | None = None
    level: str = "info"
    about: About | None = None
    since: datetime | None = None
    at: datetime | None = None


class ProcessBegan(Observation, frozen=True, tag="process.start"):
    definition: str


class ProcessEnded(Observation, frozen=True, tag="process.end"):
    """`since`: its creation, or the retry that took it up again."""

    definition: str
    status: str
    duration_s: float | None = None  # since its creation
    error: Any = None


class ActivityBegan(Observation, frozen=True, tag="activity.start"):
    """`effectful` (not logged): an executor does it, rather than the engine itself."""

    path: str
    run: int
    attempt: int
    kind: str
    effectful: bool = False


class ActivityEnded(Observation, frozen=True, tag="activity.end"):
    """An attempt is over, on record."""

    path: str
    run: int
    attempt: int
    kind: str
    duration_s: float
    outcome: str  # completed | failed | retrying | lost | cancelled
    error: Any = None
    effectful: bool = False


class Called(Observation, frozen=True, tag="call"):
    """An executor is done with an attempt; what is decided about it comes later."""

    kind: str
    duration_s: float
    outcome: str  # completed | failed


class Refused(Observation, frozen=True, tag="command.rejected"):
    kind: str
    code: str


class WorkerChanged(Observation, frozen=True, tag="worker"):
    worker: int
    what: str  # registered | fenced | connection_lost | outdated | stopped
    detail: str = ""


class Ticked(Observation, frozen=True, tag="tick"):
    """The worker's row is there. `calls`: executors at work."""

    duration_s: float
    claimed: int
    holds: int
    slots: int
    calls: int


class Rescued(Observation, frozen=True, tag="rescue"):
    workers: list[int]
    leases: int
    detail: str = ""


class Flushed(Observation, frozen=True, tag="flush"):
    processes: int
    events: int
    size_bytes: int
    duration_s: float


class FlushFailed(Observation, frozen=True, tag="flush.failed"):
    processes: int
    reason: str


class RequestServed(Observation, frozen=True, tag="request"):
    """`route`: the path as declared, with names in place of ids; none where there is nothing at the path."""

    method: str
    path: str
    status: int
    duration_s: float
    code: str | None = None
    route: str | None = None


class ConnectionsEnded(Observation, frozen=True, tag="connections"):
    """What the API had to do to its connections in the last second. `open`: how many there are now."""

    open: int
    made_room: int  # ended while idle, for others
    refused: int  # all others were at work
    late: int  # kept us waiting too long


class Noted(Observation, frozen=True, tag="note"):
    """What an operator should know, and may want to change."""

    where: str
    message: str
    detail: str = ""


class SpansSent(Observation, frozen=True, tag="spans"):
    count: int
    outcome: str  # sent | failed | dropped


class LinesDropped(Observation, frozen=True, tag="log.dropped"):
    count: int


class Trouble(Observation, frozen=True, tag="error"):
    """An error no more special observation tells of."""

    where: str
    message: str
    detail: str = ""


Observer = Callable[[Observation], None]

_NO_ROW = frozenset({"fenced", "connection_lost", "stopped"})

LEVELS = {"debug": 10, "info": 20, "error": 40}
_UNLOGGED = frozenset({"process", "about", "since", "at", "effectful"})


def logged_fields(kind: type[Observation]) -> tuple[str, ...]:
    """Return the fields of an observation that its log line may have, `process_id` left out."""
    return tuple(name for name in kind.__struct_fields__ if name not in _UNLOGGED)


def row_lost(told: Observation) -> bool:
    """Tell whether a worker has no row of its own from here on."""
    if isinstance(told, WorkerChanged):
        return told.what in _NO_ROW
    return isinstance(told, Trouble) and told.where == "session"


def wants(observer: Observer, kind: type[Observation], level: str) -> bool:
    """Tell whether a reader may do something with such an observation: who makes many asks once, and makes them or not.

    A reader that has `wants` says so itself; one that has `kinds` reads those alone; any other reads all.
    """
    says = getattr(observer, "wants", None)
    return bool(says(kind, level)) if says is not None else kind in getattr(observer, "kinds", (kind,))


class Wanted(Struct, frozen=True):
    """Which of the observations that each activity makes anybody wants: at 20,000 activities a second each one counts.

    `begins`: of attempts; `ends`: of attempts that went well, those that failed are always told of; `calls`: executors
    that are done.
    """

    begins: bool = True
    ends: bool = True
    calls: bool = True


def wanted(observer: Observer) -> Wanted:
    """Return what a reader wants of activities."""
    return Wanted(
        begins=wants(observer, ActivityBegan, "info"),
        ends=wants(observer, ActivityEnded, "info"),
        calls=wants(observer, Called, "debug"),
    )


class Readers:
    """Several readers as one, each given what it `wants`. What one of them lets out is reported to the others, once."""

    def __init__(self, *readers: Observer) -> None:
        self._readers = readers
        self._of: dict[tuple[type[Observation], str], tuple[Observer, ...]] = {}
        self._broken: set[int] = set()

    def __call__(self, observation: Observation) -> None:
        """Give it to each."""
        key = type(observation), observation.level
        readers = self._of.get(key)
        if readers is None:
            readers = self._of[key] = tuple(reader for reader in self._readers if wants(reader, *key))
        for reader in readers:
            try:
                reader(observation)
            except Exception as error:  # noqa: BLE001  see the module's docstring
                self._report(reader, error)

    def wants(self, kind: type[Observation], level: str) -> bool:
        """Tell whether any of them reads such an observation."""
        return any(wants(reader, kind, level) for reader in self._readers)

    def _report(self, broken: Observer, error: Exception) -> None:
        if id(broken) in self._broken:
            return
        self._broken.add(id(broken))
        message = f"{type(broken).__name__}: {type(error).__name__}: {error}"
        for reader in self._readers:
            if reader is not broken:
                with contextlib.suppress(Exception):
                    reader(Trouble(level="error", where="observer", message=message))


class JsonLog:
    """Write each observation at or above `level` as one JSON line. Safe from several threads.

    `activities`: whose begin and end are written, `all`, `effectful` or `none`; failures always are.
    """

    def __init__(
        self, level: str = "info", stream: BinaryIO | None = None, *, activities: str = "all", **fixed: Any
    ) -> None:
        self._floor = LEVELS[level]
        self._all = activities == "all"
        self._effectful = activities == "effectful"
        self._fixed = fixed
        self._fields: dict[type[Observation], tuple[str, ...]] = {}
        self._lines = _Lines(stream or _stderr(), self._told_dropped)

    def __call__(self, observation: Observation) -> None:
        """Write one line, soon."""
        if not self._loud(observation.level) or not (self._all or self._wanted(observation)):
            return
        with contextlib.suppress(ValueError, TypeError, UnicodeError):  # see the module's docstring
            self._lines.put(self._line(observation))

    def wants(self, kind: type[Observation], level: str) -> bool:
        """Tell whether there may be a line for such an observation."""
        quiet = kind in (ActivityBegan, ActivityEnded) and level != "error" and not (self._all or self._effectful)
        return self._loud(level) and not quiet

    def close(self) -> None:
        """Write what is waiting, within LAST_WRITE_S."""
        self._lines.close()

    def _loud(self, level: str) -> bool:
        """Tell whether a level is logged. One that is not known is, since asking must not raise."""
        return LEVELS.get(level, self._floor) >= self._floor

    def _wanted(self, observation: Observation) -> bool:
        if not isinstance(observation, ActivityBegan | ActivityEnded):
            return True
        return observation.level == "error" or (self._effectful and observation.effectful)

    def _line(self, observation: Observation) -> bytes:
        kind = type(observation)
        names = self._fields.get(kind)
        if names is None:
            names = self._fields[kind] = logged_fields(kind)
        fields: dict[str, Any] = {"at": datetime.now(UTC), "event": kind.__struct_config__.tag}
        for name in names:
            value = getattr(observation, name)
            if value is not None and value != "":
                fields[name] = value
        fields |= self._fixed
        if observation.process is not None:
            fields["process_id"] = public_id("prc", observation.process)
        return msgspec.json.encode(fields)

    def _told_dropped(self, count: int) -> bytes:
        return self._line(LinesDropped(level="error", count=count))


def _stderr() -> BinaryIO:
    """Return stderr without Python's buffer: a thread that hangs in it would take the program's end with it."""
    return open(2, "wb", buffering=0, closefd=False)


class _Lines:
    """Lines on their way to a stream that may be slow. One thread writes, begun with the first line."""

    def __init__(self, stream: BinaryIO, dropped: Callable[[int], bytes]) -> None:
        self._stream = stream
        self._tell_dropped = dropped
        self._waiting: deque[bytes] = deque()
        self._dropped = 0
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, line: bytes) -> None:
        if len(self._waiting) >= MOST_LINES:
            self._dropped += 1
            return
        self._waiting.append(line)
        if not self._wake.is_set():
            self._wake.set()
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
                atexit.register(self.close)

    def close(self) -> None:
        self._closed.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(LAST_WRITE_S)
            atexit.unregister(self.close)

    def _run(self) -> None:
        while not (self._closed.is_set() and not self._waiting):
            self._wake.wait()
            self._wake.clear()
            self._write()
            self._closed.wait(WRITE_PAUSE_S)

    def _write(self) -> None:
        lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
        dropped, self._dropped = self._dropped, 0
        if dropped:
            lines.append(self._tell_dropped(dropped))
        if lines:
            with contextlib.suppress(OSError, ValueError):
                left = memoryview(b"\n".join([*lines, b""]))
                while left:
                    left = left[self._stream.write(left) :]


def nowhere(observation: Observation) -> None:
    """Discard: for tools and tests that do not look."""
