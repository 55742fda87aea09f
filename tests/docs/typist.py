"""A reader at a terminal: what the tutorial types is typed, and what it shows is looked for.

    LANGUAGE NAME.EXT   a file to save
    sh up               starts the installation
    sh beside           runs in another terminal until the end
    sh do [exit CODE]   is typed once
    sh look [exit CODE] changes nothing: typed again until what stands below is shown
    text shown          what the terminal shows then: each line, in this order, others may stand between

Ids, times and durations are compared by their form. A line "…" stands for others, at the end of a line for its rest.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from contextlib import ExitStack
from pathlib import Path

from tests.docs.pages import Block
from tests.docs.reader import Reader, free_port
from tests.house import eventually

ROWS, COLUMNS = 60, 160
PARTNER = "8090"  # the port of the page's own service: another one each time it is run
_FORMS = (
    (re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), ""),
    (re.compile(r"\b(prc|tsk|wf|sig|cmd|key|exe)_[0-9a-z.]+"), r"\1_"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "date"),
    (re.compile(r"\d\d:\d\d:\d\d(\.\d+)?"), "time"),
    (re.compile(r"\d+(\.\d+)? (ms|s|min)\b"), "long"),
    (re.compile(r"127\.0\.0\.1:\d+"), "partner"),
    (re.compile(r"\s+"), " "),
)


class Typist(Reader):
    """Somebody who follows a tutorial at a terminal."""

    def __init__(self, folder: Path, superuser: str, **settings: str) -> None:
        super().__init__(folder, superuser, TERM="xterm", **settings)
        self.port = str(free_port())
        self.beside = ExitStack()

    def follow(self, steps: list[Block]) -> None:
        """Do what the blocks say."""
        with self.beside:
            for step, after in zip(steps, [*steps[1:], None], strict=True):
                shown = after.text if after is not None and after.title == "shown" else ""
                self._step(step, shown)

    def _step(self, step: Block, shown: str) -> None:
        kind, _, code = step.title.partition(" exit ")
        if "." in step.title:
            (self.folder / step.title).write_text(self.filled(step.text))
        elif kind == "beside":
            self.run_beside(step.text)
        elif kind == "do":
            check(self.typed(step.text, int(code or 0)), shown)
        elif kind == "look":
            self._look(step.text, int(code or 0), shown)

    def _look(self, script: str, code: int, shown: str) -> None:
        outputs: list[str] = []

        def found() -> bool:
            outputs.append(self.typed(script, code))
            return not lacks(outputs[-1], shown)

        try:
            eventually(found, what=script)
        except AssertionError:
            check(outputs[-1], shown)
            raise

    def run_beside(self, command: str) -> None:
        """Run a command until the end; return when it listens."""
        started = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"], cwd=self.folder, env=self.environment, stderr=subprocess.DEVNULL
        )
        self.beside.callback(started.wait)
        self.beside.callback(started.terminate)
        eventually(
            lambda: self.typed(f"curl -s -o /dev/null http://127.0.0.1:{self.port}/ || echo no") == "", what=command
        )

    def typed(self, script: str, code: int = 0) -> str:
        """Type a script; return what the terminal shows."""
        mine, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        running = subprocess.Popen(
            ["/bin/sh", "-euc", self.filled(script)],
            cwd=self.folder, env=self.environment, stdin=its, stdout=its, stderr=its,
        )  # fmt: skip
        os.close(its)
        try:
            shown = _read(mine)
            running.wait(10)
        finally:
            os.close(mine)
            running.kill()
        assert running.returncode == code, shown
        self.remember(shown)
        return shown

    def filled(self, text: str) -> str:
        """Return a text with the ids it leaves open, and the port of this run."""
        return super().filled(text).replace(PARTNER, self.port)


def _read(terminal: int) -> str:
    """Return everything that is written until the other end is closed."""
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # how Linux says that nobody has the other end any more
            part = b""
        if not part:
            return b"".join(parts).decode()
        parts.append(part)


def check(output: str, shown: str) -> None:
    """Assert that a terminal shows what the page says."""
    assert lacks(output, shown) == [], output


def lacks(output: str, shown: str) -> list[str]:
    """Return the lines of the page, from the first that does not appear in its place."""
    wanted = [form(line) for line in shown.splitlines() if line.strip() not in ("", "…")]
    for line in map(form, output.splitlines()):
        if wanted and (line == wanted[0] or (wanted[0].endswith("…") and line.startswith(wanted[0][:-1]))):
            del wanted[0]
    return wanted


def form(line: str) -> str:
    """Return a line without what differs from run to run."""
    for pattern, stands in _FORMS:
        line = pattern.sub(stands, line)
    return line.strip()
