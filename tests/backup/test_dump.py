"""A dump made while processes live, restored as docs/backup.md says: everything goes on from there."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.api.client import new_key
from tests.backup.feed import Reader, epochs, written
from tests.backup.lives import SIGNALLED, Lives, goes_on, send
from tests.backup.sites import Operator, house_on, install, major, server
from tests.crash.audit import assert_at_rest, assert_whole, await_all, number
from tests.crash.outside import gate
from tests.crash.test_outage import serving_api
from tests.fix_servers import private_folder
from tests.house import LOGINS, OWNER, PASSWORD, House, eventually

BUSY = "do $$ begin for i in 1 .. 5000 loop perform pg_current_xact_id(); commit; end loop; end $$"
PLAIN = {
    "dump": 'pg_dump --format=plain --file=stepwell.sql --dbname="$STEPWELL_OWNER_DATABASE_URL"',
    "restore": 'psql --quiet --single-transaction -v ON_ERROR_STOP=1 -f stepwell.sql "$STEPWELL_OWNER_DATABASE_URL"\n'
    "stepwell migrate",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that the servers' account can reach."""
    with private_folder() as made:
        yield made


def test_a_dump_of_live_processes_goes_on_elsewhere_repeats_only_what_was_in_flight_and_the_feed_misses_nothing(
    folder: Path, tmp_path: Path
) -> None:
    """Fails where a table, a grant or a policy is not in the dump or cannot be restored, where leases of workers that are
    gone are not freed, where a timer, wait, task, kept signal or retry is lost, where execution ids differ, and where
    rows that are written there have the old epoch: their transactions are numbered lower than the restored ones.
    """
    lives, reader = Lives(), Reader()
    with gate() as outside:
        with server(folder / "a") as first:
            install(first)
            with psycopg.connect(first.dsn, autocommit=True) as db:
                db.execute(BUSY)
            with house_on(first, tmp_path) as house, house.worker() as worker:
                key = new_key(house, "acme_prod", ["admin"])
                lives.begin(house, outside)
                with lives.traffic(house) as traffic:
                    assert reader.read(house, most=40) == 40
                    Operator(first.dsn, tmp_path).shell("dump")
                    before = len(traffic)
                    eventually(lambda: len(traffic) > before + 5, what="starts after the dump")
                worker.kill()

        with server(folder / "b") as second:
            listed = restore(Operator(second.dsn, tmp_path))
            with house_on(second, tmp_path) as house:
                goes_on(house, lives, outside)
                with serving_api(house, tmp_path) as api:
                    answer = api.get("/api/v1/processes", headers={"Authorization": f"Bearer {key}"})
                    assert answer.status_code == 200, answer.text
                assert [name for name in LOGINS if name not in listed] == []
                assert number(traffic[-1]) not in {id_ for (id_,) in house.rows("select id from stepwell.process")}
                assert epochs(house) == [1, 2]
                lowest = house.value("select min(tx::text::bigint) from stepwell.history where feed_epoch = 2")
                assert lowest < house.value("select max(tx::text::bigint) from stepwell.history where feed_epoch = 1")
                reader.read(house)
                assert sorted(reader.seen) == written(house)


def restore(operator: Operator) -> str:
    """Do what the page says; return the list of logins."""
    operator.sql("the new server")
    operator.sql("groups", owner=True)
    listed = operator.shell("restore")
    operator.shell("logins")
    with psycopg.connect(operator.superuser, autocommit=True) as db:
        for name in ("house_api", "house_worker", "house_acme_prod"):  # printed once; tests have their own
            db.execute(f"alter role {name} password '{PASSWORD}'")
    findings = json.loads(operator.run("stepwell doctor --json || true"))["findings"]
    bad = [f for f in findings if f["state"] == "bad" and f["area"] != "setting"]
    assert bad == []
    return listed


def test_a_plain_dump_restored_beside_its_original_on_the_same_server_goes_on_in_a_higher_epoch(
    house: House, tmp_path: Path
) -> None:
    """Fails where a copy on the same server is taken for the original, or psql cannot read the dump."""
    if house.owner.info.server_version // 10000 != major():
        pytest.skip("pg_dump here is of another release than the server")
    house.publish({"name": "waiting", "steps": [SIGNALLED]})
    with house.worker() as worker:
        processes = [house.start("waiting", {"key": f"k-{n}"}) for n in range(3)]
        eventually(lambda: all(house.status(p) == "WAITING" for p in processes), what="they wait")
        Operator(house.superuser_dsn, tmp_path, house.owner.info.dbname).run(PLAIN["dump"])
        worker.kill()
    with house.connect("superuser") as db:
        db.execute(f"create database beside owner {OWNER} template template0")
    try:
        Operator(house.superuser_dsn, tmp_path, "beside").run(PLAIN["restore"])
        copy = House(make_conninfo(house.superuser_dsn, dbname="beside"), tmp_path)
        with copy.worker(), copy.caller() as db:
            for n in range(3):
                send(db, f"k-{n}")
            await_all(copy, 3)
        assert_whole(copy)
        assert_at_rest(copy)
        assert epochs(copy) == [2, 3]
        assert epochs(house) == [2]
        copy.close()
    finally:
        with house.connect("superuser") as db:
            db.execute("drop database beside with (force)")
