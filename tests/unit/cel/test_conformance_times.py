"""What CEL says of timestamps and durations, as literal expectations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.cel.given import alike, refusal, value

INPUT = {"when": "2026-02-28T23:59:58.789Z", "n": 2, "none": None}
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
AT = "timestamp('2026-02-28T23:59:58.789Z')"  # a Saturday
SPAN = "duration('1h30m15s250ms')"


def check(source: str, expected: Any) -> None:
    found = value(source, input=INPUT, now=NOW)
    assert alike(found, expected), f"{source} gives {found!r}, not {expected!r}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [("timestamp('2026-01-31T12:00:00Z')", "2026-01-31T12:00:00Z"),
     ("timestamp('2026-01-31T12:00:00+02:00')", "2026-01-31T10:00:00Z"),
     ("timestamp('2026-01-31t12:00:00z')", "2026-01-31T12:00:00Z"),
     ("timestamp('2026-01-31T12:00:00.120Z')", "2026-01-31T12:00:00.12Z"),
     ("timestamp('2026-01-31T12:00:00.123456Z')", "2026-01-31T12:00:00.123456Z"),
     ("timestamp(0)", "1970-01-01T00:00:00Z"), ("timestamp(-1)", "1969-12-31T23:59:59Z"),
     ("timestamp('0001-01-01T00:00:00Z')", "0001-01-01T00:00:00Z"),
     ("timestamp('9999-12-31T23:59:59.999999Z')", "9999-12-31T23:59:59.999999Z"),
     ("timestamp(253402300799)", "9999-12-31T23:59:59Z"),
     ("timestamp(timestamp(5))", "1970-01-01T00:00:05Z"), ("timestamp(input.when)", "2026-02-28T23:59:58.789Z"),
     ("now", "2026-01-31T12:00:00Z"), ("timestamp(string(now)) == now", True)],
)  # fmt: skip
def test_timestamps_are_read_and_written(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["timestamp('2026-01-31T12:00:00')", "timestamp('2026-01-31')", "timestamp('2026-02-30T00:00:00Z')",
     "timestamp('2026-01-31T24:00:00Z')", "timestamp('2026-01-31T12:00:00.Z')", "timestamp('2026-01-31T12:00Z')",
     "timestamp('2026-01-31T12:00:00+24:00')", "timestamp('0000-01-01T00:00:00Z')",
     "timestamp('10000-01-01T00:00:00Z')", "timestamp('0001-01-01T00:00:00+01:00')", "timestamp(253402300800)",
     "timestamp(-62135596801)",
     "timestamp(1.5)", "timestamp(null)", "timestamp('')", "timestamp(true)", "timestamp()"],
)  # fmt: skip
def test_what_is_no_timestamp(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("duration('1h30m')", "5400s"), ("duration('1.5h')", "5400s"), ("duration('-90s')", "-90s"),
     ("duration('+90s')", "90s"), ("duration('1500ms')", "1.5s"), ("duration('1us')", "0.000001s"),
     ("duration('2000ns')", "0.000002s"),
     ("duration('0')", "0s"), ("duration('0s')", "0s"), ("duration('-1h30m')", "-5400s"), ("duration('.5s')", "0.5s"),
     ("duration('1.s')", "1s"), ("duration('5400s')", "5400s"), ("duration(duration('1s'))", "1s"),
     ("duration(90)", "90s"), ("duration(1.5)", "1.5s"),
     ("duration(-1)", "-1s")],
)  # fmt: skip
def test_durations_are_read_and_written(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["duration('')", "duration('1')", "duration('1d')", "duration('1h-30m')", "duration('.s')", "duration('1h 30m')",
     "duration('s')", "duration('1x')", "duration(true)", "duration(null)", "duration('315576000001s')",
     "duration('-315576000001s')",
     "duration('1e3s')"],
)  # fmt: skip
def test_what_is_no_duration(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("timestamp(0) + duration('1h')", "1970-01-01T01:00:00Z"),
     ("duration('1h') + timestamp(0)", "1970-01-01T01:00:00Z"),
     ("timestamp(0) - duration('1h')", "1969-12-31T23:00:00Z"), ("timestamp(5) - timestamp(3)", "2s"),
     ("timestamp(3) - timestamp(5)", "-2s"), ("duration('1h') + duration('1s')", "3601s"),
     ("duration('1h') - duration('1s')", "3599s"), ("now + duration('24h') > now", True),
     ("timestamp(0) < timestamp(1)", True),
     ("duration('1s') < duration('1m')", True), ("duration('60s') == duration('1m')", True),
     ("timestamp(0) == timestamp('1970-01-01T00:00:00+00:00')", True), ("timestamp(0) == dyn(0)", False),
     ("duration('1s') == dyn('1s')", False),
     ("now - timestamp('2026-01-31T11:59:59.5Z')", "0.5s"), ("duration('-1s') <= duration('-1s')", True)],
)  # fmt: skip
def test_arithmetic_and_order_of_times(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["duration('1h') - timestamp(0)", "timestamp(0) + timestamp(0)", "duration('1h') * 2",
     "duration('1h') < timestamp(0)", "timestamp(0) < 1", "timestamp(0) + 1", "-timestamp(0)", "duration('1h') / 2",
     "timestamp('9999-12-31T23:59:59Z') + duration('1s')", "timestamp('0001-01-01T00:00:00Z') - duration('1s')",
     "timestamp(0) + duration('300000000000s')", "duration('315576000000s') + duration('315576000000s')",
     "-duration('1h')"],
)  # fmt: skip
def test_arithmetic_that_times_do_not_have(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("method", "expected"),
    [("getFullYear", 2026), ("getMonth", 1), ("getDate", 28), ("getDayOfMonth", 27), ("getDayOfWeek", 6),
     ("getDayOfYear", 58), ("getHours", 23), ("getMinutes", 59), ("getSeconds", 58), ("getMilliseconds", 789)],
)  # fmt: skip
def test_the_parts_of_a_timestamp_in_utc(method: str, expected: int) -> None:
    check(f"{AT}.{method}()", expected)
    check(f"{AT}.{method}('UTC')", expected)


@pytest.mark.parametrize(
    ("method", "expected"),
    [("getFullYear", 2026), ("getMonth", 2), ("getDate", 1), ("getDayOfMonth", 0), ("getDayOfWeek", 0),
     ("getDayOfYear", 59), ("getHours", 0), ("getMinutes", 59), ("getSeconds", 58), ("getMilliseconds", 789)],
)  # fmt: skip
def test_the_parts_of_a_timestamp_in_a_zone(method: str, expected: int) -> None:
    check(f"{AT}.{method}('Europe/Berlin')", expected)
    check(f"{AT}.{method}('+01:00')", expected)


@pytest.mark.parametrize(
    ("at", "zone", "hours"),
    [("2026-03-29T00:59:59Z", "Europe/Berlin", 1), ("2026-03-29T01:00:00Z", "Europe/Berlin", 3),
     ("2026-10-25T00:30:00Z", "Europe/Berlin", 2), ("2026-10-25T01:30:00Z", "Europe/Berlin", 2),
     ("2026-10-25T02:30:00Z", "Europe/Berlin", 3),
     ("2026-03-08T06:59:59Z", "America/New_York", 1), ("2026-03-08T07:00:00Z", "America/New_York", 3),
     ("2026-07-01T00:00:00Z", "Asia/Kolkata", 5), ("2026-01-01T00:00:00Z", "-05:30", 18),
     ("2026-01-01T00:00:00Z", "05:30", 5)],
)  # fmt: skip
def test_hours_follow_the_clock_of_the_zone_through_its_changes(at: str, zone: str, hours: int) -> None:
    check(f"timestamp('{at}').getHours('{zone}')", hours)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("timestamp('2026-01-31T12:00:00Z').at('09:00', 'Europe/Vienna')", "2026-01-31T08:00:00Z"),
     ("timestamp('2026-07-31T12:00:00Z').at('09:00', 'Europe/Vienna')", "2026-07-31T07:00:00Z"),
     ("timestamp('2026-01-31T23:30:00Z').at('09:00:30', 'Europe/Vienna')", "2026-02-01T08:00:30Z"),
     ("timestamp('2026-03-29T12:00:00Z').at('02:30', 'Europe/Vienna')", "2026-03-29T01:30:00Z"),
     ("timestamp('2026-10-25T12:00:00Z').at('02:30', 'Europe/Vienna')", "2026-10-25T00:30:00Z"),
     ("now.at('00:00', 'UTC')", "2026-01-31T00:00:00Z"), ("now.at('23:59:59', '+05:30')", "2026-01-31T18:29:59Z")],
)  # fmt: skip
def test_a_time_of_day_is_that_of_the_clocks_of_the_zone(source: str, expected: str) -> None:
    check(source, expected)


@pytest.mark.parametrize("clock", ["9:00", "24:00", "12:60", "12", "", "12:00:60", "12:00Z"])
def test_what_is_no_time_of_day(clock: str) -> None:
    assert refusal(f"now.at('{clock}', 'UTC')", now=NOW)


@pytest.mark.parametrize(
    "zone", ["Nope/Zone", "europe/berlin", "Z", "+05", "+0530", "../etc/passwd", "/etc/passwd", "a" * 500, "\\u0000"]
)
def test_an_unknown_zone_is_an_error(zone: str) -> None:
    assert refusal(f"{AT}.getHours('{zone}')")


@pytest.mark.parametrize(
    ("source", "expected"),
    [(f"{SPAN}.getHours()", 1), (f"{SPAN}.getMinutes()", 90), (f"{SPAN}.getSeconds()", 5415),
     (f"{SPAN}.getMilliseconds()", 250), ("duration('-90m').getHours()", -1), ("duration('-1.5s').getSeconds()", -1),
     ("duration('-1.5s').getMilliseconds()", -500), ("duration('59s').getMinutes()", 0)],
)  # fmt: skip
def test_the_parts_of_a_duration_are_wholes_cut_towards_zero(source: str, expected: int) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    [
        f"{AT}.getHours(1)",
        f"{SPAN}.getHours('UTC')",
        f"{SPAN}.getDate()",
        "input.when.getHours()",
        f"{AT}.getYear()",
        f"{AT}.getHours('UTC', 'UTC')",
        "input.n.getSeconds()",
    ],
)
def test_what_has_no_parts(source: str) -> None:
    assert refusal(source, input=INPUT)
