"""The example that decides on a bureau's answer, published and run as it stands: API, worker, bureau and bank are real."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.api.client import PROCESSES, SIGNALS, TASKS, at_work, publish, reached, serving, start
from tests.house import House
from tests.partners.raw import RawPartner, Received, reply

EXAMPLE = Path(__file__).parents[2] / "examples" / "credit-decision.yaml"
APPLICATION: dict[str, Any] = {
    "application_id": "App-7",
    "applicant": {"first_name": "Ines", "last_name": "Ortega", "country": "AT", "iban": "AT611904300234573201"},
    "amount": 12000,
    "months": 48,
    "monthly_income": 2800,
    "obligations": [
        {"kind": "car", "monthly": 210.5},
        {"kind": "card", "monthly": 40, "ends": "2020-01-01T00:00:00Z"},
        {"kind": "car", "monthly": 99, "ends": "2999-01-01T00:00:00+01:00"},
    ],
}
GOOD = {"score": 702, "reasons": [{"text": "young account", "weight": 1}, {"weight": 2}]}


class Bureau:
    """Plays bureau and bank: the first call of a report is told to come again."""

    def __init__(self) -> None:
        self.status = 200
        self.report: Any = GOOD
        self.calls: dict[str, list[Any]] = {}
        self.partner = RawPartner(self._answer)

    async def _answer(self, request: Received) -> bytes:
        calls = self.calls.setdefault(request.target, [])
        calls.append(json.loads(request.body))
        if request.target == "/credit/offers":
            return _json(201, {"offer_id": "OFF-1"})
        return _json(503, {}) if len(calls) == 1 else _json(self.status, self.report)


def _json(status: int, body: Any) -> bytes:
    return reply(status, json.dumps(body).encode(), "application/json")


class Desk:
    """Applies for credit, and does what people have to do."""

    def __init__(self, client: httpx.AsyncClient, bureau: Bureau) -> None:
        self.client = client
        self.bureau = bureau

    async def apply(self, **change: Any) -> str:
        given = {**APPLICATION, "services_url": self.bureau.partner.url, **change}
        return await start(self.client, "credit-decision", given)

    async def review(self, verb: str, **said: Any) -> str:
        """Complete or reject the one task there is, or will be; return its title."""
        task = await self._task()
        done = await self.client.post(f"{TASKS}/{task['id']}/{verb}", json={"by": "uma", **said})
        assert done.is_success, done.text
        return str(task["title"])

    async def _task(self) -> Any:
        for _ in range(600):
            if tasks := (await self.client.get(TASKS)).json()["items"]:
                break
            await asyncio.sleep(0.05)
        assert len(tasks) == 1
        return tasks[0]

    async def sign(self) -> None:
        sent = await self.client.post(SIGNALS, json={"name": "contract.signed", "correlation_key": "app-7/off-1"})
        assert sent.is_success, sent.text

    async def end(self, process: str) -> tuple[Any, dict[str, Any]]:
        """Return the output of a process and the payloads of the events it announced, by name."""
        shown = await reached(self.client, process, "COMPLETED", "FAILED")
        assert shown["status"] == "COMPLETED", shown
        history = (await self.client.get(f"{PROCESSES}/{process}/history")).json()["items"]
        told = {row["type"]: row["data"]["payload"] for row in history if row["type"].startswith("credit.")}
        return shown["output"], told


@pytest.fixture
async def desk(house: House) -> AsyncIterator[Desk]:
    """Return a desk with the example published and everything running."""
    bureau = Bureau()
    async with serving(house) as api, bureau.partner, at_work(api):
        client = await api.client()
        await publish(client, yaml.safe_load(EXAMPLE.read_text()))
        yield Desk(client, bureau)


async def test_a_good_answer_grants_the_credit_and_the_signature_of_that_offer_ends_it(desk: Desk) -> None:
    process = await desk.apply()
    await desk.sign()  # may come before the wait: a signal with a key is kept
    output, told = await desk.end(process)

    asked, again = desk.bureau.calls["/credit/reports"]
    assert again == asked  # `now` too: it is the moment at which the activity began
    assert asked.pop("asked_at").endswith("Z")
    assert asked == {
        "reference": "App-7",
        "person": {"name": "INES ORTEGA", "country": "AT"},
        "burden": (250 + 210.5 + 99) / 2800,
        "obligations": [
            {"kind": "car", "cents": 21050},
            {"kind": "card", "cents": 4000},
            {"kind": "car", "cents": 9900},
        ],
    }
    (offer,) = desk.bureau.calls["/credit/offers"]
    assert offer.pop("valid_until") > "2026"
    assert offer == {"application": "App-7", "account": "AT61…3201", "instalment": 250.0, "rate": 4.9}
    assert told == {"credit.granted": {"application": "App-7", "offer": "OFF-1"}}
    assert output == {"application": "App-7", "outcome": "granted", "why": "by rule 2", "account": "AT61…3201"}


async def test_a_bad_answer_declines_it_by_the_structured_condition(desk: Desk) -> None:
    for report in (
        {"score": 250, "reasons": [{"text": "late payment", "weight": 9}]},
        {"score": 700, "insolvency": {"open": True}, "reasons": [{"text": "late payment"}, {"weight": 3}]},
    ):
        desk.bureau.report = report
        output, told = await desk.end(await desk.apply())

        assert told == {"credit.declined": {"application": "App-7", "reasons": ["late payment"]}}
        assert (output["outcome"], output["why"]) == ("declined", "by rule 1")
    assert "/credit/offers" not in desk.bureau.calls


async def test_an_answer_without_a_score_takes_the_fallback_and_a_person_decides(desk: Desk) -> None:
    desk.bureau.report = {"reasons": []}
    process = await desk.apply()
    title = await desk.review("complete", data={})
    await desk.sign()
    output, told = await desk.end(process)

    assert title == "May Ines Ortega have 12000 over 48 months (250 a month)?"
    assert list(told) == ["credit.granted"]
    assert output["outcome"] == "granted"
    assert output["why"] == ("steps.bureau.output.body.score is missing: steps.bureau.output.body has no field 'score'")


async def test_somebody_the_bureau_does_not_know_is_looked_at_and_may_be_declined(desk: Desk) -> None:
    desk.bureau.status, desk.bureau.report = 404, {"error": "unknown"}
    process = await desk.apply(applicant={"first_name": "Uma", "last_name": "Novak", "country": "SI"})
    await desk.review("reject", reason="no history")
    output, told = await desk.end(process)

    assert told == {"credit.declined": {"application": "App-7", "reasons": []}}
    assert output == {"application": "App-7", "outcome": "declined", "why": "by rule 0", "account": "none"}
