"""Tenant A can neither see nor touch anything of tenant B, nor environment dev anything of prod: in SQL."""

import json

import psycopg
import pytest
from psycopg import errors

from tests.house import House, start

ONE_STEP = {"name": "one", "steps": [{"id": "a", "type": "transform", "config": {"mapping": {"x": 1}}}]}
TABLES = (
    "process",
    "history",
    "payload",
    "definition",
    "definition_version",
    "task",
    "business_key",
    "tenant",
    "environment",
)


@pytest.fixture
def filled(house: House) -> House:
    """Processes in all three scopes."""
    for scope in house.scopes:
        house.publish(ONE_STEP, scope)
        house.start("one", {"big": "x" * 9000}, scope, business_key="k")
    return house


@pytest.mark.parametrize("login", ["house_acme_prod", "house_acme_dev", "house_globex_prod", "house_report"])
def test_a_login_sees_the_rows_of_its_own_scope_only(filled: House, login: str) -> None:
    name = {"house_report": "acme_prod"}.get(login, login.removeprefix("house_"))
    mine = filled.scopes[name]
    with filled.connect(login) as db:
        for table in TABLES:
            column = {"tenant": "id, null", "environment": "tenant_id, id"}.get(table, "tenant_id, environment_id")
            seen = db.execute(f"select distinct {column} from stepwell.{table}").fetchall()
            assert seen in ([], [mine], [(mine[0], None)]), table


def test_a_login_that_changes_its_settings_gains_nothing(filled: House) -> None:
    other = filled.scopes["globex_prod"]
    with filled.connect("house_acme_prod") as db:
        db.execute("select set_config('stepwell.tenant_id', %s, false)", (str(other[0]),))
        db.execute("select set_config('stepwell.environment_id', %s, false)", (str(other[1]),))

        assert db.execute("select distinct tenant_id from stepwell.process").fetchall() == [
            (filled.scopes["acme_prod"][0],)
        ]
        with pytest.raises(errors.InsufficientPrivilege):
            db.execute("set role stepwell_api")


def test_the_api_login_sees_nothing_before_it_says_for_whom_it_speaks(filled: House) -> None:
    with filled.connect("house_api") as db:
        assert db.execute("select count(*) from stepwell.process").fetchone() == (0,)
        with pytest.raises(psycopg.Error) as refused:
            start(db, "one")

    assert refused.value.sqlstate == "SW403"


def test_another_scopes_ids_are_refused_exactly_like_unknown_ones(filled: House) -> None:
    theirs = filled.value(
        "select stepwell.public_id('prc', id) from stepwell.process where tenant_id = %s",
        filled.scopes["globex_prod"][0],
    )
    for login in ("house_acme_prod", "house_acme_dev"):
        with filled.connect(login) as db:
            for call in ("cancel_process(%s)", "retry_process(%s)"):
                with pytest.raises(psycopg.Error) as refused:
                    db.execute(f"select stepwell.{call}", (theirs,))
                assert refused.value.sqlstate == "SW404"

    assert filled.value("select count(*) from stepwell.inbox") == 0


def test_customers_can_write_no_table_and_read_no_hot_one(filled: House) -> None:
    hot = (
        "job",
        "lease",
        "loss",
        "inbox",
        "timer",
        "wait",
        "signal",
        "signal_job",
        "worker",
        "login",
        "api_key",
        "audit",
    )
    with filled.connect("house_acme_prod") as db:
        for table in hot:
            with pytest.raises(errors.InsufficientPrivilege):
                db.execute(f"select from stepwell.{table}")
        for table in TABLES:
            with pytest.raises(errors.InsufficientPrivilege):
                db.execute(f"delete from stepwell.{table}")


def test_the_worker_can_neither_change_nor_delete_history(filled: House) -> None:
    with filled.connect("house_worker") as db:
        for statement in (
            "delete from stepwell.history",
            "update stepwell.history set seq = 9",
            "delete from stepwell.process",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                db.execute(statement)


def test_a_partition_read_directly_is_refused_to_everybody_but_the_owner(filled: House) -> None:
    partitions = [
        row[0]
        for row in filled.rows(
            "select relname from pg_class where relispartition and relkind = 'r' and relnamespace = 'stepwell'::regnamespace"
        )
    ]
    assert len(partitions) >= 12
    for login in ("house_api", "house_worker", "house_report", "house_acme_prod"):
        with filled.connect(login) as db, pytest.raises(errors.InsufficientPrivilege):
            db.execute(f"select from stepwell.{partitions[0]}")


def test_every_table_has_a_policy_and_every_view_runs_as_its_reader(house: House) -> None:
    unprotected = house.rows(
        "select c.relname from pg_class c where c.relnamespace = 'stepwell'::regnamespace and c.relkind in ('r', 'p') "
        "and not c.relispartition and (not c.relrowsecurity or not exists (select from pg_policy p where p.polrelid = c.oid))"
    )
    careless = house.rows(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname like 'stepwell%%' "
        "and c.relkind = 'v' and not coalesce('security_invoker=true' = any(c.reloptions), false)"
    )
    assert unprotected == []
    assert careless == []


def test_no_function_is_open_to_everybody_and_every_definer_pins_its_search_path(house: House) -> None:
    public = house.rows(
        "select p.proname from pg_proc p where p.pronamespace = 'stepwell'::regnamespace "
        "and (p.proacl is null or exists (select from aclexplode(p.proacl) a where a.grantee = 0))"
    )
    unpinned = house.rows(
        "select p.proname from pg_proc p where p.pronamespace = 'stepwell'::regnamespace and p.prosecdef "
        "and not exists (select from unnest(p.proconfig) c where c like 'search_path=%%')"
    )
    assert public == []
    assert unpinned == []


def test_a_flush_row_that_names_a_foreign_process_is_an_error_and_writes_nothing(filled: House) -> None:
    rows = filled.rows("select id, tenant_id, environment_id from stepwell.process order by id")
    with filled.connect("house_worker") as db:
        me = db.execute(
            "insert into stepwell.worker (id, seen_at, started_at, host, pid, release) values (7, now(), now(), 'h', 1, 'r') returning id"
        ).fetchone()[0]  # type: ignore[index]
        db.execute("select stepwell.tick(%s, 1)", (me,))
        (held,) = db.execute("select process_id from stepwell.lease").fetchone()  # type: ignore[misc]
        mine = next(r for r in rows if r[0] == held)
        other = next(r for r in rows if r[0] != held)
        foreign = [
            (other[0], other[1], other[2], 2),  # a process this worker does not hold
            (mine[0], other[1], other[2], 2),  # its own process under another tenant's name
            (mine[0], mine[1], mine[2] + 1000, 2),  # under another environment's name
        ]
        for process_id, tenant_id, environment_id, seq in foreign:
            event = {
                "process_id": process_id, "tenant_id": tenant_id, "environment_id": environment_id, "seq": seq,
                "at": "2026-01-01T00:00:00Z", "type": "process.started", "v": 1, "data": {},
            }  # fmt: skip
            with pytest.raises(psycopg.Error) as refused:
                db.execute("select stepwell.flush(%s, %s)", (me, json.dumps({"events": [event]})))
            assert refused.value.sqlstate == "SW002"
        for key in ("mail", "payloads", "waits", "tasks", "processes", "snapshots"):
            row = {"process_id": other[0], "id": 1, "n": 9, "body": 1, "name": "n", "correlation": "", "path": "p", "run": 1,
                   "definition_id": 1, "title": "t", "created_at": "2026-01-01T00:00:00Z", "status": "FAILED",
                   "ended_at": "2026-01-01T00:00:00Z", "seq": 1, "state": {}}  # fmt: skip
            with pytest.raises(psycopg.Error) as refused:
                db.execute("select stepwell.flush(%s, %s)", (me, json.dumps({key: [row]})))
            assert refused.value.sqlstate == "SW002", key

    assert filled.value("select count(*) from stepwell.history where seq > 1") == 0
