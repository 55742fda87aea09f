"""What the parser accepts runs, however deep or long it is: Python's own limits are not met."""

from __future__ import annotations

from typing import Any

import pytest

from engine.cel import compile_condition, compile_expression, compile_template
from tests.unit.cel.given import Given, alike


def nested(form: str, depth: int, core: str) -> str:
    for _ in range(depth):
        core = form.replace("CORE", core)
    return core


def listed(depth: int, core: Any) -> Any:
    for _ in range(depth):
        core = [core]
    return core


DEEP: dict[str, tuple[str, int, str, Any]] = {
    "map": ("[1].map(x, CORE)", 62, "x", listed(62, 1)),
    "map of its variable": ("[[1, 2]].map(x, CORE)[0]", 40, "x[1]", 2),
    "all": ("[1].all(x, CORE)", 62, "x == 1", True),
    "exists": ("[1].exists(x, CORE && x == 1)", 60, "x == 0 || x == 1", True),
    "exists one": ("[2].exists_one(x, CORE)", 62, "x == 2", True),
    "filter": ("[true].filter(x, CORE == [true] || x)", 60, "[x]", [True]),
    "sort": ("[2].sortBy(x, size(CORE))", 31, "[x]", [2]),
    "sets": ("{'a': 1}.transformMap(k, v, CORE)", 60, "v", None),
    "entries": ("[1].transformMapEntry(k, v, true, {'k': CORE})", 31, "v", None),
    "bind": ("cel.bind(x, 1, x + CORE)", 62, "1", 63),
    "optional": ("optional.of(1).optMap(x, CORE)", 31, "x", 1),
    "or value": ("input.?z.orValue(CORE)", 62, "7", 7),
    "coalesce": ("coalesce(null, CORE)", 62, "7", 7),
    "ternary": ("(true ? CORE : 0)", 63, "3", 3),
    "ternary in its test": ("((CORE) ? true : false)", 31, "true", True),
    "and or": ("(false || true && (CORE))", 31, "true", True),
    "and or not": ("!(true && !(false || !CORE))", 31, "true", False),
    "lists": ("[CORE]", 63, "5", listed(63, 5)),
    "maps": ("{'a': CORE}", 63, "5", None),
    "arguments": ("math.greatest(1, CORE)", 63, "5", 5),
    "all in and or": ("false || true && [1].all(x, CORE)", 61, "x == 1", True),
    "exists in and or": ("true && false || [1].exists(x, CORE && true)", 61, "x == 1", True),
    "all in and or in ternary": ("true ? false || true && [1].all(x, CORE) : false", 61, "x == 1", True),
    "absorbed": ("[1].exists(x, 1 / 0 == x || CORE)", 61, "x == 1", True),
    "absorbed in ternary": ("1 / 0 == 1 || [0, 1].exists(x, x == 0 ? 1 / x == 1 : CORE)", 49, "x == 1", True),
    "map in sum in ternary": ("true ? [0] + [1].map(x, CORE) : []", 61, "x", None),
    "everything": ("true ? size([1].map(x, CORE)) == 1 && !false || false : false", 30, "true", True),
    "chain of and": ("[1].all(x, x == 1 && x == 1 && x == 1 && CORE && x == 1)", 60, "true", True),
}


@pytest.mark.parametrize(("form", "depth", "core", "expected"), DEEP.values(), ids=DEEP)
def test_what_the_parser_accepts_runs_however_deep_it_is(form: str, depth: int, core: str, expected: Any) -> None:
    program = compile_expression(nested(form, depth, core))
    value = program.evaluate(Given(input={}))
    assert expected is None or alike(value, expected)
    assert alike(compile_expression(program.text).evaluate(Given(input={})), value)


CHAINS: dict[str, tuple[str, Any]] = {
    "sum": ("1" + " + 1" * 249, 250), "product": ("1.0" + " * 2.0" * 200, 2.0**200), "text": ("'a'" + " + 'b'" * 249, "a" + "b" * 249),
    "and": ("true" + " && true" * 700, True), "or": ("false" + " || false" * 700 + " || true", True), "absorbing": ("1 / 0 == 1" + " || 1 / 0 == 1" * 400 + " || true", True),
    "ternaries": ("false ? 1 : " * 240 + "2", 2), "not": ("!" * 248 + "true", True), "methods": ("' a '" + ".trim()" * 248, "a"),
    "macros": ("[1]" + ".map(x, x + 1)" * 248, [249]), "fields": ("input" + ".a" * 249, 9), "optional": ("input" + ".?a" * 249, 9),
    "indices": ("input.l" + "[0]" * 240, None), "list": (f"[{', '.join(['1'] * 2000)}]", [1] * 2000), "long text": (f"'{'x' * 7900}'", "x" * 7900),
    "comparisons": ("1 == 1" + " == true" * 248, True), "arguments": (f"math.greatest({', '.join(map(str, range(1000)))})", 999),
}  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), CHAINS.values(), ids=CHAINS)
def test_a_long_chain_runs(source: str, expected: Any) -> None:
    deep: Any = 9
    for _ in range(249):
        deep = {"a": deep}
    found = compile_expression(source).evaluate(Given(input=deep | {"l": listed(240, None)}))
    assert alike(found, expected)


@pytest.mark.parametrize("depth", [1, 30, 60])
def test_the_deepest_expression_runs_in_the_deepest_config_value(depth: int) -> None:
    cases = [
        ("'a'" + ".trim()" * 248, "a"),
        (nested("false || true && [1].all(x, CORE)", 61, "true"), True),
        ("1" + " + 1" * 249, 250),
    ]
    for source, result in cases:
        value: Any = f"${{{source}}}"
        expected: Any = result
        for level in range(depth):
            value, expected = ([value], [expected]) if level % 2 else ({"a": value}, {"a": expected})
        assert compile_template(value).evaluate(Given()) == expected


@pytest.mark.parametrize("depth", [1, 30, 60])
def test_the_deepest_expression_runs_in_the_deepest_condition(depth: int) -> None:
    for source in (
        "'a'" + ".trim()" * 247 + " == 'a'",
        nested("false || true && [1].all(x, CORE)", 61, "true"),
        "1" + " + 1" * 248 + " == 249",
    ):
        value: Any = source
        for level in range(depth):
            value = {"not": {"not": value}} if level % 2 else {"all": [True, value]}
        program = compile_condition(value)
        assert program.evaluate(Given()) is True
