"""When a session looks for jobs again: at once while there are any, seldom while there are none. Pure.

A session that finds nothing goes to sleep: its worker row says so, and callers wake it (stepwell.wake_workers). Those
who looked at the row before it said so commit later, so it looks again after each of PAUSES, whatever it finds
meanwhile. After that it is woken, or its next whole tick finds what nobody told it of.
"""

from __future__ import annotations

from itertools import accumulate

# Between whole ticks. With one look at the other workers a second that makes four statements of an idle worker.
WHOLE_SECONDS = 0.33
BREATH_SECONDS = 0.002  # between claims that find something: what comes meanwhile is claimed in one
PAUSES = (0.001, 0.003, 0.010, 0.030, 0.100)  # one after the other; kept by the clock, however often it looks
TIRED = 3  # claims in a row that found nothing: then it goes to sleep
BUSY = 4  # claims in a row that found something, each soon after the one before: then nobody needs to wake it
SOON_SECONDS = 0.010
IN_VAIN = 3  # calls that led to nothing; one or two may be for what an own claim has just taken


class Rest:
    """One session's sleep."""

    def __init__(self) -> None:
        self.sleeping = False  # what its worker row is to say
        self._looks: list[float] = []  # when to look since it fell asleep, the last one first
        self._found = 0  # claims in a row that found something soon
        self._found_at = 0.0
        self._empty = 0  # claims in a row that found nothing
        self._in_vain = 0  # calls that led to nothing, since the last find and the last whole tick

    @property
    def deaf(self) -> bool:
        """Tell whether it does not listen: others are quicker, or what is called for is nothing to be claimed."""
        return self._in_vain >= IN_VAIN

    def doze(self) -> None:
        """Fall asleep at once: nothing is known to be looked at, and a sweep is slow, so it is better to be called."""
        self.sleeping = True

    def after(self, claimed: int, *, whole: bool, woken: bool, now: float) -> float:
        """Return the longest pause after a claim, in seconds. `woken`: it was made because somebody called.

        `now`: when it was sent, in seconds of a clock that is never set back.
        """
        if claimed:
            self._found = self._found + 1 if now - self._found_at < SOON_SECONDS else 1
            self._found_at = now
            self._empty = self._in_vain = 0
            self.sleeping = self.sleeping and self._found < BUSY
        else:
            self._found = 0
            self._empty += 1
            self._in_vain = 0 if whole else self._in_vain + woken
        if self.sleeping:
            while self._looks and self._looks[-1] <= now:
                self._looks.pop()
            return self._looks[-1] - now if self._looks else WHOLE_SECONDS
        if self._empty >= TIRED:
            self.sleeping = True
            self._looks = [now + pause for pause in accumulate(PAUSES)][::-1]
            return 0.0
        return PAUSES[self._empty - 1] if self._empty else BREATH_SECONDS
