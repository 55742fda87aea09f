"""Logins, keys and tenants on a real server, made by an owner that is no superuser."""

import hashlib
import os

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.config import Settings
from engine.errors import Conflict, NotFound, OperatorError, SettingError
from engine.keys import make_key
from stepwell import prepare, provision
from stepwell.connection import Connection
from tests.house import OWNER, House


@pytest.fixture
def owner_url(house: House, no_program_logins: None) -> str:
    return provision.login_url(house.dsn(OWNER), OWNER, str(conninfo_to_dict(house.dsn(OWNER))["password"]))


@pytest.fixture
def made(house: House, owner_url: str) -> Connection:
    with provision.connected(owner_url) as owner:
        return provision.programs(owner, owner_url, None, None)


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize("kind", ["api", "worker"])
def test_a_programs_login_is_bound_by_row_level_security_and_in_one_group(
    made: Connection, house: House, kind: str
) -> None:
    url = made.api_url if kind == "api" else made.worker_url
    attributes = "rolsuper, rolbypassrls, rolcreaterole, rolcreatedb"
    groups = "array(select roleid::regrole::text from pg_auth_members where member = r.oid)"

    found = rows(url, f"select {attributes}, {groups} from pg_roles r where rolname = session_user")

    assert found == [(False, False, False, False, [f"stepwell_{kind}"])]
    name = conninfo_to_dict(url)["user"]
    assert house.value("select kind from stepwell.login where role_name = %s", name) == kind


def test_a_second_time_everything_stays(made: Connection, owner_url: str) -> None:
    with provision.connected(owner_url) as owner:
        again = provision.programs(owner, owner_url, made, None)

    assert again == made
    assert rows(again.worker_url, "select 1") == [(1,)]


def test_without_the_kept_passwords_new_ones_are_set(made: Connection, owner_url: str) -> None:
    with provision.connected(owner_url) as owner:
        again = provision.programs(owner, owner_url, None, None)

    assert again.api_url != made.api_url
    assert rows(again.api_url, "select 1") == [(1,)]


def test_a_programs_login_that_somebody_else_made_is_told_of(house: House, owner_url: str) -> None:
    with psycopg.connect(house.dsn("superuser"), autocommit=True) as superuser:
        superuser.execute(f"create role {superuser.info.dbname}_api_login login")

    with (
        provision.connected(owner_url) as owner,
        pytest.raises(OperatorError, match="may not set the password") as told,
    ):
        provision.programs(owner, owner_url, None, None)

    assert "admin option" in told.value.advice
    with psycopg.connect(house.dsn("superuser"), autocommit=True) as superuser:
        superuser.execute(f"drop role {superuser.info.dbname}_api_login")


def test_the_admin_key_is_kept_as_a_hash_only(made: Connection, house: House) -> None:
    stored = house.rows("select hash, scopes from stepwell.api_key")

    assert stored == [(hashlib.sha256(made.key.encode()).digest(), ["admin"])]
    assert house.value("select count(*) from stepwell.audit where data::text like %s", f"%{made.key}%") == 0


def test_the_bootstrap_key_becomes_the_admin_key_once(house: House, owner_url: str) -> None:
    key, hashed = make_key()
    with provision.connected(owner_url) as owner:
        first = provision.programs(owner, owner_url, None, key)
        second = provision.programs(owner, owner_url, first, key)

    assert first.key == second.key == key
    assert house.value("select count(*) from stepwell.api_key where hash = %s", hashed) == 1


def test_a_bootstrap_key_of_another_form_is_refused(house: House, owner_url: str) -> None:
    with provision.connected(owner_url) as owner, pytest.raises(SettingError, match="form of a key"):
        provision.programs(owner, owner_url, None, "admin")


def test_a_bootstrap_key_that_is_another_tenants_is_refused(house: House, owner_url: str) -> None:
    with provision.connected(owner_url) as owner:
        key = provision.add_key(owner, provision.find_scope(owner, "acme", "prod"), "theirs", ["admin"])["key"]
        with pytest.raises(SettingError, match="another tenant"):
            provision.programs(owner, owner_url, None, key)


def test_a_callers_login_starts_in_its_own_scope(house: House, owner_url: str) -> None:
    name = f"caller_{os.urandom(4).hex()}"
    with provision.connected(owner_url) as owner:
        scope = provision.find_scope(owner, "globex", "prod")
        url = provision.login_url(owner_url, name, provision.add_login(owner, name, "caller", scope))

    found = rows(url, "select tenant_id, environment_id from stepwell.scope()")

    assert found == [(scope.tenant_id, scope.environment_id)]
    house.owner.execute(f"drop role {name}")


def test_a_name_that_is_taken_is_refused_and_nothing_is_left(house: House, owner_url: str) -> None:
    with provision.connected(owner_url) as owner, pytest.raises(Conflict, match="exists already"):
        provision.add_login(owner, "house_api", "caller", provision.find_scope(owner, "acme", "prod"))

    assert house.value("select kind from stepwell.login where role_name = 'house_api'") == "api"


def test_names_are_quoted_not_believed(house: House, owner_url: str) -> None:
    name = f'x"; drop schema stepwell cascade; --{os.urandom(4).hex()}'
    with provision.connected(owner_url) as owner:
        password = provision.add_login(owner, name, "report", provision.find_scope(owner, "acme", "prod"))

    assert rows(provision.login_url(owner_url, name, password), "select session_user::text") == [(name,)]
    assert house.value("select count(*) from stepwell.login where role_name = %s", name) == 1
    quoted = name.replace('"', '""')
    house.owner.execute(f'drop role "{quoted}"')


def test_an_unknown_tenant_or_environment_is_named(house: House, owner_url: str) -> None:
    with provision.connected(owner_url) as owner:
        with pytest.raises(NotFound, match="no tenant 'nobody'"):
            provision.find_scope(owner, "nobody", "prod")
        with pytest.raises(NotFound, match="no environment 'stage'"):
            provision.find_scope(owner, "acme", "stage")


def test_a_login_that_owns_nothing_cannot_migrate(house: House) -> None:
    with pytest.raises(OperatorError, match="not the owner"):
        prepare.given(house.dsn("house_api"), Settings())


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            "postgresql://a:b@db.example:5433/x?sslmode=require",
            "postgresql://me:p%40w@db.example:5433/x?sslmode=require",
        ),
        ("host=db.example dbname=x", "postgresql://me:p%40w@db.example/x"),
        ("postgresql://a@[::1]:5432/x", "postgresql://me:p%40w@[::1]:5432/x"),
        ("host=/var/run/pg dbname=x", "postgresql://me:p%40w@/x?host=%2Fvar%2Frun%2Fpg"),
    ],
)
def test_a_connection_string_is_given_another_login(given: str, wanted: str) -> None:
    made = provision.login_url(given, "me", "p@w")

    assert made == wanted
    assert conninfo_to_dict(made)["password"] == "p@w"


def test_several_hosts_stay_as_they_are() -> None:
    made = provision.login_url("postgresql://a:b@one:1,two:2/x", "me", "pw")

    assert conninfo_to_dict(made) == conninfo_to_dict(
        make_conninfo(host="one,two", port="1,2", dbname="x", user="me", password="pw")
    )
