"""The demo's partner as a process of its own, called by the real executor; and the demo's rows."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import pytest_asyncio
import yaml

from engine.core.commands import Completed, Failed
from engine.core.compile import compile_definition
from engine.core.definition import parse_definition
from engine.core.ids import execution_id
from engine.executors.http import HttpExecutor, HttpRequest
from stepwell.demo.expectations import (
    expected_executions,
    expected_outcome,
    expected_status,
    needs_approval,
    rejected,
)
from stepwell.demo.partner import FAILING_CALLS, SERVICES, Fault, Partner
from tests.partners.drive import Drive

EXAMPLES = Path(__file__).parents[2] / "examples"
ROWS = {"customer-onboarding": "onboarding", "order-fulfilment": "orders"}
GRANT = {"wallet_id": "wal_1", "credits": 10}


class Running:
    """The partner's process and its log."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self._log = log

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def summary(self) -> Any:
        return httpx.get(f"{self.url}/_calls").json()

    def call(self, key: str, path: str = "/credits", body: Any = GRANT) -> HttpRequest:
        return HttpRequest.from_config({"method": "POST", "url": self.url + path, "body": body}, key)


async def start(log: Path, failure_rate: float) -> Running:
    options = ("--port", "0", "--log", str(log), "--failure-rate", str(failure_rate), "--seed", "7")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stepwell.demo.partner", *options, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 20)
    return Running(process, json.loads(line)["url"], log)


@pytest_asyncio.fixture
async def faulty(tmp_path: Path) -> AsyncIterator[Running]:
    async for running in _partner(tmp_path, 0.6):
        yield running


@pytest_asyncio.fixture
async def healthy(tmp_path: Path) -> AsyncIterator[Running]:
    async for running in _partner(tmp_path, 0.0):
        yield running


async def _partner(folder: Path, failure_rate: float) -> AsyncIterator[Running]:
    running = await start(folder / "calls.jsonl", failure_rate)
    try:
        yield running
    finally:
        if running.process.returncode is None:
            running.process.terminate()
        await running.process.wait()


@pytest_asyncio.fixture
async def executor() -> AsyncIterator[HttpExecutor]:
    executor = HttpExecutor(allowed_networks=(ipaddress.ip_network("127.0.0.0/8"),))
    await executor.start()
    yield executor
    await executor.close()


async def test_every_key_has_one_effect_after_at_most_two_failures_however_often_it_is_called(
    faulty: Running, executor: HttpExecutor
) -> None:
    async def until_done(key: str) -> list[Completed | Failed]:
        outcomes = [await executor.run(faulty.call(key))]
        while isinstance(outcomes[-1], Failed):
            assert outcomes[-1].retryable
            outcomes.append(await executor.run(faulty.call(key)))
        return outcomes

    keys = [f"exe_{n}" for n in range(60)]
    outcomes = dict(zip(keys, await asyncio.gather(*map(until_done, keys)), strict=True))
    assert max(len(each) for each in outcomes.values()) == FAILING_CALLS + 1
    lines = faulty.lines()
    assert Counter(line["idempotency_key"] for line in lines) == {k: len(o) for k, o in outcomes.items()}
    assert Counter(line["idempotency_key"] for line in lines if line["effect"]) == dict.fromkeys(keys, 1)
    assert {line["fault"] for line in lines} == set(Fault)
    summary = faulty.summary()
    assert (summary["calls"], summary["effects"]) == (len(lines), len(keys))
    assert summary["repeats"] == len(lines) - len(keys)


async def test_a_repeat_gets_the_first_answer_and_another_body_is_refused(
    healthy: Running, executor: HttpExecutor
) -> None:
    first = await executor.run(healthy.call("k1"))
    again = await executor.run(healthy.call("k1"))
    assert isinstance(first, Completed)
    assert isinstance(again, Completed)
    assert first.output["body"] == again.output["body"]
    other = await executor.run(healthy.call("k1", body={**GRANT, "credits": 11}))
    assert isinstance(other, Failed)
    assert other.error.details["status"] == 422
    assert [(line["status"], line["effect"]) for line in healthy.lines()] == [
        (200, True),
        (200, False),
        (422, False),
    ]
    assert healthy.summary()["mismatches"] == 1


async def test_a_refused_payment_is_final_and_no_effect(healthy: Running, executor: HttpExecutor) -> None:
    body = {"order_id": "o", "method": "card-declined", "amount": 1, "currency": "EUR"}
    outcome = await executor.run(healthy.call("k1", "/payments", body))
    assert isinstance(outcome, Failed)
    assert not outcome.retryable
    assert [(line["status"], line["effect"]) for line in healthy.lines()] == [(402, False)]


async def test_the_partner_ends_cleanly_on_sigterm(healthy: Running) -> None:
    healthy.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(healthy.process.wait(), 10) == 0


def test_faults_depend_on_seed_key_and_call_only(tmp_path: Path) -> None:
    one, two, other = (Partner(tmp_path / "log", 0.5, seed) for seed in (1, 1, 2))
    calls = [(f"k{n}", call) for n in range(50) for call in (1, 2, 3)]
    faults = [one.fault(*call) for call in calls]
    assert faults == [two.fault(*call) for call in calls]
    assert faults != [other.fault(*call) for call in calls]
    for partner in (one, two, other):
        partner.close()


@pytest.mark.parametrize("name", ROWS)
async def test_every_row_ends_as_expected_and_calls_the_partner_for_what_is_expected(
    tmp_path: Path, executor: HttpExecutor, name: str
) -> None:
    plan = compile_definition(parse_definition(document(name)))
    every = dict(enumerate(rows(name), start=1))
    async for partner in _partner(tmp_path, 0.3):
        drives = {number: Drive(plan, number, row, partner.url) for number, row in every.items()}
        ends = dict(zip(drives, await asyncio.gather(*(d.run(executor) for d in drives.values())), strict=True))
        for number, row in every.items():
            assert ends[number].status == expected_status(name, row), ends[number].error
            assert_output(expected_outcome(name, row), ends[number].output)
        called = {line["idempotency_key"] for line in partner.lines()}
        assert called == {
            execution_id(number, step) for number, row in every.items() for step in expected_executions(name, row)
        }


def assert_output(outcome: str, output: Any) -> None:
    match outcome:
        case "onboarded":
            assert output["outcome"] == "onboarded"
        case "shipped":
            assert output["verdict"] == ["payment"]
        case "rejected":
            assert output["verdict"] == ["release_stock"]
        case _:
            assert output is None


def document(name: str) -> Any:
    return yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EXAMPLES / "data" / f"{ROWS[name]}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", ROWS)
def test_every_row_fits_the_input_schema_of_its_definition(name: str) -> None:
    schema = jsonschema_rs.validator_for(document(name)["input_schema"])
    assert len(rows(name)) == 200
    for row in rows(name):
        schema.validate({**row["input"], "services_url": "http://127.0.0.1:1"})


@pytest.mark.parametrize("name", ROWS)
def test_what_is_expected_names_http_steps_that_the_partner_serves(name: str) -> None:
    http = {s["id"]: s["config"]["url"] for s in document(name)["steps"] if s["type"] == "http"}
    expected = set().union(*(expected_executions(name, row) for row in rows(name)))
    assert expected == set(http)
    assert {url.removeprefix("${input.services_url}") for url in http.values()} <= set(SERVICES)


def test_the_examples_hold_all_six_types_of_activity() -> None:
    types = {step["type"] for name in ROWS for step in document(name)["steps"]}
    assert types == {"http", "event", "wait", "decision", "transform", "manual"}


def test_the_orders_say_who_must_approve_what_they_say_and_when_the_payment_comes() -> None:
    orders = rows("order-fulfilment")
    for row in orders:
        assert needs_approval(row) == (row["approver_says"] in {"approve", "reject"})
        assert rejected(row) == (row["payment_arrives"] is None)
        lines = row["input"]["items"]
        assert round(sum(i["quantity"] * i["price"] for i in lines), 2) == row["input"]["amount"]
    assert sum(map(needs_approval, orders)) == len(orders) / 4
    outcomes = Counter(expected_outcome("order-fulfilment", row) for row in orders)
    assert set(outcomes) == {"shipped", "rejected", "declined"}
    assert Counter(expected_status("order-fulfilment", row) for row in orders)["FAILED"] == outcomes["declined"]
