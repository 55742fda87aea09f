"""How a finding is shown to a person: its place, what is wrong, the line with a caret under the place, what to do.

Invariant: the caret stands under its place, however narrow the terminal is and however wide the characters before it.
"""

from __future__ import annotations

from typing import Any

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
        return chop_cells(line, room or len(line) * 2)[:1] if line else []
    at, first = len(mark) - 1, 0
    if room is not None and cell_len(line) >= room:
        while cell_len(line[first:at]) > room // 2:
            first += 1
        line, at = line[first:], at - first
        return [*chop_cells(line, room)[:1], " " * cell_len(line[:at]) + "^"]
    return [line, " " * cell_len(line[:at]) + "^"]


def failed_expression(details: Any, message: str = "", advice: str = "") -> Finding | None:
    """Return the finding for an expression that failed, by the details of its failure; None for any other failure.

    Of an expression that is recorded in part, and failed behind it, that part is shown without a caret.
    """
    fields = details if isinstance(details, dict) else {}
    expression, pointer, line, column = (fields.get(name) for name in ("expression", "pointer", "line", "column"))
    if not (isinstance(expression, str) and type(line) is int and type(column) is int and min(line, column) > 0):
        return None
    lines = expression.split("\n")
    there = line <= len(lines) and column <= len(lines[line - 1])
    shown = "".join(char if char.isprintable() else " " for char in lines[line - 1 if there else 0])
    excerpt = f"{shown}\n{' ' * (column - 1)}^" if there else shown
    return Finding(str(pointer or ""), message, advice, "expression_failed", line, column, excerpt)
