"""States of the processes that a session held lately: who claims one of them again loads only what came after.

A state is the fold of durable history, which only grows, so it stays true however many others have held the process
meanwhile. Invariant: what is kept here was read from at most MOST_SIZE characters of JSON. Ends with its session.
"""

from __future__ import annotations

from engine.core.model import TERMINAL, State
from engine.queue import Recalled

MOST_SIZE = 16 << 20  # characters; their states take some three times as many bytes


class Recent:
    """The latest states, those longest out of use forgotten first."""

    def __init__(self) -> None:
        self._states: dict[int, Recalled] = {}
        self._size = 0

    def keep(self, process_id: int, state: State, size: int) -> None:
        """Keep a state whose events are all durable."""
        self.recall(process_id)
        if state.status in TERMINAL:
            return
        self._states[process_id] = Recalled(state, size)
        self._size += size
        while self._size > MOST_SIZE:
            self.recall(next(iter(self._states)))

    def recall(self, process_id: int) -> Recalled | None:
        """Return a state, which is not kept any more, None where there is none."""
        kept = self._states.pop(process_id, None)
        if kept is not None:
            self._size -= kept.size
        return kept
