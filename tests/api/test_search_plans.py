"""A search among many processes reads about as many rows as it shows, whichever filter leads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

import sql
from tests.api.test_plans import FILTERS, LIST
from tests.house import House

ROWS = 30_000
PAGE = 51
COMMON = {"label_name": "region", "label_value": "eu", "label_names": [], "label_values": []}
RARE = {"label_name": "vip", "label_value": "yes", "label_names": [], "label_values": []}


@pytest.fixture
def crowded(house: House) -> House:
    """Every process has a common label and one in a thousand a rare one; one in a thousand has failed, oddly."""
    house.publish({"name": "x", "steps": [{"id": "a", "type": "transform", "config": {"mapping": {"x": 1}}}]})
    house.start("x")
    house.owner.execute(
        "with p as (select * from stepwell.process limit 1), n as (select generate_series(1, %s) as n), "
        "made as (insert into stepwell.process (id, tenant_id, environment_id, definition_id, version, status, created_at, "
        "    ended_at, error_code, failed_step) "
        "  select p.id + n, tenant_id, environment_id, definition_id, version, "
        "    case when n %% 10 = 0 then 'FAILED' else 'WAITING' end, created_at, case when n %% 10 = 0 then created_at end, "
        "    case when n %% 1000 = 0 then 'odd' when n %% 10 = 0 then 'usual' end, "
        "    case when n %% 1000 = 0 then 'late' when n %% 10 = 0 then 'early' end from p, n) "
        "insert into stepwell.process_label (tenant_id, environment_id, name, value, process_id) "
        "select tenant_id, environment_id, 'region', 'eu', p.id + n from p, n union all "
        "select tenant_id, environment_id, 'vip', 'yes', p.id + n from p, n where n %% 1000 = 0",
        (ROWS,),
    )
    house.owner.execute("analyze")
    return house


def read_rows(house: House, name: str, values: dict[str, Any]) -> int:
    """Return how many rows the statement's scans bring up, as the API's role."""
    tenant_id, environment_id = house.scopes["acme_prod"]
    given = {"tenant_id": tenant_id, "environment_id": environment_id, **values}
    with house.connect("house_api") as connection:
        cursor = psycopg.ClientCursor(connection)
        cursor.execute(sql.query("api.begin"), {"tenant_id": tenant_id, "environment_id": environment_id})
        row = cursor.execute("explain (analyze, format json) " + sql.query(name).split("\n", 1)[1], given).fetchone()
    assert row is not None
    plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
    return sum(scans(plan[0]["Plan"]))


def scans(node: dict[str, Any]) -> Iterator[int]:
    if "Relation Name" in node:
        yield (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    for part in node.get("Plans", ()):
        yield from scans(part)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("process.list", {}),
        ("process.list", {"status": "WAITING"}),
        ("process.list", {"error_code": "odd", "status": "FAILED"}),
        ("process.list", {"failed_step": "late"}),
        ("process.list_by_label", COMMON),
        ("process.list_by_label", RARE),
        ("process.list_by_label", {**RARE, "label_names": ["region"], "label_values": ["eu"]}),
        ("process.list_by_label", {**RARE, "status": "FAILED"}),
    ],
)
def test_a_page_of_a_search_costs_about_its_rows(crowded: House, name: str, wanted: dict[str, Any]) -> None:
    assert read_rows(crowded, name, {**LIST, "limit": PAGE, **wanted}) < 8 * PAGE


def test_a_count_by_label_reads_those_with_the_label(crowded: House) -> None:
    assert read_rows(crowded, "process.count_by_label", {**FILTERS, **RARE}) < 8 * ROWS / 1000
