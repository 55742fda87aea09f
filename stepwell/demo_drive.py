"""What the outside does in the demo: customers order, approvers decide, banks report payments. All at once.

Talks as outsiders do: over the API with httpx, and in SQL with the shop's own login. Requests that meet a busy or absent
server are sent again with the same Idempotency-Key, as the API's errors advise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import batched
from typing import Any

import httpx
import msgspec
import psycopg
from msgspec import Struct, field

import sql
from engine.core.ids import private_id
from engine.errors import OperatorError
from stepwell import demo_expectations as expected
from stepwell.demo_rows import BULK, Case, Way
from stepwell.demo_world import World

AT_ONCE = 16  # requests in flight
TRIES = 20
PAUSE_S = 0.25
TASKS_S = 0.2  # how often approvers look into their inbox
SIGNAL = "payment.received"


class Outside(Struct):
    """Everybody outside, with what they did so far."""

    world: World
    http: httpx.AsyncClient
    shop: psycopg.AsyncConnection[tuple[Any, ...]]
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    shop_gate: asyncio.Lock = field(default_factory=asyncio.Lock)  # one connection, one transaction at a time
    started: dict[int, Case] = field(default_factory=dict)  # by process id
    rolled_back: list[int] = field(default_factory=list)  # process ids that must have left nothing
    tasks_done: int = 0
    signals: dict[str, int] = field(default_factory=lambda: {"api": 0, "sql": 0, "early": 0})


async def post(outside: Outside, path: str, body: Any, key: str, *, settled: tuple[int, ...] = ()) -> Any:
    """Send a request until it is answered; statuses in `settled` are as good as success. Returns the answer's body."""
    headers = {"Idempotency-Key": key}
    for _ in range(TRIES):
        async with outside.gate:
            try:
                answer = await outside.http.post(f"/api/v1{path}", json=body, headers=headers)
            except httpx.TransportError:
                answer = None
        if answer is not None and (answer.is_success or answer.status_code in settled):
            return answer.json()
        if answer is not None and answer.status_code not in (409, 429, 500, 502, 503, 504):
            break
        await asyncio.sleep(PAUSE_S)
    said = "no answer" if answer is None else f"{answer.status_code} {answer.text[:300]}"
    raise OperatorError(f"POST {path} failed: {said}", advice=f"Look in {outside.world.folder / 'logs'}")


async def publish(outside: Outside, documents: Iterable[Any]) -> None:
    """Publish the definitions."""
    for document in documents:
        await post(outside, "/workflows/definitions", document, f"publish-{document['name']}")


async def act(outside: Outside, cases: list[Case]) -> None:
    """Start everything and see it through: payments are reported, tasks done. Returns when nothing is left to do."""
    async with asyncio.TaskGroup() as group:
        inbox = group.create_task(approve(outside, cases))
        for definition in dict.fromkeys(case.definition for case in cases):
            bulk = [case for case in cases if case.way is Way.BULK and case.definition == definition]
            for part in batches(bulk, BULK):
                group.create_task(start_bulk(outside, definition, part))
        for case in cases:
            if case.way is Way.SINGLE:
                group.create_task(start_single(outside, case))
            elif case.way in (Way.SQL, Way.SQL_TWICE):
                group.create_task(start_by_sql(outside, case))
        for case in cases:
            if case.payment is not None:
                group.create_task(pay(outside, case))
        del inbox
