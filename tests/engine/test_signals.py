"""Signals: whom they reach, and what becomes of those nobody could use."""

from functools import partial

from tests.house import House, eventually

WAITER = {
    "name": "waiter",
    "steps": [{"id": "w", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.key}"}}],
}
EMPTY = "select count(*) from stepwell.signal"


def send(house: House, key: str | None, **data: object) -> None:
    """Send one signal by SQL."""
    with house.caller() as db:
        db.execute("select stepwell.send_signal('paid', jsonb_build_object('n', %s::int), %s)", (data.get("n", 1), key))


def completed(house: House, process: str) -> bool:
    """Tell whether a process has come to its end."""
    return house.status(process) == "COMPLETED"


def waiting(house: House, count: int = 1) -> bool:
    """Tell whether so many processes are parked on their wait."""
    parked = "select count(*) from stepwell.wait w where not exists (select from stepwell.lease l where l.process_id = w.process_id)"
    return bool(house.value(parked) == count)


def test_a_signal_reaches_every_wait_open_when_it_is_matched_and_the_first_one_after(house: House) -> None:
    house.publish(WAITER)
    with house.worker():
        two = [house.start("waiter", {"key": "k"}) for _ in range(2)]
        eventually(lambda: waiting(house, 2), what="two wait")
        send(house, "k", n=5)
        for process in two:
            eventually(partial(completed, house, process), what="completed")
        third, fourth = house.start("waiter", {"key": "k"}), house.start("waiter", {"key": "k"})
        eventually(lambda: {house.status(third), house.status(fourth)} == {"COMPLETED", "WAITING"}, what="one of two")

    assert house.value(EMPTY) == 0
    assert [row[4]["output"] for row in house.history(two[0]) if row[1] == "activity.completed"] == [{"n": 5}]


def test_a_signal_without_a_key_is_not_kept(house: House) -> None:
    house.publish({**WAITER, "steps": [{"id": "w", "type": "wait", "config": {"signal": "paid"}}]})
    with house.worker():
        send(house, None)
        eventually(lambda: house.value("select count(*) from stepwell.signal_job") == 0, what="matched")
        process = house.start("waiter", {"key": "k"})
        eventually(lambda: waiting(house), what="waits")
        send(house, None)
        eventually(lambda: house.status(process) == "COMPLETED", what="completed")

    assert house.value(EMPTY) == 0


def test_a_signal_of_another_environment_reaches_nobody_here(house: House) -> None:
    house.publish(WAITER)
    with house.worker():
        process = house.start("waiter", {"key": "k"})
        eventually(lambda: waiting(house), what="waits")
        for scope in ("acme_dev", "globex_prod"):
            with house.caller(scope) as db:
                db.execute("select stepwell.send_signal('paid', '{}', 'k')")
        eventually(lambda: house.value("select count(*) from stepwell.signal_job") == 0, what="matched")

        assert house.status(process) == "WAITING"


def test_a_kept_signal_that_its_taker_cannot_use_any_more_serves_the_next_wait(house: House) -> None:
    """A look takes the signal as mail; the process is cancelled before it reads it."""
    house.publish(WAITER)
    process = house.start("waiter", {"key": "k"})
    with house.worker():
        eventually(lambda: waiting(house), what="waits")
    house.owner.execute(
        "with p as (select * from stepwell.process), i as (insert into stepwell.inbox select id, 1, tenant_id, environment_id, "
        '  \'{"kind": "cancel"}\' from p), '
        "s as (insert into stepwell.inbox select id, 2, tenant_id, environment_id, "
        '  \'{"kind": "signal", "signal_id": 77, "name": "paid", "correlation": "k", "data": {"n": 9}}\' from p), '
        "d as (insert into stepwell.signal_delivery select 77, id, tenant_id, environment_id, now() + interval '1 h' from p) "
        "insert into stepwell.job select 0, 0, 1, id, tenant_id, environment_id from p"
    )
    with house.worker():
        eventually(lambda: house.status(process) == "CANCELLED", what="cancelled")
        heir = house.start("waiter", {"key": "k"})
        eventually(lambda: house.status(heir) == "COMPLETED", what="completed")

    assert house.value(EMPTY) == 0
