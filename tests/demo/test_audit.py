"""The demo's verdict: each way in which something could be lost, doubled or made up is found."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.core.ids import execution_id
from stepwell.demo import audit, rows
from stepwell.demo.audit import Attempts, Call, Report
from stepwell.demo.expectations import expected_executions, expected_status
from stepwell.demo.rows import Case

EXAMPLES = Path(__file__).parents[2] / "examples"
Calls = dict[str, list[Call]]


@pytest.fixture
def known() -> dict[int, Case]:
    """Return some cases by the ids of their processes."""
    cases = rows.read_cases(EXAMPLES, "http://partner.example", 60)
    for number, case in enumerate(cases, 1000):
        case.process_id = number
    return {case.process_id: case for case in cases}


@pytest.fixture
def calls(known: dict[int, Case]) -> Calls:
    """Return the calls of a run in which nothing went wrong."""
    return {
        execution_id(process_id, step): [Call(f"{process_id}/{step}", "body", effect=True)]
        for process_id, case in known.items()
        for step in expected_executions(case.definition, case.row)
    }


@pytest.fixture
def outcomes(known: dict[int, Case]) -> list[Any]:
    return [(pid, c.definition, expected_status(c.definition, c.row), 1.0) for pid, c in known.items()]


def again(calls: Calls, key: str, **change: Any) -> None:
    """Repeat a call."""
    first = calls[key][0]
    calls[key].append(
        Call(first.idempotency_key, change.get("body", first.body_sha256), effect=change.get("effect", False))
    )


def test_a_run_in_which_nothing_went_wrong_has_no_fault(
    known: dict[int, Case], calls: Calls, outcomes: list[Any]
) -> None:
    assert [*audit._wrong_ends(outcomes, dict(known))] == []
    assert [*audit._wrong_executions(calls, known)] == []
    assert [*audit._wrong_repeats(calls, {}, Report({}))] == []
    assert [*audit._wrong_bodies(calls)] == []


def test_a_process_in_another_state_is_a_fault(known: dict[int, Case], outcomes: list[Any]) -> None:
    outcomes[3] = (*outcomes[3][:2], "WAITING", None)

    (fault,) = audit._wrong_ends(outcomes, dict(known))

    assert "is WAITING, expected" in fault


def test_a_process_that_is_gone_or_nobody_started_is_a_fault(known: dict[int, Case], outcomes: list[Any]) -> None:
    outcomes[0] = (99, *outcomes[0][1:])

    faults = [*audit._wrong_ends(outcomes, dict(known))]

    assert any("belongs to no row" in fault for fault in faults)
    assert any("its process is gone" in fault for fault in faults)


def test_an_execution_that_never_reached_the_partner_is_a_fault(known: dict[int, Case], calls: Calls) -> None:
    calls.popitem()

    (fault,) = audit._wrong_executions(calls, known)

    assert "never called" in fault


def test_a_call_that_nobody_expects_is_a_fault(known: dict[int, Case], calls: Calls) -> None:
    calls[execution_id(1000, "assign_plan", 2)] = [Call("", "body", effect=True)]

    (fault,) = audit._wrong_executions(calls, known)

    assert "which nobody expects" in fault


def test_an_effect_that_took_place_twice_is_a_fault(known: dict[int, Case], calls: Calls) -> None:
    again(calls, next(iter(calls)), effect=True)

    (fault,) = audit._wrong_executions(calls, known)

    assert "took effect 2 times" in fault


@pytest.mark.parametrize(
    ("reasons", "by_retry", "by_kill", "faults"),
    [
        (Attempts(), 0, 0, 1),
        (Attempts(retries=1), 1, 0, 1),
        (Attempts(retries=2), 2, 0, 0),
        (Attempts(retries=1, lost=1), 1, 1, 0),
        (Attempts(lost=1), 0, 1, 1),
        (Attempts(lost=3), 0, 2, 0),
    ],
)
def test_a_repeated_call_needs_a_reason_on_record(
    calls: Calls, reasons: Attempts, by_retry: int, by_kill: int, faults: int
) -> None:
    key = next(iter(calls))
    again(calls, key)
    again(calls, key)
    report = Report({})

    found = [*audit._wrong_repeats(calls, {key: reasons}, report)]

    assert (report.repeats_by_retry, report.repeats_by_kill, len(found)) == (by_retry, by_kill, faults)


def test_a_repeat_with_another_body_is_a_fault(calls: Calls) -> None:
    again(calls, next(iter(calls)), body="another")

    assert len([*audit._wrong_bodies(calls)]) == 1


def test_the_partners_log_is_read_by_idempotency_key(tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    lines = [
        {"idempotency_key": "a", "body_sha256": "x", "effect": False, "status": 503},
        {"idempotency_key": "b", "body_sha256": "y", "effect": True, "status": 200},
        {"idempotency_key": "a", "body_sha256": "x", "effect": True, "status": 200},
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))

    found = audit.read_calls(log)

    assert {key: [call.effect for call in made] for key, made in found.items()} == {"a": [False, True], "b": [True]}
    assert audit.count_calls(log) == 3
    assert audit.read_calls(tmp_path / "none") == {}
