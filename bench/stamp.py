"""What a measurement is stamped with when it begins: the commit of what is measured, and the time."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]


def commit_of(folder: Path = ROOT) -> str:
    """Return the commit of a checkout, with +changes where files differ from it; else the release."""
    commit = _git(folder, "rev-parse", "--short=12", "HEAD") if (folder / ".git").exists() else ""
    changes = "+changes" if commit and _git(folder, "status", "--porcelain") else ""
    return f"{commit}{changes}" if commit else f"release {metadata.version('stepwell')}"


def now() -> str:
    """Return the time, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)  # noqa: S607  whichever git there is
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
