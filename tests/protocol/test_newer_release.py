"""A worker meets what a newer release wrote: it lets go, takes no more, and finishes what it holds."""

import pytest

from tests.crash.audit import await_beats, held_by, number
from tests.crash.outside import gate, post
from tests.house import House, eventually

WAITING = {
    "name": "waiting",
    "steps": [{"id": "w", "type": "wait", "config": {"signal": "go", "correlation_key": "${input.key}"}}],
}
NEWER_EVENT = """
insert into stepwell.history (process_id, seq, tenant_id, environment_id, v, feed_epoch, at, type, data)
select process_id, max(seq) + 1, min(tenant_id), min(environment_id), %s, 1, max(at), %s, '{"what": "ever"}'
from stepwell.history where process_id = %s group by process_id
"""


@pytest.mark.parametrize(("type_", "v"), [("activity.completed", 99), ("process.teleported", 1)])
def test_a_worker_that_meets_a_newer_event_gives_the_process_back_takes_no_more_and_finishes_what_it_holds(
    house: House, type_: str, v: int
) -> None:
    """Fails where the version is not looked at, where the process is failed or kept, where the worker ends its session
    over it (its running calls are repeated), or goes on claiming: it would take the same job again and again.
    """
    with gate() as outside:
        outside.shut("/a")
        house.publish(WAITING)
        steps = [post("a", f"{outside.url}/a", {}), post("b", f"{outside.url}/b", {})]
        house.publish({"name": "held", "steps": steps})
        with house.worker() as worker:
            me = worker.until("worker", what="registered")["worker"]
            newer = house.start("waiting", {"key": "k"})
            held = [house.start("held") for _ in range(10)]
            eventually(lambda: len(outside.calls("/a")) == 10, what="calls hang")
            eventually(lambda: held_by(house, me) == sorted(map(number, held)), what="the waiting one is parked")
            with house.connect("superuser") as db:
                db.execute(NEWER_EVENT, (v, type_, number(newer)))
            before = house.rows("select seq from stepwell.history where process_id = %s", number(newer))
            with house.caller() as db:
                db.execute("select stepwell.cancel_process(%s)", (newer,))

            worker.until("worker", what="outdated", process_id=newer)
            eventually(lambda: held_by(house, me) == sorted(map(number, held)), what="it is given back")
            late = house.start("held")
            outside.open()
            eventually(lambda: all(house.status(p) == "COMPLETED" for p in held), what="what it holds completes")
            eventually(lambda: held_by(house, me) == [], what="it holds nothing")

            await_beats(house, me)

            assert house.status(late) == "CREATED"
            jobs = {id_ for (id_,) in house.rows("select process_id from stepwell.job")}
            assert jobs == {number(newer), number(late)}
            assert len(worker.seen("worker", what="outdated")) == 1
            assert len(worker.seen("worker", what="registered")) == 1

        with house.connect("superuser") as db:  # now comes the newer release, to which the row is no riddle
            db.execute(
                "delete from stepwell.history where process_id = %s and v = %s and type = %s", (number(newer), v, type_)
            )
        with house.worker():
            eventually(lambda: house.status(newer) == "CANCELLED", what="the newer worker acts on the mail")
            eventually(lambda: house.status(late) == "COMPLETED", what="and on the late job")

    assert len(before) == 4
    assert set(outside.per_key("/a").values()) == {1}
    assert house.value("select count(*) from stepwell.loss") == 0


NEWER_MAIL = """
with mail as (
  insert into stepwell.inbox (process_id, id, tenant_id, environment_id, command)
  select id, 1, tenant_id, environment_id, '{"kind": "teleport"}' from stepwell.process
)
insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id)
select 0, 0, 1, id, tenant_id, environment_id from stepwell.process
"""


def assert_given_back_with_its_mail(house: House, process: str) -> None:
    """Nobody holds it, its mail is there, and a job that brings the mail to a newer worker."""
    assert house.rows("select process_id, id from stepwell.inbox") == [(number(process), 1)]
    assert house.value("select count(*) from stepwell.job where process_id = %s", number(process)) >= 1


def test_mail_of_a_kind_it_does_not_know_makes_a_worker_give_a_parked_process_back_with_its_mail(house: House) -> None:
    """Fails where unknown mail is thrown away or rejected, ends the worker, or where the process is parked instead of
    given back: then no job is left, and the newer worker would never hear of the mail.
    """
    house.publish(WAITING)
    with house.worker() as worker:
        process = house.start("waiting", {"key": "k"})
        eventually(lambda: house.status(process) == "WAITING", what="it waits")
        eventually(lambda: house.value("select count(*) from stepwell.lease") == 0, what="parked")
        with house.connect("superuser") as db:
            db.execute(NEWER_MAIL)
        worker.until("worker", what="outdated", process_id=process)
        eventually(lambda: house.value("select count(*) from stepwell.lease") == 0, what="given back")
        assert_given_back_with_its_mail(house, process)
        assert len(house.history(process)) == 3
        assert worker.process.poll() is None


def test_mail_of_a_kind_it_does_not_know_makes_a_worker_give_a_held_process_back_once_its_call_has_ended(
    house: House,
) -> None:
    """Fails where the running call is abandoned, where the bell read with that mail is forgotten (no park succeeds, and
    the worker asks again and again), or where the process is parked with the mail in its box.
    """
    with gate() as outside:
        outside.shut("/a")
        house.publish({"name": "held", "steps": [post("a", f"{outside.url}/a", {}), *WAITING["steps"]]})
        with house.worker() as worker:
            process = house.start("held", {"key": "k"})
            eventually(lambda: outside.calls(), what="the call hangs")
            with house.connect("superuser") as db:
                db.execute(NEWER_MAIL)
            worker.until("worker", what="outdated", process_id=process)
            outside.open()
            eventually(lambda: house.value("select count(*) from stepwell.lease") == 0, what="given back")
            assert_given_back_with_its_mail(house, process)
            assert ("activity.completed", "a") in [row[1:3] for row in house.history(process)]
            assert len(worker.seen("worker", what="outdated")) < 20
    assert set(outside.per_key("/a").values()) == {1}
