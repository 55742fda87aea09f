"""Applying events."""

from datetime import timedelta
from typing import Any

import pytest

from engine.core.events import (
    BODIES,
    TYPES,
    ActivityCompleted,
    ActivityStarted,
    CustomerEvent,
    Event,
    NewerEvent,
    ProcessCreated,
    Skip,
    Start,
    decode_body,
)
from engine.core.evolve import evolve, fold
from engine.core.model import SkipReason, State
from tests.unit.core.given import NOW, http, lived


@pytest.mark.parametrize("seq", [0, 2, 5])
def test_an_event_that_is_not_the_next_one_is_a_bug(seq: Any) -> None:
    with pytest.raises(ValueError, match="does not follow"):
        evolve(State(), Event(seq, NOW, "process.created", ProcessCreated(definition_id=1, version=1)))


def test_creation_fills_the_state() -> None:
    body = ProcessCreated(definition_id=1, version=2, input={"a": 1}, business_key="k", trigger={"type": "api"})
    state = evolve(State(), Event(1, NOW, "process.created", body))
    assert (state.definition_id, state.version, state.input, state.created_at) == (1, 2, {"a": 1}, NOW)
    assert (state.status, state.business_key, state.trigger) == ("CREATED", "k", {"type": "api"})


def test_begin_and_end_of_an_activity_and_its_attempts_are_kept() -> None:
    life = lived(http("a"))
    life.fail("a", retryable=True)
    life.after(10)
    life.now += timedelta(seconds=5)
    life.succeed("a")
    activity = life.activity("a")
    assert activity.started_at == NOW
    assert activity.attempt_at == NOW + timedelta(seconds=10)
    assert activity.ended_at == life.state.ended_at == NOW + timedelta(seconds=15)
    assert (activity.attempt, activity.failures) == (2, 1)


def test_any_event_may_start_and_skip() -> None:
    body = CustomerEvent(starts=(Start("a", attempt=3),), skips=(Skip("b", SkipReason.CONDITION),))
    state = evolve(State(), Event(1, NOW, "mine", body, path="c"))
    assert {p: (a.status, a.attempt) for p, a in state.activities.items()} == {"a": ("RUNNING", 3), "b": ("SKIPPED", 0)}


def test_a_signal_is_remembered_once() -> None:
    events = [Event(n, NOW, "activity.completed", ActivityCompleted(signal_id=7), path="a", attempt=1) for n in (1, 2)]
    assert fold(events).signals == (7,)


def test_references_raise_the_next_free_payload_number() -> None:
    state = fold([Event(1, NOW, "activity.completed", ActivityCompleted(output_ref=4), path="a", attempt=1)])
    assert state.payloads == 5
    state = fold([Event(2, NOW, "x", CustomerEvent(payload_ref=2))], state)
    assert state.payloads == 5


def test_every_body_has_a_name_and_every_name_a_body() -> None:
    assert {TYPES[body] for body in BODIES.values()} == set(BODIES)


@pytest.mark.parametrize(("kind", "v"), [("activity.started", 2), ("activity.vanished", 1), ("process.paused", 1)])
def test_an_event_of_a_newer_release_is_not_read(kind: Any, v: Any) -> None:
    with pytest.raises(NewerEvent):
        decode_body(kind, v, b"{}")


def test_fields_that_an_older_release_does_not_know_are_passed_over() -> None:
    assert decode_body("activity.started", 1, b'{"lost": true, "later": 1}') == ActivityStarted(lost=True)
