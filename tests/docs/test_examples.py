"""The examples of the pages run as they stand.

A block is run if its fence says so: `sh run`, `sql run as LOGIN [returns VALUE]`, `yaml publish`, `yaml NAME.yaml`.
Ids that no page can know are written `prc_...` and `tsk_...`, and stand for the one seen last.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from engine.cel import compile_condition
from engine.cel.fuel import Fuel
from engine.core.definition import parse_definition
from tests.docs.pages import Block, blocks
from tests.house import House, eventually

BIN = Path(sys.executable).parent
REFUND = yaml.safe_load(blocks("README.md", "yaml", "refund.yaml")[0].text)


class Reader:
    """Somebody who follows a page step by step in a folder, with an installation at hand."""

    def __init__(self, folder: Path, superuser: str, **settings: str) -> None:
        self.folder = folder
        self.superuser = superuser
        self.seen: dict[str, str] = {}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("STEPWELL_")}
        self.environment = {**clean, "PATH": f"{BIN}{os.pathsep}{clean['PATH']}", **settings}

    def follow(self, steps: list[Block]) -> None:
        """Do what the blocks say."""
        before: Block | None = None
        for step in steps:
            if step.title.endswith(".yaml"):
                (self.folder / step.title).write_text(step.text)
            elif (step.language, step.title) == ("sh", "run"):
                if before is not None:
                    self._await_ids(step, before)
                self.shell(step.text)
                before = step
            elif step.language == "sql" and step.title.startswith("run as"):
                self.sql(step)

    def shell(self, script: str) -> str:
        """Run a script; remember the ids it prints."""
        done = subprocess.run(
            ["/bin/sh", "-euc", self._filled(script)],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert '"urn:stepwell:problem' not in done.stdout, done.stdout
        for found in re.findall(r"\b((?:prc|tsk)_[0-9a-z]{13,})\b", done.stdout):
            self.seen[found[:3]] = found
        for url in re.findall(r'"(postgresql://(\w+):[^"]+)"', done.stdout):
            self.seen[url[1]] = url[0]
        return done.stdout

    def sql(self, block: Block) -> None:
        """Execute a block as the login its fence names."""
        _, _, login, *rest = block.title.split()
        with psycopg.connect(self.seen.get(login, self.superuser), autocommit=True) as db:
            cursor = db.execute(self._filled(block.text))
            if rest:
                assert cursor.fetchone() == (int(rest[1]),), block.text

    def _filled(self, text: str) -> str:
        return re.sub(r"\b(prc|tsk)_\.\.\.", lambda found: self.seen[found[1]], text)

    def _await_ids(self, step: Block, before: Block) -> None:
        """Look again until the id that a step needs has come: a worker is faster than a reader, not than a test."""
        for prefix in re.findall(r"\b(prc|tsk)_\.\.\.", step.text):
            eventually(lambda p=prefix: p in self.seen or (self.shell(before.text) and p in self.seen), what=prefix)  # type: ignore[misc]


def drop_login(superuser: str, name: str) -> None:
    """Take a login away again: roles outlive the test's database."""
    with psycopg.connect(superuser, autocommit=True) as db:
        if db.execute("select from pg_roles where rolname = %s", (name,)).fetchone() is not None:
            db.execute(f"drop owned by {name}; drop role {name}")


@pytest.fixture
def newcomer(database_url: str, tmp_path: Path) -> Iterator[Reader]:
    """Return a reader with `stepwell up` running, on the test's own database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    reader = Reader(tmp_path, database_url, STEPWELL_OWNER_DATABASE_URL=database_url)
    log = (tmp_path / "up.log").open("w+")
    command = [str(BIN / "stepwell"), "up", "--workers", "1", "--port", str(port)]
    up = subprocess.Popen(command, cwd=tmp_path, env=reader.environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        eventually(
            lambda: up.poll() is not None or "Ctrl-C stops everything" in (tmp_path / "up.log").read_text(),
            what="stepwell up",
        )
        assert up.poll() is None, (tmp_path / "up.log").read_text()
        kept = json.loads((tmp_path / ".stepwell" / "connection.json").read_text())
        reader.environment |= {"STEPWELL_URL": kept["url"], "STEPWELL_API_KEY": kept["key"]}
        yield reader
    finally:
        up.terminate()
        up.wait(20)
        log.close()
        drop_login(database_url, "shop")


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


def test_a_process_in_quarantine_is_seen_and_freed_as_the_operations_page_says(house: House) -> None:
    house.publish(REFUND)
    process = house.start("refund", {"order": "A-1", "amount": 1})
    house.owner.execute("delete from stepwell.job")
    held = "select id, {}, tenant_id, environment_id from stepwell.process"
    house.owner.execute(
        "insert into stepwell.lease (process_id, worker_id, priority, lane, tenant_id, environment_id) "
        + held.format("0, 0, 0")
    )
    house.owner.execute(
        "insert into stepwell.loss (process_id, losses, quarantined_at, tenant_id, environment_id) "
        + held.format("5, now()")
    )
    see, free = (block.text for block in blocks("docs/operations.md", "sql", "run as owner"))

    assert [row[:2] for row in house.rows(see)] == [(process, 5)]
    house.owner.execute(free.replace("prc_0000000000000", process))

    assert house.rows(see) == []
    assert house.value("select count(*) from stepwell.loss") == 0
    with house.worker():
        eventually(lambda: house.status(process) == "COMPLETED", what="the freed process goes on")


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


def test_the_condition_of_the_definitions_page_says_what_it_seems_to() -> None:
    (block,) = blocks("docs/definitions.md", "yaml", "condition")
    condition = compile_condition(yaml.safe_load(block.text))

    class Scope:
        fuel = Fuel()

        def lookup(self, root: str) -> Any:
            return {
                "input": {"amount": 100, "country": "AT", "vip": False},
                "steps": {"check": {"output": {"body": {}}}},
            }[root]

    assert condition.evaluate(Scope()) is True


def test_every_block_that_looks_like_an_example_says_whether_it_runs() -> None:
    pages = ("README.md", "docs/sql.md", "docs/operations.md", "docs/definitions.md")
    shown = [
        (page, b.text)
        for page in pages
        for b in blocks(page, "sh") + blocks(page, "sql") + blocks(page, "yaml")
        if not b.title
    ]

    # What starts a terminal of its own, registers a login, makes a database, or needs an id of the reader's.
    known = ("stepwell up", "grant stepwell_caller", "create database", "select type, data")
    assert [text for _, text in shown if not any(word in text for word in known)] == []
