"""What a session knows of its worker row and of the database's clock, as of its last statement that found the row."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

JUMP = timedelta(seconds=2)  # the clock moved by more than waiting explains: a test clock, or an operator


class Fence:
    """A fence that is `limit_seconds` old is not trusted any more: others may have judged us dead."""

    def __init__(self, now: datetime, limit_seconds: float) -> None:
        self._clock = (now, time.monotonic())
        self._limit = limit_seconds
        self._seen_at = time.monotonic()
        self._seen = asyncio.Event()

    def now(self) -> datetime:
        """Return the database's time: at the last tick, plus what passed since."""
        moment, read_at = self._clock
        return moment + timedelta(seconds=time.monotonic() - read_at)

    def confirm(self, sent: float, now: datetime | None = None) -> bool:
        """Note that a statement begun at `sent` found the row, and the time it told; tell whether the clock jumped."""
        self._seen_at = sent
        self._seen.set()
        if now is None:
            return False
        jumped = abs(now - self.now()) > JUMP
        self._clock = (now, time.monotonic())
        return jumped

    async def fresh(self) -> None:
        """Return once the row was seen lately: who was stopped for a while learns first whether he is gone."""
        while time.monotonic() - self._seen_at > self._limit:
            self._seen.clear()
            await self._seen.wait()
