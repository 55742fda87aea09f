"""What a hold has to write, and when: at most one slip of it is on its way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import msgspec
import pytest

from engine.core.commands import Signal
from engine.hold import Hold
from engine.queue import Claimed, Loaded, Rung
from tests.unit.core.given import NOW, PROCESS, Life, http, lived, wait


class _Desk:
    """A session that does nothing by itself."""

    def __init__(self) -> None:
        self.enough = False

    def now(self) -> datetime:
        return NOW

    def jitter(self) -> float:
        return 0.5

    def dirty(self, hold: Hold) -> None:
        pass

    def has_had_enough(self, _: Hold) -> bool:
        return self.enough

    def wake_at(self, _due: datetime, _wake: Callable[[], None]) -> Any:
        class Alarm:
            def cancel(self) -> None:
                pass

        return Alarm()


def held(life: Life, desk: _Desk | None = None) -> Hold:
    loaded = Loaded(PROCESS, 5, 1, 0, 0, life.state.seq, ())
    hold = Hold(cast("Any", desk or _Desk()), Claimed(PROCESS, 1, 1), loaded, life.state, life.plan)
    hold.open()
    return hold


def paid(number: int = 1) -> Rung:
    return Rung(PROCESS, 1, ((number, msgspec.Raw(msgspec.json.encode(Signal(signal_id=9, name="paid")))),))


@pytest.fixture
def parking() -> Hold:
    """Return a hold whose park is on its way: it waits for a signal, and has nothing else to write."""
    hold = held(lived(wait("w", signal="paid"), http("ship")))
    slip = hold.take()
    assert slip is not None
    assert (slip.park, slip.events) == (True, [])
    return hold


def test_what_is_decided_while_a_park_is_on_its_way_waits_for_its_answer(parking: Hold) -> None:
    parking.receive(paid())
    assert parking.take() is None
    assert parking.confirm() == [], "nothing was written that would let an effect begin"
    slip = parking.take()
    assert slip is not None
    assert [activity.path for activity in parking.confirm()] == ["ship"]


def test_a_hold_whose_slip_is_on_its_way_is_not_durable(parking: Hold) -> None:
    assert not parking.is_durable
    parking.receive(paid())
    parking.confirm()
    assert not parking.is_durable, "the signal was decided and not written"
    parking.take()
    parking.confirm()
    assert parking.is_durable


def test_a_turn_does_not_end_while_an_effect_runs() -> None:
    desk = _Desk()
    hold = held(lived(http("a")), desk)
    desk.enough = True
    assert hold.leaving
    hold.effects["a"] = (1, cast("Any", None))
    assert not hold.leaving
