"""Nothing stands still for ever: each test is a way in which a process once did."""

import signal
from functools import partial

import psycopg
import pytest

from tests.house import House, eventually

SHORT = {"name": "short", "steps": [{"id": "w", "type": "wait", "config": {"seconds": 0.9}}]}
LONG = {
    "name": "long",
    "steps": [{"id": "call", "type": "http", "config": {"url": "${input.url}", "timeout_seconds": 60}}],
}
WAITER = {
    "name": "waiter",
    "steps": [{"id": "w", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.key}"}}],
}


def ended(house: House, process: str, status: str = "COMPLETED") -> bool:
    """Tell whether a process has this status."""
    return house.status(process) == status


def parked(house: House) -> bool:
    """Tell whether nobody holds anything."""
    return bool(house.value("select count(*) = 0 from stepwell.lease"))


def silent_partner() -> tuple[object, str]:
    """Listen, and never answer."""
    import socket

    listener = socket.create_server(("127.0.0.1", 0), backlog=50)
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_hold_begun_shortly_before_its_due_time_wakes(house: House) -> None:
    """Fails where only a decision sets the alarm: the new holder of a short wait decides nothing at first."""
    house.publish(SHORT)
    with house.worker() as worker:
        processes = [house.start("short") for _ in range(10)]
        eventually(lambda: all(ended(house, p, "WAITING") for p in processes), what="all wait")
        worker.send(signal.SIGTERM)
        worker.process.wait(15)
    house.owner.execute("insert into stepwell.job select 0, 0, id, id, tenant_id, environment_id from stepwell.process")
    with house.worker():
        for process in processes:
            eventually(partial(ended, house, process), what="completed")


def test_a_cancel_reaches_a_held_process_although_every_slot_is_taken(house: House) -> None:
    """Fails where a ring is heard only by claiming its job: with no slot free nothing is claimed."""
    house.publish(LONG)
    listener, url = silent_partner()
    with house.worker(STEPWELL_WORKER_SLOTS="2"):
        held = [house.start("long", {"url": url}) for _ in range(2)]
        eventually(lambda: house.value("select count(*) = 2 from stepwell.lease"), what="both held")
        with house.caller() as db:
            db.execute("select stepwell.cancel_process(%s)", (held[0],))
        eventually(partial(ended, house, held[0], "CANCELLED"), what="cancelled")
    listener.close()  # type: ignore[attr-defined]


def test_two_kept_signals_serve_two_waits_that_look_at_once(house: House) -> None:
    """Fails where both waits are paired with the oldest signal."""
    house.publish(WAITER)
    with house.caller() as db:
        for _ in range(2):
            db.execute("select stepwell.send_signal('paid', '{}', 'k')")
    with house.worker():
        eventually(lambda: house.value("select count(*) = 0 from stepwell.signal_job"), what="matched")
        with house.caller() as db:
            db.execute('select stepwell.start_processes(\'waiter\', \'[{"key": "k"}, {"key": "k"}]\')')
        eventually(
            lambda: house.value("select count(*) = 2 from stepwell.process where status = 'COMPLETED'"), what="both end"
        )


def test_a_callers_time_zone_stops_no_worker(house: House) -> None:
    """Fails where a time is put into mail as the caller's session prints it, or unreadable mail counts as newer."""
    house.publish(WAITER)
    house.publish(SHORT, "globex_prod")
    with house.worker():
        process = house.start("waiter", {"key": "k"})
        eventually(lambda: ended(house, process, "WAITING") and parked(house), what="waits")
        with house.caller() as db:
            db.execute("set timezone = '<A>100:30'")
            db.execute("select stepwell.send_signal('paid', '{}', 'k')")
        eventually(partial(ended, house, process), what="completed")
        other = house.start("short", scope="globex_prod")
        eventually(partial(ended, house, other), what="another tenant's process ends")


def test_mail_that_cannot_be_read_is_rejected_and_the_process_goes_on(house: House) -> None:
    """Fails where every mail that cannot be decoded counts as one of a newer release."""
    house.publish(WAITER)
    with house.worker() as worker:
        process = house.start("waiter", {"key": "k"})
        eventually(lambda: ended(house, process, "WAITING") and parked(house), what="waits")
        house.owner.execute(
            "with p as (select * from stepwell.process), i as (insert into stepwell.inbox "
            '  select id, 5, tenant_id, environment_id, \'{"kind": "signal", "signal_id": "x"}\' from p) '
            "insert into stepwell.job select 0, 0, 5, id, tenant_id, environment_id from p"
        )
        eventually(lambda: house.value("select count(*) = 0 from stepwell.inbox"), what="mail answered")
        last = house.history(process)[-1]
        assert (last[1], last[4]["code"], last[4]["command"]) == ("command.rejected", "unreadable", 5)
        with house.caller() as db:
            db.execute("select stepwell.send_signal('paid', '{}', 'k')")
        eventually(partial(ended, house, process), what="completed")
        assert worker.seen("worker", what="outdated") == []


def test_lost_connections_count_against_no_process(house: House) -> None:
    """Fails where each session that ends counts as a loss: five outages would put all that was held into quarantine."""
    house.publish(LONG)
    listener, url = silent_partner()
    superuser = house.connect("superuser")
    with house.worker() as worker:
        house.start("long", {"url": url})
        for n in range(1, 7):
            eventually(lambda n=n: len(worker.seen("activity.start")) >= n, what="called")  # type: ignore[misc]
            superuser.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'stepwell worker'"
            )
    assert house.value("select count(*) from stepwell.loss") == 0
    listener.close()  # type: ignore[attr-defined]


def test_a_step_this_release_does_not_know_is_left_to_a_newer_one(house: House) -> None:
    """Fails where what cannot be read of a published definition is left out."""
    house.publish({"name": "new", "steps": [{"id": "a", "type": "loop", "config": {"while": "true"}}]})
    with house.worker() as worker:
        process = house.start("new")
        worker.until("worker", what="outdated")

    assert house.status(process) == "CREATED"
    assert house.value("select count(*) from stepwell.job") == 1


def test_partitions_begin_where_utc_months_begin_whatever_the_zone_of_the_session(house: House) -> None:
    """Fails where months are added in the session's time zone."""
    bounds = (
        "select c.relname, pg_get_expr(c.relpartbound, c.oid) from pg_class c "
        "where c.relispartition and c.relkind = 'r' order by 1"
    )
    made = house.rows(bounds)
    for name, _ in made[-1:]:
        house.owner.execute(f"drop table stepwell.{name}")
    house.owner.execute("set timezone = 'Europe/Berlin'")
    house.owner.execute("select stepwell.ensure_partitions()")

    assert house.rows(bounds) == made


def test_what_a_login_says_of_itself_is_signed_with_its_name(house: House) -> None:
    """Fails where a caller can write the API's signature."""
    house.publish(SHORT)
    process = house.start("short", by="admin (key_1)")

    assert house.history(process)[0][4]["by"] == "admin (key_1) (house_acme_prod)"


def test_partitions_are_made_although_somebody_holds_every_advisory_lock_he_likes(house: House) -> None:
    """Fails where upkeep takes turns by an advisory lock, which anybody may take."""
    (last,) = house.rows(
        "select max(c.relname::text) from pg_class c where relispartition and relkind = 'r' and relname ~ '^process_'"
    )[0]
    house.owner.execute(f"drop table stepwell.{last}")
    with house.caller() as db:
        db.execute("select pg_advisory_lock(hashtext('stepwell.ensure_partitions'))")
        assert house.value("select stepwell.ensure_partitions()") == 1


def test_two_retries_cannot_leave_a_running_process_without_its_business_key(house: House) -> None:
    """Fails where a retry is taken while the process still runs: it fails, and runs again with its key given up."""
    house.publish(SHORT)
    process = house.start("short", business_key="k")
    with house.caller() as db, pytest.raises(psycopg.Error) as refused:
        db.execute("select stepwell.retry_process(%s)", (process,))

    assert refused.value.sqlstate == "SW409"
