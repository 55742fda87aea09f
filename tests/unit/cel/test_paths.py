"""Path references."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel import EvaluationError, InvalidExpression, Lazy, compile_expression
from engine.cel.fuel import Fuel


class Values:
    def __init__(self, **roots: Any) -> None:
        self.roots = roots
        self.fuel = Fuel()

    def lookup(self, root: Any) -> Any:
        return self.roots[root]


class Named(Lazy):
    __slots__ = ()

    def member(self, key: Any) -> Any:
        if key == "a-b":
            return {"output": {"x": 1}, "status": "COMPLETED"}
        raise KeyError(key)


SCOPE = Values(input={"a": {"b": [10, {"c d": True}]}, "n": None, "0": "zero", 'q"': 5}, steps=Named(), process={})


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("input.a.b[0]", 10),
        (' input.a.b[1]["c d"] ', True),
        ("input.a.b[ 1 ]['c d']", True),
        ("input.n", None),
        ('input["0"]', "zero"),
        (r'input["q\""]', 5),
        ('steps["a-b"].output.x', 1),
        ('steps["a-b"].status', "COMPLETED"),
    ],
)
def test_a_path_leads_to_its_value(source: Any, value: Any) -> None:
    assert compile_expression(source).evaluate(SCOPE) == value


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("input.x", "input has no field 'x'"),
        ("input.a.x.y", "input.a has no field 'x'"),
        ("input.a.b[2]", "input.a.b has 2 items"),
        ("input.a.b.c", "input.a.b is a list"),
        ("input.n.x", "input.n is null"),
        ("input.a[0]", "input.a has no field 0"),
        ('input["0"].x', 'input["0"] is a str'),
        ("steps.nowhere.output", "steps has no field 'nowhere'"),
        ("trigger.x", "there is no trigger here"),
    ],
)
def test_a_missing_path_is_an_error_that_names_it(source: Any, says: Any) -> None:
    with pytest.raises(EvaluationError) as fault:
        compile_expression(source).evaluate(SCOPE)
    assert fault.value.path == source
    assert says in fault.value.message


@pytest.mark.parametrize(
    ("source", "position"),
    [
        ("", 0), ("  ", 2), ("1", 0), ("input.", 5), ("input..a", 5), ("input[", 5), ("input[-1]", 5), ("input[a]", 5),
        ("input['a]", 5), ("input a", 5), ("input.a-b", 7), ("input.a + 1", 7), ("outer.a", 0), ("secrets.A", 0),
        ("steps", 0), ("steps[0].output", 0), ("steps.a", 0), ("steps.a.config", 0), ("input.a" * 400, 0),
        ("input[99999999999]", 5), ("inp\u00fct.a", 0),
    ],
)  # fmt: skip
def test_a_faulty_path_is_refused_with_its_position(source: Any, position: Any) -> None:
    with pytest.raises(InvalidExpression) as fault:
        compile_expression(source, "/here")
    assert fault.value.pointer == "/here"
    if position or len(source) < 100:
        assert fault.value.position == pytest.approx(position, abs=3)


def test_a_path_knows_what_it_refers_to() -> None:
    [reference] = compile_expression('steps["a-b"].output.x').references
    assert (reference.root, reference.step) == ("steps", "a-b")
    assert compile_expression("input.a").references[0].step is None


def test_a_secret_is_one_name() -> None:
    roots = frozenset({"secrets"})
    assert compile_expression("secrets.TOKEN", "", roots).references[0].root == "secrets"
    for source in ("secrets", "secrets.A.b", "secrets[0]"):
        with pytest.raises(InvalidExpression, match=r"secrets\.NAME"):
            compile_expression(source, "", roots)


@given(st.text(max_size=30) | st.text(alphabet="input.steps[]\"'\\0a ${}-", max_size=30))
def test_any_text_is_compiled_or_refused(source: Any) -> None:
    try:
        expression = compile_expression(source)
    except InvalidExpression:
        return
    with suppress(EvaluationError):
        expression.evaluate(SCOPE)
