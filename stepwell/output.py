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
from msgspec import Struct, structs
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
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
# What may be shortened in a table: it can be read in part, and is whole in --json. Nothing else ever is.
ELASTIC = frozenset({
    "definition", "name", "path", "business_key", "error_code", "group", "assignee", "created_by", "about", "title",
    "tenant", "environment", "environments", "scopes", "depends on",
})  # fmt: skip
LEAST = 24  # characters that such a column needs, or others give way to it
LITTLE = 8  # with less than that there is no table
AS_JSON = "stepwell.as_json"  # in the meta of click's context
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
_SPANS = ((DAY_S, "d", HOUR_S, "h"), (HOUR_S, "h", MINUTE_S, "min"), (MINUTE_S, "min", 1, "s"))

# C0 but for tab and line feed, DEL, C1, the marks that change the direction of text, and what else ends a line.
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Return a text without what would command the terminal; each such character becomes U+FFFD."""
    return UNSAFE.sub("\ufffd", text)


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
    help_ = "Print JSON, also on a terminal; an error, too, is JSON then."
    return click.option("--json", "as_json", is_flag=True, callback=_note_json, help=help_)(command)


def _note_json(ctx: click.Context, _param: click.Parameter, wanted: bool) -> bool:
    """Let whoever tells an error know what was asked for."""
    ctx.meta[AS_JSON] = wanted
    return wanted


def yes_option(command: F) -> F:
    """Add --yes to a command that asks first."""
    return click.option("--yes", is_flag=True, help="Do not ask.")(command)


def confirmed(question: str, *, yes: bool) -> None:
    """Ask whoever looks on; a program that calls has decided already. Raises click.Abort."""
    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm(clean(question), abort=True, err=True)


def show(value: Any, human: Callable[[Console], None], *, as_json: bool) -> None:
    """Print `value` as JSON where a program reads, else what `human` prints."""
    if as_json or not sys.stdout.isatty():
        sys.stdout.write(as_text(value) + "\n")
    else:
        human(Terminal())


def say(console: Console, text: str, indent: int = 0, style: str = "") -> None:
    """Print a line: wrapped between words on a terminal, as it is for a log."""
    if console.is_terminal:
        console.print(Padding(Text(clean(text), style=style), (0, 0, 0, indent), expand=False))
    else:
        console.print(Text(" " * indent + clean(text)), soft_wrap=True)


def as_row(value: Struct, **instead: Any) -> dict[str, Any]:
    """Return the fields of a struct by name, some of them as `instead` has them."""
    return {**structs.asdict(value), **instead}


def as_text(value: Any) -> str:
    """Return the value as indented JSON; what is unsafe on a terminal is escaped, and means the same."""
    return escaped(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def escaped(text: str) -> str:
    """Return a text of JSON or YAML with each unsafe character, which can only stand in a string of it, escaped."""
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


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
    """Print rows as a table that fits the terminal, see `fitting`; say so where there are none.

    Where not even the last choice fits, each row is printed by itself, a line for each value.
    """
    if not rows:
        console.print(Text("none", style="bright_black"))
    elif fits(console.width, rows, choices[-1], least=LITTLE):
        console.print(fitting(console.width, rows, *choices))
    else:
        for row in rows:
            _print_row(console, row, choices[0])


def _print_row(console: Console, row: Mapping[str, Any], names: Sequence[str]) -> None:
    """Print each value on a line that only the terminal breaks, so that it is whole when it is copied."""
    for name in _with_values([row], names):
        console.print(Text.assemble((f"{name}  ", "bold"), cell(row[name])), soft_wrap=True)
    console.print()


def fitting(width: int, rows: Sequence[Mapping[str, Any]], *choices: Sequence[str]) -> Table:
    """Return rows as a table: with the first choice of columns that fits the width, else with the last choice.

    A column in which no row has anything is left out. What does not fit is shortened in columns of names and paths
    (`ELASTIC`), never in others: what stands there is there to be copied. The last column wraps, between words.
    """
    choice = next((choice for choice in choices if fits(width, rows, choice)), choices[-1])
    chosen = _with_values(rows, choice)
    shares = _shares(width, rows, chosen)
    cells = [[_shortened_cell(row.get(name), shares.get(name)) for name in chosen] for row in rows]
    return table(None, chosen, cells)


def fits(width: int, rows: Sequence[Mapping[str, Any]], choice: Sequence[str], least: int = LEAST) -> bool:
    """Tell whether these columns fit the width, where elastic ones may be shortened to `least` characters."""
    chosen = _with_values(rows, choice)
    wanted = [min(wide, least) if name in ELASTIC else wide for name, wide in _widths(rows, chosen).items()]
    return sum(wanted) + GAP * (len(chosen) - 1) <= width


def _with_values(rows: Sequence[Mapping[str, Any]], choice: Sequence[str]) -> list[str]:
    return [name for name in choice if any(row.get(name) not in (None, "") for row in rows)]


def _widths(rows: Sequence[Mapping[str, Any]], chosen: Sequence[str]) -> dict[str, int]:
    return {name: max(cell_len(name), *(cell(row.get(name)).cell_len for row in rows)) for name in chosen}


def _shares(width: int, rows: Sequence[Mapping[str, Any]], chosen: Sequence[str]) -> dict[str, int]:
    """Return how many characters each elastic column but the last gets: the narrow ones what they want, first."""
    widths = _widths(rows, chosen)
    elastic = sorted((name for name in chosen if name in ELASTIC), key=lambda name: widths[name])
    room = width - GAP * (len(chosen) - 1) - sum(wide for name, wide in widths.items() if name not in ELASTIC)
    shares = {}
    for left, name in zip(range(len(elastic), 0, -1), elastic, strict=True):
        shares[name] = max(min(widths[name], room // left), cell_len(name), 1)
        room -= shares[name]
    return {name: share for name, share in shares.items() if name != chosen[-1]}


def _shortened_cell(value: Any, most: int | None) -> Text:
    made = cell(value)
    if most is not None:
        made.truncate(most, overflow="ellipsis")
    return made


def facts(console: Console, rows: Iterable[tuple[str, Any]], title: str | None = None) -> None:
    """Print names and their values, one per line."""
    console.print(fact_table(rows, title))


def fact_table(rows: Iterable[tuple[str, Any]], title: str | None = None) -> Table:
    """Return names and their values, one per line."""
    made = table(title, ("", ""), rows)
    made.show_header = False
    return made


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
    if isinstance(value, Text):
        return value
    if value is None:
        return Text("")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, dict | list):
        return Text(clean(msgspec.json.encode(value).decode()))
    text = clean(str(value))
    return Text(text, style=COLOURS.get(text, "") if text.isupper() else "")  # a definition may be named `ok`


def day(at: datetime | str | None) -> str | None:
    """Return a moment as it stands in a list: local date and time, to the second."""
    return None if at is None else local(at).strftime("%Y-%m-%d %H:%M:%S")


def clock(at: datetime | str | None) -> str | None:
    """Return a moment as the time of day, local, to the millisecond; the date is in --json."""
    return None if at is None else local(at).strftime("%H:%M:%S.%f")[:-3]


def span(seconds: float) -> str:
    """Return how long something took, in two places: 85 ms, 2.41 s, 3 min 05 s, 2 h 07 min, 4 d 03 h."""
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < MINUTE_S - 0.005:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    for size, name, smaller, small in _SPANS:
        if whole >= size:
            return f"{whole // size} {name} {whole % size // smaller:02} {small}"
    raise ValueError(seconds)


def shortened(text: str, most: int) -> str:
    """Return a text of at most that many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number and what it counts: 1 key, 2 keys."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def local(at: datetime | str) -> datetime:
    """Return a moment in the zone of this machine."""
    return (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone()
