"""What a session asks of the queue for its slots, lane by lane; a claim is played by hand."""

from collections import Counter

import pytest

from engine.lanes import (
    FLOOR_IDS,
    FLOOR_SECONDS,
    MOST_KNOWN,
    QUICK_SECONDS,
    SWEEP_SECONDS,
    SWEEP_SHARE,
    Lanes,
    Pace,
    Taken,
)

SLOTS = 100
RESERVE = 10


class Queue:
    """Jobs by lane, claimed as stepwell.claim does; time stands still unless a test moves it."""

    def __init__(self, **waiting: int) -> None:
        self.waiting = Counter({int(lane[1:]): count for lane, count in waiting.items()})
        self.lanes = Lanes(SLOTS)
        self.now = 0.0
        self.next_id = 0

    @property
    def free(self) -> int:
        return SLOTS - self.lanes.held.total()

    def claim(self, *, idle: bool = False) -> Counter[int]:
        """Claim once; return how many of each lane were taken."""
        free = self.free
        room = self.lanes.room(free)
        wanted = self.lanes.ask(free, self.now, idle=idle)
        waiting = [lane for lane, count in self.waiting.items() if count]
        if wanted is None:
            most = {}
        elif "others" in wanted:
            even = max(1, room // max(1, len(waiting)))
            most = {lane: min(even, wanted["caps"].get(str(lane), wanted["others"])) for lane in waiting}
        else:
            most = {lane: most for _, lane, _, most in wanted["known"]}
        taken: Counter[int] = Counter()
        for place in range(room):
            for lane in most:
                if place < most[lane] and self.waiting[lane] and taken.total() < room:
                    self.waiting[lane] -= 1
                    taken[lane] += 1
        parts = []
        for lane, jobs in taken.items():
            self.lanes.held[lane] += jobs
            parts.append(Taken(0, lane, jobs, self.next_id + 1, self.next_id + jobs))
            self.next_id += jobs
        self.lanes.answer(parts, waiting if wanted and "others" in wanted else [], 0.0, self.now)
        return taken

    def fill(self) -> None:
        """Claim until nothing more is given."""
        self.now += SWEEP_SECONDS
        while self.claim():
            pass

    def end(self, lane: int, count: int) -> None:
        for _ in range(count):
            self.lanes.release(lane)


def test_a_lane_that_is_alone_takes_all_slots_but_the_reserve() -> None:
    queue = Queue(_1=1000)
    queue.fill()
    assert queue.lanes.held == {1: SLOTS - RESERVE}


def test_a_lane_that_holds_none_finds_a_slot_however_many_wait_before_it() -> None:
    queue = Queue(_1=1000)
    queue.fill()
    for lane in range(2, 5):
        queue.waiting[lane] = 1000
        queue.now += SWEEP_SECONDS
        assert queue.claim()[lane] >= 1


def test_what_is_free_goes_to_waiting_lanes_alike() -> None:
    queue = Queue(_1=1000, _2=1000, _3=1000)
    queue.fill()
    held = queue.lanes.held
    assert held.total() == SLOTS - RESERVE
    assert max(held.values()) - min(held.values()) <= 2


def test_a_lane_over_its_share_takes_no_more_and_is_to_give_back_while_another_waits() -> None:
    queue = Queue(_1=1000)
    queue.fill()
    queue.waiting[2] = 1000
    queue.fill()
    assert queue.lanes.over_share(1)
    assert not queue.lanes.over_share(2)
    for _ in range(2 * SLOTS):
        if queue.lanes.over_share(1):
            queue.end(1, 1)
            queue.waiting[1] += 1
        queue.claim()
    assert abs(queue.lanes.held[1] - queue.lanes.held[2]) <= RESERVE
    assert not queue.lanes.over_share(1)


def test_nobody_gives_back_while_nobody_waits() -> None:
    queue = Queue(_1=1000)
    queue.fill()
    assert not queue.lanes.over_share(1)
    queue.waiting[2] = 1
    queue.fill()
    queue.fill()
    assert queue.lanes.held[2] == 1
    assert not queue.lanes.over_share(1)


def test_a_floor_follows_what_was_claimed_but_only_after_a_while() -> None:
    lanes = Lanes(SLOTS)
    lanes.ask(SLOTS, 10.0, idle=True)
    lanes.answer([Taken(0, 1, 5, 496, 500)], [1], 0.0, 10.0)
    wanted = lanes.ask(SLOTS, 10.0 + SWEEP_SECONDS / 2, idle=False)
    assert wanted is not None
    assert wanted["known"][0][:3] == [0, 1, 0]
    lanes.answer([], [], 0.0, 10.1)
    later = 10.0 + 2 * FLOOR_SECONDS
    lanes.ask(SLOTS, later, idle=False)
    lanes.answer([], [], 0.0, later)
    wanted = lanes.ask(SLOTS, later + SWEEP_SECONDS / 2, idle=False)
    assert wanted is not None
    assert wanted["known"][0][:3] == [0, 1, 500]


def test_the_floor_of_a_new_range_is_a_little_below_the_first_job_found_in_it() -> None:
    lanes = Lanes(SLOTS)
    lanes.ask(SLOTS, 10.0, idle=True)
    lanes.answer([Taken(0, 1, 5, 3 * FLOOR_IDS, 3 * FLOOR_IDS + 500)], [1], 0.0, 10.0)
    wanted = lanes.ask(SLOTS, 10.0, idle=False)
    assert wanted is not None
    assert wanted["known"][0][2] == 2 * FLOOR_IDS


def test_what_comes_late_and_all_at_once_is_claimed_without_a_sweep_for_each_portion() -> None:
    lanes = Lanes(SLOTS)
    lanes.ask(SLOTS, 10.0, idle=True)
    lanes.answer([Taken(0, 1, 5, 8 * FLOOR_IDS, 9 * FLOOR_IDS)], [1], 0.0, 10.0)
    lanes.ask(SLOTS, 20.0, idle=True)
    lanes.answer([Taken(0, 1, 90, 4 * FLOOR_IDS, 4 * FLOOR_IDS + 90)], [1], 0.0, 20.0)
    wanted = lanes.ask(SLOTS, 20.0 + SWEEP_SECONDS / 2, idle=False)
    assert wanted is not None
    assert wanted["known"][0][2] < 4 * FLOOR_IDS + 90


def test_a_sweep_comes_now_and_then_under_load_and_at_once_when_idle() -> None:
    lanes = Lanes(SLOTS)
    assert "others" in (lanes.ask(SLOTS, 0.0, idle=False) or {})
    lanes.answer([Taken(0, 1, 1, 1, 1)], [1], 0.0, 0.0)
    assert "others" not in (lanes.ask(SLOTS, SWEEP_SECONDS / 2, idle=False) or {})
    assert "others" in (lanes.ask(SLOTS, SWEEP_SECONDS / 2, idle=True) or {})
    lanes.answer([], [], 0.0, 0.5)
    assert "others" in (lanes.ask(SLOTS, 0.5 + SWEEP_SECONDS, idle=False) or {})


def test_a_slow_sweep_that_finds_nothing_is_not_repeated_at_once() -> None:
    lanes = Lanes(SLOTS)
    lanes.ask(SLOTS, 0.0, idle=True)
    lanes.answer([], [], 0.040, 0.040)
    assert lanes.ask(SLOTS, 0.1, idle=True) is None
    assert lanes.ask(SLOTS, 0.1 + 0.040 / SWEEP_SHARE, idle=True) is not None


def test_of_slow_looks_fewer_starts_have_to_wait_than_of_quick_ones_or_of_a_single_slow_one() -> None:
    """The share of the time that goes into looks is the share of starts that come in the middle of one."""
    pace = Pace()
    shares = [took / pace.after(took, 1) for took in (0.025, 0.002, 0.025, 0.025, 0.025, 0.002)]
    assert shares == pytest.approx([0.02, 0.02, 0.02, 0.005, 0.005, 0.02])
    assert pace.after(60.0, 1) < 60.0


def test_who_claims_a_lot_at_a_time_is_not_slow_for_that() -> None:
    """Fails where a busy session looks for newcomers as seldom as one that walks over dead entries."""
    pace = Pace()
    assert [0.025 / pace.after(0.025, 400) for _ in range(3)] == pytest.approx([0.02] * 3)


@pytest.mark.parametrize(("took", "at_once"), [(QUICK_SECONDS / 2, True), (QUICK_SECONDS, False)])
def test_a_sweep_that_leaves_a_lane_without_a_slot_is_repeated_at_once_while_it_is_quick(
    took: float, at_once: bool
) -> None:
    lanes = Lanes(SLOTS)
    lanes.ask(SLOTS, 0.0, idle=True)
    lanes.answer([Taken(0, 1, SLOTS, 1, SLOTS)], [1, 2], took, took)
    assert (lanes.sweep_at(idle=True, unmet=False) == took) is at_once


def test_a_slow_sweep_is_repeated_soon_for_one_who_has_called_and_whose_job_is_not_where_jobs_are_known_to_be() -> None:
    lanes = Lanes(SLOTS)
    lanes.ask(SLOTS, 0.0, idle=True)
    lanes.answer([], [], 0.1, 0.1)
    assert lanes.knows_none
    assert lanes.sweep_at(idle=True, unmet=True) == 0.2
    assert lanes.ask(SLOTS, 0.15, idle=True, unmet=True) is None
    assert lanes.ask(SLOTS, 0.2, idle=True) is None
    assert "others" in (lanes.ask(SLOTS, 0.2, idle=True, unmet=True) or {})


def test_a_session_that_only_sweeps_keeps_no_more_than_its_last_claims() -> None:
    lanes = Lanes(SLOTS)
    for n in range(1000):
        lanes.ask(SLOTS, float(n), idle=True)
        lanes.answer([Taken(0, 1, 1, n, n)], [1], 0.0, float(n))
    assert len(lanes._known[0, 1].claimed) == 1


def test_a_sweep_that_finds_all_slots_taken_does_not_hide_that_more_waits() -> None:
    """Fails where nobody looks again until the next whole tick: slots that become free meanwhile stay empty."""
    queue = Queue(_1=1000)
    queue.fill()
    queue.now += SWEEP_SECONDS
    queue.lanes.ask(queue.free, queue.now, idle=False)
    assert queue.lanes.answer([], [1], 0.0, queue.now)


def test_of_many_lanes_those_longest_without_a_job_are_forgotten() -> None:
    lanes = Lanes(SLOTS)
    for lane in range(2 * MOST_KNOWN):
        lanes.ask(SLOTS, 0.0, idle=False)
        lanes.answer([Taken(0, lane, 1, lane, lane)], [], 0.0, 0.0)
    wanted = lanes.ask(SLOTS, SWEEP_SECONDS / 2, idle=False)
    assert wanted is not None
    assert {lane for _, lane, _, _ in wanted["known"]} == set(range(MOST_KNOWN, 2 * MOST_KNOWN))
