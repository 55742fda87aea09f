"""Who is connected, whose turn it is, and who has to go.

A connection is either *hurried* (it owes us a TLS handshake, the head of a request, or the rest of a body that nobody
needs any more), *idle* (between two requests), or served (a request is being worked on, or its body is still coming:
the application gives it its time). Beside that, an answer may be waiting for its reader.

Invariants: every connection is in at most one of `hurried` and `idle`, each in the order of its moments, so that the
one to go is found without a search; a request being served is never cut off to make room. `full` has them likewise.
"""

from __future__ import annotations

import time
from enum import Enum
from typing import Protocol

from msgspec import Struct

HEAD_SECONDS = 10.0  # from opening, or from a request's first byte, to the end of its head
IDLE_SECONDS = 60.0  # between two requests
ANSWER_SECONDS = 60.0  # from the end of an answer to when its reader has taken it
UNSENT_BYTES = 256 << 20  # of all answers that wait for their readers; beyond it the oldest are given up
SPARE = 100  # connections beyond the limit that are let in to be told that there is no room
OTHER_FILES = 100  # open files for all but connections: database, log, the libraries' own


class Guest(Protocol):
    """What the room knows of a connection."""

    def late(self) -> None:
        """End the connection: it has kept us waiting too long."""

    def give_way(self) -> None:
        """End the connection at once: another one needs its place."""

    def unsent(self) -> int:
        """Return how many bytes wait for the reader."""

    def taken(self) -> None:
        """Be told that the reader has taken everything."""


class Welcome(Enum):
    """How a new connection is received."""

    IN = "in"
    FULL = "full"  # let in to be told so
    SHUT = "shut"


class Toll(Struct):
    """What happened since it was last told."""

    made_room: int = 0
    refused: int = 0
    late: int = 0

    def __bool__(self) -> bool:
        """Tell whether anything happened."""
        return bool(self.made_room or self.refused or self.late)


class Room:
    """The connections of one API. Times are of time.monotonic()."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.guests: set[Guest] = set()
        self.full: dict[Guest, float] = {}  # let in to be told that there is no room
        self.hurried: dict[Guest, float] = {}
        self.idle: dict[Guest, float] = {}
        self.answered: dict[Guest, float] = {}
        self.toll = Toll()

    def enter(self, guest: Guest) -> Welcome:
        """Let a new connection in if there is room, or if one can be made."""
        if len(self.guests) < self.limit or self._make_room():
            self.guests.add(guest)
            self.hurried[guest] = time.monotonic()
            return Welcome.IN
        self.toll.refused += 1
        if len(self.full) >= SPARE:
            return Welcome.SHUT
        self.full[guest] = time.monotonic()
        return Welcome.FULL

    def replace(self, guest: Guest, successor: Guest) -> bool:
        """Give a connection's place to what it has become; tell whether it still had one."""
        if guest in self.full:
            self.full[successor] = self.full.pop(guest)
            return True
        if guest not in self.guests:
            return False
        self.leave(guest)
        self.guests.add(successor)
        self.hurried[successor] = time.monotonic()
        return True

    def leave(self, guest: Guest) -> None:
        """Forget a connection that has ended."""
        self.guests.discard(guest)
        for waiting in (self.full, self.hurried, self.idle, self.answered):
            waiting.pop(guest, None)

    def hurry(self, guest: Guest) -> None:
        """Note that the connection owes us something, unless it does so already."""
        if guest in self.guests and guest not in self.hurried:
            self.idle.pop(guest, None)
            self.hurried[guest] = time.monotonic()

    def serve(self, guest: Guest) -> None:
        """Note that a request of it is being worked on."""
        self.hurried.pop(guest, None)
        self.idle.pop(guest, None)
        if guest in self.answered and guest.unsent() == 0:
            del self.answered[guest]  # else who asks on and on would look like one who has never read anything

    def rest(self, guest: Guest) -> None:
        """Note that the connection owes us nothing."""
        if guest in self.guests:
            self.hurried.pop(guest, None)
            self.idle[guest] = time.monotonic()

    def answer(self, guest: Guest) -> None:
        """Note that an answer was given to the connection, and may be waiting for its reader."""
        if guest in self.guests:
            self.answered.setdefault(guest, time.monotonic())

    def sweep(self) -> None:
        """End what is late. To be called about once a second."""
        now = time.monotonic()
        self._sweep(self.full, now - HEAD_SECONDS)
        self._sweep(self.hurried, now - HEAD_SECONDS)
        self._sweep(self.idle, now - IDLE_SECONDS)
        self._sweep_answers(now - ANSWER_SECONDS)

    def _sweep(self, waiting: dict[Guest, float], before: float) -> None:
        while waiting:
            guest, since = next(iter(waiting.items()))
            if since > before:
                return
            del waiting[guest]
            self.toll.late += waiting is not self.idle
            guest.late()

    def _sweep_answers(self, before: float) -> None:
        """Forget the answers that were taken; give up those that are too old, and the oldest of too many."""
        sizes = {guest: guest.unsent() for guest in self.answered}
        total = sum(sizes.values())
        for guest, size in sizes.items():
            if size == 0:
                del self.answered[guest]
                guest.taken()
            elif total > UNSENT_BYTES or self.answered[guest] <= before:
                del self.answered[guest]
                total -= size
                self.toll.late += 1
                guest.give_way()

    def _make_room(self) -> bool:
        """End the connection that has been without a request for longest; tell whether there was one."""
        fronts = [next(iter(waiting.items())) for waiting in (self.hurried, self.idle) if waiting]
        if not fronts:
            return False
        guest, _ = min(fronts, key=lambda front: front[1])
        self.leave(guest)
        self.toll.made_room += 1
        guest.give_way()
        return True
