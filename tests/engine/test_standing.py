"""A program works only with a login that row-level security holds, on a schema of this release; else it says so, once."""

import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.api.client import problem, serving
from tests.cli.program import run
from tests.house import OWNER, House, eventually

FAULTS = [
    ("superuser", "a superuser", "stepwell login create NAME --kind {}"),
    (OWNER, "the schema's owner", "stepwell login create NAME --kind {}"),
    ("other", "not in stepwell_{} alone", "Use a login of kind {}"),
    ("house_acme_prod", "is in stepwell_caller", "Use a login of kind {}"),
]


def command(kind: str) -> list[str]:
    return ["api", "--port", "0"] if kind == "api" else ["worker"]


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a program said that would not start: one error and one line of advice, no log, no traceback."""
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr
    return done.stderr


@pytest.mark.parametrize("kind", ["api", "worker"])
@pytest.mark.parametrize(("login", "fault", "advice"), FAULTS)
def test_a_login_that_row_level_security_does_not_hold_or_of_another_kind_is_refused(
    house: House, tmp_path: Path, kind: str, login: str, fault: str, advice: str
) -> None:
    if login == "other":
        login = "house_worker" if kind == "api" else "house_api"

    said = refused(run(tmp_path, *command(kind), STEPWELL_DATABASE_URL=house.dsn(login)))

    assert fault.format(kind) in said
    assert advice.format(kind) in said


@pytest.mark.parametrize("kind", ["api", "worker"])
def test_a_database_without_the_schema_is_refused(house: House, tmp_path: Path, kind: str) -> None:
    house.owner.execute("drop schema stepwell cascade")

    said = refused(run(tmp_path, *command(kind), STEPWELL_DATABASE_URL=house.dsn(f"house_{kind}")))

    assert "no schema" in said
    assert "stepwell migrate" in said


@pytest.mark.parametrize("kind", ["api", "worker"])
def test_a_schema_that_lacks_a_migration_is_refused(house: House, tmp_path: Path, kind: str) -> None:
    house.owner.execute("delete from stepwell.migration where name = '0006_access'")

    said = refused(run(tmp_path, *command(kind), STEPWELL_DATABASE_URL=house.dsn(f"house_{kind}")))

    assert "0006_access" in said
    assert "stepwell migrate" in said


def test_a_schema_of_a_newer_release_is_worked_on(house: House) -> None:
    house.owner.execute("insert into stepwell.migration values ('migration', '9999_newer', 'x')")
    with house.worker() as worker:
        worker.until("worker", what="registered")


def test_a_worker_that_loses_the_schema_says_so_in_one_line_and_works_when_it_is_back(house: House) -> None:
    """Fails where only the first session is looked at, or what PostgreSQL refuses becomes a traceback."""
    with house.worker() as worker, psycopg.connect(house.dsn("superuser"), autocommit=True) as superuser:
        worker.until("worker", what="registered")
        superuser.execute("alter schema stepwell rename to elsewhere")
        try:
            told = eventually(lambda: worker.seen("error", where="session"), what="the fault is told of")[-1]
            assert "stepwell migrate" in told["detail"]
            assert "Traceback" not in str(worker.log)
            assert worker.process.poll() is None
        finally:
            superuser.execute("alter schema elsewhere rename to stepwell")
        eventually(lambda: len(worker.seen("worker", what="registered")) > 1, what="it works again")


async def test_an_api_that_started_without_postgresql_uses_no_connection_of_such_a_login(house: House) -> None:
    """Fails where the login is looked at when the program starts, and never again."""
    async with serving(house, house.dsn("superuser")) as api:
        client = await api.client()
        problem(await client.get("/health/ready"), 503, "unavailable")
