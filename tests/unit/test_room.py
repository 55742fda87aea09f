"""Who has to go when there is no room, and when answers wait for their readers."""

from collections.abc import Callable

import pytest

from stepwell.serving import room as rooms
from stepwell.serving.room import SPARE, Room, Welcome


class Visitor:
    """A connection as the room sees it."""

    def __init__(self, room: Room, waiting: int = 0) -> None:
        self.room = room
        self.waiting = waiting
        self.ended = False

    def late(self) -> None:
        self.give_way()

    def give_way(self) -> None:
        self.ended = True
        self.room.leave(self)

    def unsent(self) -> int:
        return self.waiting

    def taken(self) -> None:
        pass


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return how to set the clock."""
    clock = [0.0]
    monkeypatch.setattr("stepwell.serving.room.time.monotonic", lambda: clock[0])

    def set_to(seconds: float) -> None:
        clock[0] = seconds

    return set_to


def test_of_those_without_a_request_the_one_that_waits_longest_goes(now: Callable[[float], None]) -> None:
    room = Room(3)
    idle, asking, silent = visitors = [Visitor(room) for _ in range(3)]
    for moment, visitor in enumerate(visitors):
        now(moment)
        assert room.enter(visitor) is Welcome.IN
    room.serve(asking)
    now(5)
    room.rest(idle)

    for expected in (silent, idle):
        now(6)
        added = Visitor(room)
        assert room.enter(added) is Welcome.IN
        room.serve(added)
        assert expected.ended
    assert room.enter(Visitor(room)) is Welcome.FULL
    assert not asking.ended


def test_those_who_are_told_that_there_is_no_room_are_bounded_too(now: Callable[[float], None]) -> None:
    room = Room(1)
    busy = Visitor(room)
    room.enter(busy)
    room.serve(busy)
    told = [Visitor(room) for _ in range(SPARE)]
    assert {room.enter(visitor) for visitor in told} == {Welcome.FULL}
    assert room.enter(Visitor(room)) is Welcome.SHUT
    now(rooms.HEAD_SECONDS)
    room.sweep()
    assert all(visitor.ended for visitor in told)
    assert room.enter(Visitor(room)) is Welcome.FULL


def test_answers_that_wait_for_their_readers_hold_so_much_memory_and_no_more(now: Callable[[float], None]) -> None:
    room = Room(10)
    waiting = [Visitor(room, rooms.UNSENT_BYTES // 4) for _ in range(6)]
    reader = Visitor(room)
    for visitor in (*waiting, reader):
        room.enter(visitor)
        room.answer(visitor)
    room.sweep()

    assert [visitor.ended for visitor in waiting] == [True] * 2 + [False] * 4
    now(rooms.ANSWER_SECONDS)
    room.serve(reader)
    room.answer(reader)
    room.sweep()
    assert all(visitor.ended for visitor in waiting)
    assert not reader.ended


def test_who_reads_every_answer_is_never_taken_for_one_who_reads_none(now: Callable[[float], None]) -> None:
    room = Room(10)
    reader = Visitor(room, 1000)
    room.enter(reader)
    for moment in range(int(rooms.ANSWER_SECONDS) * 2):
        now(moment)
        reader.waiting = 0  # it has read the last one, and asks again
        room.serve(reader)
        reader.waiting = 1000
        room.answer(reader)
        room.rest(reader)
        room.sweep()
    assert not reader.ended
