"""When a session looks for jobs again."""

from engine.rest import BREATH_SECONDS, BUSY, OUTRUN, PAUSES, SOON_SECONDS, TIRED, WHOLE_SECONDS, Rest


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
    session = Session()
    session.nothing(TIRED + len(PAUSES))
    assert session.rest.sleeping
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
    assert session.nothing(len(PAUSES)) == list(PAUSES)
    assert session.nothing() == [WHOLE_SECONDS]


def test_it_looks_again_whatever_it_finds_and_whoever_calls_meanwhile() -> None:
    session = Session()
    session.nothing(TIRED)
    pauses = [session.claim(0, woken=True), session.claim(1, woken=True), *session.nothing(len(PAUSES) - 2)]
    assert pauses == list(PAUSES)


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
    for _ in range(OUTRUN):
        assert not session.deaf()
        assert session.claim(0, woken=True) == WHOLE_SECONDS
    assert session.deaf()
    session.claim(0, whole=True)
    assert not session.deaf()
    session.claim(0, woken=True)
    assert session.deaf()  # the others are still quicker


def test_a_call_for_what_an_own_claim_has_taken_is_not_in_vain() -> None:
    session = asleep()
    for _ in range(3 * OUTRUN):
        session.claim(1, woken=True, later=2 * SOON_SECONDS)
        session.claim(0, woken=True)
        assert not session.deaf()
