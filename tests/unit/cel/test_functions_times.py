from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel.errors import EvaluationError, OutOfFuel
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


VIENNA, SAO_PAULO, SAMOA = "Europe/Vienna", "America/Sao_Paulo", "Pacific/Apia"


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2026-02-14", VIENNA, "2026-02-13T23:00:00Z"), ("2026-02-14T09:00", VIENNA, "2026-02-14T08:00:00Z"), ("2026-02-14T09:00:30", VIENNA, "2026-02-14T08:00:30Z"), ("2026-07-14t09:00", VIENNA, "2026-07-14T07:00:00Z"),
        ("2026-07-14 09:00", VIENNA, "2026-07-14T07:00:00Z"), ("2026-02-14", "UTC", "2026-02-14T00:00:00Z"), ("2026-02-14", "", "2026-02-14T00:00:00Z"), ("2026-02-14T09:00", "-02:30", "2026-02-14T11:30:00Z"),
        ("2026-03-29T02:30", VIENNA, "2026-03-29T01:30:00Z"), ("2026-03-29T03:30", VIENNA, "2026-03-29T01:30:00Z"),  # left out: 02:00 to 03:00
        ("2026-10-25T02:30", VIENNA, "2026-10-25T00:30:00Z"),  # shown twice: the first
        ("2018-11-04", SAO_PAULO, "2018-11-04T03:00:00Z"),  # a day without midnight
        ("2011-12-30", SAMOA, "2011-12-30T10:00:00Z"),  # a day left out
        ("0001-01-01", "UTC", "0001-01-01T00:00:00Z"), ("9999-12-31T23:59:59", "UTC", "9999-12-31T23:59:59Z"), ("2024-02-29", "UTC", "2024-02-29T00:00:00Z"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_local_date_or_time_is_read_in_its_time_zone(text: str, zone: str, moment: str) -> None:
    found = call("timestamp", text, zone)
    assert found == parse(moment)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "zone", "says"),
    [
        *((text, VIENNA, "is not a local date or time such as 2026-02-14") for text in ("", "2026-2-14", "2026-02-30", "2026-02-14T", "2026-02-14T9:00", "2026-02-14T24:00", "2026-02-14T09:60", "2026-02-14T09:00:60",
          "2026-02-14T09", "2026-02-14T09:00:00.5", "20260214", "2026-W07", "2026-045", "0000-01-01", " 2026-02-14", "2026-02-14\n", "\u0662026-02-14", "2026-02-14" * 10_000)),
        ("2026-02-14T09:00:00Z", VIENNA, "leave the second argument out"), ("2026-02-14T09:00:00+01:00", VIENNA, "leave the second argument out"), (AT, VIENNA, "leave the second argument out"),
        (0, VIENNA, "0 is not a local date"), (None, VIENNA, "null is not a local date"), (True, VIENNA, "not a local date"), ("2026-02-14", "Europe/Nowhere", "is not a time zone"), ("2026-02-14", None, "is not a text"),
        ("2026-02-14", 1, "is not a text"), ("0001-01-01", VIENNA, "out of range"), ("9999-12-31T23:00", "-02:00", "out of range"), ("9999-12-31T23:00", "America/New_York", "out of range"),
    ],
    ids=lambda value: repr(value)[:50],
)  # fmt: skip
def test_what_is_no_local_date_or_time(value: Any, zone: Any, says: str) -> None:
    assert says in refused("timestamp", value, zone)


@pytest.mark.parametrize("text", ["2026-02-14", "2026-02-14T09:00", "2026-02-14T09:00:00"])
def test_a_local_date_without_a_time_zone_is_refused_with_what_to_write(text: str) -> None:
    assert 'with a time zone it can be read: timestamp(x, "Europe/Vienna")' in refused("timestamp", text)


@pytest.mark.parametrize(
    ("moment", "zone", "written"),
    [
        ("2026-02-13T23:30:00Z", VIENNA, "2026-02-14"), ("2026-02-13T22:30:00Z", VIENNA, "2026-02-13"), ("2026-01-01T02:00:00Z", "America/New_York", "2025-12-31"), ("0001-01-01T00:00:00Z", "UTC", "0001-01-01"),
        ("9999-12-31T23:59:59Z", "", "9999-12-31"), ("2026-02-14T12:00:00Z", "+14:00", "2026-02-15"),
    ],
    ids=repr,
)  # fmt: skip
def test_the_date_of_a_timestamp_in_a_time_zone(moment: str, zone: str, written: str) -> None:
    assert call(".date", parse(moment), zone) == written


def local(year: int) -> datetime:
    """Return a bound of the moments to try, without a time zone, as hypothesis wants it."""
    return AT.replace(year=year, tzinfo=None)


@given(
    st.datetimes(local(1900), local(2100), timezones=st.just(UTC)),
    st.sampled_from([VIENNA, SAO_PAULO, "+05:30"]),
)
def test_a_date_reads_back_as_a_day_that_the_moment_is_in(moment: datetime, zone: str) -> None:
    begin = call("timestamp", call(".date", moment, zone), zone)
    assert timedelta(hours=-1) <= moment - begin <= timedelta(hours=25)


@pytest.mark.parametrize(
    ("moment", "period", "zone", "later"),
    [
        ("2026-01-31T12:00:00Z", "P1M", VIENNA, "2026-02-28T12:00:00Z"), ("2024-01-31T12:00:00Z", "P1M", "UTC", "2024-02-29T12:00:00Z"), ("2026-01-31T12:00:00Z", "P2M", VIENNA, "2026-03-31T11:00:00Z"),
        ("2026-03-31T12:00:00Z", "-P1M", "UTC", "2026-02-28T12:00:00Z"), ("2024-02-29T00:00:00Z", "P1Y", "UTC", "2025-02-28T00:00:00Z"), ("2024-02-29T00:00:00Z", "P4Y", "UTC", "2028-02-29T00:00:00Z"),
        ("2026-01-15T12:00:00Z", "P1Y6M", "UTC", "2027-07-15T12:00:00Z"), ("2026-01-15T12:00:00Z", "+P2W", "UTC", "2026-01-29T12:00:00Z"), ("2026-01-15T12:00:00Z", "-P2W", "UTC", "2026-01-01T12:00:00Z"),
        ("2026-01-15T12:00:00Z", "P1Y1M1W1D", "UTC", "2027-02-23T12:00:00Z"), ("2026-01-31T12:00:00Z", "P1M1D", "UTC", "2026-03-01T12:00:00Z"), ("2026-03-01T12:00:00Z", "-P1M1D", "UTC", "2026-01-31T12:00:00Z"),
        ("2026-01-15T12:00:00Z", "-P1M", "UTC", "2025-12-15T12:00:00Z"), ("2026-12-15T12:00:00Z", "P1M", "UTC", "2027-01-15T12:00:00Z"), ("2026-01-15T12:00:00Z", "P12M", "UTC", "2027-01-15T12:00:00Z"),
        ("2026-03-28T08:00:00.25Z", "P1D", VIENNA, "2026-03-29T07:00:00.25Z"), ("2026-10-24T07:00:00Z", "P1D", VIENNA, "2026-10-25T08:00:00Z"),  # 09:00 stays 09:00
        ("2026-03-28T01:30:00Z", "P1D", VIENNA, "2026-03-29T01:30:00Z"),  # to a time that clocks leave out
        ("2026-10-24T00:30:00Z", "P1D", VIENNA, "2026-10-25T00:30:00Z"), ("2026-10-26T01:30:00Z", "-P1D", VIENNA, "2026-10-25T00:30:00Z"),  # to one shown twice: the first
        ("2026-10-25T01:30:00Z", "P0D", VIENNA, "2026-10-25T01:30:00Z"), ("2026-10-25T01:30:00Z", "P1D", VIENNA, "2026-10-26T01:30:00Z"),  # from the second
        ("2026-01-30T23:30:00Z", "P1M", VIENNA, "2026-02-27T23:30:00Z"), ("2026-01-30T23:30:00Z", "P1M", "UTC", "2026-02-28T23:30:00Z"),  # the day is that of the zone
        ("0001-01-01T00:00:00Z", "P9998Y11M30D", "UTC", "9999-12-31T00:00:00Z"), ("2026-01-15T12:00:00Z", "P0000000000000000001D", "UTC", "2026-01-16T12:00:00Z"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_period_later_clocks_show_the_same_time(moment: str, period: str, zone: str, later: str) -> None:
    found = call(".plus", parse(moment), period, zone)
    assert found == parse(later)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("period", "says"),
    [
        *((text, "is not a period such as P1M") for text in ("", "P", "-P", "1M", "p1m", "P1", "P1M ", " P1M", "P1.5M", "P1,5M", "P-1M", "P1M1Y", "P1D1W", "P1M1M", "P\u0661M", "P1M\n", "P1H", "1 month", "P" + "1" * 50 + "M", "P1M" * 100_000)),
        ("PT1H", 'hours are added as + duration("2h")'), ("P1DT12H", 'hours are added as + duration("2h")'), (1, "1 is not a text"), (None, "null is not a text"), (SPAN, "is not a text"),
        ("P7974Y", "out of range"), ("P8000Y", "out of range"), ("-P2026Y", "out of range"), ("-P24313M", "out of range"), ("P2912718D", "out of range"), ("-P740000D", "out of range"), ("P" + "9" * 38 + "D", "out of range"), ("P" + "9" * 38 + "Y", "out of range"),
        ("P8000Y9999999D", "out of range"),
    ],
    ids=lambda value: repr(value)[:50],
)  # fmt: skip
def test_what_is_no_period_or_leads_out_of_the_calendar(period: Any, says: str) -> None:
    assert says in refused(".plus", AT, period, "UTC")


def test_a_period_ends_where_the_calendar_of_utc_does() -> None:
    before = LAST - timedelta(days=1)
    assert call(".plus", before, "P1D", "UTC") == call(".plus", before, "P1D", "-01:00") == LAST
    assert "out of range" in refused(".plus", before, "P1D", "+01:00")
    assert "out of range" in refused(".plus", before + timedelta(hours=1), "P1D", "-01:00")
    after = FIRST + timedelta(days=1)
    assert call(".plus", after, "-P1D", "+01:00") == FIRST
    assert "out of range" in refused(".plus", after, "-P1D", "-01:00")
    assert "out of range" in refused(".plus", after - timedelta(hours=1), "-P1D", "+01:00")


@pytest.mark.parametrize(("name", "rest"), [(".date", ("UTC",)), (".plus", ("P1M", "UTC"))])
def test_dates_and_periods_are_of_timestamps_in_zones_that_there_are(name: str, rest: tuple[str, ...]) -> None:
    assert "write timestamp(x)" in refused(name, "2026-01-04T12:30:45Z", *rest)
    assert "is not a time zone" in refused(name, AT, *rest[:-1], "Europe/Nowhere")
    assert "is not a text" in refused(name, AT, *rest[:-1], None)
    assert "out of range" in refused(name, FIRST, *rest[:-1], "-01:00")
    others: tuple[Any, ...] = (1, None, [], SPAN, Some(AT))
    for value in others:
        assert "is not a timestamp" in refused(name, value, *rest)


@given(
    st.datetimes(local(1000), local(3000), timezones=st.just(UTC)),
    st.integers(0, 999),
    st.integers(0, 9999),
)
def test_months_and_days_later_in_utc_are_what_a_calendar_says(moment: datetime, months: int, days: int) -> None:
    month = call(".plus", moment, f"P{months}M", "UTC")
    assert (month.year * 12 + month.month) - (moment.year * 12 + moment.month) == months
    assert month.day == moment.day or (month.day < moment.day and (month + timedelta(days=1)).day == 1)
    assert call(".plus", moment, f"P{months}M{days}D", "UTC") == month + timedelta(days=days)
    assert call(".plus", moment, f"-P{days}D", "UTC") == moment - timedelta(days=days)


@pytest.mark.parametrize(
    ("name", "operands"),
    [("timestamp", ("2026-02-14", VIENNA)), (".date", (AT, VIENNA)), (".plus", (AT, "P1M", VIENNA))],
)
def test_local_dates_and_periods_are_paid_for(name: str, operands: tuple[Any, ...]) -> None:
    needed = cost(name, *operands)
    assert needed >= 10
    with pytest.raises(OutOfFuel):
        call(name, *operands, fuel=Fuel(needed - 1))
    if name != ".date":
        assert needed >= 30
