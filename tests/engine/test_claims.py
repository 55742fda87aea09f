"""A session's way to the queue, tick by tick, against a real database."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import pytest

from engine import lanes, queue, rescue
from engine.claims import Claims
from engine.db import Link
from tests.house import House
from tests.protocol.test_fence import PURE

SLOTS = 50


class Session(NamedTuple):
    """What of a session goes to the queue."""

    me: int
    claims: Claims
    called: asyncio.Event


@pytest.fixture
async def session(house: House) -> AsyncIterator[Session]:
    link = Link(house.dsn("house_worker"), "test")
    await link.open()
    me, _ = await queue.register(link, "test", lock=True)
    called = asyncio.Event()
    claims = Claims(link, me, SLOTS, called.set, listens=True)
    await claims.begin()
    yield Session(me, claims, called)
    await rescue.bury(link, [me], others=False)
    await link.close()


async def waits_for_a_claim(claims: Claims, called: asyncio.Event) -> float:
    """Tick as a session does until something is claimed; return how many seconds it was ready to wait in all."""
    waited = 0.0
    while True:
        tick, pause = await claims.tick(SLOTS, [])
        if tick is not None and tick.claimed:
            return waited
        called.clear()
        waited += pause
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(called.wait(), pause)


@pytest.mark.parametrize("early", [True, False], ids=["before it said that it sleeps", "while it sleeps"])
async def test_whose_sweeps_are_slow_and_knows_no_lane_lies_down_to_be_called(
    house: House, session: Session, monkeypatch: pytest.MonkeyPatch, early: bool
) -> None:
    """As under a held snapshot: after each sweep the next is 15 s away, but for one that was called for."""
    monkeypatch.setattr(lanes, "SWEEP_SHARE", 1e-9)
    monkeypatch.setattr(lanes, "SLOW_SHARE", 1e-9)
    house.publish(PURE)
    claims, called = session.claims, session.called
    ticks = 1 if early else 4
    for _ in range(ticks):
        await claims.tick(SLOTS, [])
    with house.caller("acme_prod") as db:
        db.execute("select stepwell.start_process('pure', '{}')")

    assert await waits_for_a_claim(claims, called) < lanes.MOST_PAUSE_SECONDS / 3


class Holder:
    """Claims, and keeps what it gets: long work."""

    def __init__(self, session: Session) -> None:
        self.pause = 0.0
        self._claims = session.claims
        self._called = session.called

    async def run(self) -> None:
        """Tick as a session does, for ever."""
        held = self._claims.lanes.held
        while True:
            self._called.clear()
            tick, self.pause = await self._claims.tick(SLOTS - held.total(), [])
            for claimed in tick.claimed if tick is not None else ():
                held[claimed.tenant_id] += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._called.wait(), max(0.0, self.pause))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  the session under test tells nobody
            await asyncio.sleep(0.01)


async def test_a_newcomer_is_heard_while_long_work_of_another_tenant_fills_all_slots_but_the_reserve(
    house: House, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole ticks, which would find it, are made rare once it sleeps."""
    house.publish(PURE)
    house.publish(PURE, "globex_prod")
    with house.caller("acme_prod") as db:
        db.execute("select stepwell.start_processes('pure', %s)", (json.dumps([{}] * 2 * SLOTS),))
    claims, holder = session.claims, Holder(session)
    work = asyncio.create_task(holder.run())
    full = SLOTS - SLOTS // lanes.RESERVE
    asleep = "select asleep from stepwell.worker where id = %s"
    await until(
        lambda: claims.lanes.held.total() == full and house.owner.execute(asleep, (session.me,)).fetchone() == (True,)
    )
    monkeypatch.setattr("engine.claims.WHOLE_SECONDS", 60.0)
    monkeypatch.setattr("engine.rest.WHOLE_SECONDS", 60.0)
    await until(lambda: holder.pause > 1)

    with house.caller("globex_prod") as db:
        db.execute("select stepwell.start_process('pure', '{}')")
    await until(lambda: claims.lanes.held[house.scopes["globex_prod"][0]] == 1)
    assert claims.more

    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
