"""Which tables, keys and statements name their tenant: read off the catalogue and off PostgreSQL's own plans.

What docs/distributed.md says is compared with this. A statement's plan is its generic one, in which the parameters are
not known: so what it is filtered by stands in the statement itself, or in the policy of the login that runs it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg

import sql
from tests.house import House

LOGINS = {"worker": "house_worker", "metrics": "house_worker"}  # by the noun of a statement; else the API's
NOUNS = ("api", "idempotency", "definition", "process", "task", *LOGINS)
TYPES = {"limit": "integer", "offset": "integer"}  # of parameters that PostgreSQL cannot find out by itself

NAMED = "named"
BY_POLICY = "by policy"
NOT_NAMED = "not named"

_PARAMETER = re.compile(r"%\((\w+)\)s")
_PLANNED = re.compile(r"^(select|with|insert|update|delete)\b", re.MULTILINE)  # all but `begin`, `listen` and the like
_CALL = re.compile(r"\bstepwell\.(\w+)\(")

OWNED = "exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')"
OURS = "c.relnamespace = 'stepwell'::regnamespace and c.relkind in ('r', 'p')"


def statements() -> dict[str, str]:
    """Return the statements of API and workers. Those of the owner's tools see a whole database by their nature."""
    ours = {name: text for name, text in sorted(sql.queries().items()) if name.partition(".")[0] in NOUNS}
    return {name: text for name, text in ours.items() if _PLANNED.search(text)}


class Reader:
    """Says of a statement which tenants' tables it touches, and how each of them knows its tenant."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._tables = dict(
            house.rows(
                "select c.relname, coalesce(p.relname, c.relname) from pg_class c left join pg_inherits i on i.inhrelid = c.oid "
                f"left join pg_class p on p.oid = i.inhparent where {OURS} and {OWNED}"
            )
        )
        self._connections: dict[str, psycopg.Connection[Any]] = {}

    def kind(self, name: str, text: str) -> str | None:
        """Return how a statement knows its tenant; None where it touches no table of tenants itself."""
        own_words = self._scans("superuser", text)
        if not own_words:
            return None
        if all(own_words.values()):
            return NAMED
        login = LOGINS.get(name.partition(".")[0], "house_api")
        return BY_POLICY if all(self._scans(login, text).values()) else NOT_NAMED

    def _scans(self, login: str, text: str) -> dict[str, bool]:
        """Return the tenants' tables of a statement, and whether each is read with the tenant given."""
        found: dict[str, bool] = {}
        for node in _nodes(self._plan(login, text)):
            table = self._tables.get(node.get("Relation Name", ""))
            if table is None or (node["Node Type"] == "ModifyTable" and node["Operation"] != "Insert"):
                continue  # an update or delete has a scan below it
            given = node["Node Type"] == "ModifyTable" or "tenant_id = " in _conditions(node)
            found[table] = found.get(table, True) and given
        return found

    def _plan(self, login: str, text: str) -> dict[str, Any]:
        db = self._connections.setdefault(login, self._house.connect(login))
        names = list(dict.fromkeys(_PARAMETER.findall(text)))
        body = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", text).replace("%%", "%")
        types = f"({', '.join(TYPES.get(name, 'unknown') for name in names)})" if names else ""
        values = f"({', '.join(['null'] * len(names))})" if names else ""
        with db.transaction(force_rollback=True):
            db.execute("set local plan_cache_mode = force_generic_plan")
            db.execute("set local enable_partition_pruning = off")  # a null would leave no partition to be shown
            db.execute("deallocate all")
            db.execute(f"prepare probed {types} as {body}")
            (plan,) = db.execute(f"explain (format json, verbose) execute probed {values}").fetchall()
        found: dict[str, Any] = plan[0][0]["Plan"]
        return found


def called(text: str) -> set[str]:
    """Return the functions of ours that a statement calls."""
    return set(_CALL.findall(text))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _conditions(node: dict[str, Any]) -> str:
    return json.dumps([value for name, value in node.items() if name.endswith(("Cond", "Filter"))])
