"""`stepwell expression`: an expression is tried on data at hand, and what is wrong with either is shown."""

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from engine.core.values import MAX_DEPTH, MEBIBYTE
from engine.errors import StepwellError
from stepwell import expression, expression_data, output
from stepwell.main import cli
from tests.cli.program import on_terminal, run, visible

ORDER = """
input:
  id: A-7
  amount: 120
  lines: [{qty: 2, price: 1.5}, {qty: 1, price: 10}]
steps:
  check: {output: {score: 7}, status: COMPLETED}
  pay: {status: FAILED, error: {code: http_500}}
process: {id: prc_1, version: 3}
trigger: {type: manual}
now: 2026-01-31T12:00:00+02:00
item: bolt
index: 4
"""
TOTAL = "input.lines.map(l,l.qty*l.price).sum()"


def tried(runner: CliRunner, *arguments: str, given: str | None = None) -> Result:
    Path("order.yaml").write_text(ORDER, "utf-8")
    return runner.invoke(cli, ["expression", *arguments], input=given)


def shown(runner: CliRunner, *arguments: str, given: str | None = None) -> Any:
    done = tried(runner, *arguments, given=given)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def refused(runner: CliRunner, *arguments: str, given: str | None = None) -> Any:
    done = tried(runner, *arguments, "--json", given=given)
    assert (done.exit_code, done.stdout) == (1, "")
    said = json.loads(done.stderr)
    assert said["advice"]
    assert said["code"] != "internal_error", said
    return said


def test_an_expression_is_shown_in_its_normal_form_with_what_it_reads_and_its_value(runner: CliRunner) -> None:
    assert shown(runner, TOTAL, "--data", "order.yaml", "--json") == {
        "expression": "input.lines.map(l, l.qty * l.price).sum()",
        "reads": ["input.lines"],
        "value": 13.0,
    }


def test_without_data_nothing_is_evaluated(runner: CliRunner) -> None:
    assert shown(runner, "input.b / 0 == input.a + input.b") == {
        "expression": "input.b / 0 == input.a + input.b",
        "reads": ["input.b", "input.a"],
    }


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("input.id + item", "A-7bolt"),
        ("steps.check.output.score + index", 11),
        ("steps.check.status + steps.pay.error.code", "COMPLETEDhttp_500"),
        ("[process.version, trigger.type]", [3, "manual"]),
        ("now", "2026-01-31T10:00:00Z"),
        ("input.?nothing.orValue(null)", None),
        ("{'field': input.id, 'message': 'unknown'}", {"field": "A-7", "message": "unknown"}),
    ],
)
def test_the_roots_of_the_data_are_read_by_name(runner: CliRunner, source: str, value: object) -> None:
    assert shown(runner, source, "--data", "order.yaml")["value"] == value


def test_data_may_be_json_or_standard_input_and_an_expression_standard_input_too(runner: CliRunner) -> None:
    assert shown(runner, "input.n", "--data", '{"input": {"n": 1}}')["value"] == 1
    assert shown(runner, "input.n", "--data", "-", given="input: {n: 2}")["value"] == 2
    assert shown(runner, "-", "--data", "order.yaml", given="input.id +\n  item\n")["value"] == "A-7bolt"
    assert tried(runner, "-", "--data", "-", given="input").exit_code == 2


def test_the_present_moment_is_now_where_the_data_has_none(runner: CliRunner) -> None:
    before = datetime.now(UTC)

    found = datetime.fromisoformat(shown(runner, "now", "--data", "{}")["value"])

    assert before <= found <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("text", "stands_for", "value"),
    [
        ("Order ${input.id}", '"Order " + string(input.id)', "Order A-7"),
        ("${input.amount}", "input.amount", 120),
        ("$${input.id} of ${item}", '"${input.id} of " + string(item)', "${input.id} of bolt"),
    ],
)
def test_a_text_with_a_place_for_values_is_a_template(
    runner: CliRunner, text: str, stands_for: str, value: object
) -> None:
    found = shown(runner, text, "--data", "order.yaml")

    assert (found["expression"], found["value"]) == (stands_for, value)
    assert shown(runner, "-", "--data", "order.yaml", given=f"{text}\n") == found


@pytest.mark.parametrize(
    ("text", "stands_for", "value"),
    [
        ("{field: input.amount, operator: gt, value: 100}", "input.amount > 100", True),
        ('{"field": "input.id", "operator": "eq", "value": "${item}"}', "input.id == item", False),
        (
            "all:\n- {field: input.amount, operator: lt, value: 100}\n- not: {field: input.x, operator: exists}",
            "input.amount < 100 && !input.?x.hasValue()",
            False,
        ),
        ("any: [index > 3]", "index > 3", True),
    ],
)
def test_a_condition_in_json_or_yaml_is_shown_as_the_expression_it_stands_for(
    runner: CliRunner, text: str, stands_for: str, value: object
) -> None:
    found = shown(runner, text, "--data", "order.yaml")

    assert (found["expression"], found["value"]) == (stands_for, value)


def test_each_fault_is_told_with_its_place_its_line_and_advice(runner: CliRunner) -> None:
    said = refused(runner, "input.amount +\n  inptu.x + input.id.trimm()")

    assert (said["code"], said["message"]) == ("invalid_definition", "the expression has 2 faults")
    first, second = said["findings"]
    assert (first["line"], first["column"], second["line"], second["column"]) == (2, 3, 2, 22)
    assert first["excerpt"] == "  inptu.x + input.id.trimm()\n  ^"
    assert second["excerpt"] == "  inptu.x + input.id.trimm()\n" + " " * 21 + "^"
    assert second["advice"] == "Did you mean 'trim'?"


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("{field: input.amount, operator: gtt, value: 100}", "/operator"),
        ("{feild: input.amount, operator: gt, value: 100}", "/feild"),
        ("{field: input.amount, opertor: gt, value: 100}", "/opertor"),
        ("all: [{field: input.amount}, {any: 1}]", "/all/1/any"),
        ("{field: input.amount +, operator: gt, value: 100}", "/field"),
    ],
)
def test_a_fault_of_a_condition_is_told_with_its_place_in_it(runner: CliRunner, text: str, pointer: str) -> None:
    assert pointer in [finding["pointer"] for finding in refused(runner, text)["findings"]]


def test_what_cannot_be_evaluated_on_the_data_is_told_with_its_place(runner: CliRunner) -> None:
    said = refused(runner, "input.amount > 1 &&\n  input.lines[2].qty > 1", "--data", "order.yaml")

    (finding,) = said["findings"]
    assert (said["code"], finding["line"], finding["column"]) == ("expression_failed", 2, 14)
    assert "input.lines has 2 items" in finding["message"]
    assert finding["excerpt"] == "  input.lines[2].qty > 1\n             ^"


def test_what_a_process_could_not_keep_is_no_value(runner: CliRunner) -> None:
    half = json.dumps({"input": "a" * (MEBIBYTE // 2)})

    assert refused(runner, "input + input", "--data", "-", given=half)["code"] == "output_too_large"
    assert shown(runner, "input == input + ''", "--data", "-", given=half)["value"] is True


@pytest.mark.parametrize("root", ["input", "trigger", "process", "item", "steps.a.output", "steps.check.error"])
def test_a_root_that_the_data_lacks_is_missing(runner: CliRunner, root: str) -> None:
    said = refused(runner, root, "--data", '{"steps": {"check": {"output": 1}}}')

    assert said["code"] == "expression_failed"


@pytest.mark.parametrize(
    ("data", "code", "pointer"),
    [
        ("[]", "invalid_input", ""),
        ('{"lines": []}', "invalid_input", "/lines"),
        ('{"steps": []}', "invalid_input", "/steps"),
        ('{"steps": {"a": {"ouput": 1}}}', "invalid_input", "/steps/a/ouput"),
        ('{"steps": {"a": {"status": "DONE"}}}', "invalid_input", "/steps/a/status"),
        ('{"process": {"name": "x"}}', "invalid_input", "/process/name"),
        ('{"now": "today"}', "invalid_input", "/now"),
        ('{"now": 12}', "invalid_input", "/now"),
        ('{"input": {"a": "\\u0000"}}', "nul_character", "/input/a"),
        ('{"steps": {"a/b": {"output": {"a": "\\u0000"}}}}', "nul_character", "/steps/a~1b/output/a"),
    ],
)
def test_what_is_wrong_with_the_data_is_told_with_its_place(
    runner: CliRunner, data: str, code: str, pointer: str
) -> None:
    said = refused(runner, "1", "--data", data)

    places = [said["pointer"], *(finding["pointer"] for finding in said["findings"])]
    assert said["code"] == code
    assert pointer in places


def test_data_is_held_to_what_a_process_can_hold(runner: CliRunner) -> None:
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    longest = "a" * (MEBIBYTE - 2)
    data = Path("data.json")

    for value, code in ((deepest, "too_deep"), (f'"{longest}"', "too_large")):
        data.write_text(f'{{"input": {value}}}')
        assert shown(runner, "1", "--data", "data.json")["value"] == 1
        data.write_text(f'{{"input": {value.replace("[]", "[[]]").replace("aa", "aaa", 1)}}}')
        assert refused(runner, "1", "--data", "data.json")["code"] == code


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"a: [",
        b"[" * 200_000,
        b"1: 2",
        b"a: !!python/name:os.system",
        b"a: .inf",
        b"a: &a [*a]",
        b"\0",
        b"- x",
    ],
)
def test_a_hostile_file_is_refused_with_a_clear_error(runner: CliRunner, content: bytes) -> None:
    Path("hostile").write_bytes(content)

    assert refused(runner, "1", "--data", "hostile")["code"] == "invalid_input"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "invalid_definition"),
        ("(" * 300, "invalid_definition"),
        ("1 +" * 5000, "invalid_definition"),
        ('{"not": ' * 65 + "true" + "}" * 65, "too_deep"),
        ("a" * (MEBIBYTE + 1), "too_large"),
        ("a\0b", "nul_character"),
        ("\udcff", "invalid_input"),
        ("secrets.token", "invalid_definition"),
    ],
)
def test_a_hostile_expression_is_refused_with_a_clear_error(runner: CliRunner, text: str, code: str) -> None:
    given = None if "\udcff" in text else text

    assert refused(runner, text if given is None else "-", given=given)["code"] == code


def test_bytes_that_are_no_text_are_told_where_the_locale_names_no_encoding(tmp_path: Path) -> None:
    bare = run(tmp_path, "expression", "1", "--data", '{"input": "\udcff"}', LC_ALL="C")
    missing = run(tmp_path, "expression", "1", "--data", "\udcff", "--json", LC_ALL="C")

    assert bare.stderr.splitlines()[0] == "error: --data is not UTF-8 [invalid_input]"
    assert json.loads(missing.stderr)["message"] == "there is no file ?"


PIECES = (
    "input",
    ".a",
    "?.b",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    '"',
    "'",
    "${",
    "$${",
    "field:",
    "operator:",
    "value:",
    ",",
)
MORE = (
    "exists",
    "eq",
    ": ",
    "&&",
    "? ",
    "1",
    "1e400",
    "\n",
    "- ",
    "&a ",
    "*a",
    "\\u0000",
    "日",
    "\u202e",
    "now",
    "item",
)
TEXTS = st.lists(st.sampled_from((*PIECES, *MORE, "all", "not", "-", "*", "/", "9" * 20, ".map(x, ")), max_size=12)


@given(TEXTS)
def test_whatever_is_given_there_is_a_value_or_an_error_of_ours(pieces: list[str]) -> None:
    with contextlib.suppress(StepwellError):
        found = expression.compiled("".join(pieces))
        value = expression.evaluated(found.program, expression_data.read({"input": {"a": [1]}, "item": "x"}))
        assert json.loads(output.as_text([found.program.text, found.reads]))[1] == found.reads
        assert json.loads(output.as_text(value)) == value


def test_on_a_terminal_the_value_stands_alone_and_other_ways_to_write_have_their_expression_above(
    tmp_path: Path,
) -> None:
    (tmp_path / "order.yaml").write_text(ORDER, "utf-8")
    looks = {
        TOTAL: ["13.0"],
        "[input.id]": ["[", '  "A-7"', "]"],
        "Order ${input.id}": ['"Order " + string(input.id)', '"Order A-7"'],
        "{field: input.amount, operator: gt, value: 100}": ["input.amount > 100", "true"],
        "input.id + '\\x1b[2J'": ['"A-7\\u001b[2J"'],
    }
    for source, lines in looks.items():
        code, told = on_terminal(tmp_path, "expression", source, "--data", "order.yaml")
        assert (code, visible(told)) == (0, lines)


def test_on_a_terminal_what_is_read_is_told_where_nothing_is_evaluated(tmp_path: Path) -> None:
    code, told = on_terminal(tmp_path, "expression", f"{TOTAL} > input.amount")

    lines = visible(told)
    assert code == 0
    assert lines[0] == "input.lines.map(l, l.qty * l.price).sum() > input.amount"
    assert lines[1] == "reads input.lines, input.amount"
    assert visible(on_terminal(tmp_path, "expression", "7 / 2")[1]) == ["3.5"]  # it needs no data


def test_a_fault_is_shown_as_a_finding_in_a_definition_is(tmp_path: Path) -> None:
    code, told = on_terminal(tmp_path, "expression", "input.amount +\n  inptu.x")

    assert code == 1
    assert [line.rstrip() for line in visible(told)] == [
        "error: the expression has 1 fault [invalid_definition]",
        "  line 2, column 3",
        "      'inptu' is not known here",
        "            inptu.x",
        "            ^",
        "      → A reference begins with index, input, item, now, process, steps,",
        "      trigger. Did you mean 'input'?",
        "  → Correct the expression and run the command again.",
    ]
