"""A session's way to the queue, tick by tick, against a real database."""

import asyncio
import contextlib

import pytest

from engine import lanes, queue, rescue
from engine.claims import Claims
from engine.db import Link
from tests.house import House
from tests.protocol.test_fence import PURE

SLOTS = 50


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
    house: House, monkeypatch: pytest.MonkeyPatch, early: bool
) -> None:
    """As under a held snapshot: after each sweep the next is 15 s away, but for one that was called for."""
    monkeypatch.setattr(lanes, "SWEEP_SHARE", 1e-9)
    house.publish(PURE)
    link = Link(house.dsn("house_worker"), "test")
    await link.open()
    me, _ = await queue.register(link, "test", lock=True)
    called = asyncio.Event()
    claims = Claims(link, me, SLOTS, called.set, listens=True)
    await claims.begin()
    ticks = 1 if early else 4
    for _ in range(ticks):
        await claims.tick(SLOTS, [])
    with house.caller("acme_prod") as db:
        db.execute("select stepwell.start_process('pure', '{}')")

    assert await waits_for_a_claim(claims, called) < lanes.MOST_PAUSE_SECONDS / 3

    await rescue.bury(link, [me], others=False)
    await link.close()
