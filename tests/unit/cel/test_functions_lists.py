from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.functions import lists
from engine.cel.values import NONE, Some
from tests.unit.cel.calls import call, cost, refused
from tests.unit.cel.given import alike

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HUGE = 10**300


@pytest.mark.parametrize(
    ("name", "operands", "result"),
    [
        (".size", ([1, 2],), 2), ("size", ({"a": 1},), 1), (".size", (b"abc",), 3),
        (".contains", ([1, 2], 2.0), True), (".contains", ([1], True), False), (".contains", ([[1]], [1.0]), True),
        (".contains", ({"a": None}, "a"), True), (".contains", ({"1": 1}, 1), False),
        (".join", (["a", "b"],), "ab"), (".join", (["a", "b"], "-"), "a-b"), (".join", ([], "-"), ""), (".join", (["a"], "-"), "a"),
        (".join", ([1, 2.5, True, "x", NOON, HOUR, b"a"], ","), "1,2.5,true,x,2026-01-31T12:00:00Z,3600s,a"),
        (".sum", ([],), 0), (".sum", ([1, 2],), 3), (".sum", ([1, 0.5],), 1.5), (".sum", ([1.0, 1],), 2.0), (".sum", ([HOUR, HOUR],), 2 * HOUR),
        (".sum", ([2**63 - 1, 1, -1],), 2**63 - 1), (".sum", ([HUGE, -HUGE],), 0), (".sum", ([1e16, 1.0, -1e16],), 0.0),
        (".min", ([3, 1, 2],), 1), (".max", ([3, 1, 2],), 3), (".min", (["b", "a"],), "a"), (".max", ([NOON, NOON + HOUR],), NOON + HOUR),
        (".min", ([True, False],), False), (".min", ([1, 1.0],), 1), (".min", ([1.0, 1],), 1.0), (".max", ([1, 1.0],), 1), (".max", ([-HUGE, 0.5],), 0.5),
        (".max", ([b"a", b"b"],), b"b"), (".min", ([HOUR],), HOUR),
        (".sort", ([],), []), (".sort", ([3, 1.5, 2],), [1.5, 2, 3]), (".sort", ([1, 1.0, 0],), [0, 1, 1.0]), (".sort", ([1.0, 1],), [1.0, 1]),
        (".sort", (["b", "a", "B"],), ["B", "a", "b"]), (".sort", ([True, False],), [False, True]), (".sort", ([b"b", b"a"],), [b"a", b"b"]),
        (".sort", ([HOUR, -HOUR],), [-HOUR, HOUR]), (".sort", ([math.inf, HUGE, -math.inf],), [-math.inf, HUGE, math.inf]),
        (".distinct", ([],), []), (".distinct", ([1, 1.0, True, 1, "1", None, None, False, 0, -0.0],), [1, True, "1", None, False, 0]),
        (".distinct", ([[1], [1.0], {"a": 1}, {"a": 1.0}, [True], ["1"]],), [[1], {"a": 1}, [True], ["1"]]),
        (".distinct", ([{"a": 1, "b": 2}, {"b": 2, "a": 1}],), [{"a": 1, "b": 2}]), (".distinct", ([[], {}, "", None, b"", 0, [[]]],), [[], {}, "", None, b"", 0, [[]]]),
        (".distinct", ([NOON, NOON, HOUR, "2026-01-31T12:00:00Z", "3600s"],), [NOON, HOUR, "2026-01-31T12:00:00Z", "3600s"]),
        (".distinct", ([Some(1), Some(1.0), NONE, NONE, 1, [1]],), [Some(1), NONE, 1, [1]]), (".distinct", ([HUGE, HUGE, HUGE + 1, 1e300],), [HUGE, HUGE + 1, 1e300]),
        (".distinct", ([2.0**70, 2**70, 2**70 + 1],), [2.0**70, 2**70 + 1]), (".distinct", ([b"1", "1", 1, b"1"],), [b"1", "1", 1]),
        (".distinct", (["x" * 100, "x" * 100],), ["x" * 100]), (".distinct", ([["list", 1], {"list": 1}, [["list", 1]]],), [["list", 1], {"list": 1}, [["list", 1]]]),
        (".distinct", ([Some("a"), ["some", "a"], NOON, ["a timestamp", "2026-01-31T12:00:00Z"], {}, ["map", []]],), [Some("a"), ["some", "a"], NOON, ["a timestamp", "2026-01-31T12:00:00Z"], {}, ["map", []]]),
        (".flatten", ([1, [2, [3, [4]]]],), [1, 2, [3, [4]]]), (".flatten", ([1, [2, [3, [4]]]], 2), [1, 2, 3, [4]]),
        (".flatten", ([1, [2]], 0), [1, [2]]), (".flatten", ([1, [2, [3]]], HUGE), [1, 2, 3]), (".flatten", ([],), []), (".flatten", ([[], [[]]],), [[]]),
        (".flatten", ([{"a": [1]}, "ab"],), [{"a": [1]}, "ab"]),
        (".reverse", ([1, 2, 3],), [3, 2, 1]), (".reverse", ([],), []),
        (".slice", ([1, 2, 3], 1, 2), [2]), (".slice", ([1, 2, 3], 3, 3), []), (".slice", ([1, 2, 3], 0, 3), [1, 2, 3]), (".slice", ([1, 2], 0, 1.0), [1]),
        (".indexOf", ([1, 2, 1.0], 1.0), 0), (".indexOf", (["a"], "b"), -1), (".indexOf", ([], None), -1), (".indexOf", ([True, 1], 1), 1),
        (".lastIndexOf", ([1, 2, 1], 1), 2), (".lastIndexOf", ([1], 2), -1), (".lastIndexOf", ([[1], [1.0], 2], [1]), 1),
        ("lists.range", (3,), [0, 1, 2]), ("lists.range", (0,), []), ("lists.range", (2.0,), [0, 1]), ("lists.range", (-0.0,), []),
        (".merge", ({"a": 1}, {"b": 2}), {"a": 1, "b": 2}), (".merge", ({"a": 1, "b": 1}, {"b": None}), {"a": 1, "b": None}), (".merge", ({}, {}), {}), (".merge", ({"a": 1}, {}), {"a": 1}),
        (".merge", ({"a": {"x": 1}}, {"a": {"y": 2}}), {"a": {"y": 2}}),
        (".first", ([7, 8],), Some(7)), (".first", ([],), NONE), (".last", ([7, 8],), Some(8)), (".last", ([],), NONE), (".first", ([None],), Some(None)),
    ],
    ids=repr,
)  # fmt: skip
def test_functions_of_lists(name: str, operands: tuple[Any, ...], result: Any) -> None:
    found = call(name, *operands)
    assert alike(found, result) or found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("name", "operands", "says"),
    [
        (".size", (None,), "null has no size"), (".size", (True,), "has no size"), (".size", (Some([1]),), "has no size"),
        (".contains", (None, 1), "neither a text nor a list"), (".join", ("ab",), "not a list"), (".join", (["a"], 1), "not a text"),
        (".join", (["a"], None), "not a text"), (".join", ([None],), "null cannot be joined"), (".join", ([[]],), "a list cannot be joined"),
        (".join", ([{}],), "an object cannot be joined"), (".join", ([Some("a")],), "optional"), (".join", ([b"\xff"],), "UTF-8"),
        (".sum", ("ab",), "not a list"), (".sum", ([1, "2"],), "'2' cannot be added to numbers"), (".sum", ([True],), "cannot be added"),
        (".sum", ([HOUR, 1],), "cannot be added to durations"), (".sum", ([1, HOUR],), "cannot be added to numbers"), (".sum", ([None],), "cannot be added"),
        (".sum", ([2**63 - 1, 1],), "integer overflow"), (".sum", ([10**400, 0.5],), "too large"), (".sum", ([timedelta(days=3_652_500), HOUR],), "out of range"),
        (".min", ([],), "an empty list has no smallest item"), (".max", ([],), "an empty list has no greatest item"), (".min", ([1, "a"],), "no order"),
        (".max", ([None],), "null has no order"), (".max", ([[1]],), "a list has no order"), (".min", ({},), "not a list"), (".max", ([NOON, HOUR],), "no order"),
        (".min", ([1, True],), "no order"), (".sort", ([1, "a"],), "1 and 'a' have no order"), (".sort", ([None],), "null has no order"),
        (".sort", ([[1]],), "has no order"), (".sort", ([1, True],), "have no order"), (".sort", ("ba",), "not a list"), (".sort", ([1.0, math.nan],), "NaN has no place"),
        (".sort", ([1, math.nan],), "NaN has no place"), (".distinct", ({},), "not a list"), (".flatten", ("a",), "not a list"),
        (".flatten", ([1], -1), "must not be negative"), (".flatten", ([1], "1"), "not a whole number"), (".flatten", ([1], None), "not a whole number"),
        (".reverse", (None,), "not a text"), (".slice", ([1, 2, 3], 1, 4), "out of range: 0 to 3"), (".slice", ([1, 2, 3], 2, 1), "out of range: 0 to 1"),
        (".slice", ([1], -1, 1), "out of range"), (".slice", ("abc", 0, 1), "not a list"), (".slice", ([1], None, 1), "not a whole number"),
        ("lists.range", (-1,), "from 0 on, not -1"), ("lists.range", (-HUGE,), "from 0 on"), ("lists.range", (1.5,), "not a whole number"), ("lists.range", ("3",), "not a whole number"),
        ("lists.range", (True,), "not a whole number"), ("lists.range", (None,), "not a whole number"), ("lists.range", (math.nan,), "not a whole number"), ("lists.range", (math.inf,), "not a whole number"),
        ("lists.range", (HUGE,), "too much work"), ("lists.range", (1e300,), "too much work"), ("lists.range", (3_000_000,), "too much work"),
        (".merge", ({}, None), "null is not an object"), (".merge", ([], {}), "a list is not an object"), (".merge", ({}, [["a", 1]]), "not an object"), (".merge", ("a", {}), "not an object"),
        (".merge", ({}, Some({})), "not an object"),
        (".indexOf", ([1], 1, 0), "searched as a whole"), (".lastIndexOf", ([1], 1, 0), "searched as a whole"), (".first", ("ab",), "not a list"), (".last", (None,), "not a list"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_does_not_fit_functions_of_lists_is_an_error(name: str, operands: tuple[Any, ...], says: str) -> None:
    assert says in refused(name, *operands)


def test_a_nan_is_never_the_same_as_another() -> None:
    assert len(call(".distinct", [math.nan, math.nan, [math.nan], [math.nan]])) == 4
    one = math.nan
    assert len(call(".distinct", [one, one, Some(one), Some(one)])) == 4


def test_of_a_nan_and_a_number_the_first_stays() -> None:
    assert math.isnan(call(".max", [math.nan, 1]))
    assert call(".max", [1, math.nan]) == 1


_scalars = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 1.5, -2.0, "", "a", "1", b"1", b""])
)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
)


@given(st.lists(_values, max_size=12))
def test_of_equal_items_the_first_stays_and_no_other_is_left_out(items: list[Any]) -> None:
    expected: list[Any] = []
    for item in items:
        if not call("contained", item, expected):
            expected.append(item)
    found = call(".distinct", items)
    assert len(found) == len(expected)
    assert all(left is right for left, right in zip(found, expected, strict=True))


def test_distinct_of_many_different_items_fits_the_fuel() -> None:
    assert len(call(".distinct", [{"id": n, "name": f"n{n}"} for n in range(20_000)])) == 20_000
    assert len(call(".distinct", [n * (2**61 - 1) for n in range(50_000)])) == 50_000


def test_places_in_order_are_those_of_the_keys() -> None:
    assert lists.ordered(Fuel(), [3, 1.5, 2, 1.5]) == [1, 3, 2, 0]
    assert lists.ordered(Fuel(), []) == []
    with pytest.raises(EvaluationError, match="no order"):
        lists.ordered(Fuel(), [1, None])


def test_what_is_made_is_not_what_was_given() -> None:
    items = [2, 1, [3]]
    for name in (".reverse", ".distinct", ".flatten"):
        assert call(name, items) is not items
    assert items == [2, 1, [3]]
    left, right = {"a": [1]}, {"b": [2]}
    both = call(".merge", left, right)
    assert both is not call(".merge", left, {})
    assert both["a"] is left["a"]
    assert call(".merge", left, {}) is not left
    assert (left, right) == ({"a": [1]}, {"b": [2]})
    numbers = [2, 1]
    assert call(".sort", numbers) == [1, 2]
    assert numbers == [2, 1]


def test_to_sort_costs_more_than_to_go_through() -> None:
    many = list(range(100_000))
    assert cost(".sort", many) > 3 * cost(".min", many)
    assert cost(".sort", many) < 1_000_000
    assert cost(".sort", ["x" * 1000] * 1000) > 5 * cost(".sort", ["x"] * 1000)


def test_a_number_of_a_range_costs_one_and_an_entry_of_merged_objects_four() -> None:
    assert cost("lists.range", 1000) == 1000
    assert cost(".merge", {"a": 1, "b": 2}, {"a": 3}) == 12
    keys = {"x" * 6400: 1}
    assert cost(".merge", {"a": 1}, keys) == cost(".merge", {"a": 1}, {"b": 1}) + 100
