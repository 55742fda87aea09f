"""Programs: what they tell of themselves, what of secrets, and what passes through them unchanged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from engine.cel import compile_condition, compile_expression, compile_template
from engine.cel.errors import OutOfFuel
from engine.cel.fuel import Fuel
from engine.cel.values import Some
from tests.unit.cel.failing import INPUT, NOW, WITH_SECRETS, failing, failure, scope
from tests.unit.cel.given import Given

SECRET = "s3cr3t-value"


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


def test_what_does_not_fit_names_its_place() -> None:
    program = compile_template({"a/b": "x ${input.n + 1}", "c": "plain", "d": ["${input.n}"]}, "/config/headers")
    refused = {key: program.refused("it does not fit", key) for key in ("a/b", "c", "d")}
    assert {key: (fault.pointer, fault.expression) for key, fault in refused.items()} == {
        "a/b": ("/config/headers/a~1b", '"x " + string(input.n + 1)'),
        "c": ("/config/headers/c", '"plain"'),
        "d": ("/config/headers/d", "[input.n]"),
    }
    assert {(fault.message, fault.path, fault.position) for fault in refused.values()} == {("it does not fit", "", 0)}
    fault = compile_template("${input.n + 1}", "/config/url").refused("it does not fit")
    assert (fault.pointer, fault.expression, fault.path) == ("/config/url", "input.n + 1", "")
    fault = compile_template("${input.o}", "/config/query").refused("it does not fit", "k")
    assert fault.pointer == "/config/query/k"


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
