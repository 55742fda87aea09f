"""Config values with references."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel import EvaluationError, InvalidExpression, compile_template, templates
from engine.cel.templates import MAX_TEXT
from tests.unit.cel.test_paths import Values

SCOPE = Values(input={"n": 1.5, "s": "x", "b": True, "none": None, "o": {"k": [1]}, "k}": 1})


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("${input.n}", 1.5),
        ("${ input.o }", {"k": [1]}),
        ("${input.none}", None),
        ("a ${input.s} b", "a x b"),
        ("${input.s}${input.s}", "xx"),
        (" ${input.n}", " 1.5"),
        ("${input.n} ${input.b} ${input.none} ${input.o}", '1.5 true null {"k":[1]}'),
        ("$${input.n}", "${input.n}"),
        ("costs $5 or $${x} ${input.n}", "costs $5 or ${x} 1.5"),
        ('${input["k}"]}', 1),
        ({"a": ["${input.n}", 7], "${input.n}": 1}, {"a": [1.5, 7], "${input.n}": 1}),
        ("plain", "plain"),
        ("", ""),
        (None, None),
    ],
)
def test_references_are_filled_in(source: Any, value: Any) -> None:
    template = compile_template(source)
    assert template.evaluate(SCOPE) == value


def test_a_template_without_references_is_constant() -> None:
    assert compile_template({"a": [1, "x", "$${"]}).constant
    assert not compile_template({"a": [1, "${input.x}"]}).constant


def test_a_literal_part_is_handed_on_as_it_is() -> None:
    source = {"a": [1, 2]}
    assert compile_template(source).evaluate(SCOPE) is source


@pytest.mark.parametrize(
    ("source", "pointer", "says"),
    [
        ("${input.n", "/c", "not closed"),
        ({"a": ["x", "${"]}, "/c/a/1", "not closed"),
        ({"a/b": "${}"}, "/c/a~1b", "expected a reference"),
        ("x ${nothing.y}", "/c", "'nothing' is not known here"),
    ],
)
def test_a_faulty_template_names_its_place(source: Any, pointer: Any, says: Any) -> None:
    with pytest.raises(InvalidExpression) as fault:
        compile_template(source, "/c")
    assert fault.value.pointer == pointer
    assert says in fault.value.message


def test_the_position_of_a_fault_counts_in_the_whole_string() -> None:
    with pytest.raises(InvalidExpression) as fault:
        compile_template("12345 ${outer.x}")
    assert fault.value.position == 8


def test_an_evaluation_cannot_write_without_end() -> None:
    template = compile_template([" ${input.s}"] * 100)
    with pytest.raises(EvaluationError, match="longer"):
        template.evaluate(Values(input={"s": "x" * (MAX_TEXT // 50)}))


def test_an_evaluation_cannot_visit_values_without_end(monkeypatch: Any) -> None:
    template = compile_template([["${input.s}"] * 40] * 40)
    monkeypatch.setattr(templates, "MAX_NODES", 1000)
    with pytest.raises(EvaluationError, match="parts"):
        template.evaluate(SCOPE)


@given(st.text(alphabet="${}input.nx\"' ", max_size=40))
def test_any_text_is_compiled_or_refused(source: Any) -> None:
    try:
        template = compile_template(source)
    except InvalidExpression:
        return
    with suppress(EvaluationError):
        template.evaluate(SCOPE)
