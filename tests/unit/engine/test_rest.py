"""When a session looks for jobs again."""

from engine.rest import BREATH_SECONDS, BUSY, PAUSES, TIRED, WHOLE_SECONDS, Rest


def nothing(rest: Rest, times: int = 1) -> list[float]:
    return [rest.after(0, whole=False, woken=False) for _ in range(times)]


def asleep() -> Rest:
    rest = Rest()
    nothing(rest, TIRED + len(PAUSES))
    assert rest.sleeping
    return rest


def test_who_finds_nothing_several_times_goes_to_sleep() -> None:
    rest = Rest()
    nothing(rest, TIRED - 1)
    assert not rest.sleeping
    assert nothing(rest) == [0.0]  # it says so, and looks at once
    assert rest.sleeping


def test_it_looks_again_several_times_after_it_went_to_sleep_since_callers_commit_late() -> None:
    rest = Rest()
    nothing(rest, TIRED)
    assert nothing(rest, len(PAUSES)) == list(PAUSES)
    assert nothing(rest) == [WHOLE_SECONDS]


def test_a_job_now_and_then_does_not_end_the_sleep() -> None:
    rest = asleep()
    assert rest.after(1, whole=False, woken=True) == WHOLE_SECONDS
    assert rest.sleeping


def test_a_stream_of_jobs_does_and_is_claimed_with_a_breath_between() -> None:
    rest = asleep()
    for _ in range(BUSY):
        pause = rest.after(1, whole=False, woken=True)
    assert not rest.sleeping
    assert pause == BREATH_SECONDS


def test_who_was_woken_for_nothing_sleeps_on_till_the_next_whole_tick() -> None:
    rest = asleep()
    assert rest.after(0, whole=False, woken=True) == WHOLE_SECONDS
    assert rest.deaf
    rest.after(0, whole=True, woken=False)
    assert not rest.deaf
