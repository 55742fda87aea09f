"""What operators and people do to running processes: tasks change hands, waits are ended, failures retried in bulk."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
import pytest

from tests.house import House, eventually, start

ASK = {"name": "ask", "steps": [{"id": "ask", "type": "manual", "config": {"title": "Look", "group": "clerks"}}]}
WAIT = {
    "name": "wait",
    "steps": [
        {"id": "paid", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.key}"}},
        {"id": "after", "type": "transform", "config": {"mapping": {"sum": "${steps.paid.output.sum}"}}},
    ],
}
PICKY = {
    "name": "picky",
    "input_schema": {"required": ["x"]},
    "steps": [{"id": "a", "type": "transform", "config": {"mapping": {"x": "${input.x}"}}}],
}
BROKEN = {
    "name": "broken",
    "steps": [{"id": "bad", "type": "transform", "config": {"mapping": {"x": "${input.missing}"}}}],
}


def call(house: House, text: str, *values: Any) -> Any:
    with house.caller() as db:
        row = db.execute(f"select {text}", values).fetchone()
    assert row is not None
    return row[0]


def outcome(house: House, process: str, command: int) -> tuple[str, Any]:
    """Wait for the event that carries the command."""

    def look() -> Any:
        return next(((t, d) for _, t, _, _, d in house.history(process) if d.get("command") == command), None)

    found: tuple[str, Any] = eventually(look, what=f"outcome of {command}")
    return found


def open_task(house: House, process: str) -> Any:
    return eventually(
        lambda: house.value(
            "select data from stepwell.history where process_id = stepwell.private_id('prc', %s) and type = 'task.created'",
            process,
        ),
        what="task",
    )


def assignee(house: House, process: str) -> Any:
    return house.value("select assignee from stepwell.task where process_id = stepwell.private_id('prc', %s)", process)


def task_of(house: House, process: str) -> str:
    from engine.core.ids import private_id, task_id

    return task_id(private_id("prc", process), "ask", 1)


def test_a_task_changes_hands_and_the_list_of_tasks_follows(house: House) -> None:
    house.publish(ASK)
    process = house.start("ask")
    with house.worker():
        open_task(house, process)
        task = task_of(house, process)
        claim = call(house, "stepwell.assign_task(%s, 'ann', claim => true)", task)
        assert outcome(house, process, claim)[0] == "task.assigned"
        eventually(lambda: assignee(house, process) == "ann", what="ann has it")

        second = call(house, "stepwell.assign_task(%s, 'bo', claim => true)", task)
        kind, data = outcome(house, process, second)
        assert (kind, data["code"]) == ("command.rejected", "task_claimed")

        back = call(house, "stepwell.assign_task(%s, 'ann', null, 'leaving')", task)
        outcome(house, process, back)
        eventually(lambda: assignee(house, process) is None, what="it is the group's again")


def test_an_operator_ends_a_wait_by_step_and_a_task_by_execution(house: House) -> None:
    from engine.core.ids import execution_id, private_id

    house.publish(WAIT)
    house.publish(ASK)
    waiting, asking = house.start("wait", {"key": "k"}), house.start("ask")
    with house.worker():
        open_task(house, asking)
        eventually(partial(house.value, "select 1 from stepwell.wait"), what="wait")
        one = call(house, "stepwell.resume_activity(%s, 'paid', '{\"sum\": 5}', 'ops', 'lost')", waiting)
        two = call(house, "stepwell.resume_activity(%s, %s)", asking, execution_id(private_id("prc", asking), "ask", 1))
        assert outcome(house, waiting, one)[1]["output"] == {"sum": 5}
        assert outcome(house, asking, two)[0] == "activity.completed"
        eventually(
            lambda: [house.status(waiting), house.status(asking)] == ["COMPLETED", "COMPLETED"], what="completed"
        )
    assert house.rows("select 1 from stepwell.wait") == house.rows("select 1 from stepwell.task") == []


def test_an_execution_of_another_process_is_not_found(house: House) -> None:
    from engine.core.ids import execution_id, private_id

    house.publish(ASK)
    one, other = house.start("ask"), house.start("ask")
    with pytest.raises(psycopg.Error) as refused:
        call(house, "stepwell.resume_activity(%s, %s)", one, execution_id(private_id("prc", other), "ask", 1))
    assert refused.value.sqlstate == "SW404"


def test_a_failed_process_is_found_by_code_and_step_until_it_is_retried(house: House) -> None:
    house.publish(BROKEN)
    process = house.start("broken")
    with house.worker():
        eventually(lambda: house.status(process) == "FAILED", what="failed")
        [row] = house.rows("select error_code, failed_step from stepwell.process")
        assert row == ("expression_failed", "bad")


def test_a_bulk_retry_says_of_each_process_what_became_of_it(house: House) -> None:
    house.publish(PICKY)
    house.publish(ASK)
    house.publish(PICKY, "globex_prod")
    failed = house.start("picky", {}, business_key="a")
    taken = house.start("picky", {}, business_key="b")
    foreign = house.start("picky", {}, "globex_prod")
    with house.worker():
        eventually(
            lambda: {house.status(p) for p in (failed, taken, foreign)} == {"FAILED"}, what="all three have failed"
        )
    house.start("picky", {}, business_key="b")  # nobody works on it: it keeps the key
    running = house.start("ask")
    with house.caller() as db:
        rows = db.execute(
            "select process, command is not null, code from stepwell.retry_processes(%s, 'ops')",
            ([failed, taken, foreign, running, "prc_0000000000000", "nonsense"],),
        ).fetchall()
    assert {p: (sent, code) for p, sent, code in rows} == {
        failed: (True, None),
        taken: (False, "business_key_taken"),
        foreign: (False, "not_found"),
        running: (False, "not_failed"),
        "prc_0000000000000": (False, "not_found"),
        "nonsense": (False, "not_found"),
    }
    assert house.value("select count(*) from stepwell.inbox") == 1


def failed_with_keys(house: House, keys: list[str]) -> list[str]:
    """Return failed processes with these business keys, in the order of their ids."""
    with house.caller() as db:
        made = [start(db, "ask", business_key=key) for key in keys]
    for table in ("business_key", "job"):
        house.owner.execute(f"delete from stepwell.{table}")
    house.owner.execute("update stepwell.process set status = 'FAILED', ended_at = now()")
    return made


def accepted(house: House, processes: list[str]) -> int:
    with house.caller() as db:
        rows = db.execute("select command from stepwell.retry_processes(%s)", (processes,)).fetchall()
    return sum(command is not None for (command,) in rows)


def test_two_bulk_retries_whose_business_keys_cross_do_not_wait_for_each_other(house: House) -> None:
    """Fails where keys are taken in another order than their own, for example in that of the processes' ids."""
    house.publish(ASK)
    keys = [f"B-{number:03}" for number in range(150)]
    upwards, downwards = failed_with_keys(house, keys), failed_with_keys(house, keys[::-1])
    with ThreadPoolExecutor(2) as threads:
        counts = list(threads.map(partial(accepted, house), (upwards, downwards)))
    assert sorted(counts) == [0, 150]


def test_labels_and_trace_context_are_kept_with_the_start(house: House) -> None:
    house.publish(ASK)
    trace = f"00-{'4b' * 16}-{'0f' * 8}-01"
    process = house.start("ask", labels=json.dumps({"region": "eu", "tier": "gold"}), traceparent=trace)
    assert house.history(process)[0][4]["labels"] == {"region": "eu", "tier": "gold"}
    assert house.history(process)[0][4]["traceparent"] == trace
    assert house.rows("select name, value from stepwell.process_label order by name") == [
        ("region", "eu"),
        ("tier", "gold"),
    ]


@pytest.mark.parametrize(
    ("labels", "pointer"),
    [
        ("[]", "/labels"),
        (json.dumps({f"l{n}": "x" for n in range(17)}), "/labels"),
        ('{"a b": "x"}', "/labels"),
        ('{"a": 1}', "/labels/a"),
        ('{"a": ""}', "/labels/a"),
        ('{"a": "x\\ny"}', "/labels/a"),
        (json.dumps({"a": "x" * 201}), "/labels/a"),
    ],
)
def test_labels_of_another_form_are_refused_and_nothing_is_written(house: House, labels: str, pointer: str) -> None:
    house.publish(ASK)
    with pytest.raises(psycopg.Error) as refused:
        house.start("ask", labels=labels)
    assert (refused.value.sqlstate, refused.value.diag.message_detail) == ("SW400", pointer)
    assert house.value("select count(*) from stepwell.process") == 0


@pytest.mark.parametrize("more", [{"trigger": '{"type": "magic"}'}, {"trigger": "[]"}, {"traceparent": "00-1-2-3"}])
def test_an_origin_of_another_form_is_refused(house: House, more: dict[str, str]) -> None:
    house.publish(ASK)
    with pytest.raises(psycopg.Error) as refused:
        house.start("ask", labels=None, **more)
    assert refused.value.sqlstate == "SW400"
