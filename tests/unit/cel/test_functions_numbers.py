from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel.errors import EvaluationError
from engine.cel.values import NONE, Some
from tests.unit.cel.calls import call, refused
from tests.unit.cel.given import alike

NAN, INF = math.nan, math.inf
MOST, LEAST = 2**63 - 1, -(2**63)
HUGE = 10**300


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("math.round", 2.5, 3), ("math.round", -2.5, -3), ("math.round", 0.5, 1), ("math.round", -0.5, -1), ("math.round", -0.2, 0), ("math.round", 4050.0, 4050), ("math.round", -0.0, 0),
        ("math.round", 0.49999999999999994, 0), ("math.round", 4503599627370495.5, 4503599627370496), ("math.round", 4503599627370497.0, 4503599627370497), ("math.round", -4503599627370495.5, -4503599627370496),
        ("math.round", 1e300, 1e300), ("math.round", 7, 7), ("math.round", HUGE, HUGE), ("math.round", NAN, NAN), ("math.round", -INF, -INF),
        ("math.ceil", 1.2, 2), ("math.ceil", -1.2, -1), ("math.ceil", -0.5, 0), ("math.ceil", 2.0, 2), ("math.ceil", -3, -3), ("math.ceil", INF, INF),
        ("math.floor", 1.8, 1), ("math.floor", -1.2, -2), ("math.floor", 0.5, 0), ("math.floor", -0.0, 0), ("math.floor", 3, 3), ("math.floor", NAN, NAN),
        ("math.trunc", 1.8, 1), ("math.trunc", -1.8, -1), ("math.trunc", -0.5, 0), ("math.trunc", 5, 5), ("math.trunc", 1e300, 1e300), ("math.trunc", NAN, NAN),
        ("math.abs", -3, 3), ("math.abs", -3.5, 3.5), ("math.abs", -0.0, 0.0), ("math.abs", -INF, INF), ("math.abs", -MOST, MOST),
        ("math.sign", -3, -1), ("math.sign", 0, 0), ("math.sign", HUGE, 1), ("math.sign", -3.5, -1.0), ("math.sign", -0.0, 0.0), ("math.sign", INF, 1.0), ("math.sign", NAN, NAN),
        ("math.isNaN", NAN, True), ("math.isNaN", 1.0, False), ("math.isNaN", 1, False), ("math.isInf", -INF, True), ("math.isInf", NAN, False), ("math.isInf", 10**400, False),
        ("math.isFinite", 1.5, True), ("math.isFinite", INF, False), ("math.isFinite", NAN, False), ("math.isFinite", 10**400, True),
        ("int", 12, 12), ("int", HUGE, HUGE), ("int", 1.9, 1), ("int", -1.9, -1), ("int", -0.0, 0), ("int", 2.0**62, 2**62), ("int", "12", 12), ("int", " \t12\n", 12), ("int", "+12", 12),
        ("int", "-12", -12), ("int", "012", 12), ("int", "-0", 0), ("int", "0" * 1000 + "7", 7), ("int", str(LEAST), LEAST), ("int", str(MOST), MOST),
        ("int", datetime(2026, 1, 1, microsecond=900_000, tzinfo=UTC), 1767225600), ("int", datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC), -1),
        ("double", 1, 1.0), ("double", 2**53 + 1, 9007199254740992.0), ("double", HUGE, 1e300), ("double", 1.5, 1.5), ("double", "1.5", 1.5), ("double", " 1.5\n", 1.5), ("double", "1e3", 1000.0),
        ("double", "+1", 1.0), ("double", "1.", 1.0), ("double", ".5", 0.5), ("double", "-.5E-3", -0.0005), ("double", "NaN", NAN), ("double", "-inf", -INF), ("double", "Infinity", INF),
        ("double", "INF", INF), ("double", "1e400", INF), ("double", "-1e400", -INF), ("double", "1e-400", 0.0), ("double", "0x10", 16.0), ("double", "-0x1.8P1", -3.0), ("double", "0x1p9999", INF),
        ("double", "-0x1p9999", -INF), ("double", "1" * 400, INF),
    ],
    ids=repr,
)  # fmt: skip
def test_functions_of_numbers(name: str, value: Any, result: Any) -> None:
    assert alike(call(name, value), result)


@pytest.mark.parametrize(
    ("name", "values", "result"),
    [
        ("math.greatest", (1, 3.5, 2), 3.5), ("math.greatest", (1,), 1), ("math.greatest", ([1, 2.5],), 2.5), ("math.greatest", (1, 1.0), 1), ("math.greatest", (1.0, 1), 1.0),
        ("math.greatest", (1, NAN), 1), ("math.greatest", (NAN, 1), NAN), ("math.greatest", (-HUGE, 0.5, HUGE), HUGE),
        ("math.least", (1, 3.5, 2), 1), ("math.least", ([4, 2, 3],), 2), ("math.least", (1.0, 1), 1.0), ("math.least", (1, -INF), -INF), ("math.least", ([5.5],), 5.5),
    ],
    ids=repr,
)  # fmt: skip
def test_the_greatest_and_the_least_of_numbers(name: str, values: tuple[Any, ...], result: Any) -> None:
    assert alike(call(name, *values), result)


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("math.greatest", ([],), "an empty list has no greatest item"), ("math.least", ([],), "an empty list has no smallest item"), ("math.greatest", (1, "a"), "'a' is not a number"),
        ("math.greatest", (["a"],), "not a number"), ("math.greatest", ("a",), "not a number"), ("math.least", ([1], 2), "a list is not a number"), ("math.least", (True, 1), "not a number"),
        ("math.abs", (LEAST,), "integer overflow"), ("math.abs", (-HUGE,), "integer overflow"),
        ("int", ("",), "not a whole number"), ("int", ("1.0",), "not a whole number"), ("int", ("0x1f",), "not a whole number"), ("int", ("1_0",), "not a whole number"),
        ("int", ("1e3",), "not a whole number"), ("int", ("--1",), "not a whole number"), ("int", ("+ 1",), "not a whole number"), ("int", ("\u0661",), "not a whole number"),
        ("int", ("\xa01",), "not a whole number"), ("int", (str(MOST + 1),), "does not fit 64 bits"), ("int", (str(LEAST - 1),), "does not fit 64 bits"), ("int", ("9" * 10_000,), "does not fit 64 bits"),
        ("int", (1e19,), "does not fit 64 bits"), ("int", (2.0**63,), "does not fit 64 bits"), ("int", (-(2.0**63),), "does not fit 64 bits"), ("int", (NAN,), "does not fit 64 bits"), ("int", (INF,), "does not fit 64 bits"),
        ("int", (True,), "cannot be made a whole number"), ("int", (None,), "cannot be made"), ("int", (timedelta(1),), "cannot be made"), ("int", ([],), "cannot be made"), ("int", (b"1",), "cannot be made"),
        ("double", ("",), "not a number"), ("double", ("1_0",), "not a number"), ("double", ("0x",), "not a number"), ("double", ("1e",), "not a number"), ("double", (".",), "not a number"),
        ("double", ("+",), "not a number"), ("double", ("\xa01",), "not a number"), ("double", ("\u0661",), "not a number"), ("double", ("abc",), "not a number"), ("double", ("1 2",), "not a number"),
        ("double", (10**400,), "too large"), ("double", (True,), "cannot be made a number"), ("double", (None,), "cannot be made a number"), ("double", (Some(1),), "cannot be made a number"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_does_not_fit_functions_of_numbers_is_an_error(name: str, values: tuple[Any, ...], says: str) -> None:
    assert says in refused(name, *values)


@pytest.mark.parametrize(
    "name", ["round", "ceil", "floor", "trunc", "abs", "sign", "isNaN", "isInf", "isFinite", "greatest", "least"]
)
def test_functions_of_numbers_take_numbers_only(name: str) -> None:
    others: tuple[Any, ...] = (
        "1",
        True,
        None,
        b"1",
        {},
        [None],
        datetime(2026, 1, 1, tzinfo=UTC),
        timedelta(1),
        Some(1),
        NONE,
    )
    for value in others:
        assert "not a number" in refused(f"math.{name}", value)


@pytest.mark.parametrize("name", ["round", "ceil", "floor", "trunc"])
def test_what_fits_64_bits_is_rounded_to_a_whole_number_and_what_does_not_stays(name: str) -> None:
    edge = 2.0**63
    below = math.nextafter(edge, 0)
    assert alike(call(f"math.{name}", -edge), LEAST)
    assert alike(call(f"math.{name}", below), int(below))
    for value in (edge, math.nextafter(-edge, -INF), 1e300, INF, -INF, NAN):
        assert alike(call(f"math.{name}", value), value)


@given(st.floats(-1e15, 1e15))
def test_a_rounded_number_is_whole_and_at_most_a_half_away(value: float) -> None:
    found = call("math.round", value)
    assert type(found) is int
    assert abs(found - value) <= 0.5
    assert call("math.floor", value) <= value <= call("math.ceil", value)
    assert abs(call("math.trunc", value)) <= abs(value)


@given(st.floats(allow_nan=False) | st.integers(LEAST, MOST))
def test_a_number_reads_back_from_its_text(value: float) -> None:
    name = "int" if type(value) is int else "double"
    assert call(name, call("string", value)) == value


@pytest.mark.parametrize("text", ["0", "1", " ", ".", "1.", "e", "f", "0x0", "0x.f"])
@pytest.mark.parametrize("end", ["", "x", "-"])
def test_long_texts_are_read_or_refused_in_linear_time(text: str, end: str) -> None:
    for name in ("int", "double"):
        hostile = text * (200_000 // len(text)) + end
        with suppress(EvaluationError):
            call(name, hostile)
