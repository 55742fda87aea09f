"""Smaller priorities are claimed first, within a tenant's share and without a touch on what is less urgent."""

import json
from collections import Counter
from typing import Any

from engine.lanes import Lanes, Taken
from tests.house import House
from tests.protocol.test_fence import PURE, ByHand

SLOTS = 100


class Claimer(ByHand):
    """A worker by hand that asks as a session does."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self.lanes = Lanes(SLOTS)
        self.now = 0.0
        self.more = True

    def claim(self) -> list[int]:
        """Claim for all slots; return the processes."""
        self.now += 0.01
        asked = json.dumps(self.lanes.ask(SLOTS, self.now, idle=not self.more))
        row = self.db.execute(
            "select stepwell.claim(%s, %s, %s::jsonb)", (self.me, self.lanes.room(SLOTS), asked)
        ).fetchone()
        assert row is not None
        answer: dict[str, Any] = row[0]
        taken = [Taken(*part) for part in answer["taken"]]
        self.more = self.lanes.answer(taken, answer["waiting"], 0.0, self.now)
        return [claimed[0] for claimed in answer["claimed"]]


def start_many(house: House, count: int, priority: int, scope: str = "acme_prod") -> None:
    with house.caller(scope) as db:
        db.execute("select stepwell.start_processes('pure', %s, priority => %s)", (json.dumps([{}] * count), priority))


def priorities(house: House, processes: list[int]) -> Counter[int]:
    with house.connect("superuser") as db:
        rows = db.execute("select priority from stepwell.process where id = any(%s)", (processes,)).fetchall()
    return Counter(row[0] for row in rows)


def test_all_that_is_urgent_is_claimed_before_anything_else_of_the_same_tenant(house: House) -> None:
    house.publish(PURE)
    start_many(house, 300, priority=10)
    start_many(house, 200, priority=-10)
    worker = Claimer(house)

    claimed = [priorities(house, worker.claim()) for _ in range(5)]
    room = worker.lanes.room(SLOTS)
    assert claimed == [{-10: room}, {-10: room}, {-10: 200 - 2 * room}, {10: room}, {10: room}]


def test_another_tenant_has_its_share_however_urgent_the_first_one_is(house: House) -> None:
    house.publish(PURE)
    house.publish(PURE, "globex_prod")
    start_many(house, 300, priority=-10)
    start_many(house, 300, priority=0)
    start_many(house, 300, priority=10, scope="globex_prod")
    worker = Claimer(house)

    for _ in range(3):
        claimed = priorities(house, worker.claim())
        assert claimed[10] == claimed[-10] > 0
        assert not claimed[0]


def test_what_is_less_urgent_stays_free_for_others_while_a_claim_is_under_way(house: House) -> None:
    house.publish(PURE)
    start_many(house, SLOTS, priority=-10)
    start_many(house, SLOTS, priority=10)
    one, other = Claimer(house), Claimer(house)

    with one.db.transaction():
        assert set(priorities(house, one.claim())) == {-10}
        left = SLOTS - one.lanes.room(SLOTS)
        assert priorities(house, other.claim())[10] == other.lanes.room(SLOTS) - left
