"""Keys and logins taken back, on a server of the operator's: what stays, what goes, and what is written down."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from stepwell import provision
from tests.cli.program import answer, on_terminal, run
from tests.house import OWNER, House, eventually

SCOPE = ("--tenant", "acme", "--environment", "dev")


@pytest.fixture
def owner(house: House) -> dict[str, str]:
    return {"STEPWELL_OWNER_DATABASE_URL": house.dsn(OWNER)}


@pytest.fixture
def name(house: House) -> Iterator[str]:
    """Return the name of a login that is there for the test alone."""
    chosen = f"shop_{os.urandom(4).hex()}"
    yield chosen
    with psycopg.connect(house.dsn("superuser"), autocommit=True) as superuser:
        for role in (chosen, f"{chosen}_2"):
            if superuser.execute("select from pg_roles where rolname = %s", [role]).fetchone():
                superuser.execute(f"drop owned by {role}; drop role {role}")


def audited(house: House, action: str) -> list[tuple[Any, ...]]:
    return house.rows("select actor, subject, reason from stepwell.audit where action = %s order by id", action)


def role_exists(house: House, name: str) -> bool:
    return bool(house.rows("select true from pg_roles where rolname = %s", name))


def groups(house: House, name: str) -> list[str]:
    found = "select roleid::regrole::text from pg_auth_members where member = %s::regrole"
    return [group for (group,) in house.rows(found, name)]


def test_a_key_is_revoked_by_its_id_once_and_it_is_written_down_who_did_it_and_why(
    house: House, owner: dict[str, str], tmp_path: Path
) -> None:
    made, other = (answer(tmp_path, "key", "create", *SCOPE, **owner) for _ in range(2))

    first = answer(tmp_path, "key", "revoke", made["id"], "--reason", "leaked", **owner)
    again = answer(tmp_path, "key", "revoke", made["id"], "--reason", "once more", **owner)

    assert first == again == {"id": made["id"], "name": "key"}
    assert [one["id"] for one in answer(tmp_path, "key", "list", *SCOPE, **owner)] == [other["id"]]
    all_ = answer(tmp_path, "key", "list", "--tenant", "acme", "--revoked", **owner)
    assert {one["id"]: one["revoked_at"] is not None for one in all_} == {made["id"]: True, other["id"]: False}
    assert audited(house, "key.revoked") == [(OWNER, made["id"], "leaked")]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("key_0000000000000", "there is no key"),
        ("key_1", "is not the id of a key"),
        ("prc_0000000000000", "is not the id of a key"),
        ("swk_Q2TdvgAqpXEcz7YlUCYtfweNvV19NFrAym7B01GOQPM", "named by its id, not by itself"),
    ],
)
def test_what_is_no_key_is_told(house: House, owner: dict[str, str], tmp_path: Path, given: str, told: str) -> None:
    done = run(tmp_path, "key", "revoke", given, **owner)

    assert done.returncode == 1
    assert told in done.stderr
    assert "swk_Q2" not in done.stderr
    assert audited(house, "key.revoked") == []


def test_a_login_that_is_revoked_is_gone_with_its_sessions(
    house: House, owner: dict[str, str], tmp_path: Path, name: str
) -> None:
    made = answer(tmp_path, "login", "create", name, "--kind", "caller", *SCOPE, **owner)
    with psycopg.connect(made["url"]) as session:
        session.execute("select 1")

        done = answer(tmp_path, "login", "revoke", name, "--reason", "leaked", **owner)

        assert done == {"name": name, "kind": "caller", "dropped": True, "sessions_ended": 1, "kept": None}
        with pytest.raises(psycopg.OperationalError):
            session.execute("select 1")
        session.close()
    assert not role_exists(house, name)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(made["url"])
    assert name not in [one["name"] for one in answer(tmp_path, "login", "list", **owner)]
    assert audited(house, "login.revoked") == [(OWNER, name, "leaked")]
    assert "there is no login" in run(tmp_path, "login", "revoke", name, **owner).stderr


def test_an_applications_own_role_stays_and_speaks_for_nobody(
    house: House, owner: dict[str, str], tmp_path: Path, name: str
) -> None:
    with psycopg.connect(house.dsn("superuser"), autocommit=True) as superuser:
        superuser.execute(f"create role {name} login password 'its own'")
    made = answer(tmp_path, "login", "create", name, "--kind", "caller", *SCOPE, "--existing", **owner)

    with psycopg.connect(made["url"], password="its own", autocommit=True) as session:
        assert session.execute("select tenant_id is not null from stepwell.scope()").fetchone() == (True,)
        done = answer(tmp_path, "login", "revoke", name, **owner)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("select * from stepwell.scope()")

    assert (done["dropped"], done["kept"]) == (False, "it was not made here")
    assert (role_exists(house, name), groups(house, name)) == (True, [])


def test_a_role_that_owns_something_stays_but_out_of_its_group(
    house: House, owner: dict[str, str], tmp_path: Path, name: str
) -> None:
    answer(tmp_path, "login", "create", name, "--kind", "caller", *SCOPE, **owner)
    with psycopg.connect(house.dsn("superuser"), autocommit=True) as superuser:
        superuser.execute(f"create schema authorization {name}")

    done = answer(tmp_path, "login", "revoke", name, **owner)

    assert not done["dropped"]
    assert "some objects depend on it" in done["kept"]
    assert groups(house, name) == []
    assert house.value("select pg_has_role(%s, %s, 'usage')", OWNER, name) is False


def test_what_cannot_be_taken_out_of_its_group_is_not_called_revoked(
    house: House, owner: dict[str, str], tmp_path: Path, name: str
) -> None:
    with psycopg.connect(house.dsn("superuser"), autocommit=True) as superuser:
        superuser.execute(f"create role {name} login; grant stepwell_worker to {name}")
        superuser.execute("insert into stepwell.login (role_name, kind) values (%s, 'worker')", [name])

    done = run(tmp_path, "login", "revoke", name, **owner)

    if house.value("select current_setting('server_version_num')::integer") >= 160000:  # a grant belongs to its grantor
        assert done.returncode == 1
        assert f'revoke stepwell_worker from "{name}"' in done.stderr
        assert audited(house, "login.revoked") == []
        assert house.value("select count(*) from stepwell.login where role_name = %s", name) == 1
    else:
        assert done.returncode == 0, done.stderr
        assert (role_exists(house, name), groups(house, name)) == (True, [])  # registered by hand: not ours to drop


def test_a_tenant_that_is_revoked_keeps_its_data_and_no_way_in(
    house: House, owner: dict[str, str], tmp_path: Path, name: str
) -> None:
    tenant = f"t{os.urandom(4).hex()}"
    answer(tmp_path, "tenant", "create", tenant, **owner)
    answer(tmp_path, "environment", "create", "test", "--tenant", tenant, **owner)
    key = answer(tmp_path, "key", "create", "--tenant", tenant, **owner)
    test_key = answer(tmp_path, "key", "create", "--tenant", tenant, "--environment", "test", **owner)
    other = answer(tmp_path, "key", "create", *SCOPE, **owner)
    answer(tmp_path, "login", "create", name, "--kind", "caller", "--tenant", tenant, **owner)
    answer(
        tmp_path,
        "login",
        "create",
        f"{name}_2",
        "--kind",
        "report",
        "--tenant",
        tenant,
        "--environment",
        "test",
        **owner,
    )

    stage = answer(tmp_path, "environment", "revoke", "test", "--tenant", tenant, "--reason", "closed", **owner)
    whole = answer(tmp_path, "tenant", "revoke", tenant, "--yes", **owner)

    assert ([one["id"] for one in stage["keys"]], [one["name"] for one in stage["logins"]]) == (
        [test_key["id"]],
        [f"{name}_2"],
    )
    assert ([one["id"] for one in whole["keys"]], [one["name"] for one in whole["logins"]]) == ([key["id"]], [name])
    assert [one["id"] for one in answer(tmp_path, "key", "list", **owner)] == [other["id"]]
    assert [one["environment"] for one in answer(tmp_path, "environment", "list", "--tenant", tenant, **owner)] == [
        "default",
        "test",
    ]
    assert audited(house, "environment.revoked") == [(OWNER, "test", "closed")]
    assert audited(house, "tenant.revoked") == [(OWNER, tenant, None)]
    assert [reason for _, _, reason in audited(house, "login.revoked")] == ["closed", None]
    assert answer(tmp_path, "tenant", "revoke", tenant, **owner) == {"tenant": tenant, "keys": [], "logins": []}


def test_a_name_that_is_not_there_is_told(owner: dict[str, str], tmp_path: Path) -> None:
    assert "no tenant 'nobody'" in run(tmp_path, "tenant", "revoke", "nobody", **owner).stderr
    assert (
        "no environment 'stage'" in run(tmp_path, "environment", "revoke", "stage", "--tenant", "acme", **owner).stderr
    )
    assert "no tenant 'nobody'" in run(tmp_path, "environment", "list", "--tenant", "nobody", **owner).stderr


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("key revoke key_0000000000001", "there is no key key_0000000000001"),
        ("key revoke mine", "mine is not the id of a key"),
        ("login revoke nobody_here", "there is no login 'nobody_here'"),
        ("tenant revoke nobody", "no tenant 'nobody'"),
        ("environment revoke nothing --tenant acme", "no environment 'nothing'"),
    ],
)
def test_whether_it_is_there_is_looked_at_before_anybody_is_asked(
    owner: dict[str, str], tmp_path: Path, command: str, told: str
) -> None:
    code, shown = on_terminal(tmp_path, *command.split(), columns=200, given="n\n", **owner)

    assert code == 1
    assert told in shown
    assert "[y/N]" not in shown


def test_a_kept_admin_key_that_was_revoked_is_replaced(house: House, no_program_logins: None) -> None:
    password = str(conninfo_to_dict(house.dsn(OWNER))["password"])
    url = provision.login_url(house.dsn(OWNER), OWNER, password)
    with provision.connected(url) as connection:
        first = provision.programs(connection, url, None, None)
        house.owner.execute("update stepwell.api_key set revoked_at = now()")
        second = provision.programs(connection, url, first, None)

    assert second.key != first.key
    assert house.value("select count(*) from stepwell.api_key where revoked_at is null") == 1


def test_every_session_of_a_login_ends(house: House, owner: dict[str, str], tmp_path: Path, name: str) -> None:
    made = answer(tmp_path, "login", "create", name, "--kind", "worker", **owner)
    sessions = [psycopg.connect(made["url"]) for _ in range(3)]

    done = answer(tmp_path, "login", "revoke", name, **owner)

    left = "select count(*) from pg_stat_activity where usename = %s"
    eventually(lambda: house.value(left, name) == 0, what="no session is left")
    assert done["sessions_ended"] == 3
    for session in sessions:
        session.close()
