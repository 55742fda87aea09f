"""How much of large answers all calls of a worker hold at a time.

Each call has its limit, but hundreds may be under way, and a partner may send almost all of an answer and then nothing
more. Invariant: the first SMALL bytes of an answer always have room, so that whoever takes up the rest cannot keep
ordinary calls from their answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

SMALL = 64 << 10  # bytes of each answer that are not counted
MOST_BYTES = 256 << 20


class NoRoom(Exception):
    """The answers being read are too large together."""


class Room:
    """Counts the bytes of answers while they are read."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._free = most_bytes

    @contextmanager
    def answer(self) -> Iterator[Part]:
        """Make room for one answer as it grows; all of it is given back at the end."""
        part = Part(self)
        try:
            yield part
        finally:
            self._free += part.taken

    def take(self, count: int) -> None:
        """Take bytes. Raises NoRoom, and takes none."""
        if count > self._free:
            raise NoRoom
        self._free -= count


class Part:
    """What one answer takes of the room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.taken = 0

    def grow(self, length: int) -> None:
        """Make room for an answer that has this many bytes by now. Raises NoRoom."""
        more = max(0, length - SMALL - self.taken)
        self._room.take(more)
        self.taken += more
