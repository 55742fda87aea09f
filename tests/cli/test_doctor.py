"""The doctor says ok, or what to do; anything that breaks a promise makes it end with 1."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engine.config import Settings
from engine.embedded import place
from stepwell import checks, doctor
from stepwell.checks import BAD, HINT, OK, Finding
from tests.cli.program import answer, run
from tests.house import OWNER, House


def look(url: str, *wanted: checks.Check) -> list[Finding]:
    return list(checks.database(url, wanted, "database"))


def of(findings: list[Finding], area: str) -> list[tuple[str, str]]:
    return [(finding.state, finding.message) for finding in findings if finding.area == area]


def test_a_fresh_embedded_installation_is_well(folder: Path) -> None:
    answer(folder, "migrate")

    said = answer(folder, "doctor")

    assert said["ok"] is True
    assert {f["state"] for f in said["findings"]} <= {OK, HINT}
    areas = {f["area"] for f in said["findings"]}
    assert areas >= {"server", "clock", "tls", "setting", "schema", "roles", "workers", "partitions", "api", "files"}
    assert all(f["advice"] for f in said["findings"] if f["state"] != OK)


def test_settings_of_the_server_that_lose_commits_are_bad(house: House) -> None:
    (value,) = house.owner.execute("select current_setting('fsync')").fetchone() or ("",)

    found = of(look(house.dsn(OWNER), checks.server_settings), "setting")

    assert (BAD if value == "off" else OK, f"fsync = {value}") in found
    assert (OK, "autovacuum = on") in found


@pytest.mark.parametrize("kind", ["api", "worker"])
def test_a_programs_login_is_well(house: House, kind: str) -> None:
    found = look(house.dsn(f"house_{kind}"), checks.own_login)

    assert of(found, "roles") == [(OK, f"house_{kind} is in stepwell_{kind}, bound by row-level security")]


@pytest.mark.parametrize(("login", "fault"), [("superuser", "a superuser"), (OWNER, "the schema's owner")])
def test_a_login_that_passes_by_row_level_security_is_refused(
    house: House, login: str, fault: str, tmp_path: Path
) -> None:
    done = run(tmp_path, "doctor", STEPWELL_DATABASE_URL=house.dsn(login))

    assert done.returncode == 1
    assert f"{fault}" in done.stdout
    assert "row-level security would not hold" in done.stdout


@pytest.fixture
def another_login(house: House) -> Iterator[str]:
    name = f"odd_{os.urandom(4).hex()}"
    with psycopg.connect(house.dsn("superuser"), autocommit=True) as superuser:
        superuser.execute(f"create role {name} login")
        superuser.execute("insert into stepwell.login (role_name, kind) values (%s, 'worker')", [name])
        yield name
        superuser.execute(f"drop role {name}")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("alter role {} bypassrls", "BYPASSRLS"),
        ("grant stepwell_api to {}", "is in stepwell_api"),
        ("grant stepwell_worker, stepwell_api to {}", "is in stepwell_api, stepwell_worker"),
        ("select '{}'", "is in no group"),
    ],
)
def test_a_registered_login_that_is_not_what_it_should_be_is_bad(
    house: House, another_login: str, change: str, fault: str
) -> None:
    with psycopg.connect(house.dsn("superuser"), autocommit=True) as superuser:
        superuser.execute(change.format(another_login))

    bad = [message for state, message in of(look(house.dsn(OWNER), checks.all_logins), "roles") if state == BAD]

    assert len(bad) == 1
    assert bad[0].startswith(another_login)
    assert fault in bad[0]


def test_a_schema_that_is_not_this_releases_is_bad(house: House) -> None:
    house.owner.execute("update stepwell.migration set checksum = 'x' where name = '010_now'")

    (found,) = of(look(house.dsn(OWNER), checks.schema), "schema")

    assert found == (BAD, "not yet applied: 010_now")


def test_a_transaction_that_stays_open_is_named(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "TRANSACTION_SECONDS", -1)
    with house.caller(autocommit=False) as forgotten:
        forgotten.execute("select 1")
        found = of(look(house.dsn("superuser"), checks.transactions), "transactions")

    assert [state for state, message in found if "house_acme_prod" in message] == [HINT]


def test_a_login_that_cannot_see_others_transactions_says_so(house: House) -> None:
    found = of(look(house.dsn(OWNER), checks.transactions), "transactions")

    assert (HINT, "those of other logins are invisible to this one") in found


def test_what_a_login_may_not_see_is_a_hint_not_an_end(house: House) -> None:
    found = look(house.dsn("house_api"), checks.life, checks.clock)

    assert [f.state for f in found if "not checked" in f.message] == [HINT]
    assert of(found, "clock")[0][0] == OK


def test_a_cluster_whose_data_folder_is_gone_is_named_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "SHARED", tmp_path)
    for name, home in (("cluster-lost", tmp_path / "gone"), ("cluster-used", tmp_path / "there")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "home").write_text(f"{home}\n")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "server.json").write_text("{}")

    (found,) = doctor.stranded_clusters()

    assert found.state == HINT
    assert str(tmp_path / "gone") in found.message
    assert f"rm -r {tmp_path / 'cluster-lost'}" in found.advice
    assert (tmp_path / "cluster-lost").exists()


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("/var/run/postgresql", True),
        ("", True),
        ("::1", True),
        ("db.example", False),
        ("10.0.0.1", False),
    ],
)
def test_only_this_machine_needs_no_tls(host: str, local: bool) -> None:
    assert checks.is_local(host) is local


def test_with_a_programs_login_only_it_is_said_what_the_owners_would_show(house: House, tmp_path: Path) -> None:
    done = run(tmp_path, "doctor", STEPWELL_DATABASE_URL=house.dsn("house_api"))

    said = json.loads(done.stdout)
    [found] = [finding for finding in said["findings"] if finding["area"] == "database"]
    assert (found["state"], "owner's login" in found["message"]) == (HINT, True)
    assert "STEPWELL_OWNER_DATABASE_URL" in found["advice"]
    assert "stepwell up" not in found["advice"]


@pytest.mark.parametrize(
    ("settings", "doubted"),
    [
        (Settings(database_url="dbname=x"), True),
        (Settings(owner_database_url="dbname=x"), True),
        (Settings(), False),
        (Settings(database_url="dbname=x", url="http://api.example:8080"), False),
    ],
)
def test_an_api_that_nobody_named_is_not_taken_for_the_one_of_the_database(settings: Settings, doubted: bool) -> None:
    assert ("whether it is of this database is not known" in doctor.doubt(settings, settings.url)) is doubted


def test_processes_in_quarantine_are_bad_and_it_is_said_how_to_list_and_release_them(house: House) -> None:
    house.owner.execute("insert into stepwell.loss values (1, 5, now(), 1, 1)")

    [found] = [one for one in look(house.dsn(OWNER), checks.life) if one.area == "quarantine"]

    assert (found.state, found.message) == (BAD, "1 processes are in quarantine")
    assert "stepwell process list --quarantined" in found.advice
    assert "stepwell process release" in found.advice
