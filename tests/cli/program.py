"""Run `stepwell` as its users do: as a process, in a folder of its own, with nothing of ours in its environment."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-P", "-m", "stepwell"]


def environment(**settings: str) -> dict[str, str]:
    """Return the environment without our settings, but for those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STEPWELL_")}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "200", **settings}


def run(folder: Path, *arguments: str, given: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `given` is its standard input."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(**settings),
        input=given,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def answer(folder: Path, *arguments: str, given: str = "", **settings: str) -> Any:
    """Run a command that must succeed; return what it printed, as a value."""
    done = run(folder, *arguments, given=given, **settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def on_terminal(folder: Path, *arguments: str, columns: int = 80, given: str = "", **settings: str) -> tuple[int, str]:
    """Run a command on a terminal of its own, that many columns wide; return its exit code and what it showed.

    `given`: what a person types. Colours and movements of the cursor are in what is shown, line ends are plain.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, columns))
    sized = {name: value for name, value in environment(TERM="xterm-256color", **settings).items() if name != "COLUMNS"}
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, env=sized, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    os.write(ours, given.encode())
    shown = b""
    try:
        while piece := _read(ours):
            shown += piece
        return process.wait(60), shown.decode().replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the last program has left the terminal
        return b""


def visible(shown: str) -> list[str]:
    """Return the lines of what a terminal showed, without colours and movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).splitlines()
