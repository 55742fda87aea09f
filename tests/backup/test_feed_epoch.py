"""The feed's epoch: higher where the database is a copy or an earlier state of itself, and nobody waits for that."""

import psycopg
import pytest

from tests.backup.feed import Reader, epochs, written
from tests.house import House, eventually, start

PLAIN = {"name": "plain", "steps": [{"id": "only", "type": "transform", "config": {"mapping": {"x": 1}}}]}
LAST = "select max(epoch) from stepwell.place"
RESTARTED = "server_started = server_started - interval '1 h'"
RECOVERED = f"timeline = timeline - 1, {RESTARTED}"


def move(house: House, change: str) -> int:
    """Make the database think that it was elsewhere before; return the epoch of that time."""
    with house.connect("superuser") as db:
        db.execute(f"update stepwell.place set {change}")
    return int(house.value(LAST))


def completed(house: House, *processes: str) -> bool:
    return all(house.status(process) == "COMPLETED" for process in processes)


def test_a_copied_database_is_a_new_place_and_all_that_is_written_there_is_of_one_new_epoch(house: House) -> None:
    """Fails where the database's own number is not looked at: each test's database is a copy of a template."""
    assert house.value(LAST) == 1
    house.publish(PLAIN)
    with house.worker():
        processes = [house.start("plain") for _ in range(20)]
        eventually(lambda: completed(house, *processes), what="all complete")

    assert epochs(house) == [2]
    assert house.value(LAST) == 2
    assert house.rows("select distinct action, feed_epoch from stepwell.audit") == [("definition.published", 2)]


@pytest.mark.parametrize(
    ("change", "rise"),
    [
        (f"system_identifier = system_identifier - 1, {RESTARTED}", 1),
        ("database = 1", 1),
        ("relation = 1", 1),
        (f"relation = 1, {RESTARTED}", 1),
        (RECOVERED, 1000),
        (f"timeline = timeline - 3, {RESTARTED}", 3000),
        (f"timeline = timeline + 3, {RESTARTED}", 1),
        (f"timeline = timeline - 3, system_identifier = 1, {RESTARTED}", 1),
        (RESTARTED, 0),
    ],
)
def test_the_epoch_rises_once_wherever_the_database_comes_to_be(house: House, change: str, rise: int) -> None:
    """Fails where a part of the place is not compared, where each transaction there raises it again, or where a restart of
    the server is taken for a move.
    """
    house.publish(PLAIN)
    house.start("plain")
    before = move(house, change)

    with house.worker():
        processes = [house.start("plain") for _ in range(5)]
        eventually(lambda: completed(house, *processes), what="all complete")

    assert epochs(house) == sorted({before, before + rise})
    assert house.value("select stepwell.feed_epoch()") == before + rise


def test_a_caller_who_is_first_in_a_new_place_and_stays_open_makes_nobody_wait_and_all_come_to_the_same_epoch(
    house: House,
) -> None:
    """Fails where the first one locks the row that keeps the epoch: flushes and starts would wait for its commit."""
    house.publish(PLAIN)
    early = [house.start("plain") for _ in range(3)]
    before = move(house, RECOVERED)
    first = house.caller(autocommit=False)
    mine = start(first, "plain")
    with house.worker():
        with house.caller() as second:
            second.execute("set lock_timeout = '3s'")
            late = start(second, "plain")
        eventually(lambda: completed(house, *early, late), what="the worker flushes")
        first.commit()
        eventually(lambda: completed(house, mine), what="what the first one started completes too")

    assert epochs(house) == [before, before + 1000]


def test_no_event_of_an_epoch_is_committed_without_the_note_of_its_place(house: House) -> None:
    """Fails where the note is left to whoever came first: it may roll back, and the epoch would be given a second time
    in the next place.
    """
    house.publish(PLAIN)
    house.start("plain")
    before = move(house, RECOVERED)
    first = house.caller(autocommit=False)
    start(first, "plain")
    house.start("plain")
    first.rollback()

    assert epochs(house) == [before, before + 1000]
    move(house, RECOVERED)
    house.start("plain")
    assert epochs(house) == [before, before + 1000, before + 2000]
    assert (
        house.rows("select feed_epoch from stepwell.history where feed_epoch not in (select epoch from stepwell.place)")
        == []
    )


def test_callers_at_once_in_a_new_place_end_with_one_epoch(house: House) -> None:
    """Fails where each raises what the other has raised."""
    house.publish(PLAIN)
    house.start("plain")
    before = move(house, RECOVERED)
    callers = [house.caller(autocommit=False) for _ in range(5)]
    for caller in callers:
        start(caller, "plain")
    for caller in callers:
        caller.commit()

    assert epochs(house) == [before, before + 1000]


def test_a_reader_with_a_cursor_misses_nothing_although_transactions_are_numbered_anew(house: House) -> None:
    """Fails where rows are ordered by transaction alone: those written after the restore lie before the cursor."""
    house.publish(PLAIN)
    for _ in range(5):
        house.start("plain")
    with house.connect("superuser") as db:  # what a dump from a busier server brings along
        db.execute("update stepwell.history set tx = (tx::text::bigint + 1000000)::text::xid8")
    move(house, f"system_identifier = 1, {RESTARTED}")
    reader = Reader()
    assert reader.read(house) == 0  # until the new place is noted, as by `migrate`
    house.value("select stepwell.feed_epoch()")
    assert reader.read(house, most=3) == 3

    for _ in range(5):
        house.start("plain")
    reader.read(house)

    assert reader.seen == written(house)
    assert (
        house.value(
            "select max(tx) > (select max(tx) from stepwell.history) from stepwell.history where feed_epoch = 3"
        )
        is False
    )


def test_a_recovery_to_before_the_epoch_was_raised_by_hand_has_a_higher_epoch_than_was_given_there(
    house: House,
) -> None:
    """Fails where a new timeline and the owner's hand raise by the same: an event of the one would have the identity of
    another of the other.
    """
    house.publish(PLAIN)
    house.start("plain")
    house.value("select stepwell.raise_feed_epoch()")
    house.start("plain")
    lost = house.value(LAST)
    with house.connect("superuser") as db:  # what was raised is in the time that is lost
        db.execute("delete from stepwell.place where epoch = %s", (lost,))
    move(house, RECOVERED)
    house.start("plain")

    assert max(epochs(house)) > lost


def test_without_any_note_the_epoch_begins_above_all_that_was_written(house: House) -> None:
    """Fails where starts fail until somebody has written a note, or where the first epoch is given a second time."""
    house.publish(PLAIN)
    house.start("plain")
    (before,) = epochs(house)
    with house.connect("superuser") as db:
        db.execute("delete from stepwell.place")
    house.start("plain")

    assert epochs(house) == [before, before + 1]


def test_the_owner_can_raise_the_epoch_by_hand_and_nobody_else_can(house: House) -> None:
    """Fails where the hand's note is taken for another place, or where a login may touch what orders the feed."""
    house.publish(PLAIN)
    house.start("plain")
    now = house.value(LAST)

    assert house.value("select stepwell.raise_feed_epoch()") == now + 1
    assert house.value("select stepwell.raise_feed_epoch(at_least => 12)") == 12
    house.start("plain")
    assert epochs(house) == [now, 12]
    for login in ("house_api", "house_worker", "house_acme_prod", "house_report"):
        with house.connect(login) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("select stepwell.raise_feed_epoch()")
        with house.connect(login) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("insert into stepwell.place values (99, '1', 1, 1, 1, 1)")
