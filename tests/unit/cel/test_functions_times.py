from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.functions.times import parse
from engine.cel.values import NONE, Some
from tests.unit.cel.calls import call, cost, refused

AT = datetime(2026, 1, 4, 12, 30, 45, 678_000, tzinfo=UTC)  # a Sunday
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 30, tzinfo=UTC)
SPAN = timedelta(hours=1, minutes=30, seconds=15.25)
LONGEST = timedelta(seconds=315_576_000_000)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-04T12:30:45.678Z", AT), ("2026-01-04t12:30:45.678z", AT), ("2026-01-04 12:30:45.678Z", AT), ("2026-01-04T13:30:45.678+01:00", AT),
        ("2026-01-04T10:00:45.678-02:30", AT), ("2026-01-04T12:30:45.678-00:00", AT), ("2026-01-04T12:30:45.678000999Z", AT),
        ("0001-01-01T00:00:00Z", FIRST), ("9999-12-31T23:30:00Z", LAST),
    ],
    ids=repr,
)  # fmt: skip
def test_a_timestamp_is_read_from_rfc_3339(text: str, moment: datetime) -> None:
    assert parse(text) == moment
    assert parse(text).tzinfo is UTC
    assert call("timestamp", text) == moment


@pytest.mark.parametrize(
    "value",
    [
        "", "now", "2026-01-04", "2026-01-04T12:30Z", "2026-01-04T12:30:45", "2026-01-04T24:00:00Z", "2026-01-04T12:60:00Z", "2026-02-30T00:00:00Z",
        "2026-06-30T23:59:60Z", "2026-01-04T12:30:45+24:00", "2026-01-04T12:30:45+01:60", "2026-01-04T12:30:45,5Z", "2026-01-04T12:30:45.Z", "+2026-01-04T12:30:45Z",
        " 2026-01-04T12:30:45Z", "2026-01-04T12:30:45Z\n", "2026-01-04T12:30:45+0100", "2026-1-4T12:30:45Z", "٢026-01-04T12:30:45Z", "2026-01-04T12:30:45.1234567891Z",
        "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-01-04T12:30:45Z" * 10_000,
    ],
    ids=lambda value: repr(value[:50]),
)  # fmt: skip
def test_what_is_no_timestamp(value: str) -> None:
    with pytest.raises(EvaluationError, match="is not an RFC 3339 timestamp such as 2026-01-31T12:00:00Z"):
        parse(value)
    assert "RFC 3339" in refused("timestamp", value)


def test_other_values_are_no_timestamp_to_parse() -> None:
    others: tuple[Any, ...] = (0, None, True, AT, [], b"2026-01-04T12:30:45Z")
    for value in others:
        with pytest.raises(EvaluationError, match="RFC 3339"):
            parse(value)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)), (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)), (1.0, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        (-62135596800, FIRST), (253402299000, LAST), (AT, AT),
    ],
    ids=repr,
)  # fmt: skip
def test_a_timestamp_of_seconds_or_of_a_timestamp(value: Any, moment: datetime) -> None:
    assert call("timestamp", value) == moment


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (-62135596801, "out of range"), (253402300800, "out of range"), (10**300, "out of range"), (1e300, "out of range"), (0.5, "not a whole number"),
        (float("nan"), "not a whole number"), (True, "cannot be made a timestamp"), (None, "cannot be made"), (SPAN, "cannot be made"), ([], "cannot be made"), (NONE, "cannot be made"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_cannot_be_made_a_timestamp(value: Any, says: str) -> None:
    assert says in refused("timestamp", value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1h30m", 5400), ("1.5h", 5400), ("-90s", -90), ("+90s", 90), ("5400s", 5400), ("0", 0), ("-0", 0), ("+0", 0), ("00s", 0), ("1s1h", 3601), ("1h1h", 7200), (".5s", 0.5), ("1.s", 1),
        ("250ms", 0.25), ("1us", 0.000001), ("1500ns", 0.000001), ("-1500ns", -0.000001), ("999ns", 0), ("0.0000005m", 0.00003), ("1m1ms", 60.001), ("0.1s", 0.1), ("0.3h", 1080),
        ("1.00000000000000000000000001s", 1), ("315576000000s", 315_576_000_000), ("-87660000h", -315_576_000_000), (SPAN, 5415.25), (90, 90), (-1.5, -1.5),
    ],
    ids=repr,
)  # fmt: skip
def test_a_duration(value: Any, seconds: float) -> None:
    assert call("duration", value) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        *((text, "is not a duration such as") for text in ("", "5400", "1d", "1S", "1µs", ".s", "s", "- 1s", "1 s", " 1s", "1s ", "1m-1s", "1e3s", "inf", "--1s", "1.5.5s", "\u0661s", "1s\n", "1" * 200)),
        ("315576000001s", "out of range"), ("-315576000001s", "out of range"), ("9" * 199 + "h", "out of range"), ("1s" * 101, "longer than 200 characters"), ("1" * 1_000_000, "longer than 200"),
        (1e300, "out of range"), (10**400, "out of range"), (float("nan"), "out of range"), (True, "cannot be made a duration"), (None, "cannot be made"), (AT, "cannot be made"), (b"1s", "cannot be made"),
    ],
    ids=lambda value: repr(value)[:50] if value != 10**400 else "huge",
)  # fmt: skip
def test_what_is_no_duration(value: Any, says: str) -> None:
    assert says in refused("duration", value)


@given(st.timedeltas(-LONGEST, LONGEST))
def test_a_duration_reads_back_from_its_text(value: timedelta) -> None:
    assert call("duration", call("string", value)) == value


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_timestamp_reads_back_from_its_text(value: datetime) -> None:
    assert call("timestamp", call("string", value)) == value


PARTS = {
    "getFullYear": 2026, "getMonth": 0, "getDate": 4, "getDayOfMonth": 3, "getDayOfWeek": 0, "getDayOfYear": 3, "getHours": 12, "getMinutes": 30, "getSeconds": 45, "getMilliseconds": 678,
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_the_parts_of_a_timestamp(name: str) -> None:
    assert call(f".{name}", AT) == PARTS[name]
    assert call(f".{name}", AT, "UTC") == PARTS[name]
    assert call(f".{name}", AT, "") == PARTS[name]


@pytest.mark.parametrize(
    ("name", "moment", "zone", "part"),
    [
        ("getHours", AT, "Europe/Berlin", 13), ("getHours", AT.replace(month=7), "Europe/Berlin", 14), ("getHours", AT, "America/Argentina/Buenos_Aires", 9), ("getHours", AT, "Etc/GMT+5", 7),
        ("getHours", AT, "EST", 7), ("getHours", AT, "+01:00", 13), ("getHours", AT, "02:00", 14), ("getHours", AT, "+2:00", 14), ("getHours", AT, "-02:30", 10), ("getMinutes", AT, "-02:30", 0),
        ("getHours", AT, "+02:60", 15), ("getHours", AT, "+1:5", 13), ("getMinutes", AT, "-0:30", 0), ("getMinutes", AT, "+05:45", 15), ("getMilliseconds", AT, "-01:00", 678),
        ("getDate", AT, "+23:59", 5), ("getFullYear", datetime(2025, 12, 31, 23, 30, tzinfo=UTC), "Europe/Vienna", 2026), ("getDayOfYear", datetime(2024, 12, 31, tzinfo=UTC), "UTC", 365),
        ("getDayOfWeek", datetime(2026, 1, 3, 23, 30, tzinfo=UTC), "Europe/Vienna", 0), ("getMonth", datetime(2026, 12, 1, tzinfo=UTC), "UTC", 11),
    ],
    ids=repr,
)  # fmt: skip
def test_the_parts_of_a_timestamp_in_a_time_zone(name: str, moment: datetime, zone: str, part: int) -> None:
    assert call(f".{name}", moment, zone) == part


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Nowhere", "europe/berlin", "Z", "local", "+0200", "+9", "+01:00 ", " UTC", "UTC+1", "00:-30", "+24:00", "001:00", "+01:000", "../UTC", "/etc/passwd", "America", "a" * 500, "Europe/\0",
        "\ud800", "Europe//Vienna", "right/UTC", "\u0661\u0661:00", "tzdata.zi",
    ],
    ids=ascii,
)  # fmt: skip
def test_an_unknown_time_zone_is_an_error_that_names_an_example(zone: str) -> None:
    assert "is not a time zone such as Europe/Vienna or +01:00" in refused(".getHours", AT, zone)


def test_a_time_zone_must_be_a_text() -> None:
    others: tuple[Any, ...] = (1, None, True, [], AT)
    for zone in others:
        assert "is not a text" in refused(".getHours", AT, zone)


def test_a_time_zone_costs_the_same_every_time_and_one_that_there_is_not_a_lot() -> None:
    assert cost(".getHours", AT, "Pacific/Kiritimati") == cost(".getHours", AT, "Pacific/Kiritimati") < 100
    for _ in range(2):
        fuel = Fuel()
        with pytest.raises(EvaluationError):
            call(".getHours", AT, "Pacific/Nowhere", fuel=fuel)
        assert Fuel().left - fuel.left >= 1000


@pytest.mark.parametrize(
    ("moment", "zone"), [(FIRST, "-01:00"), (LAST, "+01:00"), (FIRST, "America/New_York"), (LAST, "Asia/Tokyo")]
)
def test_a_year_beyond_the_calendar_is_an_error(moment: datetime, zone: str) -> None:
    assert "out of range" in refused(".getFullYear", moment, zone)
    assert "out of range" in refused(".at", moment, "12:00", zone)


@pytest.mark.parametrize(
    ("name", "span", "part"),
    [
        ("getHours", SPAN, 1), ("getMinutes", SPAN, 90), ("getSeconds", SPAN, 5415), ("getMilliseconds", SPAN, 250), ("getHours", -SPAN, -1), ("getMinutes", -SPAN, -90),
        ("getSeconds", -SPAN, -5415), ("getMilliseconds", -SPAN, -250), ("getMilliseconds", timedelta(seconds=-1), 0), ("getHours", LONGEST, 87_660_000), ("getSeconds", timedelta(), 0),
    ],
    ids=repr,
)  # fmt: skip
def test_the_parts_of_a_duration(name: str, span: timedelta, part: int) -> None:
    assert call(f".{name}", span) == part


@pytest.mark.parametrize("name", PARTS)
def test_other_values_have_no_parts(name: str) -> None:
    assert "write timestamp(x)" in refused(f".{name}", "2026-01-04T12:30:45Z")
    others: tuple[Any, ...] = (1, None, [], Some(AT), b"")
    for value in others:
        assert "is not a timestamp" in refused(f".{name}", value)


def test_a_duration_has_no_time_zone_and_no_date() -> None:
    for name in ("getHours", "getMinutes", "getSeconds", "getMilliseconds"):
        assert "no time zone" in refused(f".{name}", SPAN, "UTC")
    assert "not a timestamp" in refused(".getDate", SPAN)


@pytest.mark.parametrize(
    ("moment", "clock", "zone", "result"),
    [
        (AT, "09:00", "UTC", "2026-01-04T09:00:00Z"), (AT, "17:30:15", "UTC", "2026-01-04T17:30:15Z"), (AT, "09:00", "Europe/Vienna", "2026-01-04T08:00:00Z"),
        (AT, "09:00", "+01:00", "2026-01-04T08:00:00Z"), (AT, "09:00", "-09:30", "2026-01-04T18:30:00Z"), (AT.replace(hour=23), "09:00", "Europe/Vienna", "2026-01-05T08:00:00Z"),
        (datetime(2026, 3, 29, 12, tzinfo=UTC), "02:30", "Europe/Vienna", "2026-03-29T01:30:00Z"), (datetime(2026, 10, 25, 12, tzinfo=UTC), "02:30", "Europe/Vienna", "2026-10-25T00:30:00Z"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_time_of_day_in_a_time_zone(moment: datetime, clock: str, zone: str, result: str) -> None:
    assert call("string", call(".at", moment, clock, zone)) == result


@pytest.mark.parametrize(
    "clock", ["", "9:00", "24:00", "09:60", "09:00:60", "09:00Z", " 09:00", "0900", "\u0660\u0669:00"]
)
def test_what_is_no_time_of_day(clock: str) -> None:
    assert "is not a time of day such as" in refused(".at", AT, clock, "UTC")
