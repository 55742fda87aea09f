"""Run `stepwell` as its users do: as a process, in a folder of its own, with nothing of ours in its environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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


def answer(folder: Path, *arguments: str, **settings: str) -> Any:
    """Run a command that must succeed; return what it printed, as a value."""
    done = run(folder, *arguments, **settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
