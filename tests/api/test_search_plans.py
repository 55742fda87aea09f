"""A search among many processes reads about as many rows as it shows, whichever filter leads.

With the statistics that a site has: autovacuum analyzes the months, never the partitioned tables above them, nor a table
with fewer than 50 rows; and until it comes by for the first time there are none at all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from api.execution_view import statuses
from api.wire import ExecutionStatus
from engine.db import Row
from engine.store.base import Scope, begin
from engine.store.processes import ProcessFilter, count_processes, list_executions, list_processes
from tests.house import House

ROWS = 30_000
PAGE = 51
MONTHS = (
    "select i.inhrelid::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid "
    "where c.relkind = 'r' and c.relnamespace = 'stepwell'::regnamespace"
)
Reader = psycopg.AsyncConnection[Row]
Search = Callable[[Reader, Scope], Awaitable[Any]]


@pytest.fixture(params=["months analyzed", "nothing analyzed", "all analyzed"])
def crowded(house: House, request: pytest.FixtureRequest) -> House:
    """Every process has two common labels, one in a thousand a rare one; one in a thousand has failed, oddly, all long ago."""
    house.publish({"name": "x", "steps": [{"id": "a", "type": "transform", "config": {"mapping": {"x": 1}}}]})
    house.start("x")
    house.owner.execute(
        "with p as (select * from stepwell.process limit 1), n as (select generate_series(1, %s) as n), "
        "made as (insert into stepwell.process (id, tenant_id, environment_id, definition_id, version, status, created_at, "
        "    ended_at, business_key, error_code, failed_step) "
        "  select p.id + n, tenant_id, environment_id, definition_id, version, "
        "    case when n %% 10 = 0 then 'FAILED' when n %% 10 = 1 then 'COMPLETED' else 'WAITING' end, created_at, "
        "    case when n %% 10 < 2 then created_at end, 'key ' || n, "
        "    case when n %% 1000 = 0 then 'odd' when n %% 10 = 0 then 'usual' end, "
        "    case when n %% 1000 = 0 then 'late' when n %% 10 = 0 then 'early' end from p, n) "
        "insert into stepwell.process_label (tenant_id, environment_id, name, value, process_id) "
        "select tenant_id, environment_id, 'region', 'eu', p.id + n from p, n union all "
        "select tenant_id, environment_id, 'half', (n %% 2)::text, p.id + n from p, n union all "
        "select tenant_id, environment_id, 'vip', 'yes', p.id + n from p, n where n %% 1000 = 0",
        (ROWS,),
    )
    known(house, request.param)
    return house


def known(house: House, what: str) -> None:
    """Leave the planner with these statistics and no others."""
    superuser = house.connect("superuser")
    ours = "(select oid from pg_class where relnamespace = 'stepwell'::regnamespace and relkind in ('r', 'p'))"
    superuser.execute(f"delete from pg_statistic where starelid in {ours}")
    superuser.execute(f"update pg_class set reltuples = -1, relpages = 0 where oid in {ours}")
    if what == "months analyzed":
        for (month,) in superuser.execute(MONTHS).fetchall():
            superuser.execute(f"analyze {month}")
    if what == "all analyzed":
        superuser.execute("analyze")


def read_rows(house: House, search: Search) -> int:
    """Return how many rows all statements of a search bring up, as the API's role."""
    return asyncio.run(_read_rows(house, search))


async def _read_rows(house: House, search: Search) -> int:
    scope = Scope(*house.scopes["acme_prod"], "acme", "prod")
    async with await psycopg.AsyncConnection.connect(house.dsn("house_api"), autocommit=True) as reader:
        asked = Overheard(reader)
        await begin(reader, scope)
        await search(asked, scope)  # type: ignore[arg-type]
        return sum([await asked.cost(*one) for one in asked.statements])


class Overheard:
    """A connection that remembers what it was asked."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.statements: list[tuple[str, Any]] = []

    async def execute(self, statement: Any, values: Any, *, prepare: bool | None) -> psycopg.AsyncCursor[Row]:
        """Execute and remember."""
        self.statements.append((statement, values))
        return await self._reader.execute(statement, values, prepare=prepare)

    async def cost(self, statement: str, values: Any) -> int:
        """Return how many rows the scans of a statement bring up."""
        explain = "explain (analyze, format json) " + statement.split("\n", 1)[1]
        cursor = await psycopg.AsyncClientCursor(self._reader).execute(explain.encode(), values)
        row = await cursor.fetchone()
        assert row is not None
        plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
        return int(sum(scans(plan[0]["Plan"])))


def scans(node: dict[str, Any]) -> Iterator[int]:
    if "Relation Name" in node:
        yield (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    for part in node.get("Plans", ()):
        yield from scans(part)


EU, ODD, EVEN, VIP, NONE = ("region", "eu"), ("half", "1"), ("half", "0"), ("vip", "yes"), ("region", "us")
LONG_AGO, SOON = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
PAGES: list[dict[str, Any]] = [
    {},
    {"status": "WAITING"},
    {"status": "FAILED"},
    {"status": "CANCELLED"},
    {"created_after": LONG_AGO, "created_before": SOON},
    {"created_after": LONG_AGO, "status": "FAILED"},
    {"error_code": "odd", "status": "FAILED"},
    {"error_code": "usual"},
    {"failed_step": "late"},
    {"failed_step": "early"},
    {"labels": (EU,)},
    {"labels": (VIP,)},
    {"labels": (EU,), "created_after": LONG_AGO},
]
CHOOSING: list[dict[str, Any]] = [  # of several filters, which leads: up to 1,000 index entries of each are looked at
    {"labels": (EU, EVEN)},
    {"labels": (EU, VIP)},
    {"labels": (VIP, EU)},
    {"labels": (EU, EVEN, VIP)},
    {"labels": (EU, NONE)},
    {"labels": (EU,), "status": "WAITING"},
    {"labels": (EU,), "status": "CANCELLED"},
    {"labels": (EU,), "error_code": "odd"},
    {"labels": (VIP,), "status": "FAILED"},
]


def page(wanted: dict[str, Any]) -> Search:
    """Return the search for the first page."""
    return lambda reader, scope: list_processes(reader, scope, ProcessFilter(**wanted), None, PAGE)


def too_dear(house: House, pages: list[dict[str, Any]], most: int) -> dict[str, int]:
    """Return the searches that read more than `most` rows, and how many."""
    read = {str(wanted): read_rows(house, page(wanted)) for wanted in pages}
    return {wanted: rows for wanted, rows in read.items() if rows > most}


def test_a_page_of_a_search_costs_about_its_rows(crowded: House) -> None:
    assert too_dear(crowded, PAGES, 8 * PAGE) == {}


def test_a_page_of_a_search_by_several_filters_costs_no_more_than_to_find_the_rarest(crowded: House) -> None:
    assert too_dear(crowded, CHOOSING, 3 * 1_000 + 8 * PAGE) == {}


@pytest.mark.parametrize("crowded", ["months analyzed", "all analyzed"], indirect=True)
def test_a_search_by_business_key_reads_those_with_the_key(crowded: House) -> None:
    """Of a month that was never analyzed the planner cannot know that a key is rarer than a tenant."""
    assert too_dear(crowded, [{"business_key": "key 7"}], 8 * PAGE) == {}
    assert too_dear(crowded, [{"business_key": "key 7", "labels": (EU, ODD)}], 3 * 1_000 + 8 * PAGE) == {}


def executions(word: ExecutionStatus | None) -> Search:
    """Return the list of the first page of executions."""
    values = {"definition_id": None, "statuses": statuses(word), "before": None, "limit": PAGE, "offset": 0}
    return lambda reader, scope: list_executions(reader, scope, values)


def test_a_page_of_executions_costs_about_its_rows(crowded: House) -> None:
    read = {word: read_rows(crowded, executions(word)) for word in (None, *ExecutionStatus)}
    assert {word: rows for word, rows in read.items() if rows > 8 * PAGE} == {}


def test_a_count_by_label_reads_those_with_the_label(crowded: House) -> None:
    wanted = ProcessFilter(labels=(VIP, EU))
    read = read_rows(crowded, lambda reader, scope: count_processes(reader, scope, wanted))
    assert read < 1_000 + 8 * ROWS / 1000


async def test_a_search_by_time_finds_what_a_moved_clock_has_made(house: House) -> None:
    """Ids have the wall clock: where created_at may have another, it says nothing about them."""
    house.publish({"name": "x", "steps": [{"id": "a", "type": "transform", "config": {"mapping": {"x": 1}}}]})
    house.owner.execute("update stepwell.installation set test = true, clock_offset = '100 days'")
    house.start("x")
    later = datetime.now(UTC) + timedelta(days=99)
    scope = Scope(*house.scopes["acme_prod"], "acme", "prod")
    async with await psycopg.AsyncConnection.connect(house.dsn("house_api"), autocommit=True) as reader:
        await begin(reader, scope)
        assert len(await list_processes(reader, scope, ProcessFilter(created_after=later), None, PAGE)) == 1
        assert await list_processes(reader, scope, ProcessFilter(created_before=later), None, PAGE) == []
        assert await count_processes(reader, scope, ProcessFilter(created_after=later)) == 1
