"""States of processes that were held lately."""

from engine.core.model import ProcessStatus, State
from engine.recent import MOST_SIZE, Recent


def state(seq: int, status: ProcessStatus = ProcessStatus.WAITING) -> State:
    return State(seq=seq, status=status)


def test_a_state_is_recalled_once() -> None:
    recent = Recent()
    recent.keep(1, state(5), 100)
    found = recent.recall(1)
    assert found is not None
    assert (found.state.seq, found.size) == (5, 100)
    assert recent.recall(1) is None


def test_what_has_ended_is_not_kept_nor_is_what_it_was_before() -> None:
    recent = Recent()
    recent.keep(1, state(5), 100)
    recent.keep(1, state(6, ProcessStatus.COMPLETED), 100)
    assert recent.recall(1) is None


def test_those_longest_out_of_use_are_forgotten_when_they_take_too_much() -> None:
    recent = Recent()
    for n in range(5):
        recent.keep(n, state(n + 1), MOST_SIZE // 4)
    recent.keep(1, state(2), MOST_SIZE // 4)
    recent.keep(9, state(1), MOST_SIZE // 4)
    assert [n for n in (0, 1, 2, 3, 4, 9) if recent.recall(n)] == [1, 3, 4, 9]
