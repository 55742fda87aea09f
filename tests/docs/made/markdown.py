"""Markdown: tables and words in cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell(value) for value in line)} |" for line in lines)


def cell(text: str) -> str:
    """Return a text that stands in a cell."""
    return " ".join(text.replace("|", "\\|").split())


def code(text: str) -> str:
    """Return a text as code."""
    return f"`{text}`"


def block(language: str, text: str) -> str:
    """Return a fenced block."""
    return f"```{language}\n{text}\n```"


def anchor(heading: str) -> str:
    """Return the link to a heading of the same page."""
    kept = "".join(char for char in heading.lower() if char.isalnum() or char in " -_")
    return "#" + kept.replace(" ", "-")
