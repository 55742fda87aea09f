from __future__ import annotations

import json
import math
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel.errors import EvaluationError, OutOfFuel
from engine.cel.fuel import MAX_TEXT, Fuel
from engine.cel.values import NONE, Some, kind, number, shown, text, to_json

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def nested(levels: int, value: Any) -> Any:
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"), (-0.0, "0"), (10.0, "10"), (-1.5, "-1.5"), (0.1, "0.1"), (1e-4, "0.0001"), (1.25e-5, "0.0000125"),
        (1e-6, "0.000001"), (1e-7, "1e-7"), (-1.25e-9, "-1.25e-9"), (123456789.0, "123456789"), (1e16, "10000000000000000"),
        (-1.5e17, "-150000000000000000"), (123456789012345680000.0, "123456789012345680000"), (1e21, "1e+21"),
        (1.7976931348623157e308, "1.7976931348623157e+308"), (5e-324, "5e-324"), (math.nan, "NaN"),
        (math.inf, "Infinity"), (-math.inf, "-Infinity"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_float_is_written_as_javascript_writes_it(value: float, written: str) -> None:
    assert number(value) == written
    assert text(Fuel(), value) == written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_reads_back_from_its_text(value: float) -> None:
    assert float(number(value)) == value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("", ""), ("a\nb", "a\nb"), (True, "true"), (False, "false"), (0, "0"), (-12, "-12"),
        (2**63, "9223372036854775808"), (-(10**300), "-1" + "0" * 300), ("ü".encode(), "ü"), (NOON, "2026-01-31T12:00:00Z"),
        (NOON.replace(microsecond=500_000), "2026-01-31T12:00:00.5Z"),
        (NOON.replace(microsecond=1), "2026-01-31T12:00:00.000001Z"), (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (timedelta(), "0s"), (timedelta(hours=1, minutes=30), "5400s"), (timedelta(seconds=-1.5), "-1.5s"),
        (timedelta(milliseconds=-250), "-0.25s"), (timedelta(microseconds=1), "0.000001s"),
        ([1, 2.5, "a", None, True], '[1,2.5,"a",null,true]'), ({"b": [1.0], "a": {}}, '{"b":[1.0],"a":{}}'),
        ([NOON, timedelta(seconds=90), b"ab", Some(1), NONE], '["2026-01-31T12:00:00Z","90s","YWI=",1,null]'),
        ([2**64], "[18446744073709551616]"), (["ü\n"], '["ü\\n"]'),
    ],
    ids=repr,
)  # fmt: skip
def test_a_value_as_text(value: Any, written: str) -> None:
    assert text(Fuel(), value) == written


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"\xff", "UTF-8"), (Some(1), "optional"), (NONE, "optional"),
        (["\ud800"], "JSON"), ({"\ud800": 1}, "JSON"), pytest.param(object(), "unknown", id="object"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_has_no_text_is_an_error(value: Any, says: str) -> None:
    with pytest.raises(EvaluationError, match=says):
        text(Fuel(), value)


def test_an_int_with_thousands_of_digits_is_an_error() -> None:
    for value in (10**5000, [10**5000]):
        with pytest.raises(EvaluationError):
            text(Fuel(), value)


def test_json_is_deep_and_leaves_what_it_was_given() -> None:
    given_value = {"a": [Some([timedelta(seconds=1)]), NONE, b"\xff"], "b": {"c": NOON}}
    kept = deepcopy(given_value)
    assert to_json(Fuel(), given_value) == {"a": [["1s"], None, "/w=="], "b": {"c": "2026-01-31T12:00:00Z"}}
    assert given_value == kept


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "a", [1, [2]], {"a": {"b": []}}])
def test_what_is_json_already_is_not_copied(value: Any) -> None:
    assert to_json(Fuel(), value) is value


def test_of_a_list_only_what_changes_is_new() -> None:
    inner = [1]
    made = to_json(Fuel(), [inner, NOON])
    assert made[0] is inner


@pytest.mark.parametrize("value", [object(), [object()], {"a": {1, 2}}], ids=["object", "list", "set"])
def test_what_json_does_not_know_is_an_error(value: Any) -> None:
    with pytest.raises(EvaluationError):
        to_json(Fuel(), value)


@pytest.mark.parametrize("write", [to_json, text])
def test_a_value_nested_without_end_is_an_error_and_one_from_data_is_not(write: Any) -> None:
    assert write(Fuel(), nested(130, 1))
    with pytest.raises(EvaluationError, match="nested"):
        write(Fuel(), nested(100_000, 1))
    with pytest.raises(EvaluationError, match="nested"):
        write(Fuel(), nested(100_000, NONE))


def test_a_value_that_contains_itself_many_times_runs_out_of_fuel() -> None:
    value: list[Any] = []
    for _ in range(60):
        value = [value, value]
    with pytest.raises(OutOfFuel):
        to_json(Fuel(), value)


def test_a_long_text_many_times_in_a_list_is_refused_before_it_is_written() -> None:
    with pytest.raises(EvaluationError, match="longer than"):
        text(Fuel(10**9), ["x" * (MAX_TEXT // 4)] * 100_000)
    with pytest.raises(EvaluationError, match="longer than"):
        text(Fuel(10**9), ["\x01" * (MAX_TEXT // 4)])


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("a", "'a'"), ("x" * 51, f"'{'x' * 50}…'"), (1, "1"), (-(2**63), "-9223372036854775808"), (1.0, "1"),
        (math.nan, "NaN"), (True, "true"), (None, "null"), ([1], "a list"), ({}, "an object"), (b"a", "b'a'"),
        (NOON, "2026-01-31T12:00:00Z"), (timedelta(seconds=1), "1s"), (Some(1), "an optional"), (NONE, "an optional"),
        (10**299, "a number of some 298 digits"), pytest.param(object(), "an unknown value", id="object"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_value_in_a_message(value: Any, seen: str) -> None:
    assert shown(value) == seen


@given(st.text() | st.binary() | st.integers() | st.floats() | st.timedeltas())
def test_a_value_in_a_message_is_short(value: Any) -> None:
    assert len(shown(value)) <= 60
    assert len(shown(value * 2 if type(value) in (str, bytes) else value)) <= 60


def test_escapes_do_not_make_a_message_long() -> None:
    assert len(shown("\x00" * 100)) == 60
    assert len(shown(b"\x00" * 100)) == 60


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("", "a text"), (1, "a number"), (1.5, "a number"), (True, "true or false"), (None, "null"), ([], "a list"),
        ({}, "an object"), (b"", "bytes"), (NOON, "a timestamp"), (timedelta(), "a duration"), (Some(1), "an optional"),
        (NONE, "an optional"), pytest.param(object(), "an unknown value", id="object"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_a_value_is(value: Any, name: str) -> None:
    assert kind(value) == name


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
        lambda x: st.lists(x) | st.dictionaries(st.text("abc"), x),
    )
)
def test_json_text_reads_back(value: Any) -> None:
    assert json.loads(text(Fuel(), [value])) == [value]
