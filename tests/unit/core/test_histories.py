"""Recorded histories fold as they did when they were written."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from engine.core.events import BODIES, Event, decode_body
from engine.core.evolve import fold
from engine.core.model import State
from tests.unit.core.histories import FOLDER, SCENARIOS

FILES = sorted(FOLDER.glob("*.json"))


class Row(msgspec.Struct):
    seq: int
    at: datetime
    type: str
    v: int
    path: str | None
    attempt: int | None
    data: msgspec.Raw


class Record(msgspec.Struct):
    events: list[Row]
    state: State


def read(path: Path) -> Record:
    return msgspec.json.decode(path.read_bytes(), type=Record)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recorded_history_folds_to_its_recorded_state(path: Path) -> None:
    record = read(path)
    events = [
        Event(
            row.seq,
            row.at,
            row.type,
            decode_body(row.type, row.v, bytes(row.data)),
            row.path,
            row.attempt,
            row.v,
        )
        for row in record.events
    ]
    assert fold(events) == record.state


def test_every_scenario_is_recorded() -> None:
    assert {scenario.__name__ for scenario in SCENARIOS} <= {path.stem for path in FILES}


def test_every_type_of_event_is_in_a_recorded_history() -> None:
    seen = {row.type for path in FILES for row in read(path).events}
    assert set(BODIES) <= seen
    assert "order.shipped" in seen
