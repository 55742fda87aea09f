"""What the outside does in the demo: customers order, approvers decide, banks report payments. All at once.

Talks as outsiders do: over the API with httpx, and in SQL with the shop's own login. Requests that meet a busy or
absent server are sent again with the same Idempotency-Key, as the API's errors advise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import psycopg
from msgspec import Struct, field

import sql
from engine.core.ids import private_id
from engine.errors import OperatorError
from stepwell.demo import expectations as expected
from stepwell.demo.rows import BULK, Case, Way
from stepwell.demo.world import World

AT_ONCE = 16  # requests in flight
TRIES = 20
PAUSE_S = 0.25
BUSY = (429, 502, 503, 504)
TIMEOUT_S = 15.0
TASKS_S = 0.2  # how often approvers look into their inbox
SIGNAL = "payment.received"


class Outside(Struct):
    """Everybody outside, with what they did so far."""

    world: World
    http: httpx.AsyncClient
    shop: psycopg.AsyncConnection[tuple[Any, ...]]
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    shop_gate: asyncio.Lock = field(default_factory=asyncio.Lock)  # one connection, one transaction at a time
    begun: dict[int, asyncio.Event] = field(default_factory=dict)  # by case number: its process exists
    started: dict[int, Case] = field(default_factory=dict)  # by process id
    rolled_back: list[int] = field(default_factory=list)  # process ids that must have left nothing
    tasks_done: int = 0
    signals: dict[str, int] = field(default_factory=lambda: {"api": 0, "sql": 0, "early": 0})


@asynccontextmanager
async def outside_of(world: World) -> AsyncIterator[Outside]:
    """Lend everybody outside, connected."""
    headers = {"Authorization": f"Bearer {world.connection.key}"}
    shop = await psycopg.AsyncConnection.connect(world.shop_url, application_name="shop")
    async with (
        shop,
        httpx.AsyncClient(base_url=world.url, headers=headers, timeout=TIMEOUT_S, trust_env=False) as http,
    ):
        yield Outside(world, http, shop)


async def post(outside: Outside, path: str, body: Any, key: str, *, settled: tuple[int, ...] = ()) -> Any:
    """Send a request until it is answered; statuses in `settled` are as good as success. Return the answer's body."""
    said = "no answer"
    for _ in range(TRIES):
        async with outside.gate:
            try:
                answer = await outside.http.post(f"/api/v1{path}", json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError as error:
                said = f"{type(error).__name__} {error}"
            else:
                if answer.is_success or answer.status_code in settled:
                    return answer.json()
                said = f"{answer.status_code} {answer.text[:500]}"
                if answer.status_code not in BUSY:
                    break
        await asyncio.sleep(PAUSE_S)
    raise OperatorError(f"POST {path} failed: {said}", advice=f"Logs: {outside.world.folder / 'logs'} (use --keep)")


async def publish(outside: Outside, documents: Iterable[Any]) -> None:
    """Publish the definitions."""
    for document in documents:
        await post(outside, "/workflows/definitions", document, f"publish-{document['name']}")


async def act(outside: Outside, cases: list[Case]) -> None:
    """Start every case and see it through: payments, approvals. Return when nothing is left to do."""
    outside.begun = {case.number: asyncio.Event() for case in cases}
    paid = [case for case in cases if case.payment is not None]
    # A bank may be quicker than the shop: these signals are kept until their process waits for them.
    await asyncio.gather(*(pay(outside, case) for case in paid if case.payment == "early"))
    async with asyncio.TaskGroup() as group:
        group.create_task(approve(outside, cases))
        for part in bulks(cases):
            group.create_task(start_bulk(outside, part))
        for case in cases:
            if case.way is Way.SINGLE:
                group.create_task(start_single(outside, case))
            elif case.way is not Way.BULK:
                group.create_task(start_by_sql(outside, case))
        for case in paid:
            if case.payment != "early":
                group.create_task(pay_later(outside, case))


def bulks(cases: list[Case]) -> list[list[Case]]:
    """Return the cases that are started in bulk, in parts of one definition each."""
    parts = []
    for definition in dict.fromkeys(case.definition for case in cases):
        wanted = [case for case in cases if case.way is Way.BULK and case.definition == definition]
        parts += [wanted[place : place + BULK] for place in range(0, len(wanted), BULK)]
    return parts


async def start_bulk(outside: Outside, cases: list[Case]) -> None:
    """Start many in one request."""
    body = {"definition": cases[0].definition, "inputs": [case.input for case in cases]}
    made = await post(outside, "/processes/bulk", body, f"bulk-{cases[0].number}")
    for case, public in zip(cases, made["ids"], strict=True):
        _begin(outside, case, public)


async def start_single(outside: Outside, case: Case) -> None:
    """Start one, with its business key."""
    body = {"definition": case.definition, "input": case.input, "business_key": case.order_id}
    made = await post(outside, "/processes", body, f"start-{case.order_id}")
    _begin(outside, case, made["id"])


async def start_by_sql(outside: Outside, case: Case) -> None:
    """Store the order and start its process in one transaction; some are rolled back first, and leave nothing."""
    async with outside.shop_gate:
        if case.way is Way.SQL_TWICE:
            async with outside.shop.transaction(force_rollback=True):
                outside.rolled_back.append(private_id("prc", await _order(outside, case)))
        async with outside.shop.transaction():
            public = await _order(outside, case)
    _begin(outside, case, public)


async def _order(outside: Outside, case: Case) -> str:
    """Write process and order; return the process's id. Transaction: the caller's."""
    values = {
        "definition": case.definition,
        "input": msgspec.json.encode(case.input).decode(),
        "business_key": case.order_id,
    }
    rows = await (await outside.shop.execute(sql.query("demo.start"), values)).fetchall()
    public = str(rows[0][0])
    order = {
        "order_id": case.order_id,
        "customer": case.input["customer"]["name"],
        "amount": case.input["amount"],
        "process_id": public,
    }
    await outside.shop.execute(sql.query("demo.place_order"), order)
    return public


def _begin(outside: Outside, case: Case, public: str) -> None:
    case.process_id = private_id("prc", public)
    outside.started[case.process_id] = case
    outside.begun[case.number].set()


async def pay_later(outside: Outside, case: Case) -> None:
    """Report the payment some time after the order."""
    await outside.begun[case.number].wait()
    await asyncio.sleep(case.row["payment_delay_seconds"])
    await pay(outside, case)


async def pay(outside: Outside, case: Case) -> None:
    """Send the payment signal, by SQL or over the API."""
    data = {"amount": case.input["amount"], "currency": case.input["currency"]}
    signal_id = f"pay-{case.order_id}"
    outside.signals["early"] += case.payment == "early"
    if case.paid_by_sql:
        values = {"order_id": case.order_id, "id": signal_id, "data": msgspec.json.encode(data).decode()}
        async with outside.shop_gate, outside.shop.transaction():
            await outside.shop.execute(sql.query("demo.pay"), values)
        outside.signals["sql"] += 1
        return
    body = {"name": SIGNAL, "correlation_key": case.order_id, "id": signal_id, "data": data}
    await post(outside, "/signals", body, signal_id)
    outside.signals["api"] += 1


async def approve(outside: Outside, cases: list[Case]) -> None:
    """Look into the inbox until every order that needs a person has had one."""
    wanted = sum(case.definition == expected.ORDERS and expected.needs_approval(case.row) for case in cases)
    seen: set[str] = set()
    async with asyncio.TaskGroup() as group:
        while len(seen) < wanted:
            for task in await _inbox(outside):
                case = outside.started.get(private_id("prc", task["process_id"]))
                if task["id"] not in seen and case is not None:
                    seen.add(task["id"])
                    group.create_task(decide(outside, task["id"], case))
            await asyncio.sleep(TASKS_S)


async def _inbox(outside: Outside) -> list[Any]:
    """Return all open tasks; none while the API is busy or away."""
    items: list[Any] = []
    cursor: str | None = None
    while True:
        query = {"limit": "200", **({"cursor": cursor} if cursor else {})}
        try:
            answer = await outside.http.get("/api/v1/tasks", params=query)
        except httpx.TransportError:
            return items
        if not answer.is_success:
            return items
        page = answer.json()
        items += page["items"]
        cursor = page.get("next_cursor")
        if not cursor:
            return items


async def decide(outside: Outside, task: str, case: Case) -> None:
    """Do what the row says its approver does."""
    body: dict[str, Any] = {"by": "dana.approver@shop.example"}
    if case.row["approver_says"] == "reject":
        body["reason"] = case.row.get("approver_reason") or "not this one"
        await post(outside, f"/tasks/{task}/reject", body, f"reject-{task[-40:]}")
    else:
        body["data"] = {"reference": f"APP-{case.order_id}"}
        await post(outside, f"/tasks/{task}/complete", body, f"complete-{task[-40:]}")
    outside.tasks_done += 1
