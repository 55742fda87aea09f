"""When a failed attempt is made again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.core.compile import Retry

MAX_RETRY_AFTER = 3600.0  # seconds; a partner may ask for patience, not stop a process for a week
_LAST = datetime.max.replace(tzinfo=UTC)


def delay(retry: Retry, failures: int, jitter: float, retry_after: float | None) -> float:
    """Return the seconds to wait after the `failures`-th failure of a group (1 = the first).

    Exponential, capped, with "equal jitter": half of the interval is fixed, half random (Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). "Full jitter" spreads no better here and
    can be no wait at all.
    """
    try:
        interval = retry.initial_interval_seconds * retry.backoff_coefficient ** (failures - 1)
    except OverflowError:
        interval = retry.max_interval_seconds
    interval = min(interval, retry.max_interval_seconds)
    wait = interval / 2 + interval / 2 * jitter
    if retry_after is not None and retry_after > wait:  # NaN is not greater than anything
        return min(retry_after, max(wait, MAX_RETRY_AFTER))
    return wait


def later(at: datetime, seconds: float | None) -> datetime | None:
    """Return `at` + `seconds`, None for None; never beyond the last moment that can be written."""
    if seconds is None:
        return None
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:
        return _LAST


def earliest(*times: datetime | None) -> datetime | None:
    """Return the first of the times that are given."""
    return min((t for t in times if t is not None), default=None)
