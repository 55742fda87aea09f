"""Child processes of a contender: start them, let them begin together, take their answers.

A child ends when its answer is given, when its input ends (so with the harness), or when it is over its time. What it
printed to its errors is told when it failed. Passwords go through its input: a command line is for all to see.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import msgspec
from msgspec import Struct

from bench.cases import Unable
from bench.contenders.child import READY, Answer, Ask
from bench.ground import Ground

PATIENCE_S = 600.0  # for one answer
_TAIL = 500  # bytes of a failed child's errors


class Program(Struct, frozen=True):
    """How a child of a peer is started. `environment`: None for ours."""

    command: tuple[str, ...]
    environment: dict[str, str] | None = None


def python(module: str) -> Program:
    """Return the program that a peer's module is."""
    return Program((sys.executable, "-P", "-m", module))


def ask(task: str, ground: Ground, database: str, **settings: Any) -> Ask:
    """Return what a child is asked to do in a database of the ground."""
    return Ask(task, ground.url(database), settings)


class Child:
    """One process. Who makes it must `end` it."""

    def __init__(self, program: Program, what: Ask) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed by `end`
        self._process = subprocess.Popen(
            program.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=program.environment,
            start_new_session=True,  # Ctrl-C is for the harness, which then ends its children
        )
        self._ask = what

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ready(self) -> None:
        """Wait until the child that was asked stands at its gate. Raises Unable."""
        if self._line() != READY:
            raise Unable(f"a child answered before it was told to begin: {self._tail()}")

    def ask(self) -> None:
        """Tell the child what is wanted. Raises Unable when it has ended."""
        self._tell(msgspec.json.encode(self._ask))

    def go(self) -> None:
        """Let the child begin. Raises Unable when it has ended."""
        self._tell(b"go")

    def answer(self) -> Answer:
        """Wait for the answer. Raises Unable when the child ends without one."""
        answer: Answer = msgspec.json.decode(self._line())
        return answer

    def end(self) -> None:
        """End the process and all that it started, as far as they still run."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # it leads a group of its own
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            _given(pipe).close()

    def _tell(self, line: bytes) -> None:
        pipe = _given(self._process.stdin)
        try:
            pipe.write(line + b"\n")
            pipe.flush()
        except BrokenPipeError:
            raise Unable(f"a child ended early: {self._tail()}") from None

    def _line(self) -> bytes:
        limit = threading.Timer(PATIENCE_S, self._process.kill)
        limit.start()
        try:
            line = _given(self._process.stdout).readline()
        finally:
            limit.cancel()
        if not line:
            raise Unable(f"a child ended without an answer: {self._tail()}")
        return line

    def _tail(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace").strip()[-_TAIL:] or "it said nothing"


def _given(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the child was started without pipes")
    return pipe


@contextmanager
def crew(program: Program, asks: Sequence[Ask]) -> Iterator[list[Child]]:
    """Start children and wait until all stand at their gates; end them on the way out. Raises Unable."""
    with ExitStack() as stack:
        children = []
        for what in asks:
            child = Child(program, what)
            stack.callback(child.end)
            child.ask()
            children.append(child)
        for child in children:
            child.ready()
        yield children


def asked(program: Program, what: Ask) -> Answer:
    """Have one child do a task and return its answer. Raises Unable."""
    with crew(program, [what]) as (child,):
        child.go()
        return child.answer()
