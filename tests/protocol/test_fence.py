"""The worker row is the fence: the statements of a worker that was judged dead, sent to the server by hand."""

import json
from typing import Any

import psycopg
import pytest

import sql
from tests.crash.audit import number
from tests.house import House

PURE = {"name": "pure", "steps": [{"id": "a", "type": "transform", "config": {"mapping": {"x": 1}}}]}
QUEUE = "select (select count(*) from stepwell.job), (select count(*) from stepwell.lease)"


class ByHand:
    """A worker's connection, with nobody behind it."""

    def __init__(self, house: House) -> None:
        self.db = house.connect("house_worker")
        row = self.db.execute(sql.query("worker.register"), {"host": "h", "pid": 1, "release": "r"}).fetchone()
        assert row is not None
        self.me = row[0]

    def tick(self, slots: int = 10) -> dict[str, Any]:
        row = self.db.execute("select stepwell.tick(%s, %s)", (self.me, slots)).fetchone()
        assert row is not None
        return dict(row[0])

    def flush(self, **document: Any) -> dict[str, Any]:
        row = self.db.execute("select stepwell.flush(%s, %s)", (self.me, json.dumps(document))).fetchone()
        assert row is not None
        return dict(row[0])


def event(house: House, process: str, seq: int, scope: str = "acme_prod") -> dict[str, Any]:
    tenant, environment = house.scopes[scope]
    row = {"process_id": number(process), "tenant_id": tenant, "environment_id": environment, "seq": seq, "v": 1}
    return {**row, "at": "2026-01-01T00:00:00Z", "type": "told", "data": {}}


def bury(house: House, worker: ByHand) -> None:
    house.owner.execute("delete from stepwell.worker where id = %s", (worker.me,))


def test_a_late_claim_of_the_dead_takes_no_job_and_leaves_no_lease(house: House) -> None:
    """Fails where only the lease insert is fenced (the job is lost), or nothing is (a lease nobody frees)."""
    house.publish(PURE)
    house.start("pure")
    worker = ByHand(house)
    bury(house, worker)

    assert worker.tick() == {"alive": False}
    assert worker.db.execute("select stepwell.claim(%s, 10, null) -> 'claimed'", (worker.me,)).fetchone() == ([],)
    assert house.rows(QUEUE) == [(1, 0)]


def test_a_late_flush_of_the_dead_is_refused_whole(house: House) -> None:
    """Fails where the flush does not look for its worker row."""
    house.publish(PURE)
    process = house.start("pure")
    worker = ByHand(house)
    assert worker.tick()["claimed"]
    bury(house, worker)

    with pytest.raises(psycopg.Error) as refused:
        worker.flush(events=[event(house, process, 2)])
    assert refused.value.sqlstate == "SW001"
    assert len(house.history(process)) == 1


def test_a_flush_under_way_holds_up_its_own_burial_and_a_rescuer_does_not_wait_for_it(house: House) -> None:
    """Fails where the fence is read without a lock (a batch slips past its rescue), or a rescuer waits (and so looks dead)."""
    house.publish(PURE)
    process = house.start("pure")
    worker, rescuer = ByHand(house), ByHand(house)
    assert worker.tick()["claimed"]
    with worker.db.transaction():
        worker.flush(events=[event(house, process, 2)])
        rescuer.db.execute("set lock_timeout = '1s'")
        rescuer.db.execute("select stepwell.rescue(%s, true)", ([worker.me],))
        assert house.value("select count(*) from stepwell.worker where id = %s", worker.me) == 1
    rescuer.db.execute("select stepwell.rescue(%s, true)", ([worker.me],))

    assert house.value("select count(*) from stepwell.worker where id = %s", worker.me) == 0
    assert house.rows(QUEUE) == [(1, 0)]
    assert len(house.history(process)) == 2


def test_a_ring_for_a_held_process_is_no_second_hold_and_refuses_a_park_that_has_not_heard_it(house: House) -> None:
    """Fails where a lease can be had twice, where a ring is dropped, or where a park does not compare the bell."""
    house.publish(PURE)
    process = house.start("pure")
    holder, other = ByHand(house), ByHand(house)
    assert [c[0] for c in holder.tick()["claimed"]] == [number(process)]
    with house.caller() as db:
        row = db.execute("select stepwell.cancel_process(%s)", (process,)).fetchone()
    assert row is not None

    assert other.tick()["claimed"] == []
    assert house.value("select count(*) from stepwell.job") == 0
    assert holder.flush(parks=[{"process_id": number(process), "bell": 0, "due_at": None}]) == {"parked": []}
    rung = holder.tick()["rung"]
    assert [(p, bell) for p, bell, _ in rung] == [(number(process), 1)]
    park = {"process_id": number(process), "bell": 1, "due_at": "2026-01-01T00:00:00Z"}
    assert other.flush(parks=[park]) == {"parked": []}
    assert holder.flush(parks=[park]) == {"parked": [number(process)]}
    assert house.rows(QUEUE) == [(0, 0)]
    assert house.value("select count(*) from stepwell.timer") == 1


def test_ones_own_ring_is_not_taken_for_a_second_hold_and_two_jobs_make_one_lease(house: House) -> None:
    """Fails where a claim tells its new holds by owner, not by bell; or where two jobs of a process break the claim."""
    house.publish(PURE)
    process = house.start("pure", priority=1)
    with house.caller() as db:
        db.execute("select stepwell.cancel_process(%s), stepwell.cancel_process(%s)", (process, process))
    house.owner.execute("update stepwell.job set priority = 7 where id = (select max(id) from stepwell.job)")
    worker = ByHand(house)

    assert [c[0] for c in worker.tick()["claimed"]] == [number(process)]
    with house.caller() as db:
        db.execute("select stepwell.cancel_process(%s)", (process,))
    again = worker.tick()
    assert again["claimed"] == []
    assert [(rung[0], rung[1]) for rung in again["rung"]] == [(number(process), 1)]


@pytest.mark.parametrize("wrong", ["foreign tenant", "not held", "of another worker"])
def test_a_flush_that_names_what_it_does_not_hold_is_refused_whole(house: House, wrong: str) -> None:
    """Fails where rows are not joined to a lease of this worker with the same tenant and environment."""
    house.publish(PURE)
    house.publish(PURE, "globex_prod")
    mine, foreign = house.start("pure"), house.start("pure", scope="globex_prod")
    worker, other = ByHand(house), ByHand(house)
    other.tick(0)
    assert len(worker.tick()["claimed"]) == 2
    sender = other if wrong == "of another worker" else worker
    good = event(house, mine, 2)
    bad = {
        "foreign tenant": event(house, foreign, 2),
        "not held": {**good, "process_id": 1},
        "of another worker": good,
    }[wrong]

    with pytest.raises(psycopg.Error) as refused:
        sender.flush(events=[good, bad] if wrong != "of another worker" else [bad])
    assert refused.value.sqlstate == "SW002"
    assert [len(house.history(p)) for p in (mine, foreign)] == [1, 1]
