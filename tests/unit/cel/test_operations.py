from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel.errors import EvaluationError, OutOfFuel
from engine.cel.fuel import MAX_TEXT, Fuel
from engine.cel.values import NONE, Some
from tests.unit.cel.calls import call, cost, refused
from tests.unit.cel.given import alike

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOST, LEAST = 2**63 - 1, -(2**63)

ONE_OF_EACH: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    "",
    "1",
    b"",
    b"1",
    [],
    [1],
    {},
    {"a": 1},
    NOON,
    HOUR,
    Some(1),
    NONE,
)


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("place", range(len(ONE_OF_EACH) - 2))
def test_a_value_equals_itself_and_nothing_of_another_kind(place: int) -> None:
    value = ONE_OF_EACH[place]
    for at, other in enumerate(ONE_OF_EACH[:-2]):
        assert call("equal", value, other) is (at == place)
        assert call("unequal", value, other) is (at != place)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True), (0.0, -0.0, True), (2**53 + 1, float(2**53), False), (10**300, 1e300, False),
        (10**400, math.inf, False), (math.nan, math.nan, False), ("a", "a", True), ("ab", "ac", False),
        ([1, [2.0]], [1.0, [2]], True), ([1, 2], [1], False), ([1, 2], [2, 1], False), ([True], [1], False),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1.0}, True), ({"a": 1}, {"b": 1}, False), ({"a": None}, {}, False),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, False), (Some(1), Some(1.0), True), (Some([1]), Some([2]), False),
        (Some(NONE), Some(NONE), True), (Some(NONE), NONE, False), (Some(None), Some(None), True),
        (NOON, NOON + timedelta(microseconds=1), False), ([NOON, HOUR], [NOON, HOUR], True), ([b"a"], ["a"], False),
        (HOUR, timedelta(minutes=60), True),
    ],
    ids=repr,
)  # fmt: skip
def test_values_are_compared_deeply(left: Any, right: Any, same: bool) -> None:
    assert call("equal", left, right) is same
    assert call("equal", right, left) is same


def test_an_optional_cannot_be_compared_with_a_value() -> None:
    for value in ONE_OF_EACH[:-2]:
        for optional in (Some(value), Some(1), NONE):
            assert "write .orValue" in refused("equal", optional, value)
            assert "write .orValue" in refused("unequal", [optional], [value])
            assert "write .orValue" in refused("equal", value, optional)
            assert "write .orValue" in refused("unequal", {"a": value}, {"a": optional})
    assert call("equal", Some(1), NONE) is False


@pytest.mark.parametrize("optional", [Some("a"), NONE], ids=repr)
def test_an_optional_cannot_be_sought_among_values_nor_a_value_among_optionals(optional: Any) -> None:
    for item, where in ((optional, ["a"]), ("a", [optional])):
        assert "never equal" in refused("contained", item, where)
        for method in (".contains", ".indexOf", ".lastIndexOf"):
            assert "never equal" in refused(method, where, item)
    assert call("contained", optional, []) is False
    assert call("contained", optional, [optional]) is True


def test_a_nan_equals_nothing_even_in_one_and_the_same_list() -> None:
    items = [math.nan]
    assert not call("equal", items, items)
    assert not call("equal", {"a": items[0]}, {"a": items[0]})
    assert not call("contained", items[0], items)


def test_what_is_nested_without_end_cannot_be_compared_and_what_comes_from_data_can() -> None:
    assert call("equal", nested(130), nested(130))
    assert "nested" in refused("equal", nested(100_000), nested(100_000))
    assert "nested" in refused("contained", nested(100_000), [nested(100_000)])


def test_values_that_contain_themselves_many_times_run_out_of_fuel() -> None:
    left: list[Any] = []
    right: list[Any] = []
    for _ in range(60):
        left, right = [left, left], [right, right]
    with pytest.raises(OutOfFuel):
        call("equal", left, right)


ORDER: tuple[tuple[Any, ...], ...] = (
    (-math.inf, -(10**300), -1, -0.5, 0, 0.5, 1, 2**53, 2**53 + 1, 10**300, math.inf),
    ("", "A", "B", "a", "ab", "b", "\ud7ff", "\ue000", "😀"),
    (b"", b"\x00", b"a", b"ab", b"\xff"),
    (False, True),
    (NOON - HOUR, NOON, NOON + HOUR),
    (-HOUR, timedelta(), HOUR),
)


@pytest.mark.parametrize("values", ORDER)
def test_values_of_one_kind_have_an_order(values: tuple[Any, ...]) -> None:
    for place, left in enumerate(values):
        for other, right in enumerate(values):
            assert call("less", left, right) is (place < other)
            assert call("less_equal", left, right) is (place <= other)
            assert call("greater", left, right) is (place > other)
            assert call("greater_equal", left, right) is (place >= other)


@pytest.mark.parametrize("operation", ["less", "less_equal", "greater", "greater_equal"])
@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, "1"), ("1", 1), (1, True), (True, 1), (None, None), (1, None), ([], []), ({}, {}), (Some(1), Some(1)),
        (NOON, HOUR), ("2026-01-31", NOON), ("a", b"a"), (NONE, NONE),
    ],
    ids=repr,
)  # fmt: skip
def test_other_pairs_have_no_order(operation: str, left: Any, right: Any) -> None:
    assert "have no order" in refused(operation, left, right)


@pytest.mark.parametrize("operation", ["less", "less_equal", "greater", "greater_equal"])
def test_a_nan_is_before_and_behind_nothing(operation: str) -> None:
    assert call(operation, math.nan, 1) is False
    assert call(operation, 1.0, math.nan) is False


@pytest.mark.parametrize(
    ("operation", "left", "right", "result"),
    [
        ("add", 1, 2, 3), ("add", 1, 0.5, 1.5), ("add", 0.5, 1, 1.5), ("add", 1.5, 1.5, 3.0), ("add", "a", "b", "ab"),
        ("add", b"a", b"b", b"ab"), ("add", [1], [2], [1, 2]), ("add", NOON, HOUR, NOON + HOUR),
        ("add", HOUR, NOON, NOON + HOUR), ("add", HOUR, HOUR, 2 * HOUR), ("add", MOST - 1, 1, MOST),
        ("add", 10**300, 0.5, 1e300), ("add", 1e308, 1e308, math.inf),
        ("subtract", 1, 2, -1), ("subtract", 1, 0.5, 0.5), ("subtract", NOON, HOUR, NOON - HOUR),
        ("subtract", NOON, NOON - HOUR, HOUR), ("subtract", HOUR, 2 * HOUR, -HOUR), ("subtract", LEAST + 1, 1, LEAST),
        ("subtract", 10**300, 10**300 - 1, 1),
        ("multiply", 3, -4, -12), ("multiply", 3, 0.5, 1.5), ("multiply", 0.5, 3, 1.5), ("multiply", 1e308, 10, math.inf),
        ("divide", 6, 2, 3), ("divide", 5, 2.0, 2.5), ("divide", 5.0, 2, 2.5), ("divide", -6, 2, -3),
        ("divide", 1e-300, 1e300, 0.0),
        ("remainder", 5, 3, 2), ("remainder", -5, 3, -2), ("remainder", 5, -3, 2), ("remainder", -5, -3, -2),
        ("remainder", 6, 3, 0), ("remainder", MOST, 10, 7), ("remainder", 10**300 + 7, 10, 7),
    ],
    ids=repr,
)  # fmt: skip
def test_arithmetic(operation: str, left: Any, right: Any, result: Any) -> None:
    assert alike(call(operation, left, right), result)


@pytest.mark.parametrize(
    ("operation", "left", "right"),
    [
        ("add", MOST, 1), ("add", LEAST, -1), ("add", 10**300, 1), ("subtract", LEAST, 1), ("subtract", 0, LEAST),
        ("multiply", 2**32, 2**31), ("multiply", LEAST, -1), ("divide", LEAST, -1), ("remainder", 10**300, 10**200 + 1),
    ],
    ids=repr,
)  # fmt: skip
def test_a_result_beyond_64_bits_is_an_error(operation: str, left: Any, right: Any) -> None:
    assert "integer overflow" in refused(operation, left, right)


@pytest.mark.parametrize("operation", ["add", "subtract", "multiply", "divide"])
def test_an_int_beyond_the_range_of_floats_cannot_be_mixed_with_one(operation: str) -> None:
    assert "too large" in refused(operation, 10**400, 0.5)
    assert "too large" in refused(operation, 0.5, 10**400)


@pytest.mark.parametrize("operation", ["divide", "remainder"])
def test_nothing_can_be_divided_by_zero(operation: str) -> None:
    assert "by zero" in refused(operation, 1, 0)


@pytest.mark.parametrize(
    ("operation", "left", "right"),
    [
        ("add", "a", 1), ("add", 1, "a"), ("add", True, 1), ("add", None, None), ("add", "a", b"a"), ("add", [1], 1),
        ("add", {}, {}), ("add", NOON, NOON), ("add", NOON, 1), ("add", Some(1), Some(1)), ("subtract", "a", "a"),
        ("subtract", [1], [1]), ("subtract", HOUR, NOON), ("subtract", NOON, 1), ("subtract", True, True),
        ("multiply", "a", 2), ("multiply", HOUR, 2), ("multiply", [1], 2), ("multiply", True, 2), ("divide", HOUR, 2),
        ("divide", "a", 2), ("divide", False, 2), ("remainder", 5.5, 2), ("remainder", 5, 2.5), ("remainder", "%s", 1),
        ("remainder", True, 1), ("remainder", math.nan, 1), ("remainder", 1, math.inf),
    ],
    ids=repr,
)  # fmt: skip
def test_other_pairs_have_no_arithmetic(operation: str, left: Any, right: Any) -> None:
    assert "cannot be" in refused(operation, left, right)


def test_a_text_and_another_value_are_told_how_to_be_joined() -> None:
    assert "string(x)" in refused("add", "a", 1)


@pytest.mark.parametrize(
    ("operation", "left", "right"),
    [
        ("add", datetime(9999, 12, 31, tzinfo=UTC), timedelta(days=1)), ("subtract", datetime(1, 1, 1, tzinfo=UTC), HOUR),
        ("add", timedelta(days=3_652_500), HOUR), ("subtract", timedelta(days=-3_652_500), HOUR),
    ],
    ids=repr,
)  # fmt: skip
def test_times_have_a_range(operation: str, left: Any, right: Any) -> None:
    assert "out of range" in refused(operation, left, right)


@given(st.integers(LEAST, MOST), st.integers(LEAST, MOST).filter(bool))
def test_a_remainder_is_smaller_than_the_divisor_and_has_the_sign_of_the_dividend(left: int, right: int) -> None:
    rest = call("remainder", left, right)
    assert abs(rest) < abs(right)
    assert (left - rest) % right == 0
    assert rest * left >= 0


@pytest.mark.parametrize(("value", "result"), [(1, -1), (-1.5, 1.5), (MOST, -MOST), (0, 0), (0.0, -0.0)])
def test_a_number_with_the_other_sign(value: Any, result: Any) -> None:
    assert alike(call("negate", value), result)


def test_what_has_no_sign() -> None:
    assert "overflow" in refused("negate", LEAST)
    for value in ("a", True, None, [1], HOUR, NOON, Some(1)):
        assert "has no sign" in refused("negate", value)


@pytest.mark.parametrize(
    ("item", "where", "found"),
    [
        (1, [2, 1.0], True), (True, [1], False), ([1], [[1.0]], True), (None, [None], True), ("a", [], False),
        ("a", {"a": None}, True), ("b", {"a": 1}, False), (1, {"1": 1}, False), (None, {}, False), ([], {}, False),
        ("x" * 1000, {"x" * 1000: 1}, True),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_in_a_list_or_among_the_keys_of_a_map(item: Any, where: Any, found: bool) -> None:
    assert call("contained", item, where) is found


@pytest.mark.parametrize("where", ["abc", 1, None, True, b"a", NOON, Some([1]), NONE])
def test_nothing_is_in_any_other_value(where: Any) -> None:
    assert "neither a list nor an object" in refused("contained", "a", where)


@pytest.mark.parametrize(
    ("operand", "key", "member"),
    [
        ([7, 8], 0, 7), ([7, 8], 1.0, 8), ([7, 8], -0.0, 7), ({"a": 1}, "a", 1), ({"": None}, "", None),
        (Some([7]), 0, Some(7)), (Some({"a": 1}), "a", Some(1)), (NONE, 0, NONE), (Some([7]), 5, NONE),
    ],
    ids=repr,
)  # fmt: skip
def test_a_member_by_its_index(operand: Any, key: Any, member: Any) -> None:
    assert call("index", operand, key) == member


@pytest.mark.parametrize(
    ("operand", "key", "says"),
    [
        ([7, 8, 9], 3, "has 3 items"), ([7], -1, "has 1 items"), ([], 0, "has 0 items"), ([7], 10**300, "has 1 items"),
        ([7], 0.5, "no item at 0.5"), ([7], math.nan, "no item at NaN"), ([7], True, "no item at true"),
        ([7], "a", "is a list, which has no fields"), ([7], None, "no item at null"), ({"a": 1}, "b", "has no field 'b'"),
        ({"a": 1}, 1, "has no field 1"), ({"a": 1}, [], "has no field a list"), (None, "a", "is null"),
        ("abc", 0, "is a text, which has no fields"), (1, "a", "is a number, which has no fields"),
        (NOON, "a", "is a timestamp"), (b"abc", 0, "is bytes"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_member_that_is_not_there_is_an_error(operand: Any, key: Any, says: str) -> None:
    assert says in refused("index", operand, key)


def test_a_field_of_a_map_and_of_an_optional() -> None:
    assert call("select", {"a": 1}, "a") == 1
    assert call("select", {"a": None}, "a") is None
    assert call("select", Some({"a": 1}), "a") == Some(1)
    assert call("select", Some({"a": 1}), "b") is NONE
    assert call("select", NONE, "a") is NONE


@pytest.mark.parametrize(
    ("operand", "says"),
    [
        ({}, "has no field 'a'"),
        (None, "is null"),
        ([1], "is a list, which has no fields"),
        ("a", "is a text"),
        (True, "is true or false"),
    ],
)
def test_a_field_that_is_not_there_is_an_error(operand: Any, says: str) -> None:
    assert says in refused("select", operand, "a")


@pytest.mark.parametrize(
    ("operand", "field", "member"),
    [
        ({"a": 1}, "a", Some(1)), ({"a": None}, "a", Some(None)), ({"a": 1}, "b", NONE), (None, "a", NONE), ([1], "a", NONE),
        ("abc", "a", NONE), (1, "a", NONE), (NONE, "a", NONE), (Some({"a": 1}), "a", Some(1)), (Some(None), "a", NONE),
        (Some({}), "a", NONE),
    ],
    ids=repr,
)  # fmt: skip
def test_a_field_that_may_be_missing(operand: Any, field: str, member: Any) -> None:
    assert call("optional_select", operand, field) == member
    assert call("optional_index", operand, field) == member


@pytest.mark.parametrize(
    ("operand", "key", "member"),
    [
        ([7], 0, Some(7)), ([7], 0.0, Some(7)), ([7], 1, NONE), ([7], -1, NONE), ([7], 0.5, NONE), ([7], None, NONE),
        ([7], True, NONE), ({"1": 7}, 1, NONE), ({"1": 7}, [], NONE), (Some([7]), 0, Some(7)), ("abc", 0, NONE),
        (None, 0, NONE), (NONE, 0, NONE),
    ],
    ids=repr,
)  # fmt: skip
def test_an_item_that_may_be_missing(operand: Any, key: Any, member: Any) -> None:
    assert call("optional_index", operand, key) == member


def test_whether_a_map_has_a_field() -> None:
    assert call("has", {"a": None}, "a") is True
    assert call("has", {}, "a") is False
    assert call("has", Some({"a": 1}), "a") is True
    assert call("has", Some({}), "a") is False
    assert call("has", NONE, "a") is False
    for operand in (None, [1], "abc", 1, True, NOON, Some(1), Some(None)):
        assert "no fields" in refused("has", operand, "a")


LONG = "x" * MAX_TEXT
MANY = list(range(100_000))


@pytest.mark.parametrize(
    ("operation", "left", "right"),
    [
        ("equal", LONG, LONG), ("equal", LONG.encode(), LONG.encode()), ("equal", MANY, MANY), ("equal", {"a": LONG}, {"a": LONG}),
        ("less", LONG, LONG), ("greater_equal", LONG.encode(), LONG.encode()), ("contained", 1, MANY),
        ("contained", LONG, {}), ("contained", LONG, [LONG]), ("index", {}, LONG), ("optional_index", {}, LONG),
        ("add", LONG[1:], "x"), ("add", LONG[1:].encode(), b"x"), ("add", MANY, MANY),
    ],
    ids=range(14),
)  # fmt: skip
def test_work_that_grows_with_its_operands_is_charged_for(operation: str, left: Any, right: Any) -> None:
    fuel = Fuel(1000)
    with pytest.raises(OutOfFuel):
        call(operation, left, right, fuel=fuel)
    assert fuel.left < -10_000


def test_small_operands_cost_nothing_but_the_call() -> None:
    for operation, left, right in (
        ("equal", "a", "b"),
        ("equal", 1, 1),
        ("less", "a", "b"),
        ("multiply", 2, 3),
        ("index", [1], 0),
    ):
        assert cost(operation, left, right) == 0


def test_a_text_that_grows_too_long_is_an_error_whatever_fuel_there_is() -> None:
    with pytest.raises(EvaluationError, match="longer than") as fault:
        call("add", LONG, "x", fuel=Fuel(10**12))
    assert not isinstance(fault.value, OutOfFuel)
