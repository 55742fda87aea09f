"""Options and values that several commands take: moments, labels, who and why, how many.

Each is read here once, so that it is written alike everywhere; what is wrong with one ends with exit code 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from engine.core.ids import private_id

F = TypeVar("F", bound=Callable[..., Any])

LONG = 100
PAGE = 200  # what the API gives at once
_AGO = re.compile(r"(\d{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORMS = "write 2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00:00Z, or how long ago: 90m, 24h, 7d"


class Moment(click.ParamType[datetime]):
    """A moment: ISO 8601, in this machine's zone unless it names another; or how long ago."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment, with a zone."""
        try:
            return _moment(str(value))
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is no time: {_FORMS}", param, ctx)


def _moment(text: str) -> datetime:
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.astimezone()


class ProcessId(click.ParamType[str]):
    """The id of a process. What is none is told before anything is asked."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id as it is."""
        try:
            private_id("prc", str(value))
        except ValueError:
            self.fail(f"{shown(str(value))} is not a process id (prc_…): see 'stepwell process list'", param, ctx)
        return str(value)


def shown(value: str) -> str:
    """Return what was typed as it can be shown in a message: quoted, and not all of a long one."""
    return repr(value if len(value) <= LONG else value[:LONG] + "…")


class Label(click.ParamType[tuple[str, str]]):
    """A label: NAME=VALUE."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return name and value."""
        name, found, text = str(value).partition("=")
        if not (found and name and text):
            self.fail(f"{value!r} is no label: write NAME=VALUE", param, ctx)
        return name, text


def label_option(what: str) -> Callable[[F], F]:
    """Add --label, which may be given several times."""
    return click.option("--label", "labels", multiple=True, type=Label(), metavar="NAME=VALUE", help=what)


def labels_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return labels by name. Raises click.UsageError for one that is given twice."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise click.UsageError(f"the label {name} is given twice")
        found[name] = value
    return found


def limit_option(default: int) -> Callable[[F], F]:
    """Add --limit."""
    return click.option("--limit", type=click.IntRange(1), default=default, show_default=True, help="At most so many.")


def page_size(limit: int) -> int:
    """Return how many to ask for at once."""
    return min(limit, PAGE)


def why_options(command: F) -> F:
    """Add --by and --reason."""
    command = click.option("--reason", help="Why; it is kept.")(command)
    return click.option("--by", help="In whose name; the key's if left out.")(command)


def name_options(command: F) -> F:
    """Add --by, which must be given, and --reason."""
    command = click.option("--reason", help="Why; it is kept.")(command)
    return click.option("--by", required=True, help="In whose name.")(command)


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}
