"""`stepwell worker --processes N`: several worker processes under one command.

The parent does no work of a worker's: it starts them, starts again what dies, passes signals on and waits for the
drain. It holds what they share: the embedded PostgreSQL, the sockets of --observe, and stderr, to which it passes whole
lines only, so that the log stays one JSON object per line.

Invariant: the first one has to register before the others are started. So a setting that no worker can work with is
told of once, by the first, whose exit code is ours. What goes wrong after that is outlasted, as a worker outlasts it.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from socket import socket
from typing import IO, Any

import click

from engine.config import Settings
from engine.observe import Observer, Trouble
from stepwell import observation, place
from stepwell.supervise import Kin, Program, Stop, ended, own_module

MOST = 256
LOOK_S = 0.1
MARGIN_S = 10.0  # beyond the drain time, for a worker to take its row away and close its connections
PIECE_BYTES = 65_536
LAST_LINES_S = 2.0  # at the end, for a stderr that is slow
UNHEARD = -signal.SIGTERM  # how a worker ends that was told to before it listened: it had begun nothing

Died = Callable[["Relayed", int], None]


class Count(click.ParamType[int]):
    """How many processes: a number, or one for each core."""

    name = "number|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        text = str(value)
        if text == "auto":
            return min(cores(), MOST)
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST):
            self.fail(f"{value!r} is neither a whole number from 1 to {MOST} nor auto", param, ctx)
        return int(text)


def cores() -> int:
    """Return how many cores this process may use. A container's share of their time does not show here."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(chosen: Settings, count: int, at: tuple[str, int] | None, *, debug: bool) -> None:
    """Run that many workers until told to stop; `at`: where the first of them serves /metrics and /health.

    Raises OperatorError, and SystemExit where the first worker may not work, or some did not end as they should.
    """
    stderr = Stderr()
    with (
        Stop().on_signals() as stop,
        contextlib.closing(observation.log(chosen, "worker", stderr)) as log,
        observation.windows(at, count) as windows,
        place.program(chosen, "worker") as placed,
        Flag() as registered,
    ):
        made = [Relayed(placed, window, registered.handle, stderr, debug=debug) for window in windows]
        try:
            with Kin[Relayed](chosen.drain_seconds + MARGIN_S) as kin:
                _look_after(kin, made, registered, stop, _teller(log))
                at_work = [worker for worker in made if worker.runs]
        finally:
            for worker in made:
                worker.all_passed_on()
        _refuse_late(at_work, log)


def _look_after(kin: Kin[Relayed], made: Sequence[Relayed], registered: Flag, stop: Stop, died: Died) -> None:
    """Start the first, then the others, and start again what dies, until `stop`. Raises SystemExit."""
    first, *others = made
    kin.keep(first)
    while not (stop.is_set() or registered.given(LOOK_S)):
        if first.refused:
            raise SystemExit(first.exit_code)
        kin.tend(died)
    for worker in () if stop.is_set() else others:
        kin.keep(worker)
    while not stop.wait(LOOK_S):
        kin.tend(died)


def _teller(log: Observer) -> Died:
    def died(worker: Relayed, code: int) -> None:
        message = f"worker process {worker.pid} {ended(code)}"
        log(Trouble(level="error", where="processes", message=message, detail="another is started in its place"))

    return died


def _refuse_late(asked: Sequence[Relayed], log: Observer) -> None:
    """Raise SystemExit if one of those that were asked to end had to be killed, or failed in it."""
    late = [worker for worker in asked if worker.exit_code not in (0, UNHEARD)]
    for worker in late:
        message = f"worker process {worker.pid} did not drain: it {ended(worker.exit_code or 0)}"
        log(Trouble(level="error", where="processes", message=message))
    if late:
        raise SystemExit(1)


class Relayed(Program):
    """A worker whose lines we pass on to our own stderr."""

    def __init__(
        self, settings: Settings, window: Sequence[socket], registered: int, stderr: Stderr, *, debug: bool
    ) -> None:
        listeners = [listener.fileno() for listener in window]
        options = [f"--registered={registered}", *(f"--listener={handle}" for handle in listeners)]
        command = own_module("stepwell", *(["--debug"] if debug else []), "worker", *options)
        environment = {"STEPWELL_DATABASE_URL": settings.database_url or ""}
        super().__init__("worker", command, environment, [registered, *listeners])
        self._stderr = stderr
        self._passing: list[threading.Thread] = []

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self.pid is not None and self.exit_code is None

    @property
    def refused(self) -> bool:
        """Whether it ended by itself, and not well: it has said why."""
        return (self.exit_code or 0) > 0

    @contextlib.contextmanager
    def _output(self) -> Iterator[IO[bytes]]:
        """Lend a pipe; a thread passes on what comes out of it."""
        reading, writing = os.pipe()
        thread = threading.Thread(target=pass_on, args=(reading, self._stderr), name="relay", daemon=True)
        thread.start()
        self._passing = [older for older in self._passing if older.is_alive()] + [thread]
        with os.fdopen(writing, "wb", buffering=0) as output:
            yield output

    def all_passed_on(self) -> None:
        """Wait, but not for ever, until all that it said has been passed on."""
        for thread in self._passing:
            thread.join(LAST_LINES_S)


class Stderr(io.FileIO):
    """Our stderr, shared by threads that write whole lines: what one writes stays together."""

    def __init__(self) -> None:
        super().__init__(2, "wb", closefd=False)
        self._turn = threading.Lock()

    def write(self, lines: Any, /) -> int:
        """Write all of it. Raises OSError."""
        with self._turn:
            left = memoryview(lines)
            while left:
                left = left[super().write(left) or 0 :]
        return len(lines)


def pass_on(source: int, to: Stderr) -> None:
    """Write what comes from a pipe, in whole lines, until nobody can write to it any more."""
    rest = b""
    with os.fdopen(source, "rb", buffering=0) as stream:
        while piece := stream.read(PIECE_BYTES):
            whole, end, rest = (rest + piece).rpartition(b"\n")
            _write(to, whole + end)
        _write(to, rest and rest + b"\n")


def _write(to: Stderr, lines: bytes) -> None:
    if lines:
        with contextlib.suppress(OSError):  # nobody reads it: the workers go on all the same
            to.write(lines)


class Flag:
    """Something that a child can tell its parent, once: a byte in a pipe."""

    def __enter__(self) -> Flag:
        self._reading, self.handle = os.pipe()
        os.set_blocking(self.handle, False)  # who tells it once more need not be heard
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._reading)
        os.close(self.handle)

    def given(self, timeout_s: float) -> bool:
        """Wait for it; tell whether it was given."""
        return bool(select.select([self._reading], [], [], timeout_s)[0])
