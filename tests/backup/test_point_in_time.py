"""A base backup and the WAL up to a moment, as docs/backup.md says: what there was then goes on, what came later is gone."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engine.embedded import EmbeddedServer, place
from tests.backup.feed import epochs
from tests.backup.lives import Lives, goes_on
from tests.backup.sites import base_backup, house_on, install, recovered, server
from tests.crash.audit import number
from tests.crash.outside import gate
from tests.docs.pages import blocks
from tests.fix_servers import private_folder
from tests.house import House, eventually


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that the servers' account can reach."""
    with private_folder() as made:
        yield made


def page(title: str, folder: Path, moment: str = "") -> dict[str, str]:
    """Return the settings of a block of the page, for this folder and moment."""
    (found,) = blocks("docs/backup.md", "ini", title)
    settings = dict(re.findall(r"^(\w+) = '?(.*?)'?$", found.text, re.MULTILINE))
    settings = {name: value.replace("/backup", str(folder)) for name, value in settings.items()}
    return {**settings, "recovery_target_time": moment} if moment else settings


def await_archive(on: EmbeddedServer) -> None:
    """Finish the WAL segment in use; wait until it is in the archive."""
    with psycopg.connect(on.dsn, autocommit=True) as db:
        row = db.execute("select pg_walfile_name(pg_switch_wal())").fetchone()
        look = "select last_archived_wal >= %s from pg_stat_archiver"
        eventually(lambda: db.execute(look, row).fetchone() == (True,), what="the WAL is archived")


def test_a_recovery_to_a_moment_goes_on_from_there_and_each_recovery_has_a_higher_epoch(
    folder: Path, tmp_path: Path
) -> None:
    """Fails where anything of the engine lives outside the database, where ids of processes that are gone are given
    again, where a timeline is taken for another installation's, or two recoveries of one backup share an epoch: an event
    of the second would have the identity of another of the first.
    """
    (folder / "wal").mkdir()
    place.give(folder / "wal", place.server_account())
    archiving = page("archiving", folder)
    lives = Lives()
    with gate() as outside:
        with server(folder / "a", **archiving) as first:
            install(first)
            with house_on(first, tmp_path) as house, house.worker() as worker:
                lives.begin(house, outside)
                with lives.traffic(house) as traffic:
                    base_backup(first, folder / "base")
                    await_more(traffic)
                    before, moment = list(traffic), house.value("select clock_timestamp()::text")
                    until = len(traffic)
                    await_more(traffic)
                worker.kill()
            await_archive(first)
            password = first.password
        gone = traffic[until + 1 :]  # one may have been on its way
        recovery = {**archiving, **page("recovery", folder, moment)}

        with (
            recovered(folder / "base", folder / "b", password, recovery) as second,
            house_on(second, tmp_path) as house,
        ):
            await_promotion(house, folder, timeline=2)
            assert there(house, before) == len(before)
            assert there(house, gone) == 0
            goes_on(house, lives, outside)
            assert house.value("select max(id) from stepwell.process") > max(map(number, gone))
            assert epochs(house) == [1, 1001]

        with recovered(folder / "base", folder / "c", password, recovery) as third, house_on(third, tmp_path) as house:
            await_promotion(house, folder, timeline=3)
            assert there(house, gone) == 0
            house.start("quick", {"key": "new"})
            assert epochs(house) == [1, 2001]


def await_more(traffic: list[str]) -> None:
    """Wait for some more starts."""
    now = len(traffic)
    eventually(lambda: len(traffic) > now + 5, what="more starts")


def await_promotion(house: House, folder: Path, timeline: int) -> None:
    """Wait until the server has left recovery, and the history of its timeline is in the archive."""
    eventually(lambda: not house.value("select pg_is_in_recovery()"), what="recovery ends")
    eventually((folder / "wal" / f"{timeline:08X}.history").exists, what="the timeline is noted")


def there(house: House, processes: list[str]) -> int:
    """Return how many of these processes there are."""
    return int(house.value("select count(*) from stepwell.process where id = any(%s)", list(map(number, processes))))
