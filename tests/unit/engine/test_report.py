"""What is told of a process does not depend on who tells it, nor in which portions its events became durable."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from engine.core.commands import Cancel
from engine.core.evolve import fold
from engine.observe import About, ActivityBegan, ActivityEnded, Observation, ProcessBegan, ProcessEnded, Refused, Wanted
from engine.queue import Claimed
from engine.report import Story
from tests.unit.core import histories
from tests.unit.core.given import PROCESS, Life, http, lived, transform

LIVES = [histories.approved, histories.retried, histories.cancelled, histories.broken, histories.rejected]
ME = Claimed(PROCESS, 1, 2)


def story_from(life: Life, place: int) -> Story:
    """Return the story of a holder that loaded the process when so many events were durable."""
    return Story(ME, life.plan, fold(life.history[:place]))


def told(life: Life, cut: int) -> list[Observation]:
    """Tell a life in two holds: the first has the events before `cut`."""
    first = story_from(life, 1).tell(life.history[1:cut], life.state)
    return [*first, *story_from(life, cut).tell(life.history[cut:], life.state)]


def without_since(one: Observation) -> Observation:
    return replace(one, since=None) if isinstance(one, ProcessEnded) else one  # of a retry only its holder knows


@pytest.mark.parametrize("make", LIVES)
def test_a_process_that_changes_hands_is_told_of_as_if_it_had_not(make: object) -> None:
    life = make()  # type: ignore[operator]
    whole = told(life, len(life.history))

    for cut in range(1, len(life.history)):
        assert [without_since(one) for one in told(life, cut)] == [without_since(one) for one in whole]


@pytest.mark.parametrize("make", LIVES)
def test_every_attempt_that_the_history_begins_has_one_end(make: object) -> None:
    life = make()  # type: ignore[operator]
    begun = [(start.path, start.attempt) for event in life.history for start in event.body.starts]
    begun += [(event.path, event.attempt) for event in life.history if event.type == "activity.started"]
    whole = told(life, len(life.history))
    ends = [(one.path, one.attempt) for one in whole if isinstance(one, ActivityEnded)]

    assert life.state.ended_at is not None
    assert sorted(ends) == sorted(begun)
    assert len([one for one in whole if isinstance(one, ProcessBegan)]) <= 1


def test_an_attempt_lasts_from_its_own_begin_to_its_own_end() -> None:
    life = lived(http("a", retry_policy={"max_attempts": 3, "initial_interval_seconds": 10}), transform("b", {"x": 1}))
    life.now += timedelta(seconds=2)
    life.fail("a", retryable=True)
    life.after(30)
    life.now += timedelta(seconds=5)
    life.succeed("a")
    ends = [one for one in told(life, 3) if isinstance(one, ActivityEnded)]

    assert [(one.path, one.attempt, one.outcome, one.duration_s) for one in ends] == [
        ("a", 1, "retrying", 2.0),
        ("a", 2, "completed", 5.0),
        ("b", 1, "completed", 0.0),
    ]
    assert [one.level for one in ends] == ["error", "info", "info"]
    assert ends[0].error == life.history[2].body.error


@pytest.mark.parametrize("make", [histories.approved, histories.retried])
@pytest.mark.parametrize("wanted", [Wanted(begins=False), Wanted(ends=False), Wanted(begins=False, ends=False)])
def test_what_nobody_wants_is_left_out_and_all_else_is_told_as_ever(make: object, wanted: Wanted) -> None:
    life = make()  # type: ignore[operator]
    whole = told(life, len(life.history))
    unwanted = [
        (isinstance(one, ActivityBegan) and not wanted.begins)
        or (isinstance(one, ActivityEnded) and one.outcome == "completed" and not wanted.ends)
        for one in whole
    ]
    assert any(unwanted)
    expected = [one for one, out in zip(whole, unwanted, strict=True) if not out]

    assert story_from(life, 1).tell(life.history[1:], life.state, wanted) == expected


def test_what_was_open_when_the_process_was_cancelled_ends_cancelled() -> None:
    life = lived(http("a"), http("b", depends_on=[]), http("c", depends_on=["a"]))
    life.now += timedelta(seconds=3)
    life.mail(Cancel())
    whole = told(life, 2)
    ends = [(one.path, one.outcome, one.duration_s) for one in whole if isinstance(one, ActivityEnded)]

    assert sorted(ends) == [("a", "cancelled", 3.0), ("b", "cancelled", 3.0)]
    assert [one.status for one in whole if isinstance(one, ProcessEnded)] == ["CANCELLED"]


def test_effects_are_said_to_begin_by_who_starts_them_and_refusals_name_kind_and_code() -> None:
    life = lived(http("a"), transform("b", {"x": 1}))
    life.succeed("a")
    life.mail(Cancel())
    whole = told(life, len(life.history))

    assert [one.path for one in whole if isinstance(one, ActivityBegan)] == ["b"]
    assert [(one.kind, one.code) for one in whole if isinstance(one, Refused)] == [("cancel", "process_ended")]


def test_all_of_it_names_the_definition_and_the_callers_trace() -> None:
    life = lived(transform("b", {"x": 1}))
    abouts = {one.about for one in told(life, len(life.history)) if one.about is not None}

    assert abouts == {About("test", 1, 1, 2, life.state.created_at, None)}
