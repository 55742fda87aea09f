"""Signal and wait pass each other in every order, and always meet."""

import json
import random
import threading
from collections.abc import Callable
from typing import Any

from tests.crash.audit import assert_at_rest, assert_whole, await_all, held_by, number
from tests.crash.outside import gate, post
from tests.crash.test_kill import backends
from tests.house import House, WorkerProcess, eventually, start

LEGS = 5
CHAIN = {
    "name": "chain",
    "steps": [
        {"id": f"w{n}", "type": "wait", "config": {"signal": f"leg{n}", "correlation_key": "${input.key}"}}
        for n in range(LEGS)
    ],
    "output": {f"w{n}": f"${{steps.w{n}.output}}" for n in range(LEGS)},
}
WAIT: dict[str, Any] = {"id": "w", "type": "wait", "config": {"signal": "go", "correlation_key": "${input.key}"}}
ONE = {
    "name": "one",
    "steps": [WAIT],
}


def kill_with_a_flush_in_flight(house: House, worker: WorkerProcess, id_: int, meanwhile: Callable[[], None]) -> None:
    """Kill a worker that has leases and is writing: who registers or ends a wait hangs, until the killer lets go."""
    serving = backends(house, worker)
    with house.connect("superuser", autocommit=False) as db:
        db.execute("lock table stepwell.wait in exclusive mode")
        meanwhile()
        eventually(lambda: held_by(house, id_), what="it holds something")
        eventually(
            lambda: (
                db.execute("select from pg_locks where pid = any(%s) and not granted", (serving,)).fetchone()
                is not None
            ),
            what="its flush hangs",
        )
        worker.kill()
        db.execute("select pg_terminate_backend(pid) from unnest(%s) pid", (serving,))


def await_wait(house: House, process: int) -> None:
    """Wait until the process waits."""
    eventually(
        lambda: house.rows("select from stepwell.wait where process_id = %s", process), what="its wait is registered"
    )


def await_waits(house: House, path: str, count: int) -> None:
    """Wait until so many processes wait at a step."""
    look = "select count(*) from stepwell.wait where path = %s"
    eventually(lambda: house.value(look, path) == count, what=f"{count} processes wait at {path}")


def send(house: House, messages: list[tuple[str, str]]) -> None:
    """Send (name, correlation key), each in a transaction of its own."""
    with house.caller() as db:
        for name, key in messages:
            db.execute("select stepwell.send_signal(%s, %s, %s)", (name, json.dumps({"key": key, "name": name}), key))


def test_signals_sent_while_their_waits_come_and_go_all_meet_them_though_workers_are_killed(house: House) -> None:
    """1,000 meetings, three senders, a kill. Fails where the match finds no wait and the parking hold does not look
    (again) after its registering flush, where a match is not one statement, and where a look consumes a signal twice.
    """
    house.publish(CHAIN)
    chance = random.Random(7)
    keys = [f"k{n}" for n in range(200)]
    messages = [(f"leg{n}", key) for key in keys for n in range(LEGS)]
    chance.shuffle(messages)
    senders = [threading.Thread(target=send, args=(house, messages[part::3])) for part in range(3)]
    with house.worker() as doomed:
        victim = doomed.until("worker", what="registered")["worker"]
        senders[0].start()
        with house.caller() as db:
            for part in range(0, 200, 20):
                inputs = json.dumps([{"key": key} for key in keys[part : part + 20]])
                db.execute("select stepwell.start_processes('chain', %s)", (inputs,))
        kill_with_a_flush_in_flight(house, doomed, victim, senders[1].start)
    senders[2].start()
    with house.worker(), house.worker():
        await_all(house, 200)
    for thread in senders:
        thread.join()

    met = house.rows(
        "select process_id, path, count(*) from stepwell.history where type = 'activity.completed' group by 1, 2"
    )
    assert len(met) == 200 * LEGS
    assert {times for _, _, times in met} == {1}
    wrong = house.rows(
        "select h.* from stepwell.history h join stepwell.history c on c.process_id = h.process_id and c.seq = 1 "
        "where h.type = 'activity.completed' and "
        "(h.data #> '{output}') is distinct from jsonb_build_object('key', c.data #> '{input,key}', 'name', 'leg' || substr(h.path, 2))"
    )
    assert not wrong, wrong[:2]
    assert_whole(house)
    assert_at_rest(house)


def test_a_signal_meets_its_wait_in_each_order_of_sending_committing_registering_and_parking(house: House) -> None:
    """The orders that a race seldom shows, made one by one. Fails where only one side looks, or a look comes too early."""
    house.publish(ONE)
    with house.caller(autocommit=False) as db, house.caller() as quick, house.worker():
        send(house, [("go", "sent before the start")])
        eventually(lambda: house.value("select count(*) from stepwell.signal_job") == 0, what="matched with nothing")
        house.start("one", {"key": "sent before the start"})

        db.execute("select stepwell.send_signal('go', '{}', 'sent before, committed after')")
        waiting = house.start("one", {"key": "sent before, committed after"})
        eventually(lambda: house.status(waiting) == "WAITING", what="it waits")
        eventually(lambda: house.value("select count(*) from stepwell.lease") == 0, what="parked")
        db.commit()

        for n in range(200):
            key = f"right after the start {n}"
            start(quick, "one", {"key": key})
            quick.execute("select stepwell.send_signal('go', '{}', %s)", (key,))
        for n in range(20):
            key = f"on sight of the wait {n}"
            process = start(quick, "one", {"key": key})
            await_wait(house, number(process))
            quick.execute("select stepwell.send_signal('go', '{}', %s)", (key,))
        await_all(house, 222)

    assert_whole(house)
    assert_at_rest(house)


def test_a_kept_signal_is_found_by_a_hold_that_parks_on_a_wait_its_killed_predecessor_registered(house: House) -> None:
    """Fails where only the hold that registered a wait looks for kept signals."""
    with gate() as outside:
        outside.shut("/hang")
        house.publish(
            {
                "name": "both",
                "steps": [
                    {**WAIT, "depends_on": []},
                    post("hang", f"{outside.url}/hang", {}, depends_on=[]),
                ],
            }
        )
        send(house, [("go", "k")])
        locker = house.connect("superuser", autocommit=False)
        with house.worker() as doomed:
            eventually(
                lambda: house.value("select count(*) from stepwell.signal_job") == 0, what="matched with nothing"
            )
            locker.execute("select from stepwell.signal for update")  # whoever looks now waits here
            process = house.start("both", {"key": "k"})
            eventually(lambda: house.value("select count(*) from stepwell.wait"), what="the wait is registered")
            eventually(lambda: outside.calls(), what="the call hangs")
            serving = backends(house, doomed)
            doomed.kill()
            with house.connect("superuser") as db:
                db.execute("select pg_terminate_backend(pid) from unnest(%s) pid", (serving,))
                eventually(lambda: not backends(house, doomed), what="what it was doing is rolled back")
        locker.rollback()
        assert house.value("select count(*) from stepwell.signal") == 1
        assert house.value("select count(*) from stepwell.inbox") == 0
        with house.worker():
            eventually(lambda: len(outside.calls()) == 2, what="the successor has begun")
            outside.open()
            eventually(lambda: house.status(process) == "COMPLETED", what="it found the signal")

    assert_whole(house)
    assert_at_rest(house)


def test_a_signal_without_a_key_reaches_every_wait_open_now_once_and_none_that_opens_later(house: House) -> None:
    """Fails where a broadcast is kept, reaches one wait only, or is delivered twice to one process."""
    house.publish(
        {
            "name": "all",
            "steps": [
                {"id": "first", "type": "wait", "config": {"signal": "go"}},
                {"id": "second", "type": "wait", "config": {"signal": "go"}},
            ],
        }
    )
    with house.worker(), house.worker(), house.caller() as db:
        for _ in range(30):
            house.start("all")
        for turn in ("first", "second"):
            await_waits(house, turn, 30)
            assert house.value("select count(*) from stepwell.history where path = %s", turn) == 30
            db.execute("select stepwell.send_signal('go')")
        await_all(house, 30)

    ends = "select count(*) from stepwell.history where type = 'activity.completed' and path = %s"
    assert [house.value(ends, turn) for turn in ("first", "second")] == [30, 30]
    assert house.value("select count(*) from stepwell.signal") == 0
    assert_whole(house)
    assert_at_rest(house)
