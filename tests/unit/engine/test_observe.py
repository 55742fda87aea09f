"""Readers of observations: none disturbs the engine or another reader."""

from __future__ import annotations

import io
import json
import os
import threading
from typing import Any

import pytest

from engine.core.model import Category, Failure
from engine.observe import (
    MOST_LINES,
    ActivityBegan,
    ActivityEnded,
    JsonLog,
    Noted,
    Observation,
    Observer,
    ProcessEnded,
    Readers,
    Trouble,
    Wanted,
    WorkerChanged,
    nowhere,
    row_lost,
    wanted,
)

ERROR = Failure(Category.EXTERNAL, "service_error", "it broke")


def began(kind: str = "http", *, effectful: bool = True) -> ActivityBegan:
    return ActivityBegan(process=1, path="a", run=1, attempt=1, kind=kind, effectful=effectful)


def ended(outcome: str = "completed", *, effectful: bool = True) -> ActivityEnded:
    return ActivityEnded(
        process=1,
        level="info" if outcome == "completed" else "error",
        path="a",
        run=1,
        attempt=1,
        kind="http" if effectful else "transform",
        duration_s=0.5,
        outcome=outcome,
        error=None if outcome == "completed" else ERROR,
        effectful=effectful,
    )


def logged(*told: Observation, **options: Any) -> list[dict[str, Any]]:
    stream = io.BytesIO()
    log = JsonLog(stream=stream, program="worker", **options)
    for one in told:
        log(one)
    log.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("activities", "events"),
    [
        ("all", ["activity.start", "activity.end", "activity.start", "activity.end", "activity.end"]),
        ("effectful", ["activity.start", "activity.end", "activity.end"]),
        ("none", ["activity.end"]),
    ],
)
def test_activities_are_logged_as_the_setting_says_and_failures_always(activities: str, events: list[str]) -> None:
    told = (
        began("transform", effectful=False),
        ended(effectful=False),
        began(),
        ended(),
        ended("failed", effectful=False),
    )
    lines = logged(*told, ProcessEnded(definition="d", status="COMPLETED"), activities=activities)

    assert [line["event"] for line in lines] == [*events, "process.end"]
    assert lines[-2]["outcome"] == "failed"


def test_a_line_has_the_observations_fields_and_its_process_by_public_id() -> None:
    (line,) = logged(ended("failed"))

    assert line.pop("at")
    assert line == {
        "event": "activity.end",
        "level": "error",
        "path": "a",
        "run": 1,
        "attempt": 1,
        "kind": "http",
        "duration_s": 0.5,
        "outcome": "failed",
        "error": {"category": "external", "code": "service_error", "message": "it broke"},
        "program": "worker",
        "process_id": "prc_0000000000001",
    }


def test_what_no_json_can_hold_is_left_out_and_the_next_line_comes() -> None:
    bad = Trouble(where="x", message="\ud800")

    assert [line["message"] for line in logged(bad, Trouble(where="x", message="good"))] == ["good"]


class Blocked(io.BytesIO):
    """A stream nobody reads, until `free`."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def write(self, data: Any) -> int:
        self.free.wait(30)
        return super().write(data)


def test_a_log_nobody_reads_blocks_nobody_and_says_afterwards_what_was_lost() -> None:
    stream = Blocked()
    log = JsonLog(stream=stream)
    for number in range(MOST_LINES + 5000):
        log(Noted(where="x", message=str(number)))
    stream.free.set()
    log.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    lost = sum(line["count"] for line in lines if line["event"] == "log.dropped")
    written = [int(line["message"]) for line in lines if line["event"] == "note"]

    assert lost >= 1
    assert len(written) + lost == MOST_LINES + 5000
    assert written == sorted(written)


def test_a_stream_that_fails_is_nobodys_trouble() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as stream:
        log = JsonLog(stream=stream)
        log(Noted(where="x", message="y"))
        log.close()


def test_a_reader_that_raises_is_reported_once_and_the_others_get_everything() -> None:
    seen: list[Observation] = []

    def broken(observation: Observation) -> None:
        raise RuntimeError("a bug")

    readers = Readers(broken, seen.append)
    for _ in range(3):
        readers(began())

    assert [type(one) for one in seen] == [Trouble, ActivityBegan, ActivityBegan, ActivityBegan]
    assert "RuntimeError: a bug" in getattr(seen[0], "message", "")


class Ends:
    """A reader of ends alone."""

    kinds = frozenset({ActivityEnded})

    def __init__(self) -> None:
        self.seen: list[Observation] = []

    def __call__(self, observation: Observation) -> None:
        self.seen.append(observation)


def test_a_reader_is_given_the_kinds_it_names_and_no_others() -> None:
    some, everything = Ends(), list[Observation]()
    readers = Readers(some, everything.append)
    for _ in range(2):
        readers(began())
        readers(ended())

    assert [type(one) for one in some.seen] == [ActivityEnded, ActivityEnded]
    assert len(everything) == 4


@pytest.mark.parametrize(
    ("reader", "expected"),
    [
        (nowhere, Wanted()),
        (JsonLog("debug"), Wanted()),
        (JsonLog(activities="effectful"), Wanted(calls=False)),
        (JsonLog(activities="none"), Wanted(begins=False, ends=False, calls=False)),
        (JsonLog("error"), Wanted(begins=False, ends=False, calls=False)),
        (Readers(JsonLog("error"), Ends()), Wanted(begins=False, calls=False)),
        (Readers(Readers(JsonLog(activities="none")), Readers()), Wanted(begins=False, ends=False, calls=False)),
        (Readers(JsonLog("error"), nowhere), Wanted()),
    ],
)
def test_what_nobody_reads_is_known_before_it_is_made(reader: Observer, expected: Wanted) -> None:
    assert wanted(reader) == expected


def test_a_level_nobody_knows_of_is_no_trouble_and_is_written() -> None:
    stream = io.BytesIO()
    log = JsonLog("error", stream)
    Readers(log)(Noted(level="warning", where="x", message="y"))
    log.close()

    assert json.loads(stream.getvalue())["level"] == "warning"


def test_a_log_without_activities_is_given_those_that_fail() -> None:
    stream = io.BytesIO()
    log = JsonLog(stream=stream, activities="none")
    readers = Readers(log)
    for one in (began(), ended(), ended("failed"), ended()):
        readers(one)
    log.close()

    assert [json.loads(line)["outcome"] for line in stream.getvalue().splitlines()] == ["failed"]


@pytest.mark.parametrize("what", ["fenced", "connection_lost", "stopped"])
def test_a_worker_without_its_row_is_known_as_such(what: str) -> None:
    assert row_lost(WorkerChanged(worker=1, what=what))
    assert row_lost(Trouble(where="session", message="a bug"))
    assert not row_lost(WorkerChanged(worker=1, what="outdated"))
    assert not row_lost(Trouble(where="upkeep", message="x"))
