"""What is said of the habits of other languages: functions, arrows, operators, placeholders within expressions."""

from __future__ import annotations

import re
from typing import Any

import pytest

from engine.cel import InvalidExpression, hints
from engine.cel.calls import taken_for_variables
from engine.cel.compiler import Compiler
from engine.cel.library import FUNCTIONS, MACROS, METHODS
from engine.cel.parser import parse
from engine.cel.structured import OPERATORS
from engine.cel.syntax import Call


def faults(source: Any) -> list[InvalidExpression]:
    compiler = Compiler()
    compiler.condition(source, "")
    return compiler.faults


def advice(source: str) -> str:
    """Return what is advised about the function of a call. Fails where it is not the fault."""
    [found] = [fault for fault in faults(source) if "there is no function" in fault.message]
    return found.advice


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("math.max(1, 2)", "Write math.greatest(a, b), or list.max()."),
        ("math.min(1, 2)", "Write math.least(a, b), or list.min()."),
        ("max(1, 2)", "Write math.greatest(a, b), or list.max()."),
        ("count(input.l)", "Write size(x)."),
        ("len(input.l)", "Write size(x)."),
        ("input.l.length()", "Write size(x)."),
        ("lower(input.s)", "Write text.lowerAscii()."),
        ("input.s.toLowerCase()", "Write text.lowerAscii()."),
        ("input.s.upper()", "Write text.upperAscii()."),
        ("input.s.toUpperCase()", "Write text.upperAscii()."),
        ("input.m.keys()", "Write map.map(k, k)."),
        ("input.m.values()", "Write map.map(k, map[k])."),
        ("input.l.reduce(0)", "There is none; use list.sum(), list.min(), list.max() or list.join()."),
        ("input.l.fold(0)", "There is none; use list.sum(), list.min(), list.max() or list.join()."),
        ("now()", "Write now, without brackets."),
        ("abs(1)", "Write math.abs(x)."),
        ("input.n.round()", "Write math.round(x)."),
        ("floor(1)", "Write math.floor(x)."),
        ("ceil(1)", "Write math.ceil(x)."),
        ("ceiling(1)", "Write math.ceil(x)."),
        ("math.ceiling(1)", "Write math.ceil(x)."),
        ("sha256('a')", "Write hash.sha256(x)."),
        ("input.l.includes(1)", "Write x.contains(y)."),
        ("input.m.has('a')", "Write has(x.y) for a field, x.contains(y) for an item or a part."),
        ("input.l.some(1)", "Write list.exists(x, condition)."),
        ("input.l.any(1)", "Write list.exists(x, condition)."),
        ("input.l.every(1)", "Write list.all(x, condition)."),
        ("input.l.find(1)", "Write list.filter(x, condition).first()."),
        ("input.l.forEach(1)", "Write list.map(x, value)."),
        ("input.s.substr(1)", "Write text.substring(from, to), or list.slice(from, to)."),
        ("slice(input.s, 1)", "Write text.substring(from, to), or list.slice(from, to)."),
        ("input.n.toString()", "Write string(x)."),
        ("str(1)", "Write string(x)."),
        ("parseInt('1')", "Write int(x), or double(x)."),
        ("Number('1')", "Write int(x), or double(x)."),
        ("concat('a', 'b')", "Write a + b, or list.join()."),
        (
            "input.l.groupBy(1)",
            "Write list.map(x, x.key).distinct().map(k, list.filter(x, x.key == k)); docs/expressions.md has a recipe.",
        ),
        ("date('2026-01-01')", "Write timestamp(x) for a text that is one; now is the present moment."),
        ("today()", "Write timestamp(x) for a text that is one; now is the present moment."),
        ("now.addDays(1)", 'Write time.plus("P1D", "UTC") for a day later, "P1M" for a month.'),
        ("now.strftime('%d')", 'Write time.date("UTC") for a text such as 2026-01-31.'),
        ("merge(input.m, {})", "Write x.merge(…)."),
        ("Object.assign(input.m)", "Write map.merge(other)."),
        ("range(3)", "Write lists.range(x)."),
        ("isNull(input.n)", "Write x == null."),
        ("isEmpty(input.l)", "Write size(x) == 0."),
        ("mod(1, 2)", "Write % for the remainder."),
        ("math.sum([1])", "Write x.sum(…)."),
        ("trim('a')", "Write x.trim(…)."),
        ("'a'.string()", "Write string(x)."),
        ("exists(input.l)", "Write list.exists(x, condition)."),
    ],
)
def test_a_function_of_another_language_is_answered_with_what_is_written_here(source: str, says: str) -> None:
    assert advice(source) == says


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("input.s.startWith('a')", "Did you mean 'startsWith'?"),
        ("input.l.mapp(1)", "Did you mean 'map'?"),
        ("timestmp('a')", "Did you mean 'timestamp'?"),
        ("Size(1)", "Did you mean 'size'?"),
        ("math.rund(1)", "Did you mean 'math.round'?"),
        ("lenght('a')", "Write size(x)."),
        ("joined(input.l)", "Write x.join(…)."),
        ("rond(1)", "Did you mean 'math.round'?"),
    ],
)
def test_a_slip_of_the_pen_is_answered_with_the_name_that_was_meant(source: str, says: str) -> None:
    assert advice(source) == says


@pytest.mark.parametrize(
    "source",
    [
        "math.sqrt(2)",
        "math.cos(1)",
        "hash.md5('a')",
        "cel.let(1)",
        "optional.empty()",
        "input.x.zzz()",
        "input.x.cat(1)",
        "f(1)",
    ],
)
def test_nothing_is_guessed_where_nothing_is_near(source: str) -> None:
    assert advice(source) == "docs/expressions.md lists all functions."


def test_what_is_advised_is_made_of_functions_that_there_are() -> None:
    known = {name.rpartition(".")[2] for name in (*FUNCTIONS, *METHODS, *MACROS)} | {"has"}
    for said in {*hints.CALLS.values(), *hints.ARGUMENTS.values()}:
        assert set(re.findall(r"(\w+)\(", said)) <= known, said


def test_no_name_is_advised_twice() -> None:
    names = " ".join(hints._CALLS.values()).split()
    assert sorted(set(names)) == sorted(names)
    assert [name for name in names if name != name.lower()] == []


@pytest.mark.parametrize(
    ("source", "message", "says"),
    [
        (
            "math.round(input.n, 2) > 1",
            "math.round takes 1 argument, found 2",
            "Write math.round(x * 100) / 100 for two digits behind the point.",
        ),
        (
            "size(input.s.slice(1)) > 1",
            "slice takes 2 arguments, found 1",
            "Write list.slice(from, to), or text.substring(from).",
        ),
        ("input.l.sum(input.n, 1) > 1", "sum takes 0 arguments, found 2", "Write list.map(x, value).sum()."),
        ("input.s.split() == []", "split takes 1 to 2 arguments, found 0", ""),
        ("math.greatest() > 1", "math.greatest takes at least 1 argument, found 0", ""),
        ("math.round() > 1", "math.round takes 1 argument, found 0", ""),
    ],
)
def test_a_wrong_number_of_arguments_is_answered_with_how_it_is_done(source: str, message: str, says: str) -> None:
    [fault] = faults(source)
    assert (fault.message, fault.advice) == (message, says)


@pytest.mark.parametrize(
    ("source", "at", "says"),
    [
        ("input.l.map(l => l.price)", 14, "Write map(l, l.price)."),
        ("input.l.map( (l) => l.price )", 17, "Write map(l, l.price)."),
        ("input.l.filter(l -> l.price > 1)", 17, "Write filter(l, l.price > 1)."),
        ("input.l.all(l => size(l) > 1)", 14, "Write all(l, …)."),
        ("input.l.map(() => 1)", 13, "expected a value"),
        ("input.l.map((l, i) => l + i)", 14, "Write transformList(i, l, l + i)."),
        ("input.l.exists((l, i) => l == i)", 17, "Write exists(i, l, l == i)."),
        ("input.l.find(l => l.ok)", 15, "Write list.filter(x, condition).first()."),
        ("input.l.sort((a, b) => a - b)", 15, "Write list.sortBy(x, key)."),
        ("input.l.walk(l => l)", 15, "Write list.map(x, value), or another macro."),
        ("input.a => 1", 8, "Write >= to compare."),
        ("(input.a => 1)", 9, "Write >= to compare."),
        ("input->a", 5, "Write a.b for a field."),
    ],
)
def test_a_function_that_is_an_argument_is_written_as_a_macro(source: str, at: int, says: str) -> None:
    [fault] = faults(source)
    assert fault.position == at
    assert says in (fault.advice, fault.message.split(",")[0])


@pytest.mark.parametrize(
    ("source", "at"), [("${input.a} && ${input.b}", 0), ("input.a && ${input.b}", 11), ("${ ${input.a} }", 3)]
)
def test_a_placeholder_within_an_expression_is_left_out(source: str, at: int) -> None:
    [fault] = faults(source)
    assert (fault.position, fault.message) == (at, "'${' is not part of the language")
    assert fault.advice == "Leave out ${ and } here: what stands here is an expression already."


@pytest.mark.parametrize("source", ["if(input.a, 1, 2)", "if input.a then 1 else 2"])
def test_if_is_written_with_a_question_mark(source: str) -> None:
    assert [fault.advice for fault in faults(source)] == ["Write test ? value : other."]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("input.l.groupBy(l, l.sku)", ["l"]),
        ("mapp(l, l.sku)", ["l"]),
        ("input.l.reduce(a, l, a + l.price)", ["a", "l"]),
        ("input.l.sum(l, l.price)", ["l"]),
        ("Math.max(input.a, input.b)", ["Math"]),
        ("Object.keys(input.m)", ["Object"]),
        ("max(amount, 2)", []),
        ("input.l.groupBy(l.sku, l)", []),
        ("unknown(l)", []),
        ("unknown()", []),
        ("coalesce(l, l.sku)", []),
        ("input.l.contains(l)", []),
    ],
)
def test_what_a_call_that_is_no_macro_seems_to_bind(source: str, names: list[str]) -> None:
    call = parse(source)
    assert isinstance(call, Call)
    known = METHODS if call.target is not None else FUNCTIONS
    assert taken_for_variables(call, known.get(call.function)) == names


@pytest.mark.parametrize(
    ("operator", "meant"),
    [
        (">", "gt"),
        ("greater", "gt"),
        ("Greater_Than", "gt"),
        (">=", "gte"),
        ("greater than or equal", "gte"),
        ("<", "lt"),
        ("less", "lt"),
        ("<=", "lte"),
        ("equals", "eq"),
        ("==", "eq"),
        ("=", "eq"),
        ("!=", "ne"),
        ("not-equals", "ne"),
        ("notIn", "not_in"),
        ("startsWith", "starts_with"),
        ("regex", "matches"),
        ("is_null", "empty"),
    ],
)
def test_an_operator_of_another_language_is_answered_with_ours(operator: str, meant: str) -> None:
    [fault] = faults({"field": "input.n", "operator": operator, "value": 1})
    assert (fault.pointer, fault.message) == ("/operator", f"unknown operator {operator!r}")
    assert fault.advice == f"Write {meant}."


def test_only_known_operators_are_advised() -> None:
    assert set(hints._OPERATORS) <= set(OPERATORS)


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        ({}, "the condition has no operator"),
        ({"operator": None}, "the operator must be a text"),
        ({"operator": True}, "the operator must be a text"),
        ({"operator": ["eq"]}, "the operator must be a text"),
        ({"operator": "contians"}, "unknown operator 'contians'"),
    ],
)
def test_an_operator_that_is_missing_is_not_named_in_words_of_python(leaf: dict[str, Any], message: str) -> None:
    [fault] = faults({"field": "input.n", "value": 1, **leaf})
    assert fault.message == message
    assert fault.advice.startswith("Use one of eq, ne, gt, gte, ")
    assert fault.advice.endswith(" Did you mean 'contains'?") is (leaf.get("operator") == "contians")
