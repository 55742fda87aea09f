"""What a command shows: tables and colours to a person, JSON to a program.

A program is whoever asks with --json or reads from a pipe. JSON is one document per command: `jq` needs no flags.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

F = TypeVar("F", bound=Callable[..., Any])

COLOURS = {
    "CREATED": "cyan",
    "PENDING": "cyan",
    "IN_PROGRESS": "blue",
    "RUNNING": "blue",
    "WAITING": "yellow",
    "COMPLETED": "green",
    "FAILED": "red",
    "CANCELLED": "magenta",
    "SKIPPED": "bright_black",
    "ok": "green",
    "hint": "yellow",
    "bad": "red",
}


def json_option(command: F) -> F:
    """Add --json to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, also on a terminal.")(command)


def show(value: Any, human: Callable[[Console], None], *, as_json: bool) -> None:
    """Print `value` as JSON where a program reads, else what `human` prints."""
    if as_json or not sys.stdout.isatty():
        sys.stdout.write(as_text(value) + "\n")
    else:
        human(Console(highlight=False))


def as_text(value: Any) -> str:
    """Return the value as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a table without frills; states are coloured."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(cell(value) for value in row))
    return made


def cell(value: Any) -> Text:
    """Return a value as it stands in a table."""
    if value is None:
        return Text("")
    if isinstance(value, dict | list):
        return Text(msgspec.json.encode(value).decode())
    text = str(value)
    return Text(text, style=COLOURS.get(text, ""))
