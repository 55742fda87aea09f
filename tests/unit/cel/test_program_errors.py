"""Where the errors of programs are: line, column and excerpt, in whatever an expression stands."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from engine.cel import EvaluationError, InvalidExpression, compile_condition, compile_expression, compile_template
from engine.cel.library import FUNCTIONS, METHODS
from tests.unit.cel.failing import failing, failure, scope
from tests.unit.cel.given import Given


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
        "cel.bind(x, input.s, x ◊+ 1)", "coalesce(input.?x, input.n ◊/ 0)", "input.two.map(a, input.two.map(b, input.two.map(c, (a + b) ◊/ (c - 1))))",
    ],
)  # fmt: skip
def test_an_error_within_a_macro_is_placed_in_its_body(source: str) -> None:
    failing(source)


@pytest.mark.parametrize(
    "source",
    [
        "input.?◊n == 5", "5 == input.?◊n", "input.?◊n != null", "input.?◊n in [5]", "input.?◊n in input.two", "input.?◊s in input.o",
        "[5].contains(input.?◊n)", "input.s.contains(input.?◊s)", "input.l.indexOf(input.?◊n)", "input.l.lastIndexOf(input.?◊n)",
        "input.l.◊first() == 1", "input.l◊[?0] == 1", "true && (input.?◊n) == 5", "cel.bind(x, input.?n, ◊x == 5)",
        "input.l.exists(i, i == input.?◊n)",
    ],
)  # fmt: skip
def test_an_optional_is_refused_at_publish_where_it_is_compared_with_a_value(source: str) -> None:
    fault = unpublished(source)
    assert "is an optional, which no value equals" in fault.message
    for way in (".orValue(…)", ".hasValue()", "coalesce(…)"):
        assert way in fault.advice


@pytest.mark.parametrize(
    "source", ["input.?n == input.?s", "optional.of(input.n) != input.?n", "[input.?n] == [input.?n]"]
)
def test_optionals_may_be_compared_with_each_other(source: str) -> None:
    assert compile_expression(source).evaluate(scope()) is (source[0] == "[")


@pytest.mark.parametrize("source", ["dyn(input.?n) ◊== 5", "'x' ◊!= dyn(input.?s)", "[input.?none].all(i, i ◊!= null)", "[input.?t].exists(i, i ◊== true)",
                                    "1 ◊in [input.?n]", "(input.t ? input.?n : 5) ◊== 5", "dyn(input.?n) ◊== input.s", "[input.?n] ◊== [5]", "dyn(input.?n) ◊in input.l",
                                    "input.l.◊contains(dyn(input.?n))", "[input.?n].map(i, i ◊!= input.o)"])  # fmt: skip
def test_an_optional_is_an_error_where_its_kind_was_not_known_at_publish(source: str) -> None:
    assert "an optional and a value are never equal" in failing(source).message


@pytest.mark.parametrize(
    "source",
    [
        "timestamp(◊'soon') < now", "now > timestamp(◊'2026-02-30T00:00:00Z')", "now - duration(◊'1 day') < now", "input.t || duration(◊'') == duration('1s')",
    ],
)  # fmt: skip
def test_a_time_that_is_none_is_refused_at_publish(source: str) -> None:
    assert " is not a" in unpublished(source).message


def unpublished(source: str) -> InvalidExpression:
    """Return why an expression is refused at publish; one character is marked: the place that is named."""
    plain = source.replace("◊", "")
    with pytest.raises(InvalidExpression) as fault:
        compile_expression(plain, "/here")
    assert (fault.value.pointer, fault.value.position) == ("/here", source.index("◊")), fault.value.message
    return fault.value


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
