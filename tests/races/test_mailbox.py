"""The two narrow windows of the mailbox, held open by hand: between look and park, and between read and delete."""

from typing import Any

import pytest

from tests.crash.audit import assert_at_rest, assert_whole, number, outcomes
from tests.crash.outside import gate, post
from tests.crash.test_kill import backends
from tests.house import House, eventually

WAIT = {"id": "w", "type": "wait", "config": {"signal": "never", "correlation_key": "k"}}
NEXT: dict[str, list[dict[str, Any]]] = {
    "the end": [],
    "a wait": [WAIT],
    "a timer": [{"id": "w", "type": "wait", "config": {"seconds": 86_400}}],
    "a task": [{"id": "w", "type": "manual", "config": {"title": "t"}}],
}
# What another worker's claim does with a job of a held process, and the mail the job announced, in one commit.
RING = """
with mail as (
  insert into stepwell.inbox (process_id, id, tenant_id, environment_id, command)
  select process_id, stepwell.new_id(), tenant_id, environment_id, '{"kind": "retry", "by": "test"}'
  from stepwell.lease where worker_id > 0
  returning process_id, id
),
rung as (
  update stepwell.lease l set bell = bell + 1 from mail m where m.process_id = l.process_id
)
select id from mail
"""


@pytest.mark.parametrize("then", list(NEXT))
def test_a_ring_that_another_worker_took_between_the_last_look_and_the_park_is_heard(house: House, then: str) -> None:
    """Fails where the park (also the one at the terminal event) deletes the lease whatever the bell says: the mail would
    lie in the inbox with no job left to bring it to anybody.
    """
    mails: list[int] = []
    with gate() as outside, house.connect("superuser") as db:

        def strike(_: int) -> tuple[int, Any]:
            mails.extend(id_ for (id_,) in db.execute(RING))
            return 200, {}

        outside.answers["/call"] = strike
        house.publish({"name": "one", "steps": [post("a", f"{outside.url}/call", {}), *NEXT[then]]})
        with house.worker():
            for turn in range(1, 11):
                house.start("one")
                outside.await_calls("/call", turn)
                eventually(lambda: house.value("select count(*) from stepwell.lease") == 0, what="struck and parked")
                eventually(lambda: outcomes(house)[mails[-1]] == 1, what="the mail has its outcome", seconds=5)

    assert outcomes(house) == dict.fromkeys(mails, 1)
    assert_whole(house)
    assert_at_rest(house, waiting=True)


def test_mail_that_is_committed_after_a_later_one_was_read_survives_the_flush_that_deletes_the_later_one(
    house: House,
) -> None:
    """Ids are drawn early and committed late. Fails where the flush deletes `<= the last one read`, or all there is."""
    house.publish({"name": "waiting", "steps": [WAIT]})
    with house.worker() as worker, house.caller(autocommit=False) as slow, house.caller() as quick:
        process = house.start("waiting")
        eventually(lambda: house.status(process) == "WAITING", what="it waits")
        eventually(lambda: house.value("select count(*) from stepwell.lease") == 0, what="parked")
        serving = backends(house, worker)
        early: Any = slow.execute("select stepwell.cancel_process(%s)", (process,)).fetchone()
        with house.connect("superuser", autocommit=False) as locker:
            locker.execute("lock table stepwell.history in share mode")
            late: Any = quick.execute("select stepwell.retry_process(%s)", (process,)).fetchone()
            eventually(
                lambda: (
                    locker.execute("select from pg_locks where pid = any(%s) and not granted", (serving,)).fetchone()
                    is not None
                ),
                what="the flush of the later one hangs",
            )
            slow.commit()
        eventually(lambda: house.status(process) == "CANCELLED", what="the earlier one is acted on")

    assert early[0] < late[0]
    assert outcomes(house) == {early[0]: 1, late[0]: 1}
    assert house.value("select count(*) from stepwell.inbox where process_id = %s", number(process)) == 0
    assert_whole(house)
    assert_at_rest(house)
