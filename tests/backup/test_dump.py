"""A dump made while processes live, restored on another server as docs/backup.md says: everything goes on from there."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.api.client import new_key
from tests.backup.feed import Reader, epochs, written
from tests.backup.lives import Lives, goes_on
from tests.backup.sites import Operator, house_on, install, server
from tests.crash.audit import number
from tests.crash.outside import gate
from tests.crash.test_outage import serving_api
from tests.fix_servers import private_folder
from tests.house import LOGINS, PASSWORD, eventually

BUSY = "do $$ begin for i in 1 .. 20000 loop perform pg_current_xact_id(); commit; end loop; end $$"
PLAIN = {
    "dump": 'pg_dump --format=plain --file=stepwell.sql --dbname="$STEPWELL_OWNER_DATABASE_URL"',
    "restore": 'psql --quiet --single-transaction -v ON_ERROR_STOP=1 -f stepwell.sql "$STEPWELL_OWNER_DATABASE_URL"\n'
    "stepwell migrate\nstepwell login list",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that the servers' account can reach."""
    with private_folder() as made:
        yield made


@pytest.mark.parametrize("form", ["custom", "plain"])
def test_a_dump_of_live_processes_goes_on_elsewhere_repeats_only_what_was_in_flight_and_the_feed_misses_nothing(
    form: str, folder: Path, tmp_path: Path
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
            with house_on(first, tmp_path) as house:
                key = new_key(house, "acme_prod", ["admin"])
                with house.worker() as worker:
                    lives.begin(house, outside)
                    with lives.traffic(house) as traffic:
                        assert reader.read(house, most=40) == 40
                        operator = Operator(first, tmp_path)
                        operator.run(PLAIN["dump"]) if form == "plain" else operator.shell("dump")
                        before_the_end = len(traffic)
                        eventually(lambda: len(traffic) > before_the_end + 5, what="starts after the dump")
                    worker.kill()

        with server(folder / "b") as second:
            listed = restore(Operator(second, tmp_path), form)
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


def restore(operator: Operator, form: str) -> str:
    """Do what the page says; return the list of logins."""
    operator.sql("the new server")
    operator.sql("groups", owner=True)
    listed = operator.run(PLAIN["restore"]) if form == "plain" else operator.shell("restore")
    operator.shell("logins")
    with psycopg.connect(operator.on.dsn, autocommit=True) as db:
        for name in ("house_api", "house_worker", "house_acme_prod"):  # the password is printed once; tests have theirs
            db.execute(f"alter role {name} password '{PASSWORD}'")
    findings = operator.run("stepwell doctor --json || true")
    bad = [f for f in json.loads(findings)["findings"] if f["state"] == "bad" and f["area"] != "setting"]
    assert bad == []
    return listed
