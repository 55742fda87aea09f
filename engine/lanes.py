"""How a worker's slots are shared out between tenants: what to ask of each lane, and who holds too much.

A lane is a tenant's share of the queue. Three rules, for one worker's slots:
- A tenth of the slots is kept for lanes that hold none, so that nobody finds all of them taken.
- Lanes that have more than they were asked for share alike.
- While a lane waits that holds less than its share, a lane above its own gives processes back (`over_share`).

Of a lane's jobs the most urgent come first. A claim walks over those of each known lane and priority from a floor on:
below it everything was claimed, at least FLOOR_SECONDS ago (ids are drawn before their transaction commits, so a floor
at the last id would pass over late ones). What comes even later, and lanes and priorities that are not known, are found
by the sweep: all, without floors. Pure: times come in.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection
from typing import Any

from msgspec import Struct, field

FLOOR_SECONDS = 0.25  # reference measurement: of jobs committed 0 to 10 ms late, a floor this old made none wait
FLOOR_IDS = int(FLOOR_SECONDS * 1000) << 20  # as much time in ids: see stepwell.new_id
SWEEP_SECONDS = 0.1  # between two sweeps under load, while they are quick
NET_SECONDS = 1.0  # the same for leases without an owner
SWEEP_SHARE = 0.02  # of its time a session may sweep
SLOW_SECONDS = 0.010  # a sweep is that slow where a held snapshot keeps dead entries, and what is started waits for it:
SLOW_SHARE = 0.005  # then it may take less of the time
JOB_SECONDS = 0.0001  # beside that, for each job claimed; measured: half of it
MOST_PAUSE_SECONDS = 15.0
QUICK_SECONDS = 0.05  # a sweep that left lanes waiting is repeated at once, unless it took longer
RESERVE = 10  # one slot in so many is kept for lanes that hold none
MOST_KNOWN = 1000  # ranges that a claim names; those longest without a job are forgotten, and found by a sweep again

Key = tuple[int, int]  # priority, lane


class Taken(Struct, frozen=True, array_like=True):
    """What a claim took from one lane of one priority."""

    priority: int
    lane: int
    jobs: int
    first: int  # lowest id
    last: int  # highest id


class Range(Struct):
    """What is known of a lane's jobs of one priority."""

    floor: int
    claimed: deque[tuple[float, int]] = field(default_factory=deque)  # when, highest id: floors to come


class Pace:
    """How often to look at everything, by how long the last two looks took: one alone may have been a cold one."""

    def __init__(self) -> None:
        self.last = 0.0  # seconds that the last look took
        self._slow = False  # for what it found

    def after(self, took: float, jobs: int) -> float:
        """Return how long to wait after a look that took so many seconds and so many jobs."""
        slow = took >= SLOW_SECONDS + jobs * JOB_SECONDS
        share = SLOW_SHARE if slow and self._slow else SWEEP_SHARE
        self.last, self._slow = took, slow
        return min(took / share, MOST_PAUSE_SECONDS)


class Lanes:
    """One session's view of the queue. `held` counts its processes by lane."""

    def __init__(self, slots: int) -> None:
        self.held: Counter[int] = Counter()
        self._slots = slots
        self._reserve = slots // RESERVE
        self._known: dict[Key, Range] = {}
        self._hot: set[int] = set()  # lanes that gave all they were asked for: there may be more
        self._asked: dict[int, int] = {}  # lane → what it was to give at most
        self._sweeping = False
        self._most: dict[int, int] = {}  # lane → what a sweep may take of it
        self._others = 0
        self._swept_at = -SWEEP_SECONDS
        self._sweep_pause = 0.0
        self._pace = Pace()
        self._short: frozenset[int] = frozenset()  # lanes that wait though they hold less than their share

    def release(self, lane: int) -> None:
        """Note that one of a lane's processes is not held any more."""
        self.held[lane] -= 1
        if not self.held[lane]:
            del self.held[lane]

    def room(self, free: int) -> int:
        """Return how many may be taken in all: of the reserve a quarter at a time, for more newcomers may come."""
        return max(free - self._reserve, min(free, -(-self._reserve // 4)))

    @property
    def knows_none(self) -> bool:
        """Tell whether only a sweep can find anything."""
        return not self._known

    def sweep_at(self, *, idle: bool, unmet: bool) -> float:
        """Return when the next sweep may come. `idle` and `unmet` as in `ask`."""
        often = self._sweep_pause if idle else max(self._sweep_pause, SWEEP_SECONDS)
        return self._swept_at + (min(often, self._pace.last) if unmet else often)

    def ask(self, free: int, now: float, *, idle: bool, unmet: bool = False) -> dict[str, Any] | None:
        """Return what to ask for with `free` slots, None for nothing.

        `idle`: the last claim left nothing. `unmet`: somebody called, and what is known has no job: half of the time
        may go into sweeps then, for it is a lane or a priority that is not known.
        """
        self._sweeping = now >= self.sweep_at(idle=idle, unmet=unmet)
        self._asked = {}
        if self._sweeping:
            self._others, self._most = self.room(free), {lane: self._allowed(lane, free) for lane in self.held}
            return {"others": self._others, "caps": {str(lane): most for lane, most in self._most.items()}}
        lanes = {lane for _, lane in self._known}
        for lane in lanes:
            share = free // len(self._hot) if lane in self._hot else free // (2 * len(lanes))
            most = min(self._allowed(lane, free), max(1, share))
            if most > 0:
                self._asked[lane] = most
        known = []
        for (priority, lane), part in self._known.items():
            _raise_floor(part, now)
            if lane in self._asked:
                known.append([priority, lane, part.floor, self._asked[lane]])
        return {"known": known} if known else None

    def answer(self, taken: Collection[Taken], waiting: Collection[int], took: float, now: float) -> bool:
        """Take in what a tick that took so many seconds found; tell whether there may be more to be had at once."""
        given: Counter[int] = Counter()
        for part in taken:
            given[part.lane] += part.jobs
            key = (part.priority, part.lane)
            known = self._known.pop(key, None)
            if known is None or part.first <= known.floor:  # a sweep's find: there may be more that come as late
                known = Range(max(0, part.first - FLOOR_IDS))
            self._known[key] = known  # the latest last
            known.claimed.append((now, part.last))
            _raise_floor(known, now)  # here too: an idle session only sweeps, and would note every claim for ever
        while len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        full = {lane for lane in waiting if self._most.get(lane) == 0} if self._sweeping else set()
        self._note_hot(given, full, len(waiting))
        if self._sweeping:
            self._swept_at = now
            again = given and set(waiting) - given.keys() and took < QUICK_SECONDS
            pause = self._pace.after(took, given.total())
            self._sweep_pause = 0.0 if again else pause
            self._note_short(set(waiting) - (given.keys() - self._hot))
        return bool(taken or full) and bool(self._hot)

    def _note_hot(self, given: Counter[int], full: set[int], waiting: int) -> None:
        """Note which lanes gave all they were asked for. A sweep asks each of those that wait for as much.

        `full`: those that wait and hold all they may.
        """
        even = max(1, self._others // max(1, waiting))
        self._hot -= self._asked.keys() | given.keys()
        for lane, jobs in given.items():
            if jobs >= self._asked.get(lane, min(even, self._most.get(lane, self._others))):
                self._hot.add(lane)
        self._hot = (self._hot | full) & {lane for _, lane in self._known}

    def over_share(self, lane: int) -> bool:
        """Tell whether a lane holds more than its share while another one waits that holds less."""
        return bool(self._short - {lane}) and self.held[lane] > self._share(self._short)

    def _note_short(self, waiting: Collection[int]) -> None:
        """Note which lanes wait that hold less than their share."""
        share = self._share(waiting)
        self._short = frozenset(lane for lane in waiting if self.held[lane] < share)

    def _share(self, waiting: Collection[int]) -> int:
        return self._slots // max(1, len(self.held.keys() | set(waiting)))

    def _allowed(self, lane: int, free: int) -> int:
        """Return how many a lane may take now: while others wait below their share, no more than its own."""
        if lane not in self.held:
            return self.room(free)
        left = self._share(self._short) - self.held[lane] if self._short - {lane} else free
        return max(0, min(left, free - self._reserve))


def _raise_floor(part: Range, now: float) -> None:
    while part.claimed and part.claimed[0][0] <= now - FLOOR_SECONDS:
        part.floor = max(part.floor, part.claimed.popleft()[1])
