"""The run's own server: as durable as it says, reached in every way, and gone afterwards."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from bench.cases import Unable
from bench.ground import SETTINGS, YARDSTICK, Ground
from tests.docs.pages import ROOT
from tests.house import eventually


def shown(ground: Ground, name: str) -> str:
    with psycopg.connect(ground.dsn()) as db:
        row = db.execute(f"show {name}").fetchone()
    return str(row[0]) if row else ""


@pytest.mark.parametrize("name", SETTINGS)
def test_the_server_runs_with_the_settings_that_are_stated(ground: Ground, name: str) -> None:
    assert shown(ground, name) == SETTINGS[name]


def test_every_commit_waits_for_the_disk(ground: Ground) -> None:
    assert (shown(ground, "fsync"), shown(ground, "synchronous_commit")) == ("on", "on")


def test_programs_reach_it_over_the_socket_and_over_tcp(ground: Ground) -> None:
    local = "select inet_server_addr() is null"
    with psycopg.connect(ground.dsn()) as db:
        assert db.execute(local).fetchone() == (True,)
    with psycopg.connect(ground.url()) as db:
        assert db.execute(local).fetchone() == (True,)
    with psycopg.connect(ground.url(tcp=True)) as db:
        assert db.execute(local).fetchone() == (False,)


def test_a_database_is_fresh_and_gone_afterwards_whoever_is_connected(ground: Ground) -> None:
    for _ in range(2):
        with ground.database("two words") as dsn:
            left_open = psycopg.connect(dsn)
            left_open.execute("create table once (n integer)")
            left_open.commit()
        left_open.close()
    assert "two words" not in names(ground)


def names(ground: Ground) -> set[str]:
    with psycopg.connect(ground.dsn()) as db:
        return {name for (name,) in db.execute("select datname from pg_database")}


def test_a_database_goes_after_a_failure_and_is_left_to_the_servers_end_after_ctrl_c(ground: Ground) -> None:
    with pytest.raises(ZeroDivisionError), ground.database("failed"):
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), ground.database("interrupted"):
        raise KeyboardInterrupt
    assert {"failed", "interrupted"} & names(ground) == {"interrupted"}


def test_settling_analyses_the_database(ground: Ground) -> None:
    with ground.database("settled") as dsn, psycopg.connect(dsn, autocommit=True) as db:
        db.execute("create table t as select from generate_series(1, 1000)")
        ground.settle(dsn)
        assert db.execute("select reltuples from pg_class where relname = 't'").fetchone() == (1000,)


def test_the_yardstick_counts_commits_and_begins_with_an_empty_table_each_time(ground: Ground) -> None:
    seen = []
    for _ in range(2):
        rate = ground.yardstick(1.0)
        with psycopg.connect(ground.dsn(YARDSTICK)) as db:
            least, most = db.execute("select min(id), max(id) from yardstick").fetchone() or (0, 0)
        seen.append((least, most))
        assert rate > 0
        assert most - least < 2 * rate  # in about a second
    assert seen[1][0] > seen[0][1]


def test_the_time_of_a_session_that_has_ended_still_counts(ground: Ground) -> None:
    before = ground.cpu_seconds()
    with psycopg.connect(ground.dsn()) as db:
        db.execute("select count(*) from generate_series(1, 2000000)")
        living = ground.cpu_seconds()
    assert living - before > 0.05
    # Two clock ticks less at most; once the postmaster has noticed that it ended.
    eventually(lambda: ground.cpu_seconds() >= living - 0.02, what="its time is counted")


KILLED = """
import time
from bench.ground import Ground
with Ground(settings={"shared_buffers": "16MB"}) as ground:
    print(ground.folder, ground.pid, flush=True)
    time.sleep(60)
"""


def test_nothing_is_left_of_it_and_it_removes_what_a_killed_one_left_but_nothing_in_use(ground: Ground) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], cwd=ROOT, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        folder, pid = killed.stdout.readline().split()
        killed.kill()
    assert Path(folder).exists()
    assert Path(f"/proc/{pid}").exists()

    with Ground(settings={"shared_buffers": "16MB"}) as other:
        assert shown(other, "shared_buffers") == "16MB"
        assert not Path(folder).exists()
        own_folder, own_pid = other.folder, other.pid

    assert not own_folder.exists()
    for one in (pid, own_pid):
        eventually(lambda one=one: not Path(f"/proc/{one}").exists(), what="PostgreSQL has ended")  # type: ignore[misc]
    assert shown(ground, "fsync") == "on"


def test_outside_its_block_it_says_that_it_does_not_run() -> None:
    with pytest.raises(Unable, match="does not run"):
        _ = Ground().pid
