"""No statement of ours reads a hot or growing table from end to end or sorts a backlog: not with empty tables, not with millions
of rows, not while the statistics are those of yesterday.

The planner is asked about every statement that the API and the workers cause to run, as it would meet it there: in the
role, with the settings of the function around it, with the values known and without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

import sql
from tests.api.test_plans import STATEMENTS
from tests.house import OWNER, House
from tests.sql.million import fill
from tests.sql.statements import reached

Node = dict[str, Any]
Db = psycopg.Connection[Any]

# Tables that are read whole: a few rows in any installation.
SMALL = {
    "installation", "tenant", "environment", "login", "api_key", "migration", "place", "worker", "definition",
    "definition_version", "release",
}  # fmt: skip
QUEUES = {"job", "timer", "signal_job", "inbox", "wait", "lease"}  # a few rows are taken of many
# What programs call, and as whom. A caller's and the API's functions are the owner's from there on.
ROOTS = {
    "house_worker": ("tick", "flush", "load", "read_mail", "look_for_signals", "rescue", "measure"),
    "house_api": (
        "start_process", "start_processes", "cancel_process", "retry_process", "retry_processes", "complete_task", "reject_task",
        "assign_task", "resume_activity", "send_signal", "quarantined", "release_process", "publish_definition",
        "publish_version", "enable_definition", "delete_definition", "authenticate",
    ),
}  # fmt: skip
# These are to read all that match. Where millions do, a scan is right for a count. In quarantine are few.
COUNTS = {"process.count", "process.count_by_label"}
WHOLE = {"cancel_running", "quarantined"}
PLANNED_ANEW = {
    "process.list",
    "process.list_by_label",
    "process.executions",
    "process.count",
    "process.count_by_label",
    "process.reach",
}
TABLES = """
select c.relname, coalesce(p.relname, c.relname), pg_relation_size(c.oid)
from pg_class c
left join pg_inherits i on i.inhrelid = c.oid
left join pg_class p on p.oid = i.inhparent
where c.relnamespace = 'stepwell'::regnamespace and c.relkind = 'r'
"""
MOST = 12_000  # rows that a scan may be expected to return where nothing above it stops it
BLOCKING = {"Sort", "Incremental Sort", "Aggregate", "Hash", "HashAggregate", "WindowAgg", "SetOp", "ModifyTable"}
SAMPLES = {
    "boolean": "false", "integer": "100", "smallint": "1", "bigint": "{id}", "text": "k7", "jsonb": "{{}}", "bigint[]": "{{{id},{id}}}",
    "text[]": "{{a}}", "jsonb[]": "{{}}", "timestamp with time zone": "2026-01-01", "bytea": "x", "numeric": "1",
}  # fmt: skip
WORKER_VALUES: dict[str, dict[str, str]] = {
    "worker.history": {"id": "{id}"},
    "worker.payload": {"id": "{id}", "n": "0"},
    "worker.definition": {"definition_id": "{id}", "version": "1"},
    "worker.watch": {},
    "worker.expire": {},
    "worker.quarantine": {"id": "{id}", "me": "{id}"},
}
# What reads one row or none, of tables that have no more.
TRIVIAL = {
    "api.begin", "api.schema", "idempotency.claim", "idempotency.keep", "process.clock_may_move", "worker.ensure_partitions",
    "worker.listen", "worker.lock", "worker.register",
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One statement as the planner meets it."""

    name: str
    role: str
    text: str  # with $1, $2, …
    types: tuple[str, ...]
    values: tuple[Any, ...]
    settings: tuple[tuple[str, str], ...] = ()
    always_anew: bool = False


class Installation:
    """A house with every statement taken apart, and a connection for each role."""

    def __init__(self, house: House) -> None:
        self.house = house
        house.publish({"name": "x", "steps": [{"id": "a", "type": "transform", "config": {"mapping": {"x": 1}}}]})
        house.start("x")
        self.id = house.value("select id from stepwell.process")
        house.owner.execute("delete from stepwell.job")
        self.roles = {name: house.connect(name) for name in (*ROOTS, OWNER)}
        self.statements = [*self._of_functions(), *self._of_the_api(), *self._of_the_worker()]

    def _of_functions(self) -> Iterator[Asked]:
        roots = {name: role for role, names in ROOTS.items() for name in names}
        for role, one in reached(self.house.connect("superuser"), roots, OWNER):
            values = tuple(self._sample(kind) for _, kind in one.variables)
            yield Asked(one.function, role, one.text, tuple(kind for _, kind in one.variables), values, one.settings)

    def _sample(self, kind: str) -> str | None:
        if kind in SAMPLES:
            return SAMPLES[kind].format(id=self.id)
        return self._row(kind) if kind.startswith("stepwell.") else None

    def _row(self, table: str) -> str | None:
        row: str | None = self.house.value(f"select t::text from {table} t limit 1")
        return row

    def _of_the_api(self) -> Iterator[Asked]:
        tenant_id, environment_id = self.house.scopes["acme_prod"]
        for name, values in STATEMENTS.values():
            given = {"tenant_id": tenant_id, "environment_id": environment_id, **values}
            yield self._query(name, "house_api", given | ({"id": self.id} if "id" in given else {}))

    def _of_the_worker(self) -> Iterator[Asked]:
        for name, values in WORKER_VALUES.items():
            yield self._query(name, "house_worker", {key: value.format(id=self.id) for key, value in values.items()})

    def _query(self, name: str, role: str, given: dict[str, Any]) -> Asked:
        text: str = sql.query(name)
        used: list[Any] = []
        for key, value in given.items():
            if f"%({key})s" in text:
                used.append(value)
                text = text.replace(f"%({key})s", f"${len(used)}")
        types = tuple(sent_as(value) for value in used)
        return Asked(name, role, text.replace("%%", "%"), types, tuple(used), always_anew=name in PLANNED_ANEW)

    def faults(self, *, empty: bool = False, counted: bool = False) -> list[str]:
        """Plan every statement; return what is wrong. `empty`: no index would be chosen unless it must be."""
        tables = self._tables(empty=empty)
        found: dict[str, None] = {}
        for asked in self.statements:
            if not empty and asked.name in COUNTS:
                continue
            for mode in ("force_custom_plan",) if asked.always_anew else ("force_custom_plan", "force_generic_plan"):
                plan = self._plan(asked, mode, empty=empty)
                for what in judge(plan, tables, counted=counted, whole=asked.name in WHOLE):
                    found[f"{asked.name}, {asked.role}, {mode}: {what}\n{asked.text}\n{plain(plan)}"] = None
        return list(found)

    def _tables(self, *, empty: bool) -> dict[str, str]:
        """Return the tables that may not be read whole, under the names plans have; partitions without a row may be."""
        rows = self.house.rows(TABLES)
        return {name: table for name, table, pages in rows if table not in SMALL and (pages or empty or name == table)}

    def _plan(self, asked: Asked, mode: str, *, empty: bool) -> Node:
        db = self.roles[asked.role]
        with db.transaction(force_rollback=True):
            tenant_id, environment_id = self.house.scopes["acme_prod"]
            settings = {
                "stepwell.tenant_id": str(tenant_id),
                "stepwell.environment_id": str(environment_id),
                "plan_cache_mode": mode,
                **({"enable_seqscan": "off"} if empty else {}),
                **{name: value for name, value in asked.settings if name != "search_path"},
            }
            for name, value in settings.items():
                db.execute("select set_config(%s, %s, true)", (name, value))
            types = f"({', '.join(asked.types)})" if asked.types else ""
            db.execute(f"prepare asked {types} as {asked.text}".encode(), prepare=False)
            cursor = psycopg.ClientCursor(db)
            holes = f"({', '.join(['%s'] * len(asked.values))})" if asked.values else ""
            cursor.execute(f"explain (format json) execute asked{holes}".encode(), asked.values or None)
            ((shown,),) = cursor.fetchall()
            db.execute("deallocate asked")
        return (shown if isinstance(shown, list) else json.loads(shown))[0].get("Plan", {})  # type: ignore[no-any-return]


def sent_as(value: Any) -> str:
    """Return the type under which psycopg sends a value; unknown: PostgreSQL finds out."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -(2**31) <= value < 2**31 else "bigint"
    return "unknown"


def judge(plan: Node, tables: dict[str, str], *, counted: bool, whole: bool) -> Iterator[str]:
    """Yield what is wrong with a plan. `counted`: the rows expected mean something. `whole`: all that match are wanted."""
    for node, above in scans(plan, "nothing"):
        table = tables.get(node["Relation Name"])
        few = whole or (counted and node["Plan Rows"] <= MOST)
        if table is None:
            continue
        if node["Node Type"] == "Seq Scan":
            yield f"all of {table} is read"
        elif above == "sorted" and not few:
            yield f"{table} is sorted for the first few rows"
        elif above == "stopped" and table in QUEUES and "Filter" in node:
            yield f"rows of {table} are passed over: its index does not know {node['Filter']}"
        elif above != "stopped" and not bounded(node):
            yield f"all of {table} is read, in the order of {node.get('Index Name')}"
        elif above != "stopped" and counted and not few:
            yield f"{node['Plan Rows']} rows of {table} are read"


def bounded(node: Node) -> bool:
    """Tell whether a scan has a condition that its index knows."""
    return "Index Cond" in node or "TID Cond" in node or any(map(bounded, node.get("Plans", ())))


def scans(node: Node, above: str) -> Iterator[tuple[Node, str]]:
    """Yield each scan of a table, and what is above it.

    stopped: a limit ends it after some rows. sorted: there is a limit, but all rows are read and sorted first.
    """
    kind = node.get("Node Type", "")
    if "Relation Name" in node and kind != "ModifyTable":
        yield node, above
    if kind == "Limit":
        above = "stopped"
    elif kind in BLOCKING:
        above = "sorted" if "Sort" in kind and above in ("stopped", "sorted") else "nothing"
    for part in node.get("Plans", ()):
        own = part.get("Parent Relationship") in ("InitPlan", "SubPlan")
        yield from scans(part, "nothing" if own else above)


def plain(node: Node, depth: int = 0) -> str:
    """Return a plan as text."""
    said = " ".join(
        str(node[key]) for key in ("Subplan Name", "Node Type", "Relation Name", "Index Name") if key in node
    )
    conditions = "; ".join(f"{key}: {node[key]}" for key in ("Index Cond", "Filter", "Sort Key") if key in node)
    parts = [plain(part, depth + 1) for part in node.get("Plans", ())]
    return "\n".join([f"{'  ' * depth}{said} ({node.get('Plan Rows')} rows) {conditions}", *parts])


def test_no_statement_of_the_api_or_the_worker_escapes_the_planner_here() -> None:
    planned = {name for name, _ in STATEMENTS.values()} | set(WORKER_VALUES) | TRIVIAL
    roots = [name for names in ROOTS.values() for name in names]
    for name, text in sql.queries().items():
        if name.partition(".")[0] in ("api", "definition", "idempotency", "metrics", "process", "task", "worker"):
            assert name in planned or any(f"stepwell.{root}(" in text for root in roots), f"say how {name} is planned"


def test_every_statement_finds_its_rows_by_index_whatever_the_tables_hold_and_the_statistics_say(house: House) -> None:
    installation = Installation(house)
    house.owner.execute("analyze")
    assert not (found := installation.faults(empty=True)), shown(found)
    fill(house.owner)
    assert not (found := installation.faults()), shown(found)
    house.owner.execute("analyze")
    assert not (found := installation.faults(counted=True)), shown(found)


def shown(found: list[str]) -> str:
    return f"{len(found)} plans\n" + "\n\n".join(found)
