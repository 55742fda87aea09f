"""The examples of the pages run as they stand; see `reader` for how a page says so."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from engine.core.definition import parse_definition
from engine.core.document import HttpConfig
from tests.docs.pages import blocks
from tests.docs.reader import Reader, drop_login
from tests.house import House, eventually

REFUND = yaml.safe_load(blocks("README.md", "yaml", "refund.yaml")[0].text)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page's examples need curl")
def test_the_examples_of_the_readme_run_as_they_stand(newcomer: Reader) -> None:
    steps = blocks("README.md")
    table = blocks("docs/sql.md", "sql", "run as owner")[0]
    place = next(n for n, step in enumerate(steps) if step.title == "run as shop")

    newcomer.follow(steps[:place])
    newcomer.sql(table)
    newcomer.follow(steps[place:])

    with psycopg.connect(newcomer.superuser, autocommit=True) as db:
        outcome = "select coalesce(business_key, '-'), status from stepwell.process order by 1"
        expected = [("-", "COMPLETED"), ("A-18", "COMPLETED"), ("A-19", "COMPLETED")]
        eventually(lambda: db.execute(outcome).fetchall() == expected, what="all three complete")
        assert db.execute("select order_id from refund_request").fetchall() == [("A-19",)]


@pytest.fixture
def shop(house: House, tmp_path: Path) -> Iterator[Reader]:
    """Return a reader with a login `shop` for acme's prod, where refunds are published."""
    house.publish(REFUND)
    superuser = house.superuser_dsn
    reader = Reader(tmp_path, superuser, STEPWELL_OWNER_DATABASE_URL=superuser)
    reader.shell("stepwell login create shop --kind caller --tenant acme --environment prod")
    reader.seen["report"] = house.dsn("house_report")
    yield reader
    drop_login(superuser, "shop")


def test_a_business_row_and_a_process_commit_and_roll_back_together_as_the_sql_page_says(
    shop: Reader, house: House
) -> None:
    steps = blocks("docs/sql.md", "sql")
    shop.follow(steps)

    assert sum(step.title.startswith("run as shop") for step in steps) >= 5
    assert sum(step.title.startswith("run as report") for step in steps) >= 3
    assert house.rows("select business_key from stepwell.process") == [("B-1",)]
    assert house.connect("superuser").execute("select order_id from refund_request").fetchall() == [("B-1",)]
    assert house.value("select count(*) from stepwell.signal where correlation = 'B-1'") == 1


def test_a_login_registered_by_hand_speaks_for_its_scope(house: House) -> None:
    house.publish(REFUND)
    (by_hand,) = [b.text for b in blocks("docs/sql.md", "sql") if "grant stepwell_caller" in b.text]
    by_hand = by_hand.replace("t.name = 'default'", "t.name = 'acme'").replace("e.name = 'default'", "e.name = 'prod'")
    superuser = house.connect("superuser")
    superuser.execute("create role shop_app login password 'test-only'")
    try:
        superuser.execute(by_hand)
        with psycopg.connect(house.superuser_dsn, user="shop_app", password="test-only") as db:
            made = db.execute("select stepwell.start_process('refund', '{}')").fetchone()
        assert made is not None
    finally:
        drop_login(house.superuser_dsn, "shop_app")


WAITING = """
name: patient
steps:
  - id: paid
    type: wait
    config: {signal: paid}
"""


def test_processes_are_let_out_of_the_quarantine_and_retried_as_the_operations_page_says(newcomer: Reader) -> None:
    (newcomer.folder / "patient.yaml").write_text(WAITING)
    newcomer.shell("stepwell definition publish patient.yaml && stepwell process start patient")
    process = newcomer.seen["prc"]
    see = next(block.text for block in blocks("docs/operations.md", "sql", "run as owner"))
    with psycopg.connect(newcomer.superuser, autocommit=True) as db:
        parked = "select from stepwell.process p where status = 'WAITING' and not exists (select from stepwell.lease)"
        eventually(lambda: db.execute(parked).fetchone() is not None, what="the process waits")
        held = "select id, {}, tenant_id, environment_id from stepwell.process"
        db.execute(
            "insert into stepwell.lease (process_id, worker_id, priority, lane, tenant_id, environment_id) "
            + held.format("0, 0, 0")
        )
        db.execute(
            "insert into stepwell.loss (process_id, losses, quarantined_at, tenant_id, environment_id) "
            + held.format("5, now()")
        )
        assert [row[:4] for row in db.execute(see)] == [("default", "default", process, 5)]

        newcomer.follow(blocks("docs/operations.md", "sh", "run"))

        assert db.execute(see).fetchall() == []
        assert db.execute("select count(*) from stepwell.loss").fetchone() == (0,)
        newcomer.shell("stepwell signal send paid")
        eventually(
            lambda: db.execute("select status from stepwell.process").fetchone() == ("COMPLETED",), what="it goes on"
        )


def test_a_process_leaves_the_log_lines_that_the_operations_page_names(house: House) -> None:
    house.publish(
        {
            "name": "doomed",
            "steps": [
                {"id": "first", "type": "transform", "config": {"mapping": {}}},
                {"id": "call", "type": "http", "config": {"url": "http://192.0.2.1/"}},
            ],
        }
    )
    with house.worker() as worker:
        process = house.start("doomed")
        worker.until("process.end", process_id=process)

    lines = [line for line in worker.log if line.get("process_id") == process]
    told = [(line["event"], line.get("path"), line.get("outcome") or line.get("status")) for line in lines]
    assert told == [
        ("activity.start", "first", None),
        ("activity.end", "first", "completed"),
        ("activity.start", "call", None),
        ("activity.end", "call", "failed"),
        ("process.end", None, "FAILED"),
    ]
    assert lines[3]["error"]["code"] == lines[4]["error"]["code"] == "address_forbidden"
    assert all(set(line) >= {"at", "level", "pid", "program"} for line in lines)


def test_the_definition_that_shows_everything_can_be_published() -> None:
    (block,) = blocks("docs/definitions.md", "yaml", "publish")
    definition = parse_definition(yaml.safe_load(block.text))

    assert {step.type for step in definition.steps} == {"http", "event", "wait", "decision", "transform", "manual"}


def test_the_step_that_sends_a_form_can_be_published() -> None:
    (block,) = blocks("docs/definitions.md", "yaml", "step")
    (step,) = parse_definition({"name": "token", "steps": [yaml.safe_load(block.text)]}).steps

    assert isinstance(step.config, HttpConfig)
    assert step.config.body_type == "form"


def test_the_steps_with_conditions_can_be_published() -> None:
    (block,) = blocks("docs/definitions.md", "yaml", "conditions")
    definition = parse_definition({"name": "conditions", "steps": yaml.safe_load(block.text)})

    assert [type(step.condition) for step in definition.steps] == [str, dict]


def test_every_block_that_looks_like_an_example_says_whether_it_runs() -> None:
    pages = ("README.md", "docs/sql.md", "docs/operations.md", "docs/definitions.md", "docs/expressions.md")
    shown = [
        (page, b.text)
        for page in pages
        for b in blocks(page, "sh") + blocks(page, "sql") + blocks(page, "yaml")
        if not b.title
    ]

    # What starts a terminal of its own, registers a login, makes a database, or needs an id of the reader's.
    known = ("stepwell up", "grant stepwell_caller", "create database", "select type, data")
    assert [text for _, text in shown if not any(word in text for word in known)] == []
