"""Write the client without `await` from the one with it: `python -P stepwell/client/generate.py`; `--check` compares.

The two differ in a handful of words, which are replaced here; ruff joins what then fits a line. What is written is
checked in, so that it can be read, and is installed like any other module. Imports nothing of ours: it must run while
the written files are missing or wrong. The folders are named so that imports stay in order when one name replaces the
other.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE, TARGET = HERE / "awaited", HERE / "blocking"
MADE = "Made from `{}/{}` by `stepwell/client/generate.py`: change that."
FORMAT = ("ruff", "format", "--isolated", "--line-length", "120", "--target-version", "py311")
WORDS = (
    (r"\basync (def|with|for) ", r"\1 "),
    (r"\bawait ", ""),
    (r"\bAwaitable\[((?:[^][]|\[[^][]*\])*)\]", r"\1"),
    (r"import AsyncIterator, Awaitable, Callable", "import Callable, Iterator"),
    (r"\bimport asyncio\n", "import time\n"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"for item in (.*):\n +yield item\n", r"yield from \1\n"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\baclose\b", "close"),
    (r"\bAsync([A-Z])", r"\1"),
    (r"\bclient\.awaited\b", "client.blocking"),
)


def generated() -> dict[Path, str]:
    """Return what the files without `await` must hold."""
    return {TARGET / path.name: blocking(path) for path in sorted(SOURCE.glob("*.py"))}


def blocking(path: Path) -> str:
    """Return a source file without `await`, formatted."""
    if path.name == "__init__.py":
        return f'"""The client without `await`, made from `{SOURCE.name}` by `stepwell/client/generate.py`."""\n'
    before, said, body = path.read_text("utf-8").split('"""', 2)
    for pattern, replacement in WORDS:
        body = re.sub(pattern, replacement, body)
    return _formatted(f'{before}"""{said.strip()}\n\n{MADE.format(SOURCE.name, path.name)}\n"""{body}')


def _formatted(text: str) -> str:
    command = [sys.executable, "-m", *FORMAT, "--stdin-filename", "made.py", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def stale() -> list[str]:
    """Return the names of files that are not what they must be, are missing, or too many."""
    wanted = generated()
    there = {path: path.read_text("utf-8") for path in TARGET.glob("*.py")}
    return sorted(path.name for path in {*wanted, *there} if wanted.get(path) != there.get(path))


def main(arguments: list[str]) -> int:
    """Write the files, or with --check say which differ; return the exit code."""
    if arguments == ["--check"]:
        names = stale()
        for name in names:
            print(f"{TARGET.name}/{name} is not {SOURCE.name}/{name} without `await`: run stepwell/client/generate.py")
        return 1 if names else 0
    wanted = generated()
    for path in set(TARGET.glob("*.py")) - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
