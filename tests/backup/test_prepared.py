"""Prepared transactions outlive a recovery: what they commit later is of the epoch before, and no reader misses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stepwell.checks import BAD, OK, past
from tests.backup.feed import Reader, epochs, written
from tests.backup.sites import house_on, install, server
from tests.backup.test_feed_epoch import PLAIN, RECOVERED, move
from tests.fix_servers import private_folder
from tests.house import House, start


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Return an installation on a server that allows prepared transactions."""
    with private_folder() as folder, server(folder / "postgres", max_prepared_transactions="2") as on:
        install(on)
        with house_on(on, tmp_path) as made:
            made.publish(PLAIN)
            yield made


def prepare(house: House, name: str) -> None:
    """Start a process in a transaction that is left prepared."""
    with house.caller(autocommit=False) as caller:
        start(caller, "plain")
        caller.execute(f"prepare transaction '{name}'")


def finish(house: House, how: str) -> None:
    """Commit prepared, or roll back."""
    with house.connect("superuser") as db:
        db.execute(how)


def test_what_was_prepared_before_a_recovery_and_is_committed_after_it_is_read_by_a_reader_that_went_on_meanwhile(
    house: House,
) -> None:
    """Fails where rows of an earlier epoch are taken for complete: the reader would be past the place of those that come."""
    reader = Reader()
    house.start("plain")
    prepare(house, "left")
    house.start("plain")
    before = move(house, RECOVERED)
    house.start("plain")
    reader.read(house)
    finish(house, "commit prepared 'left'")
    reader.read(house)

    assert epochs(house) == [before, before + 1000]
    assert len(written(house)) == 4
    assert reader.seen == written(house)


def test_the_doctor_names_what_was_left_prepared_before_the_present_epoch_and_nothing_else(house: House) -> None:
    """Fails where nobody is told why the feed stands still, or where an ordinary prepared transaction is found fault with."""
    prepare(house, "left")
    move(house, RECOVERED)
    house.start("plain")
    prepare(house, "new")
    found = past(house.owner)

    assert [(f.state, "left" in f.message) for f in found if f.area == "feed"] == [(OK, False), (BAD, True)]
    finish(house, "rollback prepared 'left'")
    assert [f.state for f in past(house.owner) if f.area == "feed"] == [OK]
    finish(house, "rollback prepared 'new'")
