"""Checks of a scheduled trigger: cron expression and time zone. Computes no times: that needs a clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

if TYPE_CHECKING:
    from engine.core.document import Schedule
    from engine.core.shapes import Findings

_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)  # the check does not depend on it


def check_schedule(schedule: Schedule, pointer: str, findings: Findings) -> None:
    """Note what is wrong with a schedule."""
    try:
        CronSim(schedule.cron, _ANY_DAY)
    except CronSimError as fault:
        advice = 'Write five fields: minute hour day month weekday, for example "30 9 * * 1-5".'
        findings.add(pointer, f"the cron expression cannot be read: {fault}", advice, code="cron_invalid")
    try:
        ZoneInfo(schedule.timezone)
    except (ValueError, KeyError, OSError):
        advice = "Use a name of the IANA database, for example Europe/Berlin."
        message = f"unknown time zone {schedule.timezone!r}"
        findings.add(f"{pointer}/timezone", message, advice, code="timezone_unknown")
