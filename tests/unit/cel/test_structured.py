"""Structured conditions are another way of writing CEL: what each stands for, and that it means the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel import EvaluationError, InvalidExpression, compile_condition, compile_expression
from engine.cel.structured import OPERATORS
from tests.unit.cel.given import Given

STAMP = "2026-03-01T10:00:00Z"
HOSTILE = "\"'\\ \n\t\x00\x7f${x} ü 🦊"
DATA: list[Any] = [
    None, True, False, 0, 1, 5, -5, 2**63 - 1, 10**30, 1.0, 5.0, -0.0, 0.1, 1e300, "", "5", "a", "hello", HOSTILE, "x" * 500,
    STAMP, "2026-03-01T12:00:00+02:00", "2026-02-30T00:00:00Z", [], [1, 5], ["a", None], [[]], {}, {"a": 1}, {"x": {"y": 5}},
    {"x": None}, [{"x": 1}],
]  # fmt: skip


def leaf(operator: str, *value: Any, field: str = "input.v") -> dict[str, Any]:
    found = {"field": field, "operator": operator}
    return {**found, "value": value[0]} if value else found


LEAVES: list[tuple[dict[str, Any], str]] = [
    (leaf("eq", 5), "input.v == 5"),
    (leaf("eq", None), "input.v == null"),
    (leaf("eq", True), "input.v == true"),
    (leaf("eq", [1, 5]), "input.v == [1, 5]"),
    (leaf("eq", {"a": 1.0}), 'input.v == {"a": 1.0}'),
    (leaf("eq", HOSTILE.replace("$", "$$")), r'''input.v == "\"'\\ \n\t\u0000\u007f${x} ü 🦊"'''),
    (leaf("eq", "${input.w}"), "input.v == input.w"),
    (leaf("eq", "a${input.w}!"), 'input.v == "a" + string(input.w) + "!"'),
    (leaf("eq", {"a": ["${input.w}", 1]}), 'input.v == {"a": [input.w, 1]}'),
    (leaf("eq", "${input.w == 1}"), "input.v == (input.w == 1)"),
    (leaf("ne", "a"), 'input.v != "a"'),
    (leaf("ne", -1), "input.v != -1"),
    (leaf("gt", 4.5), "input.v > 4.5"),
    (leaf("gte", 5), "input.v >= 5"),
    (leaf("lt", "hello"), 'input.v < "hello"'),
    (leaf("lte", "${input.w + 1}"), "input.v <= input.w + 1"),
    (leaf("lt", "${input.w ? 1 : 2}"), "input.v < (input.w ? 1 : 2)"),
    (leaf("in", [1, 5.0]), "input.v in [1, 5.0]"),
    (leaf("in", ["a", "hello"]), 'input.v in ["a", "hello"]'),
    (leaf("in", [None, [], "a", 1]), 'input.v in [null, [], "a", 1]'),
    (leaf("in", []), "input.v in []"),
    (leaf("in", "${input.w}"), "input.v in input.w"),
    (leaf("not_in", ["a", 5]), '!(input.v in ["a", 5])'),
    (leaf("not_in", "${input.w}"), "!(input.v in input.w)"),
    (leaf("contains", "a"), 'input.v.contains("a")'),
    (leaf("contains", 1.0), "input.v.contains(1.0)"),
    (leaf("contains", "${input.w}"), "input.v.contains(input.w)"),
    (leaf("starts_with", "he"), 'input.v.startsWith("he")'),
    (leaf("ends_with", ""), 'input.v.endsWith("")'),
    (leaf("starts_with", "${input.w}"), "input.v.startsWith(input.w)"),
    (leaf("matches", r"^\d+$|l{2}"), r'input.v.matches("^\\d+$|l{2}")'),
    (leaf("between", [1, 5]), "input.v >= 1 && input.v <= 5"),
    (leaf("between", ["a", "b"]), 'input.v >= "a" && input.v <= "b"'),
    (leaf("between", "${input.w}"), "input.v >= input.w[0] && input.v <= input.w[1]"),
    (leaf("between", ["${input.w}", 9]), "input.v >= [input.w, 9][0] && input.v <= [input.w, 9][1]"),
    (leaf("before", STAMP), f'timestamp(input.v) < timestamp("{STAMP}")'),
    (leaf("after", STAMP), f'timestamp(input.v) > timestamp("{STAMP}")'),
    (leaf("after", "${input.w}"), "timestamp(input.v) > timestamp(input.w)"),
    (leaf("before", "${now}"), "timestamp(input.v) < timestamp(now)"),
    (leaf("exists"), "input.?v.hasValue()"),
    (leaf("exists", True, field='input.v.x["y"][0]'), "input.?v.?x.?y[?0].hasValue()"),
    (leaf("exists", False), "!input.?v.hasValue()"),
    (leaf("exists", field="steps.s.output.x"), "steps.s.?output.?x.hasValue()"),
    (leaf("exists", field="steps.s.output"), "steps.s.?output.hasValue()"),
    (leaf("exists", field='input["odd name"]'), 'input[?"odd name"].hasValue()'),
    (leaf("exists", field="input"), "true"),
    (leaf("empty"), 'coalesce(input.?v, "") in ["", [], {}]'),
    (leaf("empty", True, field="input.v.x"), 'coalesce(input.?v.?x, "") in ["", [], {}]'),
    (leaf("empty", False), '!(coalesce(input.?v, "") in ["", [], {}])'),
]  # fmt: skip

A, B, C = leaf("eq", 5), leaf("gt", 1), leaf("eq", 1, field="input.w")
AS, BS, CS = "input.v == 5", "input.v > 1", "input.w == 1"
GROUPS: list[tuple[Any, str]] = [
    (True, "true"),
    (False, "false"),
    ("input.v", "input.v"),
    (" ${ input.v } ", "input.v"),
    ("input.v==1||true", "input.v == 1 || true"),
    ({"all": []}, "true"),
    ({"any": []}, "false"),
    ({"all": [A]}, AS),
    ({"all": [A, B, C]}, f"{AS} && {BS} && {CS}"),
    ({"any": [A, B, C]}, f"{AS} || {BS} || {CS}"),
    ({"any": [A, {"all": [B, C]}]}, f"{AS} || {BS} && {CS}"),
    ({"all": [A, {"any": [B, C]}]}, f"{AS} && ({BS} || {CS})"),
    ({"all": [A, "input.w || true"]}, f"{AS} && (input.w || true)"),
    ({"any": ["input.w ? true : false", A]}, f"(input.w ? true : false) || {AS}"),
    ({"not": A}, f"!({AS})"),
    ({"not": ["input.w"]}, "!input.w"),
    ({"not": {"not": "input.w"}}, "!!input.w"),
    ({"not": {"any": [A, {"not": leaf("exists")}]}}, f"!({AS} || !input.?v.hasValue())"),
    ({"all": [leaf("between", [1, 5]), C]}, f"(input.v >= 1 && input.v <= 5) && {CS}"),
    ({"any": [leaf("between", [1, 5]), C]}, f"input.v >= 1 && input.v <= 5 || {CS}"),
]  # fmt: skip


def scopes(value: Any) -> list[Given]:
    """Return scopes in which input.v is a value, or missing, and input.w is one of several."""
    steps = {"s": {"output": value}}
    now = datetime(2026, 3, 1, 10, 0, 1, tzinfo=UTC)
    found = [{"v": value}, {"w": value}, *({"v": value, "w": w} for w in (1, "a", True, [1, 5], STAMP, None))]
    return [Given(input=root, steps=steps, now=now) for root in found]


def outcome(program: Any, scope: Given) -> Any:
    """Return what a condition gives, or what is said of why it gives nothing."""
    try:
        found = program.evaluate(scope)
    except EvaluationError as fault:
        return fault.message
    return found if isinstance(found, bool) else "not true or false"


def same(structured: Any, value: Any) -> None:
    condition = compile_condition(structured)
    bare = compile_condition(condition.text)
    for one, other in zip(scopes(value), scopes(value), strict=True):
        found = outcome(condition, one)
        assert found == outcome(bare, other), f"{condition.text} where v is {value!r}"
        assert type(found) in (bool, str)


@pytest.mark.parametrize(("source", "text"), LEAVES + GROUPS)
def test_a_structured_condition_stands_for_an_expression(source: Any, text: str) -> None:
    assert compile_condition(source).text == text
    assert compile_expression(text).text == text


@pytest.mark.parametrize("source", [source for source, _ in LEAVES + GROUPS])
def test_the_expression_gives_the_same_answers_and_the_same_errors(source: Any) -> None:
    for value in DATA:
        same(source, value)


def test_no_operator_is_left_out() -> None:
    assert {source["operator"] for source, _ in LEAVES} == set(OPERATORS)


def test_a_missing_value_makes_every_operator_an_error_but_those_that_ask_for_it() -> None:
    for source, _ in LEAVES:
        if source["field"] == "input.v" and source["operator"] not in ("exists", "empty"):
            found = outcome(compile_condition(source), Given(input={"w": 1}, now=datetime(2026, 3, 1, tzinfo=UTC)))
            assert isinstance(found, str), source
            assert "input.v is missing" in found


@pytest.mark.parametrize(
    ("data", "empty"),
    [
        ({}, True), ({"v": None}, True), ({"v": ""}, True), ({"v": []}, True), ({"v": {}}, True), ({"v": 0}, False),
        ({"v": False}, False), ({"v": " "}, False), ({"v": [None]}, False), ({"v": {"a": None}}, False),
    ],
)  # fmt: skip
def test_empty_is_what_is_missing_null_or_without_content(data: Any, empty: bool) -> None:
    assert compile_condition(leaf("empty")).evaluate(Given(input=data)) is empty
    assert compile_condition(leaf("empty", False)).evaluate(Given(input=data)) is not empty


_scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text("ab\"\\\n'", max_size=3)
_values = st.recursive(
    _scalars,
    lambda one: st.lists(one, max_size=2) | st.dictionaries(st.sampled_from(["a", "b c", '"']), one, max_size=2),
    max_leaves=4,
)
_fields = st.sampled_from(["input.v", "input.w", "input.v.a", 'input.v["b c"]', "input.v[0].a"])
_leaves = st.builds(lambda field, op, value: leaf(op, value, field=field), _fields, st.sampled_from(OPERATORS), _values)
_trees = st.recursive(
    _leaves | st.booleans() | st.sampled_from(["input.v", "input.w == 1", "input.v ? true : input.w"]),
    lambda one: (
        st.builds(lambda word, several: {word: several}, st.sampled_from(["all", "any"]), st.lists(one, max_size=3))
        | st.builds(lambda inner: {"not": inner}, one)
    ),
    max_leaves=6,
)


@given(_trees, _values)
def test_any_tree_means_what_its_expression_means(source: Any, value: Any) -> None:
    try:
        compile_condition(source)
    except InvalidExpression:
        return
    same(source, value)
