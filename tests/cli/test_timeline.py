"""A history as a person reads it: what each event becomes, and that it fits every terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.wire import EventView
from engine.core.events import BODIES
from stepwell import timeline
from stepwell.output import Terminal, clean, span
from stepwell.timeline import Line, as_line, draw, read
from tests.cli.program import visible

BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
ERROR = {"category": "external", "code": "http_status", "message": "the partner answered 503.", "step_id": "pay"}


def event(
    seq: int, second: float, type_: str, path: str | None = None, attempt: int | None = None, **data: Any
) -> EventView:
    at = BEGIN + timedelta(seconds=second)
    return EventView(seq=seq, at=at, type=type_, v=1, path=path, attempt=attempt, data=data)


def starts(*paths: str) -> dict[str, Any]:
    return {"starts": [{"path": path, "attempt": 1} for path in paths]}


HISTORY = [
    event(1, 0, "process.created", by="ines (key_1)", reason="a test", business_key="B-1", labels={"region": "at"}),
    event(2, 0.5, "process.started", status="IN_PROGRESS", **starts("ask", "pay")),
    event(3, 0.5, "task.created", "ask", 1, wait={"kind": "task", "task": {"title": "All right?", "group": "desk"}}),
    event(4, 1, "activity.failed", "pay", 1, error=ERROR, retry_at="2026-01-31T12:00:03+00:00"),
    event(5, 3, "activity.started", "pay", 2, lost=True),
    event(6, 3.25, "activity.completed", "pay", 2, skips=[{"path": "beg", "reason": "condition"}], **starts("word")),
    event(
        7, 3.25, "activity.waiting", "word", 1, wait={"kind": "signal", "signal": "word.given", "correlation": "B-1"}
    ),
    event(8, 9, "task.assigned", "ask", 1, assignee="otto", by="ines"),
    event(9, 10, "command.rejected", kind="retry", code="not_failed", message="it runs", by="otto"),
    event(10, 3670, "activity.completed", "ask", 1, by="otto", reason="looks good"),
    event(11, 3700, "order.paid", "tell", 1, payload={"amount": 40}),
    event(12, 3 * 86400, "process.failed", status="FAILED", error=ERROR, cancels=["word"]),
    event(13, 3 * 86400 + 1, "process.retried", status="IN_PROGRESS", resets=["pay"], by="ines", **starts("pay")),
    event(14, 3 * 86400 + 2, "process.cancelled", status="CANCELLED", by="ines", reason="enough"),
]


DECIDED = {"branch": 1, "when": "input.n > 3", "chosen": ["pay"], "inputs": {"input.n": 4}}
DETAILS = {"expression": "input.n + 3", "pointer": "/output", "line": 1, "column": 9}
FAULT = {"category": "validation", "code": "expression_failed", "message": "null and 3", "details": DETAILS}


def told(seq: int) -> Line:
    return read(HISTORY)[seq - 1]


@pytest.mark.parametrize(
    ("seq", "what", "note"),
    [
        (1, "created", "business key B-1; labels region=at; by ines (key_1); “a test”"),
        (2, "started", "starts ask, pay"),
        (3, "asks a person", "“All right?”; group desk"),
        (4, "attempt failed", "took 500 ms; http_status: the partner answered 503; again in 2.00 s"),
        (5, "attempt 2", "the attempt before was lost with its worker"),
        (6, "completed", "attempt 2; took 250 ms; starts word; skips beg (condition)"),
        (7, "waits", "for word.given; key B-1"),
        (8, "goes to otto", "by ines"),
        (9, "refused retry", "not_failed: it runs; by otto"),
        (10, "completed", "waited 1 h 01 min; by otto; “looks good”"),
        (11, "order.paid", '{"amount":40}'),
        (12, "FAILED", "after 3 d 00 h; in pay: http_status; ends word"),
        (13, "retried", "by ines; again: pay; starts pay"),
        (14, "CANCELLED", "after 3 d 00 h; by ines; “enough”"),
    ],
)
def test_each_event_says_what_happened_how_long_it_took_by_whom_and_why(seq: int, what: str, note: str) -> None:
    assert (told(seq).what, told(seq).note) == (what, note)


def reasons(type_: str, **data: Any) -> list[str]:
    return [reason.as_line() for reason in read([event(1, 0, type_, "a", 1, **data)])[0].reasons]


def test_a_decision_says_why_it_took_its_way_and_nothing_else_says_so() -> None:
    assert reasons("activity.completed", output=DECIDED) == ["branch 1: input.n > 3   read input.n=4"]
    for more in ({"output": DECIDED["inputs"]}, {"output": DECIDED, "signal_id": 7}, {"output": DECIDED, "by": "ines"}):
        assert reasons("activity.completed", **more) == []


def test_a_failed_expression_is_shown_where_it_failed() -> None:
    assert reasons("activity.failed", error={**FAULT, "step_id": "a"}) == ["/output: input.n + 3"]
    assert reasons("process.failed", status="FAILED", error=FAULT) == ["/output: input.n + 3"]
    assert reasons("process.failed", status="FAILED", error={**FAULT, "step_id": "a"}) == []
    assert reasons("activity.failed", error=ERROR) == []


def test_of_many_false_conditions_the_first_are_shown_and_the_others_named() -> None:
    skips = [{"path": f"s{n}", "reason": "condition", "when": f"input.n > {n}"} for n in range(9)]
    (line,) = read([event(1, 0, "process.started", skips=[*skips, {"path": "z", "reason": "dependency"}])])

    assert [reason.said for reason in line.reasons] == [f"skipped s{n}: input.n > {n} is false" for n in range(5)]
    assert line.note == "skips s5, s6, s7, s8, z (condition, dependency)"


@pytest.mark.parametrize("width", [40, 80, 110])
def test_reasons_stand_below_their_line_and_leave_the_columns_where_they_are(width: int) -> None:
    skip = {
        "path": "beg",
        "reason": "condition",
        "when": "input.word == 'x' && " * 9 + "true",
        "inputs": {"input.n": 4},
    }
    started = event(2, 0.5, "process.started", skips=[skip], **starts("ask", "pay"))
    events = [HISTORY[0], started, *HISTORY[2:]]
    plain, explained = (drawn(events, width) for events in (HISTORY, events))

    place = next(n for n, line in enumerate(explained) if "skipped beg" in line)
    assert "pay" in explained[place - 1]
    assert [line.index("input.") - line.index(line.strip()) for line in explained[place : place + 2]] == [13, 5]
    assert explained[place].endswith("…")
    assert max(len(line.rstrip()) for line in explained) <= width
    after = [line.rstrip() for line in explained[place + 2 :]]
    assert after == [line.rstrip() for line in plain[-len(after) :]]


def drawn(events: list[EventView], width: int) -> list[str]:
    file = io.StringIO()
    draw(Terminal(file=file, width=width, color_system=None, force_terminal=True), read(events))
    return file.getvalue().splitlines()


def test_a_history_without_events_is_drawn_too() -> None:
    assert drawn([], 80) == []


def test_every_event_there_is_has_words_of_its_own() -> None:
    assert set(timeline._TELL) == set(BODIES)


@pytest.mark.parametrize("type_", [*BODIES, "order.paid", "process.paused"])
@pytest.mark.parametrize(
    "data", [{}, None, [1], {"status": None, "error": None, "wait": None, "trigger": "x"}, {"output": 1}]
)
def test_an_event_that_says_less_than_expected_is_told_all_the_same(type_: str, data: Any) -> None:
    at = EventView(seq=1, at=BEGIN, type=type_, v=9, path="a", attempt=None, data=data)

    assert read([at])[0].what


@pytest.mark.parametrize("width", [40, 80, 109, 110, 200])
def test_the_line_of_time_fits_the_terminal_and_names_each_day_once(width: int) -> None:
    file = io.StringIO()
    draw(Terminal(file=file, width=width, color_system=None), read(HISTORY))
    lines = file.getvalue().splitlines()

    assert max(len(line.rstrip()) for line in lines) <= width
    assert [sum(f"2026-0{day}" in line for line in lines) for day in ("1-31", "2-03")] == [1, 1]
    assert [clean(line) for line in lines] == lines
    if width >= 80:
        assert all(any(line.what in shown for shown in lines) for line in read(HISTORY))


@pytest.mark.parametrize("width", [80, 110])
def test_long_paths_and_types_leave_room_for_what_happened(width: int) -> None:
    events = [
        event(1, 0, "activity.failed", "p" * 64, 1, error=ERROR, retry_at="2026-01-31T12:00:03+00:00"),
        event(2, 1, "order." + "q" * 100, "p" * 64, payload={"amount": 40}),
    ]
    file = io.StringIO()
    draw(Terminal(file=file, width=width, color_system=None), read(events))
    lines = file.getvalue().splitlines()

    assert max(len(line.rstrip()) for line in lines) <= width
    assert "attempt failed" in file.getvalue()
    assert '{"amount":40}' in file.getvalue()
    assert len(lines) < 12


def test_what_customers_wrote_commands_no_terminal() -> None:
    evil = event(1, 0, "evil\x1b[2J\ntype", "pa\u202eth", payload={"x": "\x1b]0;title\x07"}, by="\x9b31m", reason="\r")
    file = io.StringIO()
    draw(Terminal(file=file, width=100, color_system=None), read([evil]))

    assert clean(file.getvalue()) == file.getvalue()
    assert visible(as_line(read([evil])[0])) == [as_line(read([evil])[0])]


def test_the_reader_knows_how_the_process_stands() -> None:
    reader = timeline.Reader()
    seen = []
    for one in HISTORY:
        reader.line(one)
        seen.append(reader.status)

    assert [seen[place] for place in (0, 1, 11, 12, 13)] == ["", "IN_PROGRESS", "FAILED", "IN_PROGRESS", "CANCELLED"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"),
        (0, "0 ms"),
        (0.0854, "85 ms"),
        (0.9996, "1.00 s"),
        (2.414, "2.41 s"),
        (59.994, "59.99 s"),
        (59.996, "1 min 00 s"),
        (185.4, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7625, "2 h 07 min"),
        (4e6, "46 d 07 h"),
    ],
)
def test_a_span_is_told_in_two_places(seconds: float, text: str) -> None:
    assert span(seconds) == text
