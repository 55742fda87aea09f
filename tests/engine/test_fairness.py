"""Tenants share a worker: none keeps another from starting, and who has more than its share gives some back.

Nothing here is measured by the clock: a gate holds calls back, and what may happen meanwhile is seen to happen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial as with_arguments
from typing import Any

import pytest

from engine.core.ids import execution_id
from tests.crash.audit import assert_at_rest, assert_whole, await_all, begun, number
from tests.crash.outside import Gate, gate, post
from tests.house import House, WorkerProcess, eventually, start

SLOTS = 20
RESERVE = SLOTS // 10
SHARE = 8  # of two tenants each has nine or ten slots, as the reserve is counted; one less is asked for
QUICK = {"name": "quick", "steps": [{"id": "a", "type": "transform", "config": {"mapping": {"x": 1}}}]}


@pytest.fixture
def outside() -> Iterator[Gate]:
    with gate() as made:
        yield made


def publish_call(house: House, outside: Gate, tenant: str) -> None:
    """Publish `call` for a tenant: one call of its own path."""
    house.publish({"name": "call", "steps": [post("a", f"{outside.url}/{tenant}", {})]}, f"{tenant}_prod")


def start_many(house: House, definition: str, count: int, scope: str) -> list[str]:
    """Start processes in one transaction; return their ids."""
    with house.caller(scope) as db:
        row = db.execute(
            "select stepwell.start_processes(%s, %s)", (definition, json.dumps([{"n": n} for n in range(count)]))
        ).fetchone()
    assert row is not None
    return list(row[0])


def completed(house: House, process: str) -> bool:
    return house.status(process) == "COMPLETED"


def assert_nothing_was_lost_or_repeated(house: House) -> None:
    starts, lost = begun(house)
    assert not lost
    assert set(starts.values()) == {1}
    assert house.value("select max(attempt) from stepwell.history") == 1
    assert_whole(house)
    assert_at_rest(house)


def test_slow_calls_that_fill_every_slot_of_one_tenant_do_not_keep_another_from_starting(
    house: House, outside: Gate
) -> None:
    """Fails where no slot is kept for a tenant that holds none, or where a kept one is given away for good."""
    publish_call(house, outside, "acme")
    house.publish(QUICK, "globex_prod")
    outside.shut("/acme")
    with house.worker(STEPWELL_WORKER_SLOTS=str(SLOTS)):
        start_many(house, "call", 3 * SLOTS, "acme_prod")
        outside.await_calls("/acme", SLOTS - RESERVE)
        for _ in range(2 * RESERVE):
            process = house.start("quick", scope="globex_prod")
            eventually(with_arguments(completed, house, process), what="the other tenant's process runs")

        assert len(outside.calls("/acme")) == SLOTS - RESERVE
        outside.open()
        await_all(house, 3 * SLOTS + 2 * RESERVE)
    assert_nothing_was_lost_or_repeated(house)


def test_a_tenant_that_comes_after_the_backlog_of_another_does_not_wait_for_its_end(
    house: House, outside: Gate
) -> None:
    """Fails where the queue is first come, first served: the later tenant's calls all come last."""
    publish_call(house, outside, "acme")
    publish_call(house, outside, "globex")
    outside.shut("/acme", "/globex")
    start_many(house, "call", 400, "acme_prod")
    start_many(house, "call", 100, "globex_prod")
    with house.worker(STEPWELL_WORKER_SLOTS=str(SLOTS)):
        outside.await_calls("/acme", 1)
        outside.await_calls("/globex", 1)
        before = len(outside.calls())
        outside.open()
        await_all(house, 500)

    order = [call.path for call in outside.calls()[before : before + 200]]
    assert order.count("/globex") >= 50
    assert order.count("/acme") >= 50
    assert_nothing_was_lost_or_repeated(house)


def test_a_tenant_over_its_share_gives_processes_back_while_another_waits(house: House, outside: Gate) -> None:
    """Fails where a process is kept until its end: the other tenant then has the kept slots and no more."""
    steps = [post(f"s{n}", f"{outside.url}/{'mid' if n == 5 else 'acme'}", {}) for n in range(95)]
    house.publish({"name": "long", "steps": [*steps, post("end", f"{outside.url}/end", {})]})
    publish_call(house, outside, "globex")
    outside.shut("/mid", "/end", "/globex")
    with house.worker(STEPWELL_WORKER_SLOTS=str(SLOTS)):
        start_many(house, "long", SLOTS, "acme_prod")
        outside.await_calls("/mid", SLOTS - RESERVE)
        start_many(house, "call", 2 * SLOTS, "globex_prod")
        outside.open("/mid")
        outside.await_calls("/globex", SHARE)
        assert not house.rows("select from stepwell.process where status = 'COMPLETED'")
        outside.open()
        await_all(house, 3 * SLOTS)

    assert set(outside.per_key("/acme").values()) == {1}
    assert_nothing_was_lost_or_repeated(house)


FIVE = 5


def run_on_two_workers(house: House, outside: Gate, **settings: str) -> tuple[list[set[str]], list[int]]:
    """Run 30 processes of five calls on two workers; return which each worker had activities of, and all numbers."""
    house.publish({"name": "five", "steps": [post(f"s{n}", f"{outside.url}/{n}", {}) for n in range(FIVE)]})
    with house.worker(**settings) as one, house.worker(**settings) as two:
        for worker in (one, two):
            worker.until("worker", what="registered")
        started = [number(id_) for id_ in start_many(house, "five", 30, "acme_prod")]
        await_all(house, 30)
        # What a worker logs is written a moment after it is on record.
        eventually(lambda: len(ends(one)) + len(ends(two)) == 30 * FIVE, what="both logs are complete")
    return [{line["process_id"] for line in ends(worker)} for worker in (one, two)], started


def ends(worker: WorkerProcess) -> list[dict[str, Any]]:
    return worker.seen("activity.end", kind="http")


def assert_each_was_called_once(outside: Gate, processes: list[int]) -> None:
    for n in range(FIVE):
        assert outside.per_key(f"/{n}") == {execution_id(process, f"s{n}"): 1 for process in processes}


def test_every_step_handed_over_through_the_queue_still_runs_once(house: House, outside: Gate) -> None:
    (one, two), processes = run_on_two_workers(
        house, outside, STEPWELL_HOLD_ACTIVITIES="1", STEPWELL_WORKER_SLOTS=str(FIVE)
    )

    assert one & two  # some processes were with both
    assert_each_was_called_once(outside, processes)
    assert_nothing_was_lost_or_repeated(house)


def test_a_tenant_that_is_alone_keeps_its_processes_to_their_end(house: House, outside: Gate) -> None:
    """Fails where a process goes back through the queue although nobody waits for its slot."""
    (one, two), processes = run_on_two_workers(house, outside)

    assert not one & two
    assert_each_was_called_once(outside, processes)
    assert_nothing_was_lost_or_repeated(house)


def keep_busy(house: House) -> None:
    """Have some more processes run to their end."""
    for process in start_many(house, "quick", 5, "acme_prod"):
        eventually(with_arguments(completed, house, process), what="completed")


@pytest.mark.parametrize("load", ["while more keep coming", "while nothing else is there"])
def test_a_start_whose_transaction_commits_late_is_not_overtaken_for_ever(house: House, load: str) -> None:
    """Its job is older than others that were claimed long ago. Fails where a lane's floor only ever rises."""
    house.publish(QUICK)
    with house.worker(), house.caller(autocommit=False) as open_:
        late = start(open_, "quick")
        began = house.value("select clock_timestamp()")
        while not house.value("select clock_timestamp() > %s + interval '1 second'", began):
            keep_busy(house)
        open_.commit()

        def ended() -> bool:
            if load == "while more keep coming":
                keep_busy(house)
            return completed(house, late)

        eventually(ended, what="the late one has run")
