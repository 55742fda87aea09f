"""No statement of the API reads a growing table from end to end, as the API's role under row-level security."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

import sql
from tests.house import House

FILTERS: dict[str, Any] = {
    "status": None,
    "definition_id": None,
    "business_key": None,
    "created_after": None,
    "created_before": None,
    "low": 0,
    "high": 2**63 - 1,
}
LIST = {**FILTERS, "before": 2**63 - 1, "limit": 51}
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
    "count": ("process.count", FILTERS),
    "count by status": ("process.count", {**FILTERS, "status": "FAILED"}),
    "history": ("process.history", {"id": 1, "after": 0, "limit": 101}),
    "last seq": ("process.last_seq", {"id": 1}),
    "outcome": ("process.outcome", {"id": 1, "after": 0, "command": "5"}),
    "payloads": ("process.payloads", {"id": 1, "numbers": [0, 1]}),
    "definition": ("definition.get", {"id": 1, "version": None}),
    "definition of a version": ("definition.get", {"id": 1, "version": 2}),
    "definitions": ("definition.list", {"name": None, "enabled": None, "before": None, "limit": 51}),
    "definitions by name": ("definition.list", {"name": "x", "enabled": None, "before": None, "limit": 51}),
    "definition by name": ("definition.by_name", {"name": "x"}),
    "definition by id": ("definition.by_id", {"id": 1}),
    "document": ("definition.document", {"id": 1, "version": 1}),
    "tasks": ("task.list", TASKS),
    "tasks of a process": ("task.list", {**TASKS, "process_id": 1}),
    "idempotency": ("idempotency.get", {"key": "x"}),
    "answer": ("idempotency.answer", {"key": "x", "answer": "{}"}),
}
INDEX = {
    "process": "pkey",
    "processes by status": "status",
    "processes by definition": "definition_id",
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
    connection.execute("set local enable_seqscan = off")  # tables are empty here: what is left then has no index
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
