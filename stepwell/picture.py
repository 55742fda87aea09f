"""A process as a person sees it: what it is, how it stands, and each of its activities. Pure: nothing is printed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from api.wire import ActivityView, ProcessDetail
from engine.core.model import SETTLED, ActivityStatus
from stepwell import reasons
from stepwell.output import clock, day, fact_table, fits, fitting, shortened, span

COLUMNS = ("path", "status", "attempt", "started", "took", "about")
NARROWER = ("path", "status", "attempt", "took", "about")
INDENT = 4  # of a line below a row
MESSAGE = 120  # characters of an error


def heading(found: ProcessDetail, now: datetime) -> Table:
    """Return what the process is and how it stands at `now`."""
    lasted = span(((found.ended_at or now) - found.created_at).total_seconds())
    labels = ", ".join(f"{name}={value}" for name, value in found.labels.items())
    rows = [
        ("process", found.id),
        ("definition", f"{found.type}, version {found.version}"),
        ("status", found.status),
        ("business key", found.business_key),
        ("labels", labels or None),
        ("created", day(found.created_at)),
        ("ended", found.ended_at and f"{day(found.ended_at)}, after {lasted}"),
        ("since", None if found.ended_at else lasted),
    ]
    return fact_table([row for row in rows if row[1] is not None])


def activities(found: ProcessDetail, now: datetime, width: int, most: int | None = None) -> RenderableType:
    """Return the activities as a table: in their order, of more than `most` those that matter now."""
    chosen = _chosen(found.activities, most)
    rows = [_row(one, now) for one in chosen]
    fit = any(fits(width, rows, choice) for choice in (COLUMNS, NARROWER))
    made = fitting(width, rows, COLUMNS, NARROWER) if fit else _Noted(width, rows)
    left = len(found.activities) - len(chosen)
    return Group(made, Text(f"… and {left} more", style="bright_black")) if left else made


class _Noted(Struct, frozen=True):
    """Rows as a table in which what there is to say of one stands below it: beside it there is no room."""

    width: int
    rows: list[dict[str, Any]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines of the table, each with its note."""
        made = fitting(self.width, self.rows, COLUMNS[:-1], NARROWER[:-1], NARROWER[:2])
        made.columns[-1].no_wrap = True  # a row is a line
        header, *lines = console.render_lines(made, options, pad=False)
        yield from (*header, Segment.line())
        for row, line in zip(self.rows, lines, strict=True):
            yield from (*line, Segment.line())
            if row["about"]:
                yield Padding(Text(row["about"]), (0, 0, 0, INDENT), expand=False)


def _chosen(all_: list[ActivityView], most: int | None) -> list[ActivityView]:
    if most is None or len(all_) <= most:
        return all_
    # What goes on, then what failed, then what ended last, then what nobody has reached.
    ranked = sorted(range(len(all_)), key=lambda place: _rank(all_[place]))
    return [all_[place] for place in sorted(ranked[:most])]


def _rank(one: ActivityView) -> tuple[int, float]:
    if one.status not in SETTLED and (one.started_at or one.due_at):
        return 0, 0.0
    if one.status == ActivityStatus.FAILED:
        return 1, 0.0
    return (2, -one.ended_at.timestamp()) if one.ended_at else (3, 0.0)


def _row(one: ActivityView, now: datetime) -> dict[str, Any]:
    lasted = one.started_at and span(((one.ended_at or now) - one.started_at).total_seconds())
    return {
        "path": one.path,
        "status": one.status,
        "attempt": one.attempt or None,
        "started": clock(one.started_at),
        "took": lasted,
        "about": about(one, now),
    }


def about(one: ActivityView, now: datetime) -> str | None:
    """Return what there is to say of an activity: what it waits for, where it led, why it failed or was skipped."""
    parts = [
        _wait(one),
        f"again in {span((one.due_at - now).total_seconds())}" if one.due_at and one.wait is None else None,
        f"{one.error.code}: {shortened(one.error.message, MESSAGE)}" if one.error else None,
        reasons.way(one.output) if one.type == "decision" else None,
        one.skip_reason and one.skip_reason.replace("_", " "),
    ]
    return "; ".join(part for part in parts if part) or None


def decided(found: ProcessDetail, width: int) -> list[Text]:
    """Return why each decision took the way it took, in lines that fit the width."""
    told = [(one.path, reasons.of_decision(one.output)) for one in found.activities if one.type == "decision"]
    named = [msgspec.structs.replace(reason, said=f"{path}: {reason.said}") for path, reason in told if reason]
    return [line for reason in named for line in reason.fitted(width)]


def _wait(one: ActivityView) -> str | None:
    wait = one.wait
    if wait is None or one.status in SETTLED:
        return None
    if wait.task is not None:
        return f"“{wait.task.title}” {one.task_id or ''}".rstrip()
    until = f"until {day(one.due_at or one.deadline_at)}" if one.due_at or one.deadline_at else ""
    signal = f"for {wait.signal}" if wait.signal else ""
    key = f"({wait.correlation})" if wait.correlation else ""
    return " ".join(part for part in (signal, key, until) if part)
