"""`migrate`, `tenant`, `environment`, `login`, `key` as an operator types them, on a server of the operator's."""

import json
import os
from pathlib import Path

import psycopg
import pytest

from engine.keys import make_key
from tests.cli.program import answer, run
from tests.house import OWNER, House


@pytest.fixture
def owner(house: House) -> dict[str, str]:
    # Its database is a copy of the template, made by the superuser.
    with psycopg.connect(house.dsn("superuser")) as superuser:
        superuser.execute(f"alter database {superuser.info.dbname} owner to {OWNER}")
    return {"STEPWELL_OWNER_DATABASE_URL": house.dsn(OWNER)}


def test_migrate_says_what_it_did_and_does_nothing_the_second_time(
    house: House, owner: dict[str, str], tmp_path: Path
) -> None:
    house.owner.execute("drop schema stepwell cascade")

    first = answer(tmp_path, "migrate", **owner)
    second = answer(tmp_path, "migrate", **owner)

    assert first["migrations"][0] == "0001_roles"
    assert second == {"migrations": [], "functions": []}
    assert house.rows("select name from stepwell.tenant") == [("default",)]


def test_migrate_makes_the_bootstrap_key(house: House, owner: dict[str, str], tmp_path: Path) -> None:
    key, hashed = make_key()

    answer(tmp_path, "migrate", **owner, STEPWELL_BOOTSTRAP_API_KEY=key)

    assert house.value("select scopes from stepwell.api_key where hash = %s", hashed) == ["admin"]


def test_migrate_with_a_programs_login_says_whose_is_needed(house: House, tmp_path: Path) -> None:
    done = run(tmp_path, "migrate", STEPWELL_DATABASE_URL=house.dsn("house_worker"))

    assert done.returncode == 1
    assert "STEPWELL_OWNER_DATABASE_URL" in done.stderr
    assert not (tmp_path / ".stepwell").exists()


def test_migrate_leaves_a_newer_database_alone(house: House, owner: dict[str, str], tmp_path: Path) -> None:
    house.owner.execute("insert into stepwell.migration (kind, name, checksum) values ('migration', '9999_later', '')")

    done = run(tmp_path, "migrate", **owner)

    assert done.returncode == 1
    assert "9999_later" in done.stderr


def test_a_tenant_is_made_with_its_environments_once(house: House, owner: dict[str, str], tmp_path: Path) -> None:
    answer(tmp_path, "tenant", "create", "initech", **owner)
    answer(tmp_path, "environment", "create", "test", "--tenant", "initech", **owner)

    listed = {one["tenant"]: one["environments"] for one in answer(tmp_path, "tenant", "list", **owner)}
    assert listed["initech"] == ["default", "test"]
    assert "already" in run(tmp_path, "tenant", "create", "initech", **owner).stderr
    assert "already" in run(tmp_path, "environment", "create", "test", "--tenant", "initech", **owner).stderr
    assert "no tenant" in run(tmp_path, "environment", "create", "test", "--tenant", "nobody", **owner).stderr


def test_a_name_that_cannot_be_is_told_in_a_line_with_the_rule(
    house: House, owner: dict[str, str], tmp_path: Path
) -> None:
    done = run(tmp_path, "tenant", "create", "No Slug!", **owner)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "lower-case letters" in done.stderr
    assert "constraint" not in done.stderr


def test_a_login_is_printed_once_and_works(house: House, owner: dict[str, str], tmp_path: Path) -> None:
    name = f"shop_{os.urandom(4).hex()}"
    scope = ("--kind", "caller", "--tenant", "acme", "--environment", "dev")

    made = answer(tmp_path, "login", "create", name, *scope, **owner)

    with psycopg.connect(made["url"]) as connection:
        assert connection.execute("select session_user::text").fetchone() == (name,)
    listed = {one["name"]: one for one in answer(tmp_path, "login", "list", **owner)}
    assert (listed[name]["tenant"], listed[name]["environment"]) == ("acme", "dev")
    again = run(tmp_path, "login", "create", name, *scope, **owner)
    assert again.returncode == 1
    assert "exists already" in again.stderr
    house.owner.execute(f"drop role {name}")


def test_a_customers_login_has_few_connections_unless_it_is_told_otherwise(
    house: House, owner: dict[str, str], tmp_path: Path
) -> None:
    name, scope = f"shop_{os.urandom(4).hex()}", ("--tenant", "acme", "--environment", "dev")
    limit = "select rolconnlimit from pg_roles where rolname = %s"

    answer(tmp_path, "login", "create", name, "--kind", "caller", *scope, **owner)
    answer(tmp_path, "login", "create", f"{name}_2", "--kind", "report", *scope, "--connections", "3", **owner)
    answer(tmp_path, "login", "create", f"{name}_3", "--kind", "worker", **owner)

    assert [house.value(limit, login) for login in (name, f"{name}_2", f"{name}_3")] == [20, 3, -1]
    house.owner.execute(f"drop role {name}, {name}_2, {name}_3")


def test_a_password_of_ones_own_is_taken_and_not_printed(house: House, owner: dict[str, str], tmp_path: Path) -> None:
    name, scope = f"shop_{os.urandom(4).hex()}", ("--tenant", "acme", "--environment", "dev")
    options = ("--kind", "caller", *scope, "--password-stdin")

    without = run(tmp_path, "login", "create", name, *options, **owner)
    done = run(tmp_path, "login", "create", name, *options, given="correct horse\n", **owner)

    assert without.returncode == 1
    assert done.returncode == 0, done.stderr
    assert "correct" not in done.stdout
    with psycopg.connect(json.loads(done.stdout)["url"], password="correct horse") as connection:
        assert connection.execute("select tenant_id is not null from stepwell.scope()").fetchone() == (True,)
    house.owner.execute(f"drop role {name}")


def test_an_applications_own_role_is_registered_and_keeps_its_password(
    house: House, owner: dict[str, str], tmp_path: Path
) -> None:
    name, scope = f"app_{os.urandom(4).hex()}", ("--tenant", "acme", "--environment", "dev")
    options = ("--kind", "caller", *scope, "--existing")
    with psycopg.connect(house.dsn("superuser"), autocommit=True) as superuser:
        superuser.execute(f"create role {name} login password 'its own'; create role {name}_2 login superuser")

    done = answer(tmp_path, "login", "create", name, *options, **owner)
    too_much = run(tmp_path, "login", "create", f"{name}_2", *options, **owner)
    missing = run(tmp_path, "login", "create", f"{name}_3", *options, **owner)

    with psycopg.connect(done["url"], password="its own") as connection:
        assert connection.execute("select tenant_id is not null from stepwell.scope()").fetchone() == (True,)
    assert "superuser" in too_much.stderr
    assert "there is no role" in missing.stderr
    assert house.value("select count(*) from stepwell.login where role_name like %s", f"{name}%") == 1
    with psycopg.connect(house.dsn("superuser"), autocommit=True) as superuser:
        superuser.execute(f"drop role {name}, {name}_2")


def test_a_programs_login_has_no_tenant(house: House, owner: dict[str, str], tmp_path: Path) -> None:
    done = run(tmp_path, "login", "create", "some_worker", "--kind", "worker", "--tenant", "acme", **owner)

    assert done.returncode == 1
    assert "spans all tenants" in done.stderr


def test_a_key_is_printed_once_with_its_scopes(house: House, owner: dict[str, str], tmp_path: Path) -> None:
    options = (
        "--name",
        "reader",
        "--scopes",
        "workflows:read, tasks:act",
        "--tenant",
        "globex",
        "--environment",
        "prod",
    )

    made = answer(tmp_path, "key", "create", *options, **owner)

    assert made["key"].startswith("swk_")
    assert house.rows("select name, scopes from stepwell.api_key") == [("reader", ["workflows:read", "tasks:act"])]
    who = "select actor, action from stepwell.audit where action = 'key.created'"
    assert house.rows(who) == [(OWNER, "key.created")]


def test_an_unknown_scope_is_refused_with_the_known_ones(house: House, owner: dict[str, str], tmp_path: Path) -> None:
    done = run(
        tmp_path, "key", "create", "--scopes", "everything", "--tenant", "acme", "--environment", "prod", **owner
    )

    assert done.returncode == 1
    assert "workflows:read" in done.stderr
    assert house.value("select count(*) from stepwell.api_key") == 0
