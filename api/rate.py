"""How often a key may ask: a bucket of tokens for each, in the memory of one API process.

A bucket holds `burst` tokens and gains `per_second` of them each second; a request takes one. Of a bucket only the
moment is kept at which it will be full again: before that moment lacks what is missing, after it nothing is told from a
bucket nobody ever used, so the entry may go. Kept are about as many as there are keys in use, and at most MAX_BUCKETS.

Must not wait, ask the database or read a clock of its own. Used by one event loop.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from engine.errors import RateLimited

MAX_BUCKETS = 100_000  # some 15 MB; beyond it the key that has been quiet longest begins anew with a full bucket
_SPARE_S = 1e-6  # what rounding may do to a sum of moments


class RateLimit:
    """The buckets of one application. `per_second` 0: everything may pass."""

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic, most: int = MAX_BUCKETS
    ) -> None:
        self._interval_s = 1 / per_second if per_second > 0 else 0.0
        self._lead_s = (burst - 1) * self._interval_s + _SPARE_S  # how far `full` may lie ahead for one more request
        self._clock = clock
        self._most = most
        self._full: OrderedDict[int, float] = OrderedDict()  # by last use

    def take(self, key_id: int) -> None:
        """Take a token of this key. Raises RateLimited, and then takes none."""
        if not self._interval_s:
            return
        now = self._clock()
        full = max(self._full.get(key_id, now), now)
        missing_s = full - now - self._lead_s
        if missing_s > 0:
            raise RateLimited(
                "this API key has sent more requests than it may", retry_after_s=max(1, math.ceil(missing_s))
            )
        self._full[key_id] = full + self._interval_s
        self._full.move_to_end(key_id)
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Drop what is full again, a few each time, and what is too much."""
        for _ in range(2):
            key_id, full = next(iter(self._full.items()))
            if full > now and len(self._full) <= self._most:
                return
            del self._full[key_id]

    def __len__(self) -> int:
        """Return how many buckets are not known to be full."""
        return len(self._full)
