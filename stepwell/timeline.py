"""A history as a person reads it: one line for each thing that happened, with how long it took, who did it and why.

Pure up to the printing: `Reader` turns events, in their order, into lines, and needs nothing but the events. What it
does not know is shown as it is, for a newer release may have events of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from api.wire import EventView
from stepwell.output import clean, clock, day, escaped, local, shortened, span
from stepwell.reasons import Reason, of_decision, of_failure, of_skip

NAMED = 5  # activities in one line; more of them are only counted
MESSAGE = 200  # characters of a failure's message, or of a payload
WIDE = 110  # columns from which times have milliseconds
SHARE = 3  # of the width: what an activity's path may take, and what happened to it; the rest says more
FIRM = 4  # columns that are not broken: since when, at what time, a mark, an activity
INDENT = 6  # of a reason below its line
_QUIET = "bright_black"
_WAITING = ("activity.waiting", "task.created")


class Line(Struct, frozen=True):
    """One thing that happened. `after_s`: seconds since the process was created; `subject`: an activity, or nothing."""

    at: datetime
    after_s: float
    mark: str
    style: str
    subject: str
    what: str
    note: str
    reasons: tuple[Reason, ...] = ()


class Happened(Struct, frozen=True):
    """An event, and what follows from those before it: for how long its activity was at it, and the process."""

    event: EventView
    data: dict[str, Any]
    took: str
    lasted: str

    def until(self, name: str, words: str) -> str:
        """Return the moment in a field, with words before it."""
        at = self.data.get(name)
        return f"{words} {day(at)}" if at else ""

    def who(self) -> list[str]:
        """Return who asked for it, and why."""
        by, reason = self.data.get("by"), self.data.get("reason")
        return [f"by {by}" if by else "", f"“{reason}”" if reason else ""]

    def failure(self) -> str:
        """Return why it failed."""
        error = self.data.get("error") or {}
        return f"{error.get('code')}: {shortened(str(error.get('message', '')), MESSAGE).rstrip('.')}"

    def attempt(self) -> str:
        """Return which attempt it was, unless it was the first."""
        return f"attempt {self.event.attempt}" if self.event.attempt and self.event.attempt > 1 else ""

    def cancels(self) -> str:
        """Return which activities it ended."""
        paths = self.data.get("cancels")
        return f"ends {_named(paths)}" if paths else ""


class Told(Struct, frozen=True):
    """What is said of an event. Empty notes are left out."""

    mark: str
    style: str
    what: str
    notes: Sequence[str] = ()
    reason: Reason | None = None


class Reader:
    """Reads events in their order and remembers what a later one needs of them: when things began."""

    def __init__(self) -> None:
        self.status = ""  # of the process, as of the last event read
        self._created: datetime | None = None
        self._begun: dict[str, datetime] = {}
        self._waits: set[str] = set()

    def line(self, event: EventView) -> Line:
        """Return the line for the next event."""
        data = event.data if isinstance(event.data, dict) else {}
        self._created = self._created or event.at
        after_s = (event.at - self._created).total_seconds()
        told = _TELL.get(event.type, _other)(Happened(event, data, self._took(event), f"after {span(after_s)}"))
        conditions, skips = _skipped(data)
        notes = "; ".join(note for note in (*told.notes, _started(data), skips) if note)
        reasons = (told.reason, *conditions) if told.reason else tuple(conditions)
        self._remember(event, data)
        return Line(event.at, after_s, told.mark, told.style, event.path or "", told.what, notes, reasons)

    def _took(self, event: EventView) -> str:
        begun = self._begun.get(event.path or "", event.at)
        took_s = (event.at - begun).total_seconds()
        if took_s <= 0:  # decided in the same moment
            return ""
        return f"{'waited' if event.path in self._waits else 'took'} {span(took_s)}"

    def _remember(self, event: EventView, data: dict[str, Any]) -> None:
        self.status = data.get("status") or self.status
        for start in data.get("starts", ()):
            self._begun[start["path"]] = event.at
            self._waits.discard(start["path"])
        if event.path and event.type == "activity.started":
            self._begun[event.path] = event.at
        if event.path and event.type in _WAITING:
            self._waits.add(event.path)


def _process_created(it: Happened) -> Told:
    labels = ", ".join(f"{name}={value}" for name, value in (it.data.get("labels") or {}).items())
    trigger, key = it.data.get("trigger"), it.data.get("business_key")
    notes = [
        f"trigger {trigger.get('type')}" if isinstance(trigger, dict) else "",
        f"business key {key}" if key else "",
        f"labels {labels}" if labels else "",
    ]
    return Told("●", "bold", "created", [*notes, *it.who()])


def _process_started(it: Happened) -> Told:
    return Told("●", "", "started", [it.until("deadline_at", "must end by")])


def _process_completed(it: Happened) -> Told:
    return Told("✓", "bold green", "COMPLETED", [it.lasted])


def _process_failed(it: Happened) -> Told:
    error = it.data.get("error") or {}
    step = error.get("step_id")  # whose own line has said why
    if step:
        return Told("✗", "bold red", "FAILED", [it.lasted, f"in {step}: {error.get('code')}", it.cancels()])
    return Told("✗", "bold red", "FAILED", [it.lasted, it.failure(), it.cancels()], of_failure(error))


def _process_cancelled(it: Happened) -> Told:
    return Told("■", "bold magenta", "CANCELLED", [it.lasted, *it.who(), it.cancels()])


def _process_retried(it: Happened) -> Told:
    resets = it.data.get("resets")
    return Told("↻", "bold", "retried", [*it.who(), f"again: {_named(resets)}" if resets else ""])


def _activity_started(it: Happened) -> Told:
    lost = "the attempt before was lost with its worker" if it.data.get("lost") else ""
    return Told("▶", "blue", f"attempt {it.event.attempt}", [lost])


def _activity_waiting(it: Happened) -> Told:
    wait = it.data.get("wait") or {}
    signal, key = wait.get("signal"), wait.get("correlation")
    deadline = it.until("deadline_at", "at most until")
    then = "then goes on" if wait.get("on_timeout") == "continue" else "then fails"
    notes = [
        f"for {signal}" if signal else "",
        f"key {key}" if key else "",
        it.until("due_at", "until"),
        f"{deadline}, {then}" if deadline else "",
    ]
    return Told("…", "yellow", "waits", notes)


def _task_created(it: Happened) -> Told:
    task = (it.data.get("wait") or {}).get("task") or {}
    notes = [
        f"“{task.get('title', '')}”",
        f"for {task['assignee']}" if task.get("assignee") else "",
        f"group {task['group']}" if task.get("group") else "",
        f"due {day(task['due_at'])}" if task.get("due_at") else "",
    ]
    return Told("…", "yellow", "asks a person", notes)


def _task_assigned(it: Happened) -> Told:
    assignee = it.data.get("assignee")
    return Told("→", "yellow", f"goes to {assignee}" if assignee else "goes back to its group", it.who())


def _activity_completed(it: Happened) -> Told:
    signal = it.data.get("signal_id")
    notes = [it.attempt(), it.took, f"signal {signal}" if signal else "", *it.who()]
    return Told("✓", "green", "completed", notes, None if any(notes[2:]) else of_decision(it.data.get("output")))


def _activity_failed(it: Happened) -> Told:
    again = it.data.get("retry_at")
    if again is None:
        why = of_failure(it.data.get("error"))
        return Told("✗", "red", "failed", [it.attempt(), it.took, it.failure(), *it.who()], why)
    pause = span((datetime.fromisoformat(again) - it.event.at).total_seconds())
    return Told("✗", "yellow", "attempt failed", [it.attempt(), it.took, it.failure(), f"again in {pause}"])


def _command_rejected(it: Happened) -> Told:
    kind, code, message = (it.data.get(name) for name in ("kind", "code", "message"))
    return Told("!", "magenta", f"refused {str(kind).replace('_', ' ')}", [f"{code}: {message}", *it.who()])


def _other(it: Happened) -> Told:
    """Tell of an event of the customer's own, or of a newer release."""
    payload = it.data.get("payload")
    said = "" if payload is None else shortened(escaped(msgspec.json.encode(payload).decode()), MESSAGE)
    return Told("◆", "cyan", it.event.type, [said])


_TELL: dict[str, Callable[[Happened], Told]] = {
    "process.created": _process_created,
    "process.started": _process_started,
    "process.completed": _process_completed,
    "process.failed": _process_failed,
    "process.cancelled": _process_cancelled,
    "process.retried": _process_retried,
    "activity.started": _activity_started,
    "activity.waiting": _activity_waiting,
    "activity.completed": _activity_completed,
    "activity.failed": _activity_failed,
    "task.created": _task_created,
    "task.assigned": _task_assigned,
    "command.rejected": _command_rejected,
}


def _started(data: dict[str, Any]) -> str:
    """Return what an event sets going."""
    starts = [start["path"] for start in data.get("starts", ())]
    return f"starts {_named(starts)}" if starts else ""


def _skipped(data: dict[str, Any]) -> tuple[list[Reason], str]:
    """Return which conditions were false, and what else an event leaves out."""
    skips = data.get("skips", ())
    told = [skip for skip in skips if of_skip(skip)][:NAMED]
    others = [skip for skip in skips if skip not in told]
    why = ", ".join(dict.fromkeys(str(skip.get("reason")).replace("_", " ") for skip in others))
    rest = f"skips {_named([skip['path'] for skip in others])} ({why})" if others else ""
    return [reason for skip in told if (reason := of_skip(skip))], rest


def _named(paths: Sequence[str]) -> str:
    return ", ".join(paths) if len(paths) <= NAMED else f"{', '.join(paths[:NAMED])} and {len(paths) - NAMED} more"


def read(events: Iterable[EventView]) -> list[Line]:
    """Return the lines of a whole history."""
    reader = Reader()
    return [reader.line(event) for event in events]


def draw(console: Console, lines: Sequence[Line]) -> None:
    """Print lines along a line of time: since the start, by the clock (local), and what happened to what.

    Reasons stand below their line, from side to side: beside what happened there is no room for an expression.
    """
    wide, share = console.width >= WIDE, console.width // SHARE
    rows = [_cells(line, share, wide=wide) for line in lines]
    widths = _widths(rows, share)
    table = _table(widths)
    today: date | None = None
    for line, row in zip(lines, rows, strict=True):
        if (here := local(line.at).date()) != today:
            today = here
            table.add_row("", Text(f"{today:%Y-%m-%d}", style="bold"))
        table.add_row(*row)
        if line.reasons:
            console.print(table)
            _draw_reasons(console, line.reasons)
            table = _table(widths)
    if table.row_count:
        console.print(table)


def _widths(rows: Sequence[Sequence[Text]], share: int) -> list[int]:
    """Return how wide each column but the last is: as its widest cell, what happened at most so much."""
    wide = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)][:-1]
    wide[1:2] = [max(n, len(str(date.min))) for n in wide[1:2]]  # a day stands there too
    return [*wide[:FIRM], *(min(n, share) for n in wide[FIRM:])]


def _table(widths: Sequence[int]) -> Table:
    """Return a table without rows; its last column takes what room is left."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    for place, width in enumerate(widths):
        side: JustifyMethod = "left" if place else "right"
        table.add_column(justify=side, no_wrap=place < FIRM, overflow="ignore" if place < FIRM else "fold", width=width)
    table.add_column(overflow="fold")
    return table


def _draw_reasons(console: Console, reasons: Sequence[Reason]) -> None:
    room = console.width - INDENT if console.is_terminal else None
    for reason in reasons:
        for line in reason.fitted(room):
            console.print(Text(" " * INDENT) + line, soft_wrap=True)


def _cells(line: Line, most: int, *, wide: bool) -> list[Text]:
    """Return the cells of a line, the activity in at most so many characters.

    Where it is narrow, what happened and what is said of it share the last one.
    """
    at = clock(line.at) or ""
    what, note = Text(clean(line.what), style=line.style), Text(clean(line.note))
    return [
        Text(f"+{span(line.after_s)}", style=_QUIET),
        Text(at if wide else at.partition(".")[0], style=_QUIET),
        Text(line.mark, style=line.style),
        Text(shortened(clean(line.subject), most)),
        *((what, note) if wide else (Text.assemble(what, "  ", note),)),
    ]


def as_line(line: Line) -> str:
    """Return a line as plain text, for a log."""
    reasons = (reason.as_line() for reason in line.reasons)
    parts = (day(line.at), f"+{span(line.after_s)}", line.subject, line.what, line.note, *reasons)
    return clean("  ".join(part for part in parts if part)).replace("\n", " ")
