from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel.errors import EvaluationError, InvalidExpression, OutOfFuel
from engine.cel.fuel import FUEL, MAX_TEXT, Fuel
from tests.unit.cel.calls import cost


def test_fuel_is_spent_to_the_last_unit_and_no_further() -> None:
    fuel = Fuel(10)
    fuel.spend(10)
    with pytest.raises(OutOfFuel, match=r"too much work at once \(more than 2,000,000 units\)$"):
        fuel.spend(1)
    with pytest.raises(OutOfFuel):
        fuel.spend(0)


def test_a_text_costs_more_to_make_than_to_walk() -> None:
    walked, made = Fuel(), Fuel()
    walked.walk("x" * 1600, b"x" * 1600)
    made.make(3200)
    assert (FUEL - walked.left, FUEL - made.left) == (51, 201)


def test_a_text_that_is_too_long_is_an_error_but_not_the_end_of_the_fuel() -> None:
    Fuel().make(MAX_TEXT)
    with pytest.raises(EvaluationError, match="longer than 2097152 characters") as fault:
        Fuel().make(MAX_TEXT + 1)
    assert type(fault.value) is EvaluationError


def test_what_is_slow_to_find_costs_more() -> None:
    slow = "x" * 50 + "b"
    assert cost(".contains", "x" * 20_000, slow) > 5 * cost(".contains", "x" * 20_000, "b")
    assert cost(".contains", "x" * 2_000, slow * 10) > 5 * cost(".contains", "x" * 2_000, "b")
    assert cost(".contains", "x" * 40_000, slow) < 2 * cost(".contains", "x" * 40_000, "b")


SOURCE = "input.a +\n  input.b\t* 2\n"


@pytest.mark.parametrize(
    ("position", "line", "column", "excerpt"),
    [
        (0, 1, 1, "input.a +\n^"), (8, 1, 9, "input.a +\n        ^"), (12, 2, 3, "  input.b * 2\n  ^"), (20, 2, 11, "  input.b * 2\n          ^"),
        (23, 2, 14, "  input.b * 2\n             ^"), (24, 3, 1, "\n^"), (99, 3, 76, "\n^"),
    ],
)  # fmt: skip
def test_an_error_has_a_line_a_column_and_an_excerpt(position: int, line: int, column: int, excerpt: str) -> None:
    for fault in (InvalidExpression("m", "", position, "", SOURCE), EvaluationError("m", "", position, SOURCE)):
        assert (fault.line, fault.column, fault.excerpt) == (line, column, excerpt)


def test_an_error_without_a_source_has_no_excerpt() -> None:
    fault = EvaluationError("m")
    assert (fault.message, fault.path, fault.position, fault.expression, fault.pointer) == ("m", "", 0, "", "")
    assert (fault.line, fault.column, fault.excerpt) == (1, 1, "")


@given(st.text(max_size=300), st.integers(0, 300))
def test_an_excerpt_is_two_short_lines_and_the_caret_is_within_reach(source: str, position: int) -> None:
    fault = InvalidExpression("m", "/p", min(position, len(source)), "a", source)
    assert (fault.pointer, fault.advice, fault.source) == ("/p", "a", source)
    if source:
        shown, caret = fault.excerpt.split("\n")
        assert len(shown) <= 100
        assert caret.strip() == "^"
        assert len(caret) <= 101
        place = fault.position - source.rfind("\n", 0, fault.position) - 1
        line = source.split("\n")[fault.line - 1]
        if place < len(line) and line[place].isprintable() and not line[place].isspace():
            assert shown[len(caret) - 1] == line[place]
