"""What docs/distributed.md says of tables, keys and statements is what the schema has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.core.ids import execution_id, task_id
from tests.crash.audit import assert_whole, number
from tests.house import OWNER, House, eventually
from tests.sql.distribution import BY_POLICY, NAMED, NOT_NAMED, OURS, OWNED, Reader, called, statements

PAGE = Path(__file__).parents[2] / "docs" / "distributed.md"
HELPERS = {
    "current_tenant",
    "current_environment",
    "scope",
    "now",
    "public_id",
    "private_id",
}  # touch no row of a tenant
BEFORE_THE_TENANT = {"authenticate"}  # finds out which tenant a key is for
OF_ALL = {"measure"}  # counts of the whole database, for metrics


def said(section: str) -> dict[str, set[str]]:
    """Return a table of the page: first cell → the names in backquotes that follow it."""
    text = PAGE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = (line.strip("|").split("|") for line in text.splitlines() if line.startswith("| "))
    return {first.strip().strip("`"): set(re.findall(r"`([^`]+)`", "".join(rest))) for first, *rest in rows if rest}


def assert_page_says(section: str, key: str, true: Iterable[str]) -> None:
    wanted = set(true)
    found = said(section)[key]
    assert found == wanted, f"docs/distributed.md, {section}, {key}: add {wanted - found}, take out {found - wanted}"


def names(house: House, condition: str) -> list[str]:
    return [
        name
        for (name,) in house.rows(
            f"select c.relname from pg_class c where {OURS} and not c.relispartition and {condition}"
        )
    ]


def test_each_table_is_of_tenants_and_says_so_in_every_row_or_is_known_not_to_be(house: House) -> None:
    always = " and ".join(
        f"(select a.attnotnull from pg_attribute a where a.attrelid = c.oid and a.attname = '{column}')"
        for column in ("tenant_id", "environment_id")
    )
    assert_page_says("Tables", "tenant and environment in every row", names(house, f"coalesce({always}, false)"))
    assert_page_says(
        "Tables", "tenant, but not always both", names(house, f"{OWNED} and not coalesce({always}, false)")
    )
    assert_page_says("Tables", "of the installation", names(house, f"not {OWNED}"))


def test_the_unique_keys_of_tenants_tables_that_lack_the_tenant_are_those_on_the_page(house: House) -> None:
    keys = house.rows(
        "select i.indexrelid::regclass::text, array(select a.attname::text from pg_attribute a where a.attrelid = c.oid "
        "  and a.attnum = any(i.indkey::smallint[]) order by array_position(i.indkey::smallint[], a.attnum)) "
        "from pg_index i join pg_class c on c.oid = i.indrelid "
        f"where i.indisunique and {OURS} and not c.relispartition and {OWNED}"
    )
    lacking = {name.removeprefix("stepwell."): columns for name, columns in keys if "tenant_id" not in columns}
    page = said("Keys")
    page.pop("key")  # the head of the table

    assert page == {name: set(columns) for name, columns in lacking.items()}
    assert len(keys) > len(lacking) > 0


def test_how_each_statement_knows_its_tenant_is_what_the_page_says(house: House) -> None:
    """Read off the plans: once as whom no policy holds, once as the login that runs it."""
    reader = Reader(house)
    kinds = {name: reader.kind(name, text) for name, text in statements().items()}

    for kind in (NAMED, BY_POLICY, NOT_NAMED):
        assert_page_says("Statements", kind, (name for name, found in kinds.items() if found == kind))
    assert_page_says(
        "Statements",
        "calls a function",
        (name for name, found in kinds.items() if found is None and called(statements()[name]) - HELPERS),
    )
    assert all(name.startswith("worker.") for name, found in kinds.items() if found == NOT_NAMED)


def granted(house: House, *roles: str) -> set[str]:
    """Return the functions that one of these groups may call."""
    return {
        name
        for (name,) in house.rows(
            "select distinct p.proname from pg_proc p, unnest(%s::text[]) as r (name) "
            "where p.pronamespace = 'stepwell'::regnamespace and has_function_privilege(r.name, p.oid, 'execute')",
            [f"stepwell_{role}" for role in roles],
        )
    }


def for_tenants(house: House) -> set[str]:
    return granted(house, "caller", "api", "report") - HELPERS - OF_ALL - BEFORE_THE_TENANT


def test_the_functions_that_act_for_one_tenant_and_those_that_span_them_are_those_on_the_page(house: House) -> None:
    assert_page_says("Functions", "for the tenant that calls", for_tenants(house))
    assert_page_says("Functions", "before the tenant is known", BEFORE_THE_TENANT)
    assert_page_says("Functions", "for all tenants", granted(house, "worker") - HELPERS)


def test_the_functions_that_wake_workers_are_those_on_the_page(house: House) -> None:
    callers = house.rows(
        "select proname from pg_proc where pronamespace = 'stepwell'::regnamespace and prosrc ~ 'perform wake_workers'"
    )
    assert_page_says("Functions", "wake workers", (name for (name,) in callers))


def show_only(house: House, tenant_id: int) -> None:
    """Let nobody but superusers see or write rows of any other tenant, the owner and its functions included."""
    with house.connect("superuser") as db:
        for table in set(names(house, OWNED)) - {
            "login"
        }:  # whom a login speaks for is asked before the tenant is known
            db.execute(f"alter table stepwell.{table} force row level security")
            db.execute(f"create policy probe_owner on stepwell.{table} to {OWNER} using (true) with check (true)")
            db.execute(f"create policy probe on stepwell.{table} as restrictive using (tenant_id = {tenant_id})")


def rows_of(house: House, tenant_id: int) -> dict[str, list[tuple[str]]]:
    """Return all that is stored of a tenant."""
    with house.connect("superuser") as db:
        return {
            table: db.execute(
                f"select t::text from stepwell.{table} t where tenant_id = {tenant_id} order by 1"
            ).fetchall()
            for table in names(house, OWNED)
        }


def set_aside(house: House, process: str) -> None:
    """Put a process that nobody holds into quarantine."""
    with house.connect("superuser") as db:
        of_it = "tenant_id, environment_id from stepwell.process where id = %s"
        db.execute("delete from stepwell.job where process_id = %s", (number(process),))
        db.execute(
            "insert into stepwell.lease (process_id, worker_id, priority, lane, tenant_id, environment_id) "
            f"select id, 0, 0, 0, {of_it}",
            (number(process),),
        )
        db.execute(
            "insert into stepwell.loss (process_id, losses, quarantined_at, tenant_id, environment_id) "
            f"select id, 5, now(), {of_it}",
            (number(process),),
        )


class Tenant:
    """Calls functions as one tenant, by the API's login, and keeps their names."""

    def __init__(self, house: House, scope: str) -> None:
        self._house = house
        self._scope = house.scopes[scope]
        self.called: set[str] = set()

    def __call__(self, name: str, *arguments: object) -> Any:
        self.called.add(name)
        with self._house.connect("house_api", autocommit=False) as db:
            for setting, id_ in zip(("tenant_id", "environment_id"), self._scope, strict=True):
                db.execute("select set_config(%s, %s, true)", (f"stepwell.{setting}", str(id_)))
            statement = f"select stepwell.{name}({', '.join(['%s'] * len(arguments))})"
            row = db.execute(statement, arguments or None).fetchone()
        assert row is not None
        return row[0]


DEFINITIONS = {
    "quick": {"type": "transform", "config": {"mapping": {"big": "${input.big}"}}},
    "later": {"type": "wait", "config": {"seconds": 0.1}},
    "paid": {"type": "wait", "config": {"signal": "paid", "correlation_key": "k"}},
    "ask": {"type": "manual", "config": {"title": "Look"}},
}
INPUT = {"big": "x" * 9000}  # kept as a payload


def test_everything_is_done_for_a_tenant_whose_rows_are_all_that_can_be_seen(house: House) -> None:
    """As on a server that has no others. Fails where a function writes what names another tenant or none, where it
    needs to read what is another's, and where one that tenants may call is not tried here.
    """
    for scope in ("acme_prod", "globex_prod"):
        for name, step in DEFINITIONS.items():
            house.publish({"name": name, "steps": [{"id": "s", **step}]}, scope)
            house.start(name, INPUT, scope, business_key="k")
    poisoned = house.start("quick", INPUT)
    set_aside(house, poisoned)
    (mine, _), (theirs, _) = house.scopes["acme_prod"], house.scopes["globex_prod"]
    ids = dict(house.rows("select name, id from stepwell.definition where tenant_id = %s", mine))
    before = rows_of(house, theirs)
    show_only(house, mine)
    call = Tenant(house, "acme_prod")

    with house.worker() as worker:
        asked = [str(call("start_process", "ask", "{}")) for _ in range(4)]
        call("start_processes", "quick", json.dumps([INPUT] * 3))
        eventually(lambda: house.value("select count(*) = 5 from stepwell.task"), what="all tasks are there")
        one, two, *_ = (task_id(number(process), "s") for process in asked)
        call("assign_task", one, "ann", "bob")
        call("complete_task", one, "bob")
        call("reject_task", two, "ann")
        call("resume_activity", asked[2], execution_id(number(asked[2]), "s"))
        call("cancel_process", asked[3])
        call("send_signal", "paid", "{}", "k")
        assert call("quarantined") == [number(poisoned)]
        call("release_process", poisoned, "ann")
        call("retry_process", asked[0])
        assert "not_failed" in str(call("retry_processes", asked[1:]))  # it was found, and answered
        new = call(
            "publish_definition", json.dumps({"name": "new", "steps": [{"id": "s", **DEFINITIONS["later"]}]}), "ann"
        )
        call("publish_version", new, json.dumps({"name": "new", "steps": [{"id": "t", **DEFINITIONS["quick"]}]}), "ann")
        call("enable_definition", new, False, "ann")
        call("delete_definition", ids["ask"], True, "ann")
        open_ = "select count(*) from stepwell.process where ended_at is null"
        eventually(lambda: house.value(open_) == 0, what="all have ended")
        eventually(lambda: house.value("select count(*) from stepwell.inbox") == 0, what="all mail is answered")
        assert not worker.errors()

    assert call.called == for_tenants(house)
    assert rows_of(house, theirs) == before
    assert_whole(house)
