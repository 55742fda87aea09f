"""A process as it is drawn: which activities are shown where not all of them fit, and what is said of each."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from api.wire import ActivityView, ProcessDetail
from engine.core.model import ActivityStatus, Category, Failure, ProcessStatus, SkipReason, Task, Wait
from stepwell import picture
from stepwell.output import Terminal

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def activity(path: str, status: str, **more: Any) -> ActivityView:
    return ActivityView(
        id=f"exe_{path}",
        step_id=path,
        path=path,
        name=None,
        type="http",
        status=ActivityStatus(status),
        attempt=1,
        **more,
    )


def process(*activities: ActivityView, **more: Any) -> ProcessDetail:
    values: dict[str, Any] = {
        "id": "prc_1m7ywm62j0002", "type": "order", "definition_id": "wf_1", "version": 3, "status": ProcessStatus.IN_PROGRESS,
        "business_key": "B-1", "priority": 0, "created_at": NOW - timedelta(seconds=90), "started_at": NOW, "ended_at": None,
        "labels": {"region": "at"}, "error_code": None, "failed_step": None, "input": {}, "output": None, "input_ref": None,
        "output_ref": None, "error": None, "current_activity": None, "current_activities": [],
    }  # fmt: skip
    return ProcessDetail(**{**values, **more}, activities=list(activities))


def drawn(made: Any, width: int = 100) -> str:
    file = io.StringIO()
    Terminal(file=file, width=width, color_system=None).print(made)
    return file.getvalue()


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (activity("a", "WAITING", wait=Wait("signal", signal="paid", correlation="B-1")), "for paid (B-1)"),
        (activity("a", "WAITING", wait=Wait("task", task=Task("Well?")), task_id="tsk_1"), "“Well?” tsk_1"),
        (activity("a", "PENDING", due_at=NOW + timedelta(seconds=5)), "again in 5.00 s"),
        (activity("a", "SKIPPED", skip_reason=SkipReason.PROCESS_ENDED), "process ended"),
        (activity("a", "FAILED", error=Failure(Category.EXTERNAL, "http_status", "no")), "http_status: no"),
        (activity("a", "COMPLETED", wait=Wait("signal", signal="paid")), None),
    ],
)
def test_an_activity_says_what_it_waits_for_or_why_it_stands_as_it_does(one: ActivityView, said: str | None) -> None:
    assert picture.about(one, NOW) == said


ROUTED = {"branch": 1, "when": "input.amount > 1000", "chosen": [], "inputs": {"input.amount": 2500, "input.vip": None}}


def test_a_decision_says_where_it_led_and_below_the_table_why() -> None:
    routed = msgspec.structs.replace(activity("route", "COMPLETED", output=ROUTED), type="decision")
    found = process(routed, activity("call", "COMPLETED", output=ROUTED))

    assert [picture.about(one, NOW) for one in found.activities] == ["branch 1", None]
    for width, lines in (
        (100, ["route: branch 1: input.amount > 1000   read input.amount=2500, input.vip=null"]),
        (40, ["route: branch 1: input.amount > 1000", "  read input.amount=2500, input.vip=null"]),
        (30, ["route: branch 1: input.amount…", "  read input.amount=2500, inp…"]),
    ):
        assert [line.plain for line in picture.decided(found, width)] == lines


def test_the_heading_says_what_the_process_is_and_since_when() -> None:
    running, ended = drawn(picture.heading(process(), NOW)), process(ended_at=NOW, status=ProcessStatus.COMPLETED)

    for word in ("prc_1m7ywm62j0002", "order, version 3", "IN_PROGRESS", "B-1", "region=at", "1 min 30 s"):
        assert word in running
    assert "after 1 min 30 s" in drawn(picture.heading(ended, NOW + timedelta(days=1)))


def test_where_not_all_fit_those_that_matter_now_are_shown_in_their_order() -> None:
    began = {"started_at": NOW - timedelta(seconds=9)}
    many = [activity(f"done{n:03}", "COMPLETED", **began, ended_at=NOW - timedelta(seconds=n)) for n in range(50)]
    some = [
        *many,
        activity("later", "PENDING"),
        activity("broken", "FAILED", ended_at=NOW),
        activity("busy", "RUNNING", **began),
    ]

    shown = drawn(picture.activities(process(*some), NOW, 100, most=4))

    assert [line.split()[0] for line in shown.splitlines()] == ["path", "done000", "done001", "broken", "busy", "…"]
    assert "… and 49 more" in shown


@pytest.mark.parametrize("width", [60, 80, 100])
def test_where_a_path_leaves_no_room_for_what_there_is_to_say_that_stands_below(width: int) -> None:
    path = "a-step-with-an-id-of-forty-nine-characters-to-see"
    error = Failure(Category.EXTERNAL, "http_status", "the partner answered with a status that means no")
    some = [activity(path, "FAILED", error=error, started_at=NOW), activity("short", "COMPLETED", started_at=NOW)]

    lines = drawn(picture.activities(process(*some), NOW, width), width).splitlines()

    assert max(len(line.rstrip()) for line in lines) <= width
    assert len(lines) <= 5
    assert lines[1].startswith(path[:20])
    assert "FAILED" in lines[1]
    assert any("the partner" in line for line in lines)


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_a_table_of_activities_fits_the_terminal(width: int) -> None:
    error = Failure(Category.EXTERNAL, "http_status", "long " * 60)
    shown = drawn(
        picture.activities(process(activity("pay", "FAILED", error=error, started_at=NOW)), NOW, width), width
    )

    assert max(len(line.rstrip()) for line in shown.splitlines()) <= width
    assert "pay" in shown
