"""Put a fresh report into docs/capacity.md: `python -m bench.capacity.page`, in the checkout's folder.

Runs the command that the page itself shows as its worked example, so that text and figures cannot come from two
commands, and replaces what stands between the page's two marks. Nothing else of the page is touched. Takes no options:
the page would show another command than the one that was run.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path("docs/capacity.md")
BEGIN = "<!-- the report: written by python -m bench.capacity.page -->"
END = "<!-- end of the report -->"
_EXAMPLE = re.compile(r"^```sh example\n(?P<text>.+?)^```$", re.MULTILINE | re.DOTALL)


def example(text: str) -> list[str]:
    """Return the words of the page's worked example. Raises ValueError without one."""
    found = _EXAMPLE.search(text)
    if found is None:
        raise ValueError(f"{PAGE} has no block ```sh example")
    return shlex.split(found["text"].replace("\\\n", " "))


def filled(text: str, report: str) -> str:
    """Return the page with a report between its marks. Raises ValueError where they are not there."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE} does not have the marks {BEGIN} and {END}")
    return f"{head}{begin}\n\n{report.strip()}\n\n{end}{tail}"


def main() -> None:
    """Run the example, write the page. Raises SystemExit if anything is asked besides."""
    if sys.argv[1:]:
        raise SystemExit(f"bench.capacity.page takes no options: change the command in {PAGE}")
    text = PAGE.read_text("utf-8")
    words = example(text)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", words[0], *words[1:], "--out", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        report = (Path(folder) / "capacity.md").read_text("utf-8")
    PAGE.write_text(filled(text, report), "utf-8")


if __name__ == "__main__":
    main()
