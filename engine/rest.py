"""When a session looks for jobs again: at once while there are any, seldom while there are none. Pure.

A session that finds nothing goes to sleep: its worker row says so, and callers wake it (stepwell.wake_workers). Those
who looked at the row before it said so commit later, so it looks again after each of PAUSES. After that it is woken, or
its next whole tick finds what nobody told it of.
"""

from __future__ import annotations

# Between whole ticks. With one look at the other workers a second that makes four statements of an idle worker.
WHOLE_SECONDS = 0.33
BREATH_SECONDS = 0.002  # between claims that find something: what comes meanwhile is claimed in one
PAUSES = (0.001, 0.003, 0.010, 0.030, 0.100)
TIRED = 3  # claims in a row that found nothing: then it goes to sleep
BUSY = 4  # claims in a row that found something: then nobody needs to wake it


class Rest:
    """One session's sleep."""

    def __init__(self) -> None:
        self.sleeping = False  # what its worker row is to say
        self._found = 0  # claims in a row that found something
        self._empty = 0  # claims in a row that found nothing
        self._deaf = False  # others were quicker: until the next whole tick no call wakes it

    @property
    def deaf(self) -> bool:
        """Tell whether it does not listen."""
        return self._deaf

    def after(self, claimed: int, *, whole: bool, woken: bool) -> float:
        """Return the longest pause after a claim, in seconds. `woken`: it was made because somebody called."""
        self._deaf = woken and not claimed and not whole
        if claimed:
            self._found, self._empty = self._found + 1, 0
            if self._found >= BUSY:
                self.sleeping = False
            return WHOLE_SECONDS if self.sleeping else BREATH_SECONDS
        self._found = 0
        self._empty += 1
        if not self.sleeping:
            if self._empty >= TIRED:
                self.sleeping, self._empty = True, 0
                return 0.0
            return PAUSES[self._empty - 1]
        return PAUSES[self._empty - 1] if self._empty <= len(PAUSES) and not woken else WHOLE_SECONDS
