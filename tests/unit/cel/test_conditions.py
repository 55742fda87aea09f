"""Conditions."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel import EvaluationError, InvalidExpression, compile_condition
from engine.cel.structured import OPERATORS
from tests.unit.cel.given import Given
from tests.unit.core.lives import json_values

VALUES = {
    "n": 5, "f": 5.0, "s": "hello", "t": True, "none": None, "list": [1, "a", {"k": 1.0}], "empty": [], "o": {"k": 1},
    "when": "2026-03-01T12:00:00+02:00", "big": 10**20,
}  # fmt: skip


def scope() -> Given:
    return Given(
        input=VALUES, now=datetime(2026, 3, 1, 10, tzinfo=UTC), steps={"a": {"status": "COMPLETED", "output": {"x": 1}}}
    )


LEAF = {"field": "input.n", "operator": "eq", "value": 5}


def leaf(name: Any, operator: Any, *value: Any) -> Any:
    found = {"field": f"input.{name}", "operator": operator}
    return {**found, "value": value[0]} if value else found


@pytest.mark.parametrize(
    ("name", "operator", "value", "expected"),
    [
        ("n", "eq", 5.0, True), ("f", "eq", 5, True), ("n", "eq", "5", False), ("t", "eq", 1, False),
        ("t", "eq", True, True), ("none", "eq", None, True), ("none", "eq", False, False), ("n", "ne", 6, True),
        ("list", "eq", [1.0, "a", {"k": 1}], True), ("o", "eq", {"k": True}, False),
        ("o", "ne", {"k": 1, "l": 2}, True),
        ("n", "gt", 4.9, True), ("n", "gt", 5, False), ("n", "gte", 5, True), ("n", "lt", 5.1, True),
        ("n", "lte", 4, False), ("s", "gt", "hallo", True), ("s", "lte", "hello", True), ("big", "gt", 1e19, True),
        ("n", "in", [1, 5.0], True), ("t", "in", [1], False), ("s", "not_in", ["x"], True), ("n", "not_in", [5], False),
        ("list", "contains", {"k": 1}, True), ("list", "contains", True, False), ("s", "contains", "ell", True),
        ("o", "contains", "k", True), ("o", "contains", 1, False), ("n", "in", [], False), ("n", "not_in", [], True),
        ("n", "in", "${input.list}", False), ("s", "in", "${['hello', 1]}", True), ("o", "in", [{"k": 1.0}], True),
        ("n", "eq", "${input.f + 0.0}", True), ("s", "eq", "${'hel' + 'lo'}", True), ("s", "eq", "${input.s}!", False),
        ("n", "lt", "${input.list[0] + 9}", True), ("list", "eq", ["${input.list[0]}", "a", {"k": 1}], True),
        ("n", "between", ["${input.f - 1.0}", 6], True), ("n", "between", "${[0, 9]}", True),
        ("s", "starts_with", "${input.s}", True), ("when", "before", "${now + duration('1s')}", True),
        ("when", "after", "${now}", False), ("s", "starts_with", "he", True), ("s", "ends_with", "lo", True),
        ("s", "ends_with", "he", False), ("n", "between", [5, 6], True), ("n", "between", [1, 4.5], False),
        ("s", "between", ["h", "i"], True), ("when", "before", "2026-03-01T10:00:01Z", True),
        ("when", "after", "2026-03-01T10:00:00Z", False), ("when", "after", "2026-03-01t09:59:59.123456789z", True),
        ("n", "eq", "${input.f}", True), ("n", "in", ["${input.f}"], True),
    ],
)  # fmt: skip
def test_operators_with_a_value(name: Any, operator: Any, value: Any, expected: Any) -> None:
    assert compile_condition(leaf(name, operator, value)).evaluate(scope()) is expected


@pytest.mark.parametrize(
    ("name", "operator", "expected"),
    [("n", "exists", True), ("none", "exists", True), ("x", "exists", False), ("s.x", "exists", False),
     ("x.y.z", "exists", False), ("none", "empty", True), ("empty", "empty", True), ("n", "empty", False),
     ("list", "empty", False), ("o", "empty", False), ("x", "empty", True), ("x.y.z", "empty", True),
     ("none.x", "empty", True), ("s.x", "empty", True), ('list[2]["k"]', "empty", False), ("list[3]", "empty", True)],
)  # fmt: skip
def test_operators_without_a_value(name: Any, operator: Any, expected: Any) -> None:
    assert compile_condition(leaf(name, operator)).evaluate(scope()) is expected
    assert compile_condition(leaf(name, operator, False)).evaluate(scope()) is not expected


@pytest.mark.parametrize(
    ("name", "operator", "value"),
    [("x", "eq", 1), ("x", "ne", 1), ("x", "in", [1]), ("x", "not_in", [1]), ("x", "contains", 1), ("n", "gt", "4"),
     ("s", "lt", 3), ("t", "gt", 0), ("none", "lte", 1), ("n", "contains", 1),
     ("n", "starts_with", "5"), ("s", "between", [1, 2]), ("s", "before", "2026-03-01T10:00:00Z"),
     ("t", "after", "2026-03-01T10:00:00Z"), ("n", "in", "${input.n}"), ("n", "between", "${input.empty}")],
)  # fmt: skip
def test_what_cannot_be_compared_is_an_error_that_names_the_field(name: Any, operator: Any, value: Any) -> None:
    with pytest.raises(EvaluationError) as fault:
        compile_condition(leaf(name, operator, value), "/c").evaluate(scope())
    assert fault.value.pointer in ("/c", "/c/field")
    assert f"input.{name}" in fault.value.expression


TRUE, FALSE, ERROR = leaf("n", "eq", 5), leaf("n", "eq", 6), leaf("x", "eq", 1)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"all": []}, True), ({"any": []}, False), ({"all": [TRUE, TRUE]}, True), ({"all": [TRUE, FALSE]}, False),
        ({"any": [FALSE, TRUE]}, True), ({"any": [FALSE, FALSE]}, False), ({"not": FALSE}, True),
        ({"not": [TRUE]}, False),
        ({"all": [ERROR, FALSE]}, False), ({"any": [ERROR, TRUE]}, True), ({"any": [TRUE, ERROR]}, True),
        ({"not": {"any": [{"all": [TRUE, FALSE]}, FALSE]}}, True), (True, True), (False, False), ("input.t", True),
        ("${input.t}", True), ({"all": ["input.t", True]}, True), (" ${ input.n > 4 } ", True),
        ("input.n == 5 && input.s.startsWith('he')", True), ({"not": "input.n > input.f"}, True),
        ({"any": ["input.list.exists(x, x == 'a')", ERROR]}, True), ({"all": ["1 / 0 == 1", FALSE]}, False),
        ({"any": ["input.nix", {"not": ERROR}, TRUE]}, True),
        ("steps.a.status == 'COMPLETED' && steps.a.output.x == 1", True), ("now > timestamp('2026-01-01T00:00:00Z')", True),
        ({"all": [{"any": []}]}, False), ({"not": {"all": []}}, False),
    ],
)  # fmt: skip
def test_groups(source: Any, expected: Any) -> None:
    assert compile_condition(source).evaluate(scope()) is expected


@pytest.mark.parametrize(
    "source",
    [
        {"all": [TRUE, ERROR]},
        {"any": [FALSE, ERROR]},
        {"not": ERROR},
        "input.n",
        "input.x",
        {"all": ["input.n"]},
        {"all": ["input.none", TRUE]},
        {"any": ["input.s", FALSE]},
        {"not": "input.n"},
        "${input.s}",
    ],
)
def test_an_error_that_matters_is_an_error(source: Any) -> None:
    with pytest.raises(EvaluationError):
        compile_condition(source).evaluate(scope())


@pytest.mark.parametrize(
    ("source", "pointer"),
    [
        (None, ""), (7, ""), ([], ""), ({}, ""), ("", ""), ("input.a = 1", ""), ("input.n + 1", ""), ("'true'", ""), ("${input.t} ${input.t}", ""),
        ("${input.t} or so", ""), ({"all": ["input.t", "1"]}, "/all/1"), ({"not": "null"}, "/not"),
        (leaf("n", "lt", None), ""), (leaf("n", "gt", [1]), ""), ("input.?t", ""), (leaf("list", "gt", []), ""), (leaf("n", "between", 5), "/value"),
        (leaf("n", "between", {"a": 1}), "/value"), (leaf("n", "between", "ab"), "/value"), (leaf("n", "eq", "${'a' + 1}"), "/value"), ({"all": TRUE}, "/all"),
        ({"all": [TRUE], "any": []}, "/any"), ({"not": [TRUE, TRUE]}, "/not"), ({"not": []}, "/not"),
        ({"all": [TRUE, {"any": [7]}]}, "/all/1/any/0"), (leaf("n", "equals", 5), "/operator"), (leaf("n", "eq"), ""),
        (leaf("n", "in", 5), "/value"), (leaf("n", "between", [1]), "/value"), (leaf("n", "before", "now"), "/value"),
        (leaf("n", "before", "2026-02-30T00:00:00Z"), "/value"), (leaf("n", "exists", "yes"), "/value"),
        (leaf("n", "starts_with", 5), "/value"), ({**LEAF, "vlaue": 1}, "/vlaue"), ({**LEAF, "field": 7}, "/field"),
        ({**LEAF, "field": "outer.x"}, "/field"), ({**LEAF, "field": "input.n + 1"}, "/field"),
        ({**LEAF, "field": "size(input.n)"}, "/field"), ({**LEAF, "field": "input[input.n]"}, "/field"), ({**LEAF, "value": "${input."}, "/value"),
        ({"all": [LEAF] * 201}, "/all/200"), (leaf("n", "matches", 7), "/value"),
    ],
)  # fmt: skip
def test_a_faulty_condition_names_its_place(source: Any, pointer: Any) -> None:
    with pytest.raises(InvalidExpression) as fault:
        compile_condition(source, "/c")
    assert fault.value.pointer == "/c" + pointer


def test_a_condition_tells_what_it_reads() -> None:
    condition = compile_condition({"all": [LEAF, leaf("x", "eq", 1), leaf("s", "eq", "${input.f}"), "input.o.k > 1"]})
    assert condition.inputs(scope()) == {"input.n": 5, "input.s": "hello", "input.f": 5.0, "input.o.k": 1}
    assert {r.text for r in condition.references} == {"input.n", "input.x", "input.s", "input.f", "input.o.k"}


def test_a_fault_of_an_expression_has_its_place_in_the_text() -> None:
    for source, pointer in (("input.n +", "/c"), ({"all": [True, "input.n +"]}, "/c/all/1"), ("input.n + 1", "/c")):
        with pytest.raises(InvalidExpression) as fault:
            compile_condition(source, "/c")
        assert (fault.value.pointer, fault.value.line) == (pointer, 1)
        assert fault.value.excerpt.startswith("input.n +")


def test_matches_looks_for_a_pattern_in_linear_time() -> None:
    assert compile_condition(leaf("s", "matches", "^h.l+o$")).evaluate(scope())
    assert not compile_condition(leaf("s", "matches", "x")).evaluate(scope())
    hostile = compile_condition({"field": "input.long", "operator": "matches", "value": "(a+)+$"})
    assert not hostile.evaluate(Given(input={"long": "a" * 100_000 + "!"}))
    with pytest.raises(EvaluationError):
        compile_condition(leaf("n", "matches", "x")).evaluate(scope())


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "((a{1000}){1000}){1000}", "x" * 1001])
def test_patterns_that_are_not_linear_are_refused(pattern: Any) -> None:
    with pytest.raises(InvalidExpression):
        compile_condition(leaf("s", "matches", pattern))


_words = st.sampled_from(["all", "any", "not", "field", "operator", "value"])
_hostile = st.recursive(
    json_values | st.sampled_from(["input.n", "eq", "exists", "between"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
)


_leaves = st.fixed_dictionaries(
    {"field": st.sampled_from([f"input.{name}" for name in VALUES] + ["input", "now", "input.x.y", "steps.a.output"]),
     "operator": st.sampled_from(OPERATORS)},
    optional={"value": json_values | st.lists(st.integers() | st.floats() | st.text(), max_size=2)},
)  # fmt: skip


@given(_hostile | _leaves | st.fixed_dictionaries({"any": st.lists(_leaves, max_size=3)}))
def test_any_value_is_compiled_or_refused(source: Any) -> None:
    try:
        condition = compile_condition(source)
    except InvalidExpression:
        return
    with suppress(EvaluationError):
        assert condition.evaluate(scope()) in (True, False)
