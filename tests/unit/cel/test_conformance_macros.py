"""What CEL says its macros mean, as literal expectations: what is evaluated once for each item, and cel.bind."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.cel.given import alike, refusal, value

INPUT = {
    "n": 2, "s": "abc", "none": None, "l": [1, 2, 3], "m": {"a": 1, "nil": None, "if": {"b": [5, 6]}, "odd-name": 7},
    "mixed": [1, "a", None], "rows": [{"id": 2, "q": 1.5}, {"id": 1, "q": 2.5}],
}  # fmt: skip


def check(source: str, expected: Any) -> None:
    found = value(source, input=INPUT)
    assert alike(found, expected), f"{source} gives {found!r}, not {expected!r}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [("input.l.all(x, x > 0)", True), ("input.l.all(x, x > 1)", False), ("[].all(x, 1 / 0 > 1)", True),
     ("input.m.all(k, size(k) > 0)", True),
     ("input.l.exists(x, x == 2)", True), ("input.l.exists(x, x == 9)", False), ("[].exists(x, true)", False),
     ("input.m.exists(k, k == 'nil')", True),
     ("input.l.exists_one(x, x > 2)", True), ("input.l.exists_one(x, x > 1)", False),
     ("input.l.existsOne(x, x > 2)", True), ("[].exists_one(x, true)", False)],
)  # fmt: skip
def test_all_exists_and_exists_one(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("input.mixed.all(x, x > 1)", False), ("['a', 0].all(x, x > 1)", False),
     ("input.mixed.exists(x, x == 1 || x > 5)", True),
     ("['a', 2].exists(x, x > 1)", True), ("[0, 'a', 2].exists(x, x > 1)", True),
     ("[1, 0].all(x, 1 / x == 2)", False), ("[0, 1].exists(x, 1 / x == 1)", True),
     ("[1, true].exists(x, x)", True), ("[1, false].all(x, x)", False)],
)  # fmt: skip
def test_all_and_exists_absorb_errors_that_another_item_settles(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["[2, 'a'].all(x, x > 1)", "['a', 0].exists(x, x > 1)", "['a', 2].exists_one(x, x > 1)",
     "[1, 1, 'a'].exists_one(x, x > 0)", "input.l.all(x, x)",
     "input.l.filter(x, x)", "input.mixed.filter(x, x > 0)", "input.l.map(x, 1 / (x - 1))", "input.s.all(x, true)",
     "input.n.map(x, x)", "input.none.exists(x, true)",
     "input.l.all(x)", "input.l.all(1, true)", "input.l.map(x, x, x)", "input.l.sortBy(x, [x])",
     "input.l.all(x.y, true)", "input.zz.all(x, true)",
     "input.l.all(x, y > 1)", "input.l.map(x, x) + x", "input.m.filter(k, v, true)"],
)  # fmt: skip
def test_what_macros_refuse(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("input.l.filter(x, x > 1)", [2, 3]), ("[].filter(x, x)", []), ("input.m.filter(k, k < 'b')", ["a"]),
     ("input.l.map(x, x * 2)", [2, 4, 6]),
     ("input.l.map(x, x > 1, x * 2)", [4, 6]), ("input.m.map(k, k).sort()", ["a", "if", "nil", "odd-name"]),
     ("input.rows.sortBy(r, r.id).map(r, r.q)", [2.5, 1.5]),
     ("input.rows.sortBy(r, -r.id)[0].id", 2), ("['b', 'a'].sortBy(x, x)", ["a", "b"]),
     ("[3, 1, 2].sortBy(x, x == 1)", [3, 2, 1]), ("[].sortBy(x, 1 / 0)", []),
     ("[[1, 2], [3]].map(x, x.map(y, y + 1))", [[2, 3], [4]]), ("[1, 2].map(x, [1, 2].filter(x, x > 1))", [[2], [2]]),
     ("[1, 2].map(x, [10].map(y, x + y))", [[11], [12]]),
     ("input.l.map(x, x % 2 == 1, {'v': x})", [{"v": 1}, {"v": 3}]), ("[1, 2].map(n, n + input.n)", [3, 4])],
)  # fmt: skip
def test_filter_map_and_sort_by(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("[1, 2].all(i, v, v == i + 1)", True), ("{'a': 'a'}.all(k, v, k == v)", True),
     ("[5, 6].exists(i, v, i == 1 && v == 6)", True),
     ("{'a': 1, 'b': 2}.exists(k, v, v == 2)", True), ("[1, 2].exists_one(i, v, v > 1)", True),
     ("[2, 2].existsOne(i, v, v > 1)", False),
     ("['a', 1].exists(i, v, v > 0)", True), ("['a', 0].all(i, v, v > 0)", False), ("{}.all(k, v, false)", True)],
)  # fmt: skip
def test_the_predicates_with_two_variables(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("[5, 6].transformList(i, v, i + v)", [5, 7]), ("[5, 6].transformList(i, v, i > 0, v)", [6]),
     ("{'a': 1}.transformList(k, v, [k, v])", [["a", 1]]),
     ("{'a': 1, 'b': 2}.transformMap(k, v, v * 10)", {"a": 10, "b": 20}),
     ("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, k)", {"b": "b"}),
     ("{'a': 'x', 'b': 'y'}.transformMapEntry(k, v, {v: k})", {"x": "a", "y": "b"}),
     ("{'a': 1}.transformMapEntry(k, v, v > 1, {k: v})", {}),
     ("['p', 'q'].transformMapEntry(i, v, {v: i})", {"p": 0, "q": 1}), ("{}.transformMap(k, v, 1 / 0)", {}),
     ("[].transformList(i, v, 1 / 0)", [])],
)  # fmt: skip
def test_the_transforming_macros(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["['p', 'p'].transformMapEntry(i, v, {v: i})", "[1].transformMapEntry(i, v, v)",
     "{'a': 1}.transformMap(k, v, 1 / 0)", "input.l.transformList(i, v, v, v)",
     "input.n.transformList(i, v, v)", "input.l.transformList(i, i, i)", "input.l.transformList(v, v)"],
)  # fmt: skip
def test_what_the_transforming_macros_refuse(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("cel.bind(x, 2, x * x)", 4), ("cel.bind(x, input.m.if, x.b[0] + x.b[1])", 11),
     ("cel.bind(x, 1, cel.bind(y, x + 1, x + y))", 3),
     ("cel.bind(x, 1, cel.bind(x, x + 1, x))", 2), ("cel.bind(x, 1 / 0, 2)", 2),
     ("cel.bind(x, 1 / 0, true || x > 1)", True), ("[1, 2].map(x, cel.bind(y, x * 2, y + 1))", [3, 5]),
     ("cel.bind(x, [1, 2], x.map(y, x.size() * y))", [2, 4])],
)  # fmt: skip
def test_bind_names_a_value(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    [
        "cel.bind(x, 1 / 0, x)",
        "cel.bind(1, 2, 3)",
        "cel.bind(x, 1)",
        "cel.bind(x, x, x)",
        "cel.bind(x, 1, x) + x",
        "cel.nope(1)",
    ],
)
def test_what_bind_refuses(source: str) -> None:
    assert refusal(source, input=INPUT)
