"""No statement of the API reads a growing table from end to end, as the API's role under row-level security."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

import sql
from tests.api.client import PLAIN
from tests.house import House

FILTERS: dict[str, Any] = {
    "status": None,
    "definition_id": None,
    "business_key": None,
    "created_after": None,
    "created_before": None,
    "ended_after": None,
    "ended_before": None,
    "error_code": None,
    "failed_step": None,
    "ids": None,
    "low": 0,
    "high": 2**63 - 1,
    "label_names": [],
    "label_values": [],
    "of_process": False,
}
LABELS = {"label_name": "a", "label_value": "b", "label_names": ["c"], "label_values": ["d"]}
LIST = {**FILTERS, "before": 2**63 - 1, "limit": 51}
OTHERS = {"label_names": ["c", "e"], "label_values": ["d", "f"]}
EXECUTIONS = {"statuses": None, "definition_id": None, "before": 2**63 - 1, "limit": 20, "offset": 100}
DEFINITIONS = {"name": None, "enabled": None, "before": None, "limit": 51, "offset": 0}
TASKS = {
    "after_process": 0,
    "after_path": "",
    "assignee": None,
    "group": None,
    "definition_id": None,
    "process_id": None,
    "limit": 51,
}
STATEMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "process": ("process.get", {"id": 1}),
    "process row": ("process.row", {"id": 1}),
    "process exists": ("process.exists", {"id": 1}),
    "processes": ("process.list", LIST),
    "processes by status": ("process.list", {**LIST, "status": "FAILED"}),
    "processes by definition": ("process.list", {**LIST, "definition_id": 7}),
    "processes by time": ("process.list", {**LIST, "created_after": datetime.now(UTC), "low": 2**60}),
    "processes by error": ("process.list", {**LIST, "status": "FAILED", "error_code": "x"}),
    "processes by failed step": ("process.list", {**LIST, "failed_step": "x"}),
    "processes by label": ("process.list_by_label", {**LIST, **LABELS}),
    "processes by id": ("process.list", {**LIST, "ids": [1, 2]}),
    "processes by label and status": ("process.list", {**LIST, **OTHERS, "status": "FAILED"}),
    "reach of a label": ("process.label_reach", {**LIST, **LABELS}),
    "reach of a status": ("process.reach", {**LIST, "status": "FAILED"}),
    "count by label": ("process.count_by_label", {**FILTERS, **LABELS}),
    "count by label and status": (
        "process.count_by_label",
        {**FILTERS, **LABELS, "of_process": True, "status": "FAILED"},
    ),
    "count": ("process.count", FILTERS),
    "count by status": ("process.count", {**FILTERS, "status": "FAILED"}),
    "history": ("process.history", {"id": 1, "after": 0, "limit": 101}),
    "last seq": ("process.last_seq", {"id": 1}),
    "outcome": ("process.outcome", {"id": 1, "after": 0, "command": "5"}),
    "payloads": ("process.payloads", {"ids": [2**60, 2**60], "numbers": [0, 1]}),
    "executions": ("process.executions", EXECUTIONS),
    "executions by state": ("process.executions", {**EXECUTIONS, "statuses": ["IN_PROGRESS", "WAITING"]}),
    "executions by definition": ("process.executions", {**EXECUTIONS, "definition_id": 7}),
    "definition": ("definition.get", {"id": 1, "version": None}),
    "definition of a version": ("definition.get", {"id": 1, "version": 2}),
    "definitions": ("definition.list", DEFINITIONS),
    "definitions by name": ("definition.list", {**DEFINITIONS, "name": "x"}),
    "definition by name": ("definition.by_name", {"name": "x"}),
    "definition by id": ("definition.by_id", {"id": 1}),
    "document": ("definition.document", {"id": 1, "version": 1}),
    "tasks": ("task.list", TASKS),
    "task": ("task.get", {"process_id": 1, "path": "a"}),
    "tasks of a process": ("task.list", {**TASKS, "process_id": 1}),
    "idempotency": ("idempotency.get", {"key": "x"}),
    "known keys": ("idempotency.known", {"keys": ["x", "y"]}),
    "answer": ("idempotency.answer", {"key": "x", "answer": "{}"}),
}
INDEX = {
    "process": "pkey",
    "processes by status": "status",
    "processes by definition": "definition_id",
    "processes by error": "error_code",
    "processes by failed step": "failed_step",
    "processes by label": "process_label",
    "processes by label and status": "status",
    "reach of a label": "process_label",
    "reach of a status": "status",
    "executions by state": "status",
    "executions by definition": "definition_id",
    "history": "pkey",
    "outcome": "pkey",
    "payloads": "pkey",
    "definition by name": "definition_by_name",
    "tasks": "task_",
}


Reader = psycopg.Connection[Any]


@pytest.fixture
def reader(house: House) -> psycopg.Connection[Any]:
    """Return a connection as a request has it."""
    connection = house.connect("house_api")
    cursor = psycopg.ClientCursor(connection)
    tenant_id, environment_id = house.scopes["acme_prod"]
    cursor.execute(sql.query("api.begin"), {"tenant_id": tenant_id, "environment_id": environment_id})
    return connection


def test_every_statement_of_the_api_finds_its_rows_by_index(reader: Reader, house: House) -> None:
    tenant_id, environment_id = house.scopes["acme_prod"]
    process_id = house.value("select stepwell.new_id()")  # of a partition that exists
    for case, (name, values) in STATEMENTS.items():
        given = {"tenant_id": tenant_id, "environment_id": environment_id, **values}
        if "id" in given:
            given["id"] = process_id
        statement = "explain " + sql.query(name).split("\n", 1)[1]
        plan = "\n".join(line for (line,) in psycopg.ClientCursor(reader).execute(statement, given))
        scans = [line for line in plan.splitlines() if "Seq Scan" in line]
        assert all("on installation" in line for line in scans), (case, plan)
        assert INDEX.get(case, "") in plan, (case, plan)


SCANNED = (
    "select relname, seq_scan from pg_stat_user_tables where schemaname = 'stepwell' and seq_scan > 0 "
    "and relname ~ '^(process|history|inbox|job)'"
)


@pytest.mark.parametrize("force", [False, True])
def test_deleting_a_definition_looks_for_its_running_processes_by_index(house: House, *, force: bool) -> None:
    """The planner takes a scan for cheap: it cannot know that the processes of a definition are those that have ended."""
    made = house.publish(PLAIN)
    house.start("plain")
    house.owner.execute(
        "insert into stepwell.process (id, tenant_id, environment_id, definition_id, version, status, created_at, ended_at) "
        "select p.id + n, tenant_id, environment_id, definition_id, version, 'COMPLETED', now(), now() "
        "from stepwell.process p, generate_series(1, 20000) as n"
    )
    if not force:
        house.owner.execute("delete from stepwell.process where status = 'CREATED'")
    house.owner.execute("vacuum analyze stepwell.process")
    superuser = house.connect("superuser")
    superuser.execute("select pg_stat_reset()")
    tenant_id, environment_id = house.scopes["acme_prod"]
    with house.connect("house_api") as db:
        cursor = psycopg.ClientCursor(db)
        cursor.execute(sql.query("api.begin"), {"tenant_id": tenant_id, "environment_id": environment_id})
        db.execute("select stepwell.delete_definition(stepwell.private_id('wf', %s), %s, 'me')", (made, force))
        db.execute("commit")
        db.execute("select pg_stat_force_next_flush()")
        db.execute("select 1")
    assert superuser.execute(SCANNED).fetchall() == []
