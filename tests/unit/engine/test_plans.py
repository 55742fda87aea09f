"""What a session keeps of compiled definitions: bounded by weight, never made twice while in use."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import weakref
from typing import Any

import pytest

from engine import plans
from engine.core.compile import Plan
from engine.plans import HEAVY, MOST_WEIGHT, Heavy, Plans


def document(size: int = 0, **schema: Any) -> str:
    steps = [{"id": "s", "type": "transform", "config": {"mapping": {"k": "x" * size}}}]
    more = {"input_schema": schema} if schema else {}
    return json.dumps({"name": "a", "steps": steps, **more})


class Library:
    """Documents by definition; notes what is asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.read: list[int] = []

    async def __call__(self, definition: int, _version: int) -> str:
        self.read.append(definition)
        return self.text


async def test_what_is_kept_weighs_no_more_than_its_limit_however_many_definitions_are_used() -> None:
    library = Library(document(600_000))
    kept = Plans(library)
    made = [weakref.ref(await kept.get((n, 1))) for n in range(20)]
    gc.collect()
    assert kept.weight <= MOST_WEIGHT
    assert 1 <= sum(plan() is not None for plan in made) <= MOST_WEIGHT // 600_000
    await kept.get((19, 1))  # used last
    assert library.read == list(range(20))
    await kept.get((0, 1))  # used first: it was let go
    assert library.read == [*range(20), 0]


async def test_a_plan_in_use_is_not_made_again_when_it_is_no_longer_kept() -> None:
    kept = Plans(Library(document(600_000)))
    used = await kept.get((0, 1))
    for n in range(1, 20):
        await kept.get((n, 1))
    assert await kept.get((0, 1)) is used
    assert await kept.light((0, 1)) is used


async def test_a_plan_heavier_than_all_that_may_be_kept_is_used_and_not_kept() -> None:
    kept = Plans(Library(document(MOST_WEIGHT // 16, patternProperties={"a": True})))
    assert (await kept.get((1, 1))).order == ("s",)
    assert kept.weight == 0


@pytest.mark.parametrize(
    "text",
    [document(HEAVY), document(allOf=[{"pattern": "a"}] * 40), document(HEAVY // 10, patternProperties={"a": True})],
    ids=["long", "patterns", "keys that are patterns"],
)
async def test_heavy_definitions_are_made_beside_the_loop_one_at_a_time(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Plans(Library(text))
    with pytest.raises(Heavy):
        await kept.light((1, 1))
    under_way, makers, most = 0, set(), 0
    make = plans._compile

    def watched(text: str) -> Plan:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        makers.add(threading.get_ident())
        try:
            return make(text)
        finally:
            under_way -= 1

    monkeypatch.setattr(plans, "_compile", watched)
    made = await asyncio.gather(*(kept.get((n % 3, 1)) for n in range(9)))
    assert (most, len({id(one) for one in made})) == (1, 3)
    assert threading.get_ident() not in makers


async def test_light_definitions_are_made_at_once() -> None:
    library = Library(document(100))
    kept = Plans(library)
    assert await kept.light((1, 1)) is await kept.get((1, 1))
    assert library.read == [1]
