"""Expressions that stand in YAML without quotes: what is wrong, where, and how the line is written."""

import pytest

from api.bodies import decode_yaml
from api.yaml_bodies import ADVICE, MAX_YAML
from engine.errors import UnreadableBody

BEGINS = "a text without quotes cannot begin with !"
COLON = "a text without quotes cannot have ': ' in it"
FLOW = "an expression within { } or [ ] needs quotes"
PUT = "Put the expression into single quotes"


def refused(text: str) -> UnreadableBody:
    with pytest.raises(UnreadableBody) as caught:
        decode_yaml(text.encode())
    return caught.value


@pytest.mark.parametrize(
    ("marked", "problem", "advice"),
    [
        ("condition: ◊!has(x)", BEGINS, f"{PUT}: condition: '!has(x)'"),
        ("condition: ◊!(a > 1)", BEGINS, f"{PUT}: condition: '!(a > 1)'"),
        ("a: 1\n  \nb:\n  - when: ◊!a && b > 'c'", BEGINS, f"{PUT}: - when: '!a && b > ''c'''"),
        ("- ◊!input.l.exists(l, l.x)", BEGINS, f"{PUT}: - '!input.l.exists(l, l.x)'"),
        ("{condition: ◊!has(x), a: 1}", BEGINS, f"{PUT}."),
        ("when: a ? b ◊: c", COLON, f"{PUT}: when: 'a ? b : c'"),
        ("- when: a ? b ◊: c", COLON, f"{PUT}: - when: 'a ? b : c'"),
        ('x: ${f({"a"◊: 1})}', COLON, f"{PUT}: x: '${{f({{\"a\": 1}})}}'"),
        ("when: a &&\n  b ? c ◊: d", COLON, f"{PUT}."),
        ("when: a ? b ◊: c # why", COLON, f"{PUT}."),
        ("description: Orders◊: all", COLON, "Put the text into single quotes: description: 'Orders: all'"),
        ("x: {a: ◊${input.x}}", FLOW, f"{PUT}: '${{input.x}}'."),
        ("x: {a: ◊${input.x}, b: ${input.y}}", FLOW, f"{PUT}: '${{input.x}}'."),
        ("x: [◊${input.x}]", FLOW, f"{PUT}: '${{input.x}}'."),
        ("{a: Order ◊${input.x}}", FLOW, f"{PUT}."),
        ("{a: ◊${'x' + input.y}}", FLOW, f"{PUT}."),
        ('when: "a" ◊== b', 'nothing can follow what begins with " and has ended', f"{PUT}: when: '\"a\" == b'"),
        ("when: [1]◊.size() > 1", "nothing can follow what begins with [ and has ended", f"{PUT}: when: '[1].size() > 1'"),
        ("\ufeffa: ◊!has(x)", BEGINS, f"{PUT}: a: '!has(x)'"),
        ("a: 1\r\nb: ◊!x.y == 1\r\n", BEGINS, f"{PUT}: b: '!x.y == 1'"),
    ],
)  # fmt: skip
def test_an_expression_without_quotes_is_told_with_its_line(marked: str, problem: str, advice: str) -> None:
    fault = refused(marked.replace("◊", ""))
    lines = marked.removeprefix("\ufeff").splitlines()
    [(number, line)] = [(n, line) for n, line in enumerate(lines, 1) if "◊" in line]
    at = line.index("◊")
    assert fault.message == f"the body is not YAML: {problem} in line {number}, column {at + 1}"
    assert fault.advice == advice
    [finding] = fault.findings
    assert (finding.message, finding.line, finding.column) == (problem, number, at + 1)
    assert finding.excerpt == f"{line.replace('◊', '')}\n{' ' * at}^"


def test_the_line_that_is_advised_can_be_read() -> None:
    for line in ("condition: !(a > 1)", "when: a ? b : 'c'", '- when: "a" == b', "- !has(x)"):
        advised = refused(line).advice.removeprefix(f"{PUT}: ")
        assert repr(decode_yaml(advised.encode())).count("a") >= 1


@pytest.mark.parametrize(
    "text", ["a: b\n  c: d", "a: b\n- c", "a: [1, 2", "1: a", "a: 1\na: 2", "a: *b", "a: {b: [}", "a: !!binary YQ=="]
)
def test_what_is_wrong_otherwise_is_not_taken_for_an_expression(text: str) -> None:
    fault = refused(text)
    assert fault.advice == ADVICE
    assert "quotes" not in fault.message


def test_a_place_behind_the_last_line_shows_no_line() -> None:
    [finding] = refused("a: [1, 2").findings
    assert (finding.line, finding.excerpt) == (2, "")


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "text",
    ["a: " + "[ " * 60 + "x" * 900_000 + ": ", "\n" * 900_000 + "a: !x", "- " * 60 + " " * 900_000 + "!x", "a: !" + "${" * 400_000],
)  # fmt: skip
def test_the_line_of_a_large_body_costs_little_and_little_of_it_is_shown(text: str) -> None:
    assert len(text) < MAX_YAML
    fault = refused(text)
    assert len(fault.message) < 300
    assert all(len(finding.excerpt) < 250 for finding in fault.findings)
