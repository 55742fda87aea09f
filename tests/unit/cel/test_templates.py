"""Config values with expressions in their texts."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel import Compiler, EvaluationError, InvalidExpression, compile_template
from engine.cel.errors import OutOfFuel
from engine.cel.fuel import FUEL, MAX_TEXT
from engine.cel.limits import MOST_FAULTS
from tests.unit.cel.given import Given, alike

NOW = datetime(2026, 3, 1, 12, 30, 0, 500_000, tzinfo=UTC)
INPUT = {"n": 1.5, "ten": 10.0, "s": "x", "b": True, "none": None, "o": {"k": [1]}, "k}": 1, "big": 1e21, "small": 1e-7}


def scope() -> Given:
    return Given(input=INPUT, now=NOW)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("${input.n}", 1.5),
        ("${ input.o }", {"k": [1]}),
        ("${input.none}", None),
        ("a ${input.s} b", "a x b"),
        ("${input.s}${input.s}", "xx"),
        (" ${input.n}", " 1.5"),
        ("${input.n} ${input.b} ${[input.none]} ${input.o}", '1.5 true [null] {"k":[1]}'),
        ("$${input.n}", "${input.n}"),
        ("costs $5 or $${x} ${input.n}", "costs $5 or ${x} 1.5"),
        ('${input["k}"]}', 1),
        ({"a": ["${input.n}", 7], "${input.n}": 1}, {"a": [1.5, 7], "${input.n}": 1}),
        ("${input.ten} ${input.big} ${input.small} ${2.50}", "10 1e+21 1e-7 2.5"),
        ("${input.ten}", 10.0),
        ("at ${now}, for ${duration('90m')}", "at 2026-03-01T12:30:00.5Z, for 5400s"),
        ("${now}", "2026-03-01T12:30:00.5Z"),
        (
            "${[now, duration('90m'), b'abc', input.?s, input.?x]}",
            ["2026-03-01T12:30:00.5Z", "5400s", "YWJj", "x", None],
        ),
        ("bytes: ${b'abc'}", "bytes: abc"),
        ("${ {'a': '}' + \"}\"}.a + '${' }}", "}}${}"),
        ("${input.n > 1 ? 'much' : 'little'}: ${[1, 2].map(x, x * 2)}", "much: [2,4]"),
        (
            {"total": "${input.ten * 2.0}", "of": ["${size(input.o)}", {"k": "${input.b}!"}]},
            {"total": 20.0, "of": [1, {"k": "true!"}]},
        ),
        ("line ${\n  // a comment with }\n  input.s\n}", "line x"),
        ("plain", "plain"),
        ("", ""),
        (None, None),
    ],
)
def test_expressions_are_filled_in(source: Any, value: Any) -> None:
    template = compile_template(source)
    assert template.evaluate(scope()) == value


@pytest.mark.parametrize("source", [{"a": [1, 2]}, [{"x": None}, "y"], {}, [], [[]], 10**30, -0.0, "$x", True])
def test_a_literal_value_is_handed_on_as_it_is_and_made_once(source: Any) -> None:
    template = compile_template(source)
    assert alike(template.evaluate(scope()), source)
    assert template.evaluate(scope()) is template.evaluate(scope())
    mixed = compile_template(["${input.s}", source])
    assert alike(mixed.evaluate(scope()), ["x", source])


@pytest.mark.parametrize(
    ("source", "pointer", "says"),
    [
        ("${input.n", "/c", "never closed"),
        ("${'input.n}", "/c", "never closed"),
        ({"a": ["x", "${"]}, "/c/a/1", "never closed"),
        ({"a/b": "${}"}, "/c/a~1b", "empty"),
        ({"~": {"a": "${1 +}"}}, "/c/~0/a", "expected a value"),
        ({"x": "${input.a} and ${input.b +}"}, "/c/x", "expected a value"),
        ({"x": "${'a' + 1}"}, "/c/x", "cannot work on"),
        ("x ${nothing.y}", "/c", "'nothing' is not known here"),
    ],
)
def test_a_faulty_template_names_its_place(source: Any, pointer: Any, says: Any) -> None:
    with pytest.raises(InvalidExpression) as fault:
        compile_template(source, "/c")
    assert fault.value.pointer == pointer
    assert says in fault.value.message


@pytest.mark.parametrize(
    ("source", "position", "line", "column", "excerpt"),
    [
        ("12345 ${outer.x}", 8, 1, 9, "12345 ${outer.x}\n        ^"),
        ("12345 ${input.x +}", 17, 1, 18, "12345 ${input.x +}\n                 ^"),
        ("a\nb ${input.x\n + outer.x} c", 17, 3, 4, " + outer.x} c\n   ^"),
        (
            "${input.a} ${input.b} ${input.c - 'x'}",
            32,
            1,
            33,
            "${input.a} ${input.b} ${input.c - 'x'}\n                                ^",
        ),
    ],
)
def test_the_place_of_a_fault_counts_in_the_whole_text(
    source: str, position: int, line: int, column: int, excerpt: str
) -> None:
    with pytest.raises(InvalidExpression) as fault:
        compile_template(source, "/c")
    assert fault.value.position == position
    assert (fault.value.line, fault.value.column, fault.value.excerpt) == (line, column, excerpt)


def test_all_faults_of_a_config_value_are_found() -> None:
    compiler = Compiler()
    compiler.template({"a": "${outer.x}", "b": ["${1 +}", "fine ${input.x}", "${'a' * 2} ${!1}"]}, "/c")
    assert [fault.pointer for fault in compiler.faults] == ["/c/b/0", "/c/a", "/c/b/2", "/c/b/2"]


@pytest.mark.parametrize(
    ("source", "positions"),
    [
        ("a ${1+} b ${foo()} c ${nope}", [6, 12, 23]),
        ("${1 +} ${2 *} ${input.n}", [5, 12]),
        ("${'x} ${1+}", [2, 10]),
        ("${[1, }} $${1+} ${1+}", [2, 20]),
        ("${} ${input.n ${1+}", [2, 14]),
        ("${1+} ${'never closed", [4, 8]),
    ],
)
def test_all_faults_of_one_text_are_found(source: str, positions: list[int]) -> None:
    compiler = Compiler()
    compiler.template({"a": source}, "/c")
    assert [(fault.pointer, fault.position) for fault in compiler.faults] == [("/c/a", place) for place in positions]


def test_faults_are_found_up_to_a_number_that_can_be_read() -> None:
    compiler = Compiler()
    compiler.template(["${1+} " * 150] * 2, "/c")
    assert len(compiler.faults) == MOST_FAULTS


@pytest.mark.parametrize(
    ("source", "expression"),
    [
        ("a ${input.none}", "a ${input.none}"),
        ("${input.s}${null}", "${input.s}${null}"),
        ("${string(input.none)}", "${string(input.none)}"),
    ],
)
def test_null_cannot_stand_in_a_longer_text(source: str, expression: str) -> None:
    with pytest.raises(EvaluationError, match="null cannot be written as text; write coalesce") as fault:
        compile_template({"a": source}, "/c").evaluate(scope())
    assert (fault.value.pointer, fault.value.expression) == ("/c/a", expression)


def test_null_within_a_list_or_an_object_is_written_as_json() -> None:
    template = compile_template("a ${[input.none]} ${ {'a': input.none} } ${coalesce(input.none, '-')}")
    assert template.evaluate(scope()) == 'a [null] {"a":null} -'


def test_an_optional_cannot_stand_in_a_longer_text() -> None:
    with pytest.raises(EvaluationError, match="optional"):
        compile_template("a ${input.?x}").evaluate(scope())
    assert compile_template("a ${input.?x.orValue('none')}").evaluate(scope()) == "a none"


def test_the_keys_of_an_object_stay_as_they_are_written() -> None:
    assert compile_template({"${input.s}": "${input.s}"}).evaluate(scope()) == {"${input.s}": "x"}
    assert compile_template({"$${": "${input.s}"}).evaluate(scope()) == {"$${": "x"}


@pytest.mark.parametrize("count", [3, 40])
def test_a_text_cannot_grow_without_end(count: int) -> None:
    template = compile_template("${input.s}" * count)
    with pytest.raises(EvaluationError, match="longer"):
        template.evaluate(Given(input={"s": "x" * (MAX_TEXT // 2)}))


def test_an_evaluation_cannot_write_without_end() -> None:
    template = compile_template([" ${input.s}"] * 500)
    with pytest.raises(OutOfFuel):
        template.evaluate(Given(input={"s": "x" * (FUEL // 20)}))


def test_a_config_value_cannot_be_made_of_parts_without_end() -> None:
    assert compile_template([["${input.s}"] * 30] * 30).evaluate(scope()) == [["x"] * 30] * 30
    with pytest.raises(InvalidExpression, match="parts"):
        compile_template([["${input.s}"] * 60] * 60)


@given(
    st.text(alphabet="${}input.nx\"' ", max_size=40)
    | st.text(alphabet="${}[]1+?:&'", max_size=20).map("${{{}}}".format)
)
def test_any_text_is_compiled_or_refused(source: Any) -> None:
    try:
        template = compile_template(source)
    except InvalidExpression:
        return
    with suppress(EvaluationError):
        template.evaluate(scope())
