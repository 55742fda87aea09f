"""Children of `up`, `demo` and `worker --processes`: started, watched, started again, stopped.

Those of `up` and `demo` write to log files, those of `worker` to our stderr (see workers.py).

Invariants: a child is in a session of its own, so that Ctrl-C in the terminal reaches us alone and we decide how all
ends; it is told our process id, and ends when we do (see `end_with`). A child that keeps dying is started again
after a growing pause, never given up: PostgreSQL may be what is away.
"""

from __future__ import annotations

import abc
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Generic, Self, TypeVar

PAUSES_S = (0.2, 1.0, 2.0, 5.0, 10.0)  # before the next start, by deaths in a row
STEADY_S = 20.0  # a child that lived this long starts afresh in PAUSES_S
LOG_BYTES = 20_000_000  # a longer log is put aside at the next start
PR_SET_PDEATHSIG = 1  # prctl(2)
LISTENING = '{"event":"listening"}'  # what the API says to its parent once it has its port
TAIL_LINES = 8
TAIL_BYTES = 50_000
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the last when its terminal is closed

# Not handed on: a child has a login of its own and no business with the owner's.
WITHHELD = ("STEPWELL_OWNER_DATABASE_URL", "STEPWELL_BOOTSTRAP_API_KEY", "STEPWELL_API_KEY", "STEPWELL_URL")


def own_command(*arguments: str) -> list[str]:
    """Return the command line that starts this program again. -P: the working directory is no import path."""
    return own_module("stepwell", *arguments)


def own_module(name: str, *arguments: str) -> list[str]:
    """Return the command line that runs a module of ours which knows --with-parent."""
    return [sys.executable, "-P", "-m", name, *arguments, "--with-parent", str(os.getpid())]


def end_with(parent: int | None) -> None:
    """Have the kernel send us SIGTERM when our parent ends, however it ends: nobody else would stop us then."""
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked
        raise SystemExit(1)


class Program(abc.ABC):
    """One program under watch. A kind of it says where the output goes.

    Is started by the thread that lives as long as we do: the kernel takes that thread for the parent (see `end_with`).
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], handles: Sequence[int] = ()
    ) -> None:
        self.name = name
        self._command = list(command)
        self._handles = tuple(handles)
        kept = {key: value for key, value in os.environ.items() if key not in WITHHELD}
        self._environment = {**kept, **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0
        self._started = 0.0
        self._due = 0.0

    @property
    def pid(self) -> int | None:
        """The process id, None before the first start."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """How it ended (negative: by that signal); None while it runs."""
        return self._process.poll() if self._process else None

    @abc.abstractmethod
    def _output(self) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Lend, for the time of a start, what both its streams are written to."""

    def start(self) -> None:
        """Start it."""
        with self._output() as output:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=self._handles,
            )
        self._started = time.monotonic()
        self._due = 0.0

    def send(self, what: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(what)

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; tell whether it came in time."""
        try:
            if self._process is not None:
                self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def tend(self) -> int | None:
        """Start it again when it is due; return its exit code if it has just been found dead, else None."""
        code = self.exit_code
        if code is None:
            return None
        now = time.monotonic()
        if self._due == 0.0:
            self._deaths = 1 if now - self._started > STEADY_S else self._deaths + 1
            self._due = now + PAUSES_S[min(self._deaths, len(PAUSES_S)) - 1]
            return code
        if now >= self._due:
            self.start()
        return None


class Child(Program):
    """A program whose output goes to a log file."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, handles: Sequence[int] = ()
    ) -> None:
        super().__init__(name, command, environment, handles)
        self.log = log
        self._log_start = 0

    @contextlib.contextmanager
    def _output(self) -> Iterator[IO[bytes]]:
        """Append to the log."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with _appending(self.log) as output:
            self._log_start = output.tell()
            yield output

    def said(self) -> list[str]:
        """Return the last lines it wrote since its last start."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(max(self._log_start, self.log.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()
        return []

    def complaints(self) -> str:
        """Return the last of those lines that tell of trouble: errors of its JSON log, and what is no log line."""
        told = [line for line in self.said() if not line.startswith('{"') or '"level":"error"' in line]
        return "\n".join(told[-TAIL_LINES:])


Kind = TypeVar("Kind", bound=Program)


class Kin(Generic[Kind]):
    """All children of one program; leaving the block stops them."""

    def __init__(self, grace_s: float) -> None:
        self.children: list[Kind] = []
        self._grace_s = grace_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def keep(self, child: Kind) -> Kind:
        """Start a child and keep it."""
        child.start()
        self.children.append(child)
        return child

    def tend(self, died: Callable[[Kind, int], None]) -> None:
        """Start again what died; tell of each death once."""
        for child in self.children:
            code = child.tend()
            if code is not None:
                died(child, code)

    def stop(self) -> None:
        """Ask all to end; kill what has not ended within the grace, or when somebody is in a hurry."""
        for child in self.children:
            child.send(signal.SIGTERM)
        end = time.monotonic() + self._grace_s
        try:
            for child in self.children:
                child.wait(max(0.0, end - time.monotonic()))
        finally:
            for child in self.children:
                child.send(signal.SIGKILL)  # if it still runs
            for child in self.children:
                child.wait(5.0)


class Family(Kin[Child]):
    """Children with a folder of log files."""

    def __init__(self, logs: Path, grace_s: float = 5.0) -> None:
        super().__init__(grace_s)
        self.logs = logs

    def __enter__(self) -> Self:
        self.logs.mkdir(mode=0o700, exist_ok=True)
        return self

    def add(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], handles: Sequence[int] = ()
    ) -> Child:
        """Start a child and keep it. `handles`: open files that it has under the same numbers."""
        return self.keep(Child(name, command, environment, self.logs / f"{name}.log", handles))


class Stopped(Exception):
    """Somebody asked us to stop: not a fault."""


class Stop(threading.Event):
    """Set by the first SIGINT, SIGTERM or SIGHUP. The second one raises KeyboardInterrupt: somebody is in a hurry."""

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[Self]:
        """Listen to signals inside the block."""
        before = {number: signal.signal(number, self._heard) for number in NUMBERS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_set():
            raise KeyboardInterrupt
        self.set()


def ended(code: int) -> str:
    """Return how a child ended, in words."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _appending(path: Path) -> IO[bytes]:
    """Open a log for appending, readable by its owner only: it may hold customers' data."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
