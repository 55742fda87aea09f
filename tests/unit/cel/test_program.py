"""Programs: where their errors are, what they tell of themselves, and what passes through them unchanged."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.cel import (
    ROOTS,
    EvaluationError,
    InvalidExpression,
    compile_condition,
    compile_expression,
    compile_template,
)
from engine.cel.errors import OutOfFuel
from engine.cel.fuel import Fuel
from engine.cel.library import FUNCTIONS, METHODS
from engine.cel.program import Program
from engine.cel.values import Some
from tests.unit.cel.given import Given

# An expression in these tests marks the place that its error must name by a lozenge, which is taken out.
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INPUT = {"n": 5, "s": "x", "t": True, "none": None, "l": [1, 2, "x"], "o": {"k": 1, "deep": {"er": []}}, "two": [2, 1]}
SECRET = "s3cr3t-value"
WITH_SECRETS = ROOTS | {"secrets"}


def scope(**rest: Any) -> Given:
    return Given(input=INPUT, now=NOW, process={"id": "p"}, steps={"a": {"output": {"x": 1}}}, **rest)


def failure(program: Program, given: Given | None = None) -> EvaluationError:
    with pytest.raises(EvaluationError) as fault:
        program.evaluate(given or scope())
    return fault.value


def failing(source: str, **rest: Any) -> EvaluationError:
    """Return the error of an expression in which one character is marked: the place that the error must name."""
    plain = source.replace("◊", "")
    fault = failure(compile_expression(plain, "/here", WITH_SECRETS), scope(**rest))
    place = source.index("◊")
    line = source[:place].count("\n")
    column = place - (source.rfind("\n", 0, place) + 1)
    assert (fault.position, fault.line, fault.column) == (place, line + 1, column + 1), fault.message
    assert (fault.pointer, fault.expression) == ("/here", plain)
    shown, caret = fault.excerpt.split("\n")
    whole = plain.split("\n")[line]
    assert whole[column:].startswith(shown[len(caret) - 1 :])
    assert shown in whole
    assert shown == whole or len(whole) > 100
    return fault


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("input.◊x", "input.x"),
        ("input.◊x.y.z", "input.x"),
        ("input.o.◊x.y", "input.o.x"),
        ("input.o.deep.er◊[0]", "input.o.deep.er[0]"),
        ("input.o.deep.◊x", "input.o.deep.x"),
        ("input.none.◊x", "input.none.x"),
        ("input.s.◊x", "input.s.x"),
        ("input.l.◊x", "input.l.x"),
        ('input[◊"no such"]', 'input["no such"]'),
        ("◊trigger.x", "trigger"),
        ("steps.a.◊status", "steps.a.status"),
        ("steps.b.◊output.x", "steps.b.output"),
        ("steps.a.output.◊y.z", "steps.a.output.y"),
        ("secrets.◊NONE", "secrets.NONE"),
        ("[input.n, input.◊x]", "input.x"),
        ("{'a': input.◊x}", "input.x"),
        ("{input.◊x: 1}", "input.x"),
        ("input.n + input.n * input.◊x", "input.x"),
        ("input.t ? input.◊x : 1", "input.x"),
        ("size(input.◊x)", "input.x"),
        ("input.◊x.size()", "input.x"),
        ("input.l[input.◊x]", "input.x"),
        ("input.◊x[input.y]", "input.x"),
        ("input.?z.orValue(input.◊x)", "input.x"),
        ("input.◊x.?y", "input.x"),
        ("has(input.◊x.y)", "input.x"),
        ("input.l.map(i, input.◊x)", "input.x"),
        ("input.◊x.map(i, i)", "input.x"),
        ("[{}].map(i, i.◊x)", "i.x"),
        ("[[]].map(i, i◊[0])", "i[0]"),
        ("cel.bind(b, input.o, b.k + b.◊x)", "b.x"),
        ("input.l.map(i, [1].map(j, input.o.◊x))", "input.o.x"),
    ],
)
def test_a_missing_value_is_placed_by_its_path(source: str, path: str) -> None:
    fault = failing(source)
    assert fault.path == path
    assert path.split(".", maxsplit=1)[0] in fault.message


@pytest.mark.parametrize(
    "source",
    [
        "input.s ◊+ 1", "1 ◊+ input.s", "input.n ◊- input.s", "input.l ◊* 2", "input.n ◊/ 0", "input.n ◊% 2.5", "input.s ◊% 2",
        "input.n ◊/ input.none", "input.n ◊+ 9223372036854775807", "2.5 ◊* input.s", "input.n ◊< 'a'", "input.s ◊<= 1",
        "input.none ◊> 1", "input.o ◊>= input.o", "input.t ◊< 1", "1 ◊in input.s", "'a' ◊in input.n", "'a' ◊in input.none",
        "◊-input.s", "now ◊+ input.n", "now ◊- input.s", "duration('1h') ◊+ input.s",
        "timestamp('2026-01-01T00:00:00Z') ◊< input.s",
    ],
)  # fmt: skip
def test_an_operator_that_cannot_work_is_the_place(source: str) -> None:
    fault = failing(source)
    assert fault.path == ""
    assert fault.message


@pytest.mark.parametrize(
    "source",
    [
        "true && input.◊n", "!input.◊n", "!(!input.◊s)", "![1]◊[0]", "input.◊s && true", "input.◊n || false", "false || input.◊none", "input.◊l ? 1 : 2",
        "true && true && input.◊n && true", "input.l.all(i, ◊i)", "input.l.filter(i, ◊i)", "[input.n].exists_one(i, ◊i)",
        "input.l.exists(i, input.◊s)", "input.l.map(i, ◊i, 1)", "input.two.transformList(k, v, ◊v, 1)", "[{'a': 1}].all(x, x.◊a)",
    ],
)  # fmt: skip
def test_what_is_not_true_or_false_is_the_place(source: str) -> None:
    assert "not true or false" in failing(source).message


@pytest.mark.parametrize(
    "source",
    [
        "◊size(input.n)", "input.n.◊size()", "input.s.◊contains(input.n)", "input.n.◊startsWith('a')", "input.s.◊substring(9)",
        "◊int(input.s)", "◊timestamp(input.s)", "◊duration(input.s)", "now.◊getHours(input.s)", "input.l.◊sum()",
        "input.o.deep.er.◊max()", "input.l.◊sort()", "input.l.◊sortBy(i, i)", "input.n.◊matches('x')", "input.t.◊optMap(x, x)",
        "input.n.◊map(i, i)", "input.s.◊all(i, true)", "optional.none().◊value()", "input.n.◊orValue(1)", "input.n.◊hasValue()",
        "'%d'.◊format([input.s])", "[?input.◊n]", "{?◊'a': input.n}", "input.two.◊transformMap(k, v, v)",
        "input.two.◊transformMapEntry(k, v, v)", "{input.◊n: 1}", "{'a': 1, ◊string('a'): 2}",
        "◊has(input.s.x)", "◊has(input.none.x)", "◊math.abs(input.s)", "◊base64.decode('*')",
        "input.l[◊'0']", "input.l◊[input.s]", "input.o◊[input.n]", "input.l◊[0.5]", "input.s◊[input.n]",
    ],
)  # fmt: skip
def test_a_function_that_cannot_work_is_the_place(source: str) -> None:
    assert failing(source).message


@pytest.mark.parametrize(
    "source",
    [
        "input.l.map(i, i ◊+ 1)", "input.l.map(i, i.◊x)", "input.l.filter(i, i ◊> 1)", "input.l.map(i, i ◊> 1, i)", "[3].map(i, i > 1, i ◊/ 0)",
        "input.l.all(i, i ◊> 0)", "input.l.exists(i, i ◊> 5)", "input.l.exists_one(i, i ◊> 1)", "input.l.sortBy(i, ◊-i)",
        "input.o.map(k, k ◊* 2)", "input.o.all(k, v, v ◊> 0)", "input.o.exists(k, v, v ◊< 0)", "input.l.transformList(k, v, k ◊+ v)",
        "input.o.transformMap(k, v, v ◊+ 1)", "input.o.transformMapEntry(k, v, {k + 'a': v ◊+ 1})", "input.?s.optMap(x, x ◊+ 1)",
        "cel.bind(x, input.s, x ◊+ 1)", "input.two.map(a, input.two.map(b, input.two.map(c, (a + b) ◊/ (c - 1))))",
    ],
)  # fmt: skip
def test_an_error_within_a_macro_is_placed_in_its_body(source: str) -> None:
    failing(source)


def nested(depth: int, form: str, core: str) -> str:
    for _ in range(depth):
        core = form.replace("CORE", core)
    return core


@pytest.mark.parametrize("depth", [2, 5, 9, 20, 40])
@pytest.mark.parametrize(
    ("form", "core"),
    [
        ("[1].map(v, CORE)", "input.s ◊+ 1"),
        ("[1].map(v, CORE)", "input.◊x"),
        ("[true].all(v, CORE)", "input.◊n"),
        ("(true && (false || CORE))", "input.n ◊> 'a'"),
        ("(true ? CORE : 1)", "input.◊x.y"),
        ("[1].filter(v, [CORE].exists(w, w))", "input.s.◊contains(input.n)"),
        ("cel.bind(v, true, v ? CORE : 1)", "input.s ◊* 2"),
        ("input.?zz.orValue(CORE)", "input.o.◊zz"),
        ("{'a': true ? [CORE] : []}", "◊int(input.s)"),
    ],
)
def test_an_error_deep_within_others_has_its_place(depth: int, form: str, core: str) -> None:
    failing(nested(min(depth, 60 // sum(map(form.count, "([{"))), form, core))


def test_a_source_of_several_lines_is_counted_by_line_and_column() -> None:
    fault = failing("""input.l
      .filter(i, i != 'x') // without texts, with a ü 🦊
      .map(i,
        i + input.o.◊nix
      )""")
    assert (fault.line, fault.column) == (4, 21)
    assert fault.path == "input.o.nix"
    assert failing("\n\n  input.n\n  ◊+\n  input.s").line == 4
    assert failing("'''a\nb''' + 'ü🦊' + string(input.◊x)").line == 2


def test_the_excerpt_of_a_long_line_shows_what_surrounds_the_place() -> None:
    fault = failure(compile_expression(f"'{'y' * 300}' + input.nix + '{'z' * 300}'"))
    line, caret = fault.excerpt.split("\n")
    assert len(line) <= 100
    assert line[caret.index("^") :].startswith("nix")


@pytest.mark.parametrize(
    ("value", "pointer", "marked", "path"),
    [
        ("${input.◊x}", "", "${input.◊x}", "input.x"),
        ("${input.n} ${input.s} ${input.◊x}", "", None, "input.x"),
        ("$${input.x} ${input.n} ${input.n ◊+ input.s}", "", None, ""),
        ({"a": ["${input.n}", {"b/c~d": "x ${input.◊x}"}]}, "/a/1/b~1c~0d", "x ${input.◊x}", "input.x"),
        ([["${input.n}", ["${input.l.map(i, i ◊+ 1)}"]]], "/0/1/0", "${input.l.map(i, i ◊+ 1)}", ""),
        (
            {"a": "line\nline ${input.n}\n  ${\n input.◊x\n}"},
            "/a",
            "line\nline ${input.n}\n  ${\n input.◊x\n}",
            "input.x",
        ),
        (
            {"a": "${input.n}", "b": "${input.n}${[input.n].map(i, 1 ◊/ 0)}"},
            "/b",
            "${input.n}${[input.n].map(i, 1 ◊/ 0)}",
            "",
        ),
    ],
)
def test_an_error_in_a_config_value_has_its_place_in_the_text(value: Any, pointer: str, marked: Any, path: str) -> None:
    marked = marked or value
    text = marked.replace("◊", "")
    fault = failure(compile_template(_unmarked(value), "/config"))
    assert (fault.pointer, fault.expression, fault.path) == (f"/config{pointer}", text, path)
    assert fault.position == marked.index("◊")
    assert fault.line == marked[: marked.index("◊")].count("\n") + 1


def _unmarked(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("◊", "")
    if isinstance(value, list):
        return [_unmarked(item) for item in value]
    return {key: _unmarked(item) for key, item in value.items()}


@pytest.mark.parametrize(
    "text", ["a ${base64.decode('/w==')} b", "${input.n}${input.?x}", "${input.big}${input.big}${input.big}"]
)
def test_a_text_that_cannot_be_joined_is_the_place(text: str) -> None:
    given = Given(input={"n": 1, "big": "x" * (1 << 20)})
    fault = failure(compile_template({"a": text}, "/config"), given)
    assert (fault.pointer, fault.expression) == ("/config/a", text)


@pytest.mark.parametrize(
    ("source", "pointer", "expression", "path"),
    [
        ({"field": "input.x.y", "operator": "eq", "value": 1}, "/field", "input.x.y", "input.x"),
        ({"field": "input.n", "operator": "gt", "value": "${input.nix}"}, "/value", "${input.nix}", "input.nix"),
        ({"field": "input.n", "operator": "in", "value": [1, {"a": "${input.nix}"}]}, "/value/1/a", "${input.nix}", "input.nix"),
        ({"field": "input.n", "operator": "gt", "value": "a"}, "", 'input.n > "a"', ""),
        ({"field": "input.n", "operator": "starts_with", "value": "a"}, "", 'input.n.startsWith("a")', ""),
        ({"any": [False, {"all": [True, {"not": {"field": "input.n", "operator": "lt", "value": "a"}}]}]},
         "/any/1/all/1/not", 'input.n < "a"', ""),
        ("input.nix > 1", "", "input.nix > 1", "input.nix"),
        ("${ input.nix }", "", "${ input.nix }", "input.nix"),
        ({"all": [True, "input.n < 'a'"]}, "/all/1", "input.n < 'a'", ""),
        ({"not": ["input.nix"]}, "/not/0", "input.nix", "input.nix"),
        ("input.n", "", "input.n", "input.n"),
        ({"not": "input.n"}, "/not", "input.n", "input.n"),
        ({"all": ["input.n", True]}, "/all/0", "input.n", "input.n"),
        ({"any": [False, "input.s"]}, "/any/1", "input.s", "input.s"),
        ({"all": [True, {"any": ["input.?o.k.orValue(1)", False]}]}, "/all/1/any/0", "input.?o.k.orValue(1)", ""),
    ],
)  # fmt: skip
def test_an_error_in_a_condition_names_the_part_of_it(source: Any, pointer: str, expression: str, path: str) -> None:
    fault = failure(compile_condition(source, "/when"))
    assert (fault.pointer, fault.expression, fault.path) == (f"/when{pointer}", expression, path)


@pytest.mark.parametrize(
    "source",
    [
        "input.n ◊> 'a' || input.x || false",
        "input.◊x == 1 && true",
        "false || input.◊x == 1 || false",
        "true && (false || (input.◊x && true)) && true",
        "input.l.all(i, 1 ◊/ (size(input.l) - 3) == 1)",
        "input.two.exists(i, input.two.all(j, 6 ◊/ (i - 2) == 7))",
        "[0].exists(i, 1 ◊/ i == 1) || false",
        "(input.s ◊> 1 && true) || (false && input.s < 2)",
        "[1, 2].all(i, [true, true].exists(j, input.o.◊z > i))",
    ],
)
def test_an_error_that_was_taken_back_and_comes_out_in_the_end_keeps_its_place(source: str) -> None:
    failing(source)


def test_errors_that_were_taken_back_do_not_matter() -> None:
    for source in (
        "input.x || true", "true || input.x", "!(input.x && false)", "input.l.exists(i, i > 1)", "!input.l.all(i, i > 1)",
        "input.s > 1 || input.none < 2 || input.t", "!(steps.b.output.x && false)",
    ):  # fmt: skip
        assert compile_expression(source).evaluate(scope()) is True, source


def test_a_root_that_is_not_there_matters_only_where_it_is_read() -> None:
    for source in (
        "trigger.x == 1 || true", "true || trigger.x == 1", "!(trigger.x && false)", "[].all(i, trigger.x)", "false ? trigger.x : true",
        "[true].exists(i, i || trigger.x)", "input.?n.orValue(trigger.x) == 5",
    ):  # fmt: skip
        assert compile_expression(source).evaluate(scope()) is True, source


@pytest.mark.parametrize(
    "source",
    [
        "int(secrets.A)", "timestamp(secrets.A)", "input.n + int(secrets.A)", "[secrets.A].all(x, x)", "[secrets.A].filter(x, x)",
        "[secrets.A].exists(x, x > 1)", "[secrets.A].map(x, x ? 1 : 2)", "[secrets.A].map(x, !x)", "[secrets.A].map(x, [?x])",
        "[secrets.A].map(x, {x: 1, x: 2})", "{secrets.A: 1, secrets.A: 2}", "[secrets.A].map(x, x && true)", "cel.bind(x, [secrets.A], x[0] && true)",
        "cel.bind(x, {'k': secrets.A}, x.k ? 1 : 2)", "[secrets.A].map(x, x.y)", "[secrets.A].map(x, x[0])", "[secrets.A].map(x, input[x])",
        "[secrets.A].map(x, {'a': 1}[x])", "secrets.?A.value()[0]", "[secrets.A].map(x, x.map(y, y))", "[secrets.A].transformMap(i, x, x)",
        "[secrets.A].transformMapEntry(i, x, x)", "[secrets.A].map(x, x.optMap(y, y))", "[secrets.A].map(x, x in x)", "[secrets.A].map(x, -x)",
        "[secrets.A].sum()", "[secrets.A, 1].sort()", "[secrets.A, 1].max()", "input.n.startsWith(secrets.A)", "secrets.A.substring(99)",
        "now.getHours(secrets.A)", "base64.decode(secrets.A)", "secrets.A.format([1])", "'%d'.format([secrets.A])", "duration(secrets.A)",
        "[secrets.A].map(x, has(x.y))", "input.n < size(secrets.A.split('-')[0] == 'a' ? [1] : 1)", "double(secrets.A)", "bool(secrets.A)",
        "[[secrets.A]].map(x, x.first().value() && true)", "[{secrets.A: 1}].map(x, x.b)",
        "{secrets.A: 1}.map(x, x + 1)", "{'k': secrets.A}.transformList(k, v, v, 1)", "cel.bind(x, {'k': [secrets.A]}, x.k[0] || false)",
    ],
)  # fmt: skip
def test_a_message_shows_no_value_where_a_secret_is_read(source: str) -> None:
    program = compile_expression(source, "/here", WITH_SECRETS)
    assert program.secret
    fault = failure(program, scope(secrets={"A": SECRET}))
    assert SECRET not in f"{fault.message} {fault.path} {fault.expression} {fault.excerpt} {fault!r}"
    assert SECRET[:6] not in fault.message
    assert fault.__context__ is None or SECRET not in str(fault.__context__) or fault.__suppress_context__


def test_no_text_or_condition_shows_a_secret_either() -> None:
    for value in (
        "x ${[secrets.A].map(x, x ? 1 : 2)} y",
        {"a": ["${int(secrets.A)}"]},
        "${secrets.A}${base64.decode(secrets.B)}",
    ):
        program = compile_template(value, "/c", WITH_SECRETS)
        assert program.secret
        assert SECRET not in str(failure(program, scope(secrets={"A": SECRET, "B": "/w=="})))
    program = compile_condition("[secrets.A].all(x, x)", "/c", WITH_SECRETS)
    assert SECRET not in str(failure(program, scope(secrets={"A": SECRET})))


def test_what_reads_no_secret_shows_its_values() -> None:
    assert "'x'" in failing("input.s ◊+ 1").message
    assert "{'x': 1}" not in failing("input.o ◊+ 1").message
    assert len(failure(compile_expression("input.s + 1"), Given(input={"s": "y" * 5000})).message) < 200


def test_a_missing_secret_is_named() -> None:
    assert failing("'Bearer ' + secrets.◊TOKEN", secrets={"A": SECRET}).path == "secrets.TOKEN"


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("secrets.A", True), ("[1].map(x, secrets.A)", True), ("has(secrets.A)", True), ("secrets.?A.orValue('')", True),
        ("true ? '' : secrets.A", True), ("input.secrets", False), ("'secrets.A'", False),
    ],
)  # fmt: skip
def test_it_is_known_whether_a_secret_is_read(value: str, secret: bool) -> None:
    assert compile_expression(value, "", WITH_SECRETS).secret is secret
    assert compile_template({"a": ["x ${" + value + "}"]}, "", WITH_SECRETS).secret is secret


def test_references_are_known_before_anything_runs() -> None:
    value = {"a": "${input.a} ${steps.one.output.x + 1}", "b": ["${has(steps.two.output)}", "${now} ${process.id}"]}
    found = compile_template(value, "/c").references
    assert [(r.root, r.text, r.step, r.pointer) for r in found] == [
        ("input", "input.a", None, "/c/a"), ("steps", "steps.one.output.x", "one", "/c/a"), ("steps", "steps.two.output", "two", "/c/b/0"),
        ("now", "now", None, "/c/b/1"), ("process", "process.id", None, "/c/b/1"),
    ]  # fmt: skip


def test_what_is_read_is_told_by_path_and_what_is_missing_left_out() -> None:
    source = "input.n > 1 && input.l[0] == input.x || steps.a.output.x in input.l && steps.b.output == 1 || [input.o.k].all(i, i > 0)"
    program = compile_condition(source)
    assert program.inputs(scope()) == {
        "input.n": 5,
        "input.l[0]": 1,
        "input.l": [1, 2, "x"],
        "steps.a.output.x": 1,
        "input.o.k": 1,
    }
    assert compile_condition("[1].all(i, i > 0)").inputs(scope()) == {}


def test_what_is_told_of_inputs_is_fit_for_json() -> None:
    program = compile_condition("now > timestamp(input.s) || input.?n.hasValue() || process.id == ''")
    found = program.inputs(scope())
    assert found["process.id"] == "p"
    assert found["input.s"] == "x"
    assert not any(isinstance(value, datetime | Some) for value in found.values())


@pytest.mark.parametrize(
    ("value", "constant"), [(1, True), ({"a": ["$${x}"]}, True), ("${input.n}", False), (["${now}"], False)]
)
def test_a_value_known_beforehand_is_constant(value: Any, constant: bool) -> None:
    assert compile_template(value).constant is constant


def test_publishing_makes_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr("builtins.compile", lambda *args, **_: made.append(args))
    program = compile_expression("input.l.map(i, i > input.n ? 'a' : 'b').size() + 1")
    assert (program.text, program.secret, len(program.references)) == (
        'input.l.map(i, i > input.n ? "a" : "b").size() + 1',
        False,
        2,
    )
    assert program.inputs(scope()) == {"input.l": INPUT["l"], "input.n": 5}
    compile_template({"a": "${input.n} ${input.s}"})
    compile_condition({"all": ["input.n > 1", {"field": "input.s", "operator": "eq", "value": 1}]})
    assert made == []


def test_a_program_may_be_evaluated_again_with_other_values_after_an_error() -> None:
    program = compile_expression("input.n + 1")
    assert program.evaluate(scope()) == 6
    assert failure(program, Given(input={"n": "a"})).position == 8
    assert program.evaluate(Given(input={"n": 1.5})) == 2.5
    assert failure(program, Given(input={})).path == "input.n"
    assert program.evaluate(scope()) == 6


class PayloadIsMissingError(Exception):
    """What a scope may raise: it means that the evaluation must be repeated, not that it failed."""


class Absent(Given):
    """A scope whose large values are not at hand."""

    def lookup(self, root: str) -> Any:
        raise PayloadIsMissingError(root)

    def step(self, step_id: str, field: str) -> Any:
        raise PayloadIsMissingError(step_id, field)


@pytest.mark.parametrize(
    "source",
    [
        "steps.a.output", "steps.a.output.x > 1 || true", "false && steps.a.output || steps.a.output", "!(steps.a.output && false)",
        "[1, 2].all(i, steps.a.output.x == i) || true", "[1, 2].exists(i, steps.a.output.x == i) || true", "has(steps.a.output)",
        "steps.a.?output.orValue(1) == 1", "[1].map(i, steps.a.output)", "true ? steps.a.output : 1", "input.n", "input.n > 1 || true",
        "[1].all(i, input.n == i || true)", "steps.a.?output.?x.hasValue()",
    ],
)  # fmt: skip
def test_what_a_scope_raises_passes_unchanged(source: str) -> None:
    with pytest.raises(PayloadIsMissingError):
        compile_expression(source).evaluate(Absent())
    with pytest.raises(PayloadIsMissingError):
        compile_template({"a": f"x ${{{source}}}"}).evaluate(Absent())


def test_what_a_scope_raises_passes_through_what_is_read_by_path() -> None:
    with pytest.raises(PayloadIsMissingError):
        compile_expression("input.n").inputs(Absent())


LONG = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
MUCH = f"{LONG}.map(a, {LONG}.map(b, {LONG}.map(c, a * b * c))).size() > 0"


@pytest.mark.parametrize(
    "source",
    [
        MUCH, f"{MUCH} || true", f"!({MUCH} && false)", f"{MUCH} || {MUCH} || true", f"[1, 2].exists(i, {MUCH} || i == 2)",
        f"!([1, 2].all(i, {MUCH} && i == 1))", f"[1].exists(i, [1].all(j, {MUCH}) || true) || true", f"({MUCH} ? true : false) || true",
        f"{{'a': {MUCH} || true}}.a",
    ],
)  # fmt: skip
def test_spent_fuel_is_not_made_good(source: str) -> None:
    program = compile_expression(source, "/here")
    given = scope()
    given.fuel = Fuel(300)
    with pytest.raises(OutOfFuel):
        program.evaluate(given)
    given.fuel = Fuel()
    assert program.evaluate(given) is True


@pytest.mark.parametrize(
    "source",
    [
        f"1 / 0 == 1 || {MUCH} || true", f"!(1 / 0 == 1 && {MUCH} && false)", f"[0, 1].exists(i, 1 / i == 5 || {MUCH}) || true",
        f"[0, 1, 2].exists(i, i == 0 ? 1 / i == 0 : i == 1 ? {MUCH} && false : i == 2)", f"input.x || ({MUCH} || true) || true",
    ],
)  # fmt: skip
def test_spent_fuel_is_not_made_good_after_another_error_was(source: str) -> None:
    program = compile_expression(source, "/here")
    given = scope()
    given.fuel = Fuel(300)
    with pytest.raises(OutOfFuel):
        program.evaluate(given)
    assert program.evaluate(scope()) is True


def test_absorbing_errors_costs_fuel() -> None:
    program = compile_expression("input.l.exists(i, i.x == 1 || i.y == 1)")
    given = Given(input={"l": [1] * 100_000})
    with pytest.raises(OutOfFuel):
        program.evaluate(given)


@pytest.mark.parametrize("source", ["[now].map(x, x)", "{'a': now}", "input.?n", "[input.?zz]", "optional.of(optional.of(now))",
                                    "duration('1h')", "[b'a', [duration('1s')]]", "cel.bind(x, now, [x])", "input.?o.?k", "[now].first()",
                                    "input.n > 1 ? now : 1", "input.?zz.orValue(now)", "[?input.?n]", "{?'a': input.?n}", "[now].sortBy(x, x)",
                                    "input.two.transformList(k, v, [now])", "{'a': now}.transformMapEntry(k, v, {k: v})", "[optional.of(1)].map(x, x)",
                                    "timestamp(0)", "input.?n.optMap(x, now)", "input.?l[?0]", "[now, now - duration('1h')].max()"])  # fmt: skip
def test_a_value_is_fit_for_json_whatever_it_is_made_of(source: str) -> None:
    for found in (
        compile_expression(source).evaluate(scope()),
        compile_template({"a": [f"${{{source}}}"]}).evaluate(scope()),
    ):
        assert _is_json(found), found


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(type(key) is str and _is_json(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, float, str)


def test_values_handed_in_are_never_changed() -> None:
    value = {"l": [3, 1, 2], "o": {"k": [1]}}
    for source in (
        "input.l.sort()",
        "input.l.map(i, i) + [4]",
        "input.l.reverse()",
        "{'a': input.o, 'b': now}",
        "input.o.transformMap(k, v, now)",
    ):
        compile_expression(source).evaluate(Given(input=value, now=NOW))
    assert value == {"l": [3, 1, 2], "o": {"k": [1]}}


@pytest.mark.parametrize("argument", ["none", "l", "o", "t", "f", "s", "n"])
def test_every_function_places_its_errors(argument: str) -> None:
    """Whatever a function is called on: functions raise a message alone, so each must be given its place."""
    values: dict[str, Any] = {
        "none": None,
        "l": [None, {}],
        "o": {"x": []},
        "t": True,
        "f": 1e300,
        "s": "\ud7ff%",
        "n": -1,
    }
    faults = []
    for name, function in [*FUNCTIONS.items(), *METHODS.items()]:
        args = [f"input.{argument}"] * (len(function.params) - function.optional)
        if name == "matches":
            args[-1] = "'a'"
        called = f"{args[0]}.{name}({', '.join(args[1:])})" if function.method else f"{name}({', '.join(args)})"
        with suppress(InvalidExpression):
            program = compile_expression(f"[1, {called}]", "/here")
            try:
                program.evaluate(Given(input=values))
            except EvaluationError as fault:
                faults.append((fault, f"[1, {called}]"))
    assert faults
    for error, source in faults:
        assert (error.pointer, error.line, error.expression) == ("/here", 1, source)
        assert error.position >= 4
