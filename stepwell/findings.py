"""How a finding is shown to a person: its place, what is wrong, the line with a caret under the place, what to do.

Invariant: the caret stands under its place, however narrow the terminal is and however wide the characters before it.
"""

from __future__ import annotations

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.text import Text

from engine.errors import Finding
from stepwell.output import clean, say

HEAD = 2  # where lines begin: of the place,
BODY = 6  # of what is wrong and what to do,
QUOTE = 10  # of the source
LEAST = 20  # columns of the source; on a terminal with no room for them the terminal breaks the line


def tell_finding(console: Console, finding: Finding) -> None:
    """Print a finding, a few lines below each other."""
    say(console, place(finding), HEAD)
    say(console, finding.message, BODY)
    room = max(console.width - QUOTE, LEAST) if console.is_terminal else None
    for line in quoted(finding.excerpt, room):
        console.print(Text(" " * QUOTE + line), soft_wrap=True)
    if finding.advice:
        say(console, f"→ {finding.advice}", BODY)


def place(finding: Finding) -> str:
    """Return where in the document it is and, in an expression, where in its text."""
    if finding.line is None:
        return finding.pointer or "/"
    found = f"line {finding.line}, column {finding.column}"
    return f"{finding.pointer} ({found} of the text)" if finding.pointer else found


def quoted(excerpt: str, room: int | None) -> list[str]:
    """Return the line of an excerpt and the caret under it; of a line wider than `room`, what is around the caret."""
    line, _, mark = clean(excerpt).partition("\n")
    if not mark:
        return [line] if line else []
    at, first = len(mark) - 1, 0
    if room is not None and cell_len(line) >= room:
        while cell_len(line[first:at]) > room // 2:
            first += 1
        line, at = line[first:], at - first
        return [*chop_cells(line, room)[:1], " " * cell_len(line[:at]) + "^"]
    return [line, " " * cell_len(line[:at]) + "^"]
