"""The feed's epoch: higher where the database is a copy or an earlier state of itself, and nobody waits for that."""

import psycopg
import pytest

from tests.backup.feed import Reader, epochs, written
from tests.house import House, eventually, start

PLAIN = {"name": "plain", "steps": [{"id": "only", "type": "transform", "config": {"mapping": {"x": 1}}}]}
LAST = "select max(epoch) from stepwell.place"


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
        ("system_identifier = system_identifier - 1", 1),
        ("database = 1", 1),
        ("relation = 1", 1),
        ("timeline = timeline - 1", 1),
        ("timeline = timeline - 3", 3),
        ("timeline = timeline + 3", 1),
        ("timeline = timeline - 3, system_identifier = 1", 1),
    ],
)
def test_the_epoch_rises_once_wherever_the_database_comes_to_be(house: House, change: str, rise: int) -> None:
    """Fails where a part of the place is not compared, or where each transaction there raises it again."""
    house.publish(PLAIN)
    house.start("plain")
    before = move(house, change)

    with house.worker():
        processes = [house.start("plain") for _ in range(5)]
        eventually(lambda: completed(house, *processes), what="all complete")

    assert epochs(house) == [before, before + rise]
    assert house.value("select stepwell.feed_epoch()") == before + rise


def test_a_caller_who_is_first_in_a_new_place_and_stays_open_makes_nobody_wait_and_all_come_to_the_same_epoch(
    house: House,
) -> None:
    """Fails where the first one locks the row that keeps the epoch: flushes and starts would wait for its commit."""
    house.publish(PLAIN)
    early = [house.start("plain") for _ in range(3)]
    before = move(house, "timeline = timeline - 1")
    first = house.caller(autocommit=False)
    mine = start(first, "plain")
    with house.worker():
        with house.caller() as second:
            second.execute("set lock_timeout = '3s'")
            late = start(second, "plain")
        eventually(lambda: completed(house, *early, late), what="the worker flushes")
        first.commit()
        eventually(lambda: completed(house, mine), what="what the first one started completes too")

    assert epochs(house) == [before, before + 1]


def test_no_event_of_an_epoch_is_committed_without_the_note_of_its_place(house: House) -> None:
    """Fails where the note is left to whoever came first: it may roll back, and the epoch would be given a second time
    in the next place.
    """
    house.publish(PLAIN)
    house.start("plain")
    before = move(house, "timeline = timeline - 1")
    first = house.caller(autocommit=False)
    start(first, "plain")
    house.start("plain")
    first.rollback()

    assert epochs(house) == [before, before + 1]
    move(house, "timeline = timeline - 1")
    house.start("plain")
    assert epochs(house) == [before, before + 1, before + 2]
    assert (
        house.rows("select feed_epoch from stepwell.history where feed_epoch not in (select epoch from stepwell.place)")
        == []
    )


def test_callers_at_once_in_a_new_place_end_with_one_epoch(house: House) -> None:
    """Fails where each raises what the other has raised."""
    house.publish(PLAIN)
    house.start("plain")
    before = move(house, "timeline = timeline - 1")
    callers = [house.caller(autocommit=False) for _ in range(5)]
    for caller in callers:
        start(caller, "plain")
    for caller in callers:
        caller.commit()

    assert epochs(house) == [before, before + 1]


def test_a_reader_with_a_cursor_misses_nothing_although_transactions_are_numbered_anew(house: House) -> None:
    """Fails where rows are ordered by transaction alone: those written after the restore lie before the cursor."""
    house.publish(PLAIN)
    for _ in range(5):
        house.start("plain")
    with house.connect("superuser") as db:  # what a dump from a busier server brings along
        db.execute("update stepwell.history set tx = (tx::text::bigint + 1000000)::text::xid8")
    move(house, "system_identifier = 1")
    reader = Reader()
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
