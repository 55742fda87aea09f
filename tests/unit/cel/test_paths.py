"""Paths: what they lead to, what is said where they lead nowhere, and what is known of them beforehand."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel import ROOTS, EvaluationError, InvalidExpression, compile_expression
from tests.unit.cel.given import Given

INPUT = {"a": {"b": [10, {"c d": True}]}, "n": None, "0": "zero", 'q"': 5, "$x-y": 6, "true": 7, "ü": 8}
STEPS = {"a-b": {"output": {"x": 1}, "status": "COMPLETED"}, "late": {"status": "PENDING"}}


def scope() -> Given:
    return Given(input=INPUT, steps=STEPS, process={"id": "prc_1"})


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("input.a.b[0]", 10),
        (' input.a.b[1]["c d"] ', True),
        ("input.a.b[ 1 ]['c d']", True),
        ("input.n", None),
        ('input["0"]', "zero"),
        (r'input["q\""]', 5),
        ('input["$x-y"]', 6),
        ('input["true"]', 7),
        ('input["ü"]', 8),
        ('input["a"]["b"][0]', 10),
        ("input\n  .a // the rest\n  .b[0]", 10),
        ("process.id", "prc_1"),
        ('steps["a-b"].output.x', 1),
        ('steps["a-b"]["output"]["x"]', 1),
        ('steps["a-b"].status', "COMPLETED"),
        ("steps.late.status", "PENDING"),
        ("has(steps.late.output)", False),
        ('has(steps["a-b"].output)', True),
        ("steps.nowhere.?output.x.orValue(3)", 3),
        ('steps["a-b"].?output.x.orValue(3)', 1),
        ("input.?z.y[0].orValue(3)", 3),
    ],
)
def test_a_path_leads_to_its_value(source: Any, value: Any) -> None:
    assert compile_expression(source).evaluate(scope()) == value


@pytest.mark.parametrize(
    ("source", "path", "says"),
    [
        ("input.x", "input.x", "input has no field 'x'"),
        ("input.a.x.y", "input.a.x", "input.a has no field 'x'"),
        ("input.a.b[2]", "input.a.b[2]", "input.a.b has 2 items"),
        ("input.a.b.c", "input.a.b.c", "input.a.b is a list"),
        ("input.n.x", "input.n.x", "input.n is null"),
        ("input.n[0]", "input.n[0]", "input.n is null"),
        ("input.a[0]", "input.a[0]", "input.a has no field 0"),
        ("input.a.b[-1]", "input.a.b[-1]", "input.a.b has 2 items"),
        ('input["0"].x', 'input["0"].x', 'input["0"] is a text'),
        ('input["0"][0]', 'input["0"][0]', 'input["0"] is a text'),
        ('input["no such"].x', 'input["no such"]', "input has no field 'no such'"),
        ("steps.nowhere.output", "steps.nowhere.output", "steps.nowhere has no output"),
        ("steps.late.output.x", "steps.late.output", "steps.late has no output"),
        ('steps["a-b"].output.y', 'steps["a-b"].output.y', "steps[\"a-b\"].output has no field 'y'"),
        ("trigger.x", "trigger", "there is no trigger here"),
    ],
)
def test_a_missing_path_is_an_error_that_names_it(source: Any, path: Any, says: Any) -> None:
    with pytest.raises(EvaluationError) as fault:
        compile_expression(source).evaluate(scope())
    assert fault.value.path == path
    assert says in fault.value.message


def test_a_path_behind_an_index_that_is_computed_says_what_is_missing() -> None:
    with pytest.raises(EvaluationError, match=r"input\.a\.b.* has 2 items, none at 3"):
        compile_expression("input.a.b[1 + 2]").evaluate(scope())


@pytest.mark.parametrize(
    ("source", "position"),
    [
        ("", 0), ("  ", 2), ("input.", 6), ("input..a", 6), ("input[", 5), ("input[a]", 6), ("input['a]", 6),
        ("input a", 6), ("outer.a", 0), ("secrets.A", 0), ("steps", 0), ("steps[0].output", 9), ("steps.a", 6),
        ("steps.a.config", 8), ("steps.a[0]", 7), ("steps[input.a].output", 0), ("input.a" * 400, None),
        ("inp\u00fct.a", 0), ("process.owner", 8), ("now.year", 4), ("input[99999999999999999999]", 6),
        ("input." + "a" * 8001, None), ("input" + ".a" * 300, None),
    ],
)  # fmt: skip
def test_a_faulty_path_is_refused_with_its_position(source: Any, position: Any) -> None:
    with pytest.raises(InvalidExpression) as fault:
        compile_expression(source, "/here")
    assert fault.value.pointer == "/here"
    if position is not None:
        assert fault.value.position == position


def test_a_path_knows_what_it_refers_to() -> None:
    [reference] = compile_expression('steps["a-b"].output.x').references
    assert (reference.root, reference.step, reference.text) == ("steps", "a-b", 'steps["a-b"].output.x')
    assert compile_expression("input.a").references[0].step is None


def test_each_reading_is_a_reference_with_its_place() -> None:
    source = "input.a.b[0] + steps.x.output.n * [1].map(v, v + input.q)[0]"
    found = compile_expression(source, "/here").references
    assert [(r.text, r.pointer, r.position, r.source) for r in found] == [
        ("input.a.b[0]", "/here", 0, source),
        ("steps.x.output.n", "/here", source.index("steps"), source),
        ("input.q", "/here", source.index("input.q"), source),
    ]


def test_a_variable_is_no_reference_and_cannot_hide_a_root() -> None:
    [reference] = compile_expression("input.l.map(line, line.a)").references
    assert reference.text == "input.l"
    for source in (
        "[{'a': 1}].map(input, input.a)",
        "[1].map(steps, steps + 1)",
        "cel.bind(now, 1, now)",
        "{'a': 1}.all(k, trigger, true)",
    ):
        with pytest.raises(InvalidExpression, match="hides"):
            compile_expression(source)


@pytest.mark.parametrize("source", ["steps.a.?output.x", "has(steps.a.output)", 'steps.a[?"status"]'])
def test_a_step_that_may_be_missing_is_a_reference_too(source: str) -> None:
    assert [reference.step for reference in compile_expression(source).references] == ["a"]


@pytest.mark.parametrize("source", ["steps.?a.output", 'steps[?"a"].output', "has(steps.a)", "steps[?0].output"])
def test_a_step_itself_is_never_optional(source: str) -> None:
    with pytest.raises(InvalidExpression):
        compile_expression(source)


def test_a_secret_is_one_name() -> None:
    roots = frozenset({"secrets"})
    assert compile_expression("secrets.TOKEN", "", roots).references[0].root == "secrets"
    for source in ("secrets", "secrets.A.b", "secrets[0]", "secrets[string(1)]", "[secrets].size()"):
        with pytest.raises(InvalidExpression, match=r"secrets\.NAME"):
            compile_expression(source, "", roots)


def test_a_root_that_is_added_is_known_and_others_are_told() -> None:
    assert compile_expression("item + 1", "", ROOTS | {"item"}).evaluate(Given(item=1)) == 2
    with pytest.raises(InvalidExpression) as fault:
        compile_expression("inptu.a")
    assert "Did you mean 'input'?" in fault.value.advice


@given(st.text(max_size=30) | st.text(alphabet="input.steps[]\"'\\0a ${}-?()!&|", max_size=30))
def test_any_text_is_compiled_or_refused(source: Any) -> None:
    try:
        expression = compile_expression(source)
    except InvalidExpression:
        return
    with suppress(EvaluationError):
        expression.evaluate(scope())
