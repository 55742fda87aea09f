"""When a session looks for jobs again."""

import pytest

from engine.rest import BREATH_SECONDS, BUSY, IN_VAIN, PAUSES, SOON_SECONDS, TIRED, WHOLE_SECONDS, Rest


class Session:
    """A session's claims, one after the other, with a clock of their own."""

    def __init__(self) -> None:
        self.rest = Rest()
        self._now = 100.0

    def claim(self, found: int, *, whole: bool = False, woken: bool = False, later: float = 0.001) -> float:
        self._now += later
        return self.rest.after(found, whole=whole, woken=woken, now=self._now)

    def deaf(self) -> bool:
        return self.rest.deaf

    def nothing(self, times: int = 1) -> list[float]:
        return [self.claim(0) for _ in range(times)]


def asleep() -> Session:
    """Return a session that has fallen asleep and looked as often as it does."""
    session = Session()
    session.nothing(TIRED)
    assert session.rest.sleeping
    session.claim(0, later=sum(PAUSES))
    return session


def test_who_finds_nothing_several_times_goes_to_sleep() -> None:
    session = Session()
    session.nothing(TIRED - 1)
    assert not session.rest.sleeping
    assert session.nothing() == [0.0]  # it says so, and looks at once
    assert session.rest.sleeping


def test_it_looks_again_several_times_after_it_went_to_sleep_since_callers_commit_late() -> None:
    session = Session()
    session.nothing(TIRED)
    pauses = [session.claim(0, later=0.0)]
    for _ in PAUSES:
        pauses.append(session.claim(0, later=pauses[-1]))
    assert pauses == pytest.approx([*PAUSES, WHOLE_SECONDS])


def test_it_looks_at_all_its_times_whatever_it_finds_and_whoever_calls_meanwhile() -> None:
    session = Session()
    session.nothing(TIRED)
    for found in (0, 1, 0, 0, 0):
        pause = session.claim(found, woken=True)
    assert pause == pytest.approx(sum(PAUSES[:3]) - 0.005)
    assert session.rest.sleeping


def test_jobs_now_and_then_do_not_end_the_sleep() -> None:
    session = asleep()
    for _ in range(3 * BUSY):
        assert session.claim(1, woken=True, later=2 * SOON_SECONDS) == WHOLE_SECONDS
    assert session.rest.sleeping


def test_a_stream_of_jobs_does_and_is_claimed_with_a_breath_between() -> None:
    session = asleep()
    for _ in range(BUSY):
        pause = session.claim(1, woken=True)
    assert not session.rest.sleeping
    assert pause == BREATH_SECONDS


def test_who_is_called_in_vain_again_and_again_sleeps_on_till_the_next_whole_tick() -> None:
    session = asleep()
    for _ in range(IN_VAIN):
        assert not session.deaf()
        assert session.claim(0, woken=True) == WHOLE_SECONDS
    assert session.deaf()
    session.claim(0, whole=True)
    assert not session.deaf()


def test_a_call_for_what_an_own_claim_has_taken_is_not_in_vain() -> None:
    session = asleep()
    for _ in range(3 * IN_VAIN):
        session.claim(1, woken=True, later=2 * SOON_SECONDS)
        session.claim(0, woken=True)
        assert not session.deaf()
