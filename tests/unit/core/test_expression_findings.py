"""Expressions in definitions: what is found at publish, and where."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.core.compile import compile_definition
from engine.core.definition import parse_definition
from engine.errors import Finding, InvalidDefinition
from tests.unit.core.given import Life, decision, document, http, manual, transform, wait


def findings(value: Any) -> tuple[Finding, ...]:
    with pytest.raises(InvalidDefinition) as fault:
        parse_definition(value)
    return fault.value.findings


def codes(value: Any) -> list[str]:
    try:
        parse_definition(value)
    except InvalidDefinition as fault:
        return [finding.code for finding in fault.findings]
    return []


@pytest.mark.parametrize(
    ("step", "pointer", "line", "column", "excerpt"),
    [
        (http("a", condition="input.a > inputs.b"), "/condition", 1, 11, "input.a > inputs.b\n          ^"),
        (http("a", condition="input.a >\n  input.b +\n"), "/condition", 3, 1, "\n^"),
        (http("a", condition={"all": [True, "input.a +* 1"]}), "/condition/all/1", 1, 10, "input.a +* 1\n         ^"),
        (http("a", condition="input.a + 1"), "/condition", 1, 9, "input.a + 1\n        ^"),
        (http("a", condition={"any": ["1 == 1", "size(input.l)"]}), "/condition/any/1", 1, 1, "size(input.l)\n^"),
        (http("a", condition={"field": "input.a", "operator": "eq", "value": "x ${input.b ++ 1}"}), "/condition/value", 1, 14,
         "x ${input.b ++ 1}\n             ^"),
        (transform("a", {"x": ["a ${input.n}\n ${nope.n}"]}), "/config/mapping/x/0", 2, 4, " ${nope.n}\n   ^"),
        (transform("a", {"x": "${input.n.pluss(1)}"}), "/config/mapping/x", 1, 11, "${input.n.pluss(1)}\n          ^"),
        (transform("a", {"x": "${input.n} ${steps.zz.output.a}"}), "/config/mapping/x", 1, 14, "${input.n} ${steps.zz.output.a}\n             ^"),
        (transform("a", {"x": "${\n[1].map(i, i + steps.a.output)}"}), "/config/mapping/x", 2, 16, "[1].map(i, i + steps.a.output)}\n               ^"),
        (decision("a", (True, []), ("true && 'x' * 2", [])), "/config/branches/1/when", 1, 13, "true && 'x' * 2\n            ^"),
        (wait("a", signal="s", correlation_key="${input.}"), "/config/correlation_key", 1, 9, "${input.}\n        ^"),
        (manual("a", title="Check ${input.a}, ${1 = 2}"), "/config/title", 1, 23, "Check ${input.a}, ${1 = 2}\n                      ^"),
        (http("a", config={"url": "https://x.example/${input.a.matches(input.b)}"}), "/config/url", 1, 43,
         "https://x.example/${input.a.matches(input.b)}\n                                          ^"),
    ],
)  # fmt: skip
def test_a_finding_of_an_expression_shows_its_place(
    step: Any, pointer: str, line: int, column: int, excerpt: str
) -> None:
    [found] = findings(document(step))
    assert found.pointer == f"/steps/0{pointer}"
    assert (found.line, found.column, found.excerpt) == (line, column, excerpt)


def test_a_finding_that_is_of_no_expression_has_no_place() -> None:
    found = findings(document(http("a", config={"url": "/x"}), http("b", condition={"field": 1}), name=" "))
    assert all((finding.line, finding.column, finding.excerpt) == (None, None, "") for finding in found)


def test_all_faults_of_all_expressions_are_found_at_once() -> None:
    found = findings(document(
        transform("a", {"x": "${1 +} ", "y": ["${nope}", "${'a' * 1} ${!1}"]}, condition="input.a &&"),
        decision("d", ("input.x >", []), ("zz", [])), output={"z": "${steps.q.output}"},
    ))  # fmt: skip
    assert [f.pointer for f in found] == [
        "/steps/0/config/mapping/x", "/steps/0/config/mapping/y/0", "/steps/0/config/mapping/y/1", "/steps/0/config/mapping/y/1",
        "/steps/0/condition", "/steps/1/config/branches/0/when", "/steps/1/config/branches/1/when", "/output/z",
    ]  # fmt: skip


def test_a_finding_of_a_very_long_expression_stays_small() -> None:
    for condition in (
        "input.a == '" + "x" * 7000 + "' + 1 + 'y' * 2",
        "x" * 7900,
        "'" + "\n" * 7000,
        "input." + "a" * 20_000,
        "1 +" * 3000,
    ):
        for found in findings(document(http("a", condition=condition))):
            assert len(msgspec.json.encode(found)) < 2000


# ---- regular expressions, counted over all of a definition

PATTERNS = [f"input.s.matches('a{i}')" for i in range(101)]


def test_a_hundred_regular_expressions_are_allowed_wherever_they_stand() -> None:
    schema = {"properties": {f"p{i}": {"type": "string", "pattern": "a+"} for i in range(20)}}
    form: dict[str, Any] = {"patternProperties": {f"^a{i}": {} for i in range(20)}}
    leaf = {"field": "input.s", "operator": "matches", "value": "x"}
    parts: dict[str, Any] = {"input_schema": schema, "output": {"x": ["${input.s.matches('b')}"] * 15},
                             "trigger": {"type": "event", "event_name": "e", "conditions": [leaf] * 5}}  # fmt: skip
    steps = [
        manual("m", form=form),
        decision("d", *[({"any": [leaf, "input.s.matches('c')"]}, [])] * 10),
        transform("t", {"l": [f"${{{p}}}" for p in PATTERNS[:19]]}),
    ]
    assert codes(document(*steps, http("h", condition="input.s.matches('d')"), **parts)) == []
    for more in (
        document(*steps, http("h", condition="input.s.matches('d') || input.s.matches('e')"), **parts),
        document(*steps, http("h", condition={"any": [leaf, leaf]}), **parts),
        document(*steps, http("h", condition=leaf), **{**parts, "output": {"x": ["${input.s.matches('b')}"] * 16}}),
        document(*steps, http("h", condition=leaf), **{**parts, "input_schema": {**schema, "pattern": "a"}}),
        document(manual("m", form={**form, "pattern": "a"}), *steps[1:], http("h", condition=leaf), **parts),
        document(
            *steps, http("h", condition=leaf), **{**parts, "trigger": {**parts["trigger"], "conditions": [leaf] * 6}}
        ),
    ):
        found = codes(more)
        assert found
        assert set(found) <= {"too_many_patterns", "expression_invalid"}


@pytest.mark.parametrize(
    "value",
    [{"mapping": {"x": [f"${{{p}}}" for p in PATTERNS]}}, {"mapping": {"x": "${[" + ", ".join(PATTERNS) + "]}"}}],
)
def test_more_regular_expressions_are_refused(value: dict[str, Any]) -> None:
    found = findings(document({"id": "t", "type": "transform", "config": value}))
    assert all("regular expressions" in finding.message for finding in found)


def test_what_was_published_with_more_of_them_still_runs() -> None:
    steps = transform("t", {"x": [f"${{{p}}}" for p in PATTERNS]})
    plan = compile_definition(parse_definition(document(steps), published=True))
    life = Life(plan, {"s": "a7"})
    life.open()
    assert life.activity("t").output["x"].count(True) == 1
