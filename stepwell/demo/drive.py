"""What the outside does in the demo: customers order, approvers decide, banks report payments. All at once.

Talks as outsiders do: over the API with the client, and in SQL with the shop's own login. The client sends a call that
meets a busy or absent server again, with the same Idempotency-Key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import psycopg
from msgspec import Struct, field

import sql
from api.wire import TaskView
from engine.core.ids import private_id
from engine.errors import Unavailable
from stepwell.client import AsyncClient
from stepwell.demo import expectations as expected
from stepwell.demo.rows import BULK, Case, Way
from stepwell.demo.world import World

AT_ONCE = 16  # requests in flight
RETRIES = 8  # some 20 s in all
TIMEOUT_S = 15.0
TASKS_S = 0.2  # how often approvers look into their inbox
PAGE = 200
SIGNAL = "payment.received"
APPROVER = "dana.approver@shop.example"


class Outside(Struct):
    """Everybody outside, with what they did so far."""

    world: World
    api: AsyncClient
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
    shop = await psycopg.AsyncConnection.connect(world.shop_url, application_name="shop")
    api = AsyncClient(world.url, world.connection.key, timeout_s=TIMEOUT_S, retries=RETRIES, trust_env=False)
    async with shop, api:
        yield Outside(world, api, shop)


async def publish(outside: Outside, documents: Iterable[Any]) -> None:
    """Publish the definitions."""
    for document in documents:
        await outside.api.publish_definition(document, idempotency_key=f"publish-{document['name']}")


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
    inputs, key = [case.input for case in cases], f"bulk-{cases[0].number}"
    async with outside.gate:
        made = await outside.api.start_processes(cases[0].definition, inputs, idempotency_key=key)
    for case, public in zip(cases, made.ids, strict=True):
        _begin(outside, case, public)


async def start_single(outside: Outside, case: Case) -> None:
    """Start one, with its business key."""
    order, key = case.order_id, f"start-{case.order_id}"
    async with outside.gate:
        made = await outside.api.start_process(case.definition, case.input, business_key=order, idempotency_key=key)
    _begin(outside, case, made.id)


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
    async with outside.gate:
        await outside.api.send_signal(
            SIGNAL, data=data, correlation_key=case.order_id, id=signal_id, idempotency_key=signal_id
        )
    outside.signals["api"] += 1


async def approve(outside: Outside, cases: list[Case]) -> None:
    """Look into the inbox until every order that needs a person has had one."""
    wanted = sum(case.definition == expected.ORDERS and expected.needs_approval(case.row) for case in cases)
    seen: set[str] = set()
    async with asyncio.TaskGroup() as group:
        while len(seen) < wanted:
            for task in await _inbox(outside):
                case = outside.started.get(private_id("prc", task.process_id))
                if task.id not in seen and case is not None:
                    seen.add(task.id)
                    group.create_task(decide(outside, task.id, case))
            await asyncio.sleep(TASKS_S)


async def _inbox(outside: Outside) -> list[TaskView]:
    """Return all open tasks; none while the API is away."""
    try:
        return [task async for task in outside.api.every(outside.api.list_tasks, limit=PAGE)]
    except Unavailable:
        return []


async def decide(outside: Outside, task: str, case: Case) -> None:
    """Do what the row says its approver does."""
    async with outside.gate:
        if case.row["approver_says"] == "reject":
            why = case.row.get("approver_reason") or "not this one"
            await outside.api.reject_task(task, by=APPROVER, reason=why, idempotency_key=f"reject-{task[-40:]}")
        else:
            data, key = {"reference": f"APP-{case.order_id}"}, f"complete-{task[-40:]}"
            await outside.api.complete_task(task, by=APPROVER, data=data, idempotency_key=key)
    outside.tasks_done += 1
