"""Programs of Stepwell, started as its users start them: `python -P -m stepwell worker …`, each with its own log.

A program sees only the settings that it is given, never those of the harness's environment. It ends when the harness
ends, however that happens: the kernel tells it. That works only while the *thread* that started it lives, so start
programs in the main thread.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.cases import Unable
from bench.meter import family, rss_bytes

PATIENCE_S = 30.0  # for a program to start or to end
_NOT_HANDED_ON = ("STEPWELL_", "PG")  # settings of ours and of libpq
_TAIL_CHARACTERS = 2000


class Program:
    """One running program. `url` is set for an API."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        handles: Sequence[int] = (),
        url: str = "",
    ) -> None:
        self.name = arguments[0]
        self.url = url
        self.log = folder / f"{self.name}-{time.monotonic_ns()}.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_HANDED_ON)}
        command = [sys.executable, "-P", "-m", "stepwell", *arguments, "--with-parent", str(os.getpid())]
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C in the terminal is for the harness, which ends its programs in order.
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**kept, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(handles),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def rss_bytes(self) -> int:
        """Return its memory now, that of its children included."""
        return rss_bytes(self.pid)

    def check(self) -> None:
        """Raise Unable, with the end of the log, if it has ended by itself."""
        if not self.running:
            raise Unable(f"{self.name} ended with {self._process.returncode}: {self.tail()}")

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace").strip()[-_TAIL_CHARACTERS:]

    def until_said(self, text: str) -> None:
        """Wait until it has written a text to its log. Raises Unable."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.log.read_text(errors="replace"):
            self.check()
            if time.monotonic() > deadline:
                raise Unable(f"{self.name} is not ready after {PATIENCE_S:g} s: {self.tail()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it in order: SIGTERM, and after 30 s SIGKILL for it and its children."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it and its children at once: nothing is measured any more."""
        for pid in family(self.pid) if self.running else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
