"""Why a branch was taken, a step skipped, an expression failed: as words, and as a person sees it on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from stepwell.output import clean
from stepwell.reasons import Reason, of_decision, of_failure, of_skip, way
from tests.api.client import new_key
from tests.cli.program import on_terminal, run, visible
from tests.house import House, eventually
from tests.served import serving

DETAILS = {"where": "config", "expression": "input.limit < 3", "pointer": "/steps/1/config", "line": 1, "column": 13}
FAULT = {"code": "expression_failed", "message": "null and 3 have no order", "details": DETAILS}


def output(branch: Any, when: str | None = None, **more: Any) -> dict[str, Any]:
    return {"branch": branch, "when": when, "chosen": [], "inputs": {}, **more}


@pytest.mark.parametrize(
    ("made", "said", "more"),
    [
        (
            output(2, "input.score >= 60", inputs={"input.score": 71, "input.limit": None}),
            "branch 2: input.score >= 60",
            ("read input.score=71, input.limit=null",),
        ),
        (output(0, "true"), "branch 0: true", ()),
        (output("fallback", inputs={"input.n": 1}), "fallback: no branch is true", ("read input.n=1",)),
        (
            output("fallback", inputs={"input.limit": None}, error=FAULT),
            "fallback, since a condition cannot be evaluated: null and 3 have no order",
            ("read input.limit=null", "/steps/1/config: input.limit < 3"),
        ),
        (
            output("fallback", inputs={"a": ["x"] * 30}),
            "fallback: no branch is true",
            ("read a=" + '["x","x","x","x","x","x","x","x","x","x"'[:39] + "…",),
        ),
    ],
)
def test_a_decision_says_which_way_it_took_why_and_what_it_read(made: Any, said: str, more: tuple[str, ...]) -> None:
    assert of_decision(made) == Reason(said, more)
    assert way(made) == said.partition(":")[0].partition(",")[0]


@pytest.mark.parametrize(
    "made",
    [
        None,
        [],
        "branch",
        {},
        {"branch": 1},
        output(None),
        output(True),
        output("main"),
        output(1, inputs=None),
        output(1, surplus=1),
        {"status": 200, "headers": {}, "body": output(1)},
    ],
)
def test_what_has_not_the_shape_of_a_decision_has_no_reason(made: Any) -> None:
    assert of_decision(made) is None
    assert way(made) is None


def test_a_skip_says_which_condition_was_false_and_what_it_read() -> None:
    skip = {"path": "a", "reason": "condition", "when": "input.amount > 1000", "inputs": {"input.amount": 12}}

    assert of_skip(skip) == Reason("skipped a: input.amount > 1000 is false", ("read input.amount=12",))
    assert of_skip({**skip, "inputs": None}) == Reason("skipped a: input.amount > 1000 is false")
    assert [of_skip(other) for other in ({"path": "a", "reason": "condition"}, {"path": "a", "when": 1}, "a")] == [
        None
    ] * 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "/steps/1/config: input.limit < 3"),
        ({"pointer": ""}, "/: input.limit < 3"),
        ({"expression": "true &&\n  input.x", "line": 2, "column": 3}, "/steps/1/config: input.x"),
        ({"expression": f"{'a' * 50} + input.x", "column": 54}, f"/steps/1/config: …{'a' * 27} + input.x"),
        ({"expression": "b" * 1000, "column": 1200}, f"/steps/1/config: {'b' * 1000}"),
        ({"expression": "b", "line": 7}, "/steps/1/config: b"),
    ],
)
def test_a_failed_expression_says_where_it_stands_and_what_it_is(change: dict[str, Any], said: str) -> None:
    assert of_failure({"details": {**DETAILS, **change}}) == Reason(said)


@pytest.mark.parametrize(
    "details", [None, [], "x", {}, {"expression": "x"}, {**DETAILS, "line": 0}, {**DETAILS, "column": "1"}]
)
def test_any_other_failure_has_no_expression(details: Any) -> None:
    assert of_failure({"details": details}) is None


@pytest.mark.parametrize("room", [10, 40, 80])
def test_a_reason_is_one_line_where_it_fits_and_else_a_line_for_each_part_cut_to_the_room(room: int) -> None:
    short, long = Reason("b", ("read",)), Reason("日本" * 40, ("x" * 100, "short"))

    assert [line.plain for line in short.fitted(room)] == ["b   read"]
    lines = [line.plain for line in long.fitted(room)]
    assert [cell_len(line) <= room for line in lines] == [True] * 3
    assert [line.endswith("…") for line in lines] == [True, True, False]
    assert [line.plain for line in long.fitted(None)] == [long.as_line()]


def test_what_customers_wrote_stays_on_its_line_and_commands_no_terminal() -> None:
    evil = "\x1b[2J\n\u202e\ttext\r"
    error = {"message": evil, "details": {**DETAILS, "expression": f"x{evil}", "column": 1, "pointer": f"/{evil}"}}
    reasons = [
        of_decision(output(1, evil, inputs={evil: evil})),
        of_decision(output("fallback", error=error)),
        of_skip({"path": evil, "when": evil, "inputs": {evil: [evil]}}),
        of_failure(error),
    ]

    for reason in reasons:
        assert reason is not None
        assert clean(reason.as_line()) == reason.as_line()
        assert len(reason.as_line().splitlines()) == 1


CREDIT = {
    "name": "credit",
    "steps": [
        {"id": "score", "type": "transform", "config": {"mapping": {"score": "${input.score}"}}},
        {"id": "extra", "type": "transform", "condition": "input.amount > 1000", "config": {"mapping": {}}},
        {
            "id": "route",
            "type": "decision",
            "config": {
                "branches": [
                    {"when": "input.amount > 9000", "then": ["small"]},
                    {"when": "steps.score.output.score >= 60 && input.limit == null", "then": ["large"]},
                ],
            },
        },
        {"id": "large", "type": "transform", "config": {"mapping": {}}},
        {"id": "small", "type": "transform", "config": {"mapping": {}}},
        {
            "id": "unsure",
            "type": "decision",
            "config": {"branches": [{"when": "input.limit < 3", "then": []}], "on_error": "fallback"},
        },
        {
            "id": "sum",
            "type": "transform",
            "config": {"mapping": {"total": "The customer's limit is now, all told, ${input.limit + 3} and no more"}},
        },
    ],
}
FAILED = "/steps/6/config/mapping/total"


@pytest.fixture
def asked(house: House) -> Iterator[tuple[str, dict[str, str]]]:
    """Return the id of a process that has come to its end, and how to ask for it."""
    house.publish(CREDIT)
    process = house.start("credit", {"score": 71, "amount": 12, "limit": None})
    with house.worker():
        eventually(lambda: house.status(process) == "FAILED", what="the process fails")
    with serving(house) as api:
        yield process, {"STEPWELL_URL": api.url, "STEPWELL_API_KEY": new_key(house, "acme_prod", ["admin"])}


def test_a_terminal_shows_why_and_a_program_reads_it(asked: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    process, settings = asked
    for columns in (50, 80, 130):
        shown = {
            name: looked(tmp_path, columns, "process", name, process, **settings)
            for name in ("history", "show", "watch")
        }
        check_history(shown["history"], columns)
        check_show(shown["show"], columns)
        assert ["route", "COMPLETED", "1"] in [line.split()[:3] for line in shown["watch"]]
    check_log(run(tmp_path, "process", "watch", process, **settings).stdout)
    check_json(run(tmp_path, "process", "history", process, **settings).stdout)


def looked(folder: Path, columns: int, *arguments: str, **settings: str) -> list[str]:
    _, shown = on_terminal(folder, *arguments, columns=columns, **settings)
    lines = [line.rstrip() for line in visible(shown)]
    assert max(map(cell_len, lines)) <= columns
    return lines


def check_history(lines: list[str], columns: int) -> None:
    assert any(line.startswith("      skipped extra: input.amount > 1000 is false") for line in lines)
    assert any("read input.amount=12" in line for line in lines)
    assert any(line.startswith("      branch 1: steps.score.output.score >= 60") for line in lines)
    assert any(line.startswith("      fallback, since a condition cannot") for line in lines)
    assert any(f"{FAILED}: …" in line for line in lines)
    if columns >= 80:
        assert any("all told, ${input.limit + 3}" in line for line in lines)
        assert any("/steps/5/config/branches/0/when: input.limit < 3" in line for line in lines)


def check_show(lines: list[str], columns: int) -> None:
    assert any(line.startswith("route ") and (columns < 80 or line.endswith("  branch 1")) for line in lines)
    assert any(line.startswith("  route: branch 1: steps.score.output") for line in lines)
    assert any(line.startswith("  unsure: fallback, since a condition") for line in lines)
    assert any(line.startswith(f"  {FAILED} (line 1, ") for line in lines)
    (found,) = [line[mark.index("^") :] for line, mark in pairwise(lines) if mark.strip() == "^"]
    assert found.startswith("+ 3")


def check_log(text: str) -> None:
    (line,) = [line for line in text.splitlines() if "  route  completed" in line]
    assert "branch 1: steps.score.output.score >= 60 && input.limit == null   read " in line


def check_json(text: str) -> None:
    events = json.loads(text)
    (skip,) = [skip for event in events for skip in event["data"].get("skips", ()) if skip["path"] == "extra"]
    assert skip == {
        "path": "extra",
        "reason": "condition",
        "when": "input.amount > 1000",
        "inputs": {"input.amount": 12},
    }
