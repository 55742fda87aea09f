"""What a request for /metrics is answered with, by the API and by a worker alike."""

from __future__ import annotations

import asyncio

from engine.errors import Unauthenticated
from engine.measure import Measure
from engine.metrics import Metrics, permitted


class Scrape:
    """Metrics of one program, those of the database, and who may read them: everybody if there is no `token`."""

    def __init__(self, metrics: Metrics, measure: Measure, token: str | None) -> None:
        self._metrics = metrics
        self._measure = measure
        self._token = token

    async def answer(self, authorization: str | None, accept: str | None) -> tuple[bytes, str]:
        """Return body and content type for these headers of a request. Raises Unauthenticated."""
        if not permitted(authorization, self._token):
            raise Unauthenticated(
                "metrics are shown to those who have their token",
                advice="Send 'Authorization: Bearer <token>' with the token that STEPWELL_METRICS_TOKEN sets.",
            )
        measured = await self._measure.now()
        return await asyncio.to_thread(self._metrics.text, measured, accept)

    async def close(self) -> None:
        """Give up what the database is still being asked."""
        await self._measure.close()
