"""What a stretch of work cost: time by the clock, processor time, WAL, memory. And what machine it ran on.

Reads /proc, so it needs Linux. Must not load what it measures: one statement at either end, no sampling between.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psycopg
from msgspec import Struct

from bench.cases import Figures

if TYPE_CHECKING:
    from bench.ground import Ground

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
_FORGET_PEAK = "5"  # to /proc/PID/clear_refs: the peak of memory begins anew


class Measured(Struct, frozen=True):
    """What was used between `start` and `stop`. CPU and memory of the watched programs include their children."""

    seconds: float
    cpu_s: float  # of the watched programs
    server_cpu_s: float
    wal_bytes: int  # of the whole server
    peak_rss_bytes: int  # of the watched programs together, each at its own peak

    def figures(self, count: float, of: str) -> Figures:
        """Return the usual figures for `count` pieces of work, called by the singular `of`, such as step.

        `{of}s_per_s` (processes_per_s of a process), `cpu_per_{of}_us`, `server_cpu_per_{of}_us`, `wal_per_{of}_bytes`,
        `peak_rss_mb`.
        """
        plural = f"{of}es" if of.endswith("s") else f"{of}s"
        return {
            f"{plural}_per_s": count / self.seconds,
            f"cpu_per_{of}_us": self.cpu_s / count * 1e6,
            f"server_cpu_per_{of}_us": self.server_cpu_s / count * 1e6,
            f"wal_per_{of}_bytes": self.wal_bytes / count,
            "peak_rss_mb": self.peak_rss_bytes / 1e6,
        }


class Meter:
    """Measures the server and some programs, from `start` to `stop`; also as a block (`with Meter(…) as meter`).

    `pids`: of programs that run from start to stop, such as `worker.pid`. After the block, `meter.measured`.
    """

    def __init__(self, ground: Ground, pids: Iterable[int] = ()) -> None:
        self._ground = ground
        self._pids = tuple(pids)
        self._begun: tuple[float, float, float, int] | None = None
        self._measured: Measured | None = None

    def start(self) -> None:
        """Begin."""
        for pid in _tree(self._pids):
            with contextlib.suppress(OSError):
                (_PROC / str(pid) / "clear_refs").write_text(_FORGET_PEAK)
        self._begun = self._look()

    def stop(self) -> Measured:
        """Return what was used since `start`. Raises RuntimeError without one."""
        if self._begun is None:
            raise RuntimeError("the meter was not started")
        now = self._look()
        seconds, cpu, server, wal = (after - before for after, before in zip(now, self._begun, strict=True))
        self._measured = Measured(seconds, cpu, server, int(wal), sum(peak_rss(pid) for pid in _tree(self._pids)))
        return self._measured

    @property
    def measured(self) -> Measured:
        """What was used. Raises RuntimeError before `stop`."""
        if self._measured is None:
            raise RuntimeError("the meter was not stopped")
        return self._measured

    def _look(self) -> tuple[float, float, float, int]:
        wal = wal_position(self._ground)
        return time.monotonic(), cpu_seconds(self._pids), self._ground.cpu_seconds(), wal

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.stop()


def wal_position(ground: Ground) -> int:
    """Return how many bytes of WAL the server has written since it was made."""
    with psycopg.connect(ground.dsn(), autocommit=True) as db:
        row = db.execute("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").fetchone()
    return int(row[0]) if row else 0


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor time of programs and of their children, living and dead; 0 for one that is gone."""
    return sum(_own_cpu(pid) for pid in _tree(pids))


def rss_bytes(pid: int) -> int:
    """Return the memory of a program and its children now; 0 for one that is gone."""
    return sum(_status(one, "VmRSS") for one in _tree([pid]))


def peak_rss(pid: int) -> int:
    """Return the most memory that one process, without children, has had since the last `Meter.start`, in bytes."""
    return _status(pid, "VmHWM")


def family(pid: int) -> tuple[int, ...]:
    """Return the ids of a program and of all that it started and that still runs."""
    return tuple(_tree([pid]))


def percentiles(values: Sequence[float], shares: Sequence[float] = (0.5, 0.95, 0.99)) -> tuple[float, ...]:
    """Return the smallest value that at least that share of the values does not exceed. Raises ValueError for none."""
    if not values:
        raise ValueError("no values, no percentiles")
    ordered = sorted(values)
    return tuple(ordered[max(0, math.ceil(share * len(ordered)) - 1)] for share in shares)


def _tree(pids: Iterable[int]) -> list[int]:
    """Return the ids and those of all their descendants that run."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents().items():
        children.setdefault(parent, []).append(pid)
    found, left = [], list(pids)
    while left:
        pid = left.pop()
        found.append(pid)
        left += children.get(pid, [])
    return found


def _parents() -> dict[int, int]:
    found = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            found[int(entry.name)] = int(fields[1])
    return found


def _own_cpu(pid: int) -> float:
    """Return the time of a process and of its children that have ended: utime, stime, cutime, cstime of proc(5)."""
    fields = _stat(pid)
    return sum(int(field) for field in fields[11:15]) / _TICKS if fields else 0.0


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name, which may hold anything; none for a process that is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _status(pid: int, field: str) -> int:
    try:
        found = re.search(rf"^{field}:\s+(\d+) kB", (_PROC / str(pid) / "status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) << 10 if found else 0


class Machine(Struct, frozen=True):
    """What it ran on; no host name and no path."""

    cores: int
    model: str
    memory_bytes: int
    kernel: str
    python: str
    postgresql: str
    filesystem: str  # of the cluster; on tmpfs, fsync costs nothing


def machine(ground: Ground) -> Machine:
    """Describe this machine and the ground's server."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        model=_said("/proc/cpuinfo", r"^model name\s*:\s*(.+)$") or platform.machine(),
        memory_bytes=int(_said("/proc/meminfo", r"^MemTotal:\s+(\d+) kB$") or 0) << 10,
        kernel=platform.release(),
        python=platform.python_version(),
        postgresql=ground.release,
        filesystem=filesystem(ground.folder),
    )


def filesystem(folder: Path) -> str:
    """Return the kind of file system that a folder lies on, such as ext4; empty where that is not told."""
    best = (-1, "")
    for line in _PROC.joinpath("self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split(" ")
        mounted = Path(place.encode().decode("unicode_escape"))  # a space is written \040
        if folder.resolve().is_relative_to(mounted):
            best = max(best, (len(mounted.parts), kind))
    return best[1]


def _said(file: str, pattern: str) -> str:
    found = re.search(pattern, Path(file).read_text(), re.MULTILINE)
    return found[1].strip() if found else ""
