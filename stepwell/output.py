"""What a command shows: tables and colours to a person, JSON to a program.

A program is whoever asks with --json or reads from a pipe. JSON is one document per command: `jq` needs no flags.

Invariants: what customers wrote reaches a terminal through `clean` only, so that no name of theirs moves a cursor or
turns text round. Ids, keys and URLs are never broken: they are there to be copied.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
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
GAP = 2  # between two columns

# C0 but for tab and line feed, DEL, C1, the marks that change the direction of text, and what else ends a line.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Return a text without what would command the terminal; each such character becomes U+FFFD."""
    return _UNSAFE.sub("\ufffd", text)


class Terminal(Console):
    """A console that prints `clean` text, whatever it is given."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of a renderable, each of them clean."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(clean(segment.text), segment.style)


def json_option(command: F) -> F:
    """Add --json to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, also on a terminal.")(command)


def show(value: Any, human: Callable[[Console], None], *, as_json: bool) -> None:
    """Print `value` as JSON where a program reads, else what `human` prints."""
    if as_json or not sys.stdout.isatty():
        sys.stdout.write(as_text(value) + "\n")
    else:
        human(Terminal())


def as_text(value: Any) -> str:
    """Return the value as indented JSON; what is unsafe on a terminal is escaped, and means the same."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def typed(*, elsewhere: bool = False) -> str:
    """Return how to type this program: by its path where the search path would not find it.

    `elsewhere`: in another terminal, where no environment is activated.
    """
    script = Path(sys.executable).parent / "stepwell"
    if sys.prefix == sys.base_prefix or not script.exists():
        return "stepwell"
    found = shutil.which("stepwell")
    if not elsewhere and found is not None and Path(found).resolve() == script.resolve():
        return "stepwell"
    return shlex.quote(str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script))


def listing(console: Console, rows: Sequence[Mapping[str, Any]], *choices: Sequence[str]) -> None:
    """Print rows as a table: with the first choice of columns that fits the terminal, else with the last choice.

    Only the last column wraps, between words: what stands in the others is there to be copied.
    """
    for chosen in choices:
        made = table(None, chosen, [[row.get(name) for name in chosen] for row in rows])
        widths = [max((cell_len(name), *(cell(row.get(name)).cell_len for row in rows))) for name in chosen]
        if sum(widths) + GAP * (len(chosen) - 1) <= console.width:
            break
    console.print(made)


def facts(console: Console, rows: Iterable[tuple[str, Any]], title: str | None = None) -> None:
    """Print names and their values, one per line."""
    made = table(title, ("", ""), rows)
    made.show_header = False
    console.print(made)


def table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a table without frills; states are coloured, only the last column wraps."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    made.padding = (0, GAP, 0, 0)
    for column in columns[:-1]:
        made.add_column(column, no_wrap=True, overflow="ignore")
    made.add_column(columns[-1], overflow="fold")
    for row in rows:
        made.add_row(*(cell(value) for value in row))
    return made


def cell(value: Any) -> Text:
    """Return a value as it stands in a table."""
    if value is None:
        return Text("")
    if isinstance(value, dict | list):
        return Text(clean(msgspec.json.encode(value).decode()))
    text = clean(str(value))
    return Text(text, style=COLOURS.get(text, ""))


def day(at: datetime | str | None) -> str | None:
    """Return a moment as it stands in a list: local date and time, to the second."""
    return None if at is None else _local(at).strftime("%Y-%m-%d %H:%M:%S")


def clock(at: datetime | str | None) -> str | None:
    """Return a moment as the time of day, local, to the millisecond; the date is in --json."""
    return None if at is None else _local(at).strftime("%H:%M:%S.%f")[:-3]


def _local(at: datetime | str) -> datetime:
    return (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone()
