"""Functions of timestamps and durations. Timestamps are in UTC, both go to microseconds; finer digits are cut."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.functions import operands
from engine.cel.functions.operands import LEFT_OUT
from engine.cel.values import microseconds, shown

_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]([01]\d|2[0-3]):\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_OFFSET = re.compile(r"([+-]?)(\d{1,2}):(\d{1,2})", re.ASCII)
# Not those of the machine: two workers must not decide differently.
_ZONE = re.compile(
    r"(?!posix/|right/|posixrules$|localtime$|Factory$)[A-Za-z][A-Za-z0-9_+-]{0,31}(/[A-Za-z0-9_+-]{1,32}){0,3}",
    re.ASCII,
)
_COMMON = "2026-01-31T12:00:00Z"
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]([01]\d|2[0-3]):\d{2}(:\d{2})?)?", re.ASCII)
_PERIOD = re.compile(r"([+-]?)P(?=\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?", re.ASCII)
_MAX_PERIOD = 40  # characters
_PERIOD_COST = 40  # fuel for reading a period and counting it
_LOCAL_COST = 10  # fuel for another time zone
_UNKNOWN_COST = 1000  # fuel for looking for a zone that there is not
_SPAN = re.compile(r"([+-]?)((?:(?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|m|s|us|ns))+|0)", re.ASCII)
_PART = re.compile(r"(\d*)\.?(\d*)(h|ms|m|s|us|ns)", re.ASCII)
_MAX_SPAN = 200  # characters of a duration
_NANOSECONDS = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_LONGEST = 315_576_000_000 * 1_000_000  # microseconds: ten thousand years
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_zones: dict[str, tzinfo] = {"": UTC, "UTC": UTC}


def parse(value: Any) -> datetime:
    """Return an RFC 3339 timestamp in UTC. Raises EvaluationError for anything else."""
    if type(value) is str and len(value) == len(_COMMON) and _is_common(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    if type(value) is str and _TIMESTAMP.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise _not_a_timestamp(value)


def _not_a_timestamp(value: Any, advice: str = "") -> EvaluationError:
    return EvaluationError(f"{shown(value)} is not an RFC 3339 timestamp such as {_COMMON}{advice}")


def _is_common(text: str) -> bool:
    """Tell whether a text of that length is spelt as _COMMON, as far as `fromisoformat` would not see to it."""
    return (
        text[4] == text[7] == "-"
        and text[10] == "T"
        and text[13] == text[16] == ":"
        and text[19] == "Z"
        and text.isascii()
    )


def timestamp(fuel: Fuel, value: Any, zone: Any = LEFT_OUT) -> datetime:
    """Return `timestamp(x)` of an RFC 3339 text, of seconds since 1970, of a timestamp; `timestamp(x, zone)` of a date,
    or a date and time, as clocks of a time zone show it. Raises EvaluationError.
    """
    if zone is not LEFT_OUT:
        return _in_zone(fuel, value, zone)
    cls = type(value)
    if cls is str:
        fuel.spend(20)
        if len(value) < len(_COMMON) and _LOCAL.fullmatch(value):
            raise _not_a_timestamp(value, '; with a time zone it can be read: timestamp(x, "Europe/Vienna")')
        return parse(value)
    if cls is datetime:
        return value  # type: ignore[no-any-return]
    if cls is int or cls is float:
        return _since(operands.whole(value))
    raise EvaluationError(f"{shown(value)} cannot be made a timestamp")


def _in_zone(fuel: Fuel, value: Any, zone: Any) -> datetime:
    fuel.spend(20 + _LOCAL_COST)
    away = _zone(fuel, operands.text(zone))
    if type(value) is str and _LOCAL.fullmatch(value):
        try:
            return _as_clocks_show(datetime.fromisoformat(value.upper()).replace(tzinfo=away))
        except ValueError:
            pass
    advice = "; leave the second argument out" if type(value) is datetime or _is_timestamp(value) else ""
    raise EvaluationError(f"{shown(value)} is not a local date or time such as 2026-02-14 or 2026-02-14T09:00{advice}")


def _is_timestamp(value: Any) -> bool:
    return type(value) is str and _TIMESTAMP.fullmatch(value) is not None


def _as_clocks_show(local: datetime) -> datetime:
    """Return the moment of a local time. Raises EvaluationError.

    A time that clocks leave out counts as if they had not been put forward; of one that comes twice, the first counts.
    """
    try:
        return local.replace(fold=0).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _beyond() from None


def _since(seconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise _beyond() from None


def _beyond() -> EvaluationError:
    return EvaluationError("timestamp out of range: years are 1 to 9999")


def duration(fuel: Fuel, value: Any) -> timedelta:
    """Return `duration(x)` of a text such as 1h30m, of seconds, of a duration. Raises EvaluationError."""
    if type(value) is timedelta:
        return value
    if type(value) is int or type(value) is float:
        return _seconds(value)
    if type(value) is not str:
        raise EvaluationError(f"{shown(value)} cannot be made a duration; write a text such as 1h30m, or seconds")
    if len(value) > _MAX_SPAN:
        raise EvaluationError(f"the duration is longer than {_MAX_SPAN} characters")
    fuel.spend(10 + 4 * len(value))
    found = _SPAN.fullmatch(value)
    if not found:
        raise EvaluationError(f"{shown(value)} is not a duration such as 1h30m, 90s or 1.5h")
    micros = sum(_nanoseconds(*part) for part in _PART.findall(found[2])) // 1000
    if micros > _LONGEST:
        raise _too_long()
    return timedelta(microseconds=-micros if found[1] == "-" else micros)


def _seconds(value: float) -> timedelta:
    if not abs(value) <= _LONGEST / 1_000_000:  # NaN is not either
        raise _too_long()
    return timedelta(seconds=value)


def _too_long() -> EvaluationError:
    return EvaluationError("duration out of range: at most 315576000000s, ten thousand years")


def _nanoseconds(whole: str, fraction: str, unit: str) -> int:
    scale = _NANOSECONDS[unit]
    return int(whole or "0") * scale + int(fraction[:15].ljust(15, "0")) * scale // 10**15


def _local(fuel: Fuel, value: Any, zone: Any) -> datetime:
    """Return a timestamp as clocks of a time zone show it. Raises EvaluationError."""
    moment = operands.moment(value)
    if zone is LEFT_OUT:
        return moment
    fuel.spend(_LOCAL_COST)
    try:
        return moment.astimezone(_zone(fuel, operands.text(zone)))
    except OverflowError:
        raise _beyond() from None


def _zone(fuel: Fuel, name: str) -> tzinfo:
    known = _zones.get(name)
    if known is not None:
        return known
    if found := _OFFSET.fullmatch(name):
        away = timedelta(hours=int(found[2]), minutes=int(found[3]))
        if away < _DAY:
            return timezone(-away if found[1] == "-" else away)
    known = _zones[name] = _read_zone(fuel, name)
    return known


def _read_zone(fuel: Fuel, name: str) -> tzinfo:
    """Return a zone from its file. Those that there are, some 600, are kept; each other name is sought every time, and
    paid for. So what a decision pays does not depend on what others have used before.
    """
    try:
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        fuel.spend(_UNKNOWN_COST)
    raise EvaluationError(f"{shown(name)} is not a time zone such as Europe/Vienna or +01:00")


def at(fuel: Fuel, target: Any, clock: Any, zone: Any) -> datetime:
    """Return the moment of a timestamp's day at which clocks of a time zone show a time. Raises EvaluationError.

    A time that clocks leave out counts as if they had not been put forward; of one that comes twice, the first counts.
    """
    local = _local(fuel, target, zone)
    found = _CLOCK.fullmatch(operands.text(clock))
    if not found:
        raise EvaluationError(f"{shown(clock)} is not a time of day such as 09:00 or 17:30:00")
    hour, minute, second = (int(part or 0) for part in found.groups())
    return _as_clocks_show(local.replace(hour=hour, minute=minute, second=second, microsecond=0))


def date_text(fuel: Fuel, target: Any, zone: Any) -> str:
    """Return the date in a time zone, such as 2026-02-14. Raises EvaluationError."""
    return _local(fuel, target, zone).date().isoformat()


def plus(fuel: Fuel, target: Any, period: Any, zone: Any) -> datetime:
    """Return the moment at which clocks of a time zone show the same time some years, months, weeks or days later.
    Raises EvaluationError.

    Months first: a day that the month does not have is its last one. Then weeks and days.
    """
    local = _local(fuel, target, zone)
    months, days = _read_period(fuel, period)
    try:
        day = _months_later(local.date(), months) + timedelta(days=days)
    except OverflowError:
        raise _beyond() from None
    if day == local.date():
        return target  # type: ignore[no-any-return]  # also where clocks show this time a second time
    return _as_clocks_show(local.replace(year=day.year, month=day.month, day=day.day))


def _read_period(fuel: Fuel, period: Any) -> tuple[int, int]:
    """Return the months and the days of an ISO 8601 period. Raises EvaluationError."""
    fuel.spend(_PERIOD_COST)
    found = _PERIOD.fullmatch(period) if len(operands.text(period)) <= _MAX_PERIOD else None
    if not found:
        advice = '; hours are added as + duration("2h")' if "T" in period[:_MAX_PERIOD] else ""
        raise EvaluationError(f"{shown(period)} is not a period such as P1M, P1Y6M, P2W or -P10D{advice}")
    years, months, weeks, days = (int(part or 0) for part in found.groups()[1:])
    sign = -1 if found[1] == "-" else 1
    return sign * (12 * years + months), sign * (7 * weeks + days)


def _months_later(day: date, months: int) -> date:
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    if not MINYEAR <= year <= MAXYEAR:
        raise _beyond()
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def get_full_year(fuel: Fuel, target: Any, zone: Any = LEFT_OUT) -> int:
    """Return the year. Raises EvaluationError."""
    return _local(fuel, target, zone).year


def get_month(fuel: Fuel, target: Any, zone: Any = LEFT_OUT) -> int:
    """Return the month, from 0. Raises EvaluationError."""
    return _local(fuel, target, zone).month - 1


def get_date(fuel: Fuel, target: Any, zone: Any = LEFT_OUT) -> int:
    """Return the day of the month, from 1. Raises EvaluationError."""
    return _local(fuel, target, zone).day


def get_day_of_month(fuel: Fuel, target: Any, zone: Any = LEFT_OUT) -> int:
    """Return the day of the month, from 0. Raises EvaluationError."""
    return _local(fuel, target, zone).day - 1


def get_day_of_week(fuel: Fuel, target: Any, zone: Any = LEFT_OUT) -> int:
    """Return the day of the week, 0 for Sunday. Raises EvaluationError."""
    return _local(fuel, target, zone).isoweekday() % 7


def get_day_of_year(fuel: Fuel, target: Any, zone: Any = LEFT_OUT) -> int:
    """Return the day of the year, from 0. Raises EvaluationError."""
    return _local(fuel, target, zone).timetuple().tm_yday - 1


def get_hours(fuel: Fuel, target: Any, zone: Any = LEFT_OUT) -> int:
    """Return the hour, of a duration all whole hours. Raises EvaluationError."""
    if type(target) is timedelta:
        return _whole(target, zone, 3_600_000_000)
    return _local(fuel, target, zone).hour


def get_minutes(fuel: Fuel, target: Any, zone: Any = LEFT_OUT) -> int:
    """Return the minute, of a duration all whole minutes. Raises EvaluationError."""
    if type(target) is timedelta:
        return _whole(target, zone, 60_000_000)
    return _local(fuel, target, zone).minute


def get_seconds(fuel: Fuel, target: Any, zone: Any = LEFT_OUT) -> int:
    """Return the second, of a duration all whole seconds. Raises EvaluationError."""
    if type(target) is timedelta:
        return _whole(target, zone, 1_000_000)
    return _local(fuel, target, zone).second


def get_milliseconds(fuel: Fuel, target: Any, zone: Any = LEFT_OUT) -> int:
    """Return the milliseconds of the second, 0 to 999; of a negative duration negative. Raises EvaluationError."""
    if type(target) is not timedelta:
        return _local(fuel, target, zone).microsecond // 1000
    found = _whole(target, zone, 1000)
    return found % 1000 if found >= 0 else -(-found % 1000)


def _whole(target: timedelta, zone: Any, unit: int) -> int:
    """Return how many whole units a duration has, cut towards zero."""
    if zone is not LEFT_OUT:
        raise EvaluationError("a duration has no time zone; leave the argument out")
    micros = microseconds(target)
    return micros // unit if micros >= 0 else -(-micros // unit)
