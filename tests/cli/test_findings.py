"""A fault in an expression is shown with a caret under its place, on a terminal and in a log."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.cel import InvalidExpression
from engine.errors import Finding
from stepwell.findings import failed_expression, place, quoted
from tests.api.client import new_key
from tests.cli.program import on_terminal, run, visible
from tests.house import House
from tests.served import serving

WIDE = "日本🦊e\u0301\u200bü"  # characters of two columns, of one, and such that stand on the one before
TEXTS = st.text(st.sampled_from("ab (." + WIDE), max_size=140)


def excerpt(source: str, position: int) -> str:
    return InvalidExpression("wrong", source=source, position=position).excerpt


@given(TEXTS, TEXTS, st.integers(20, 150) | st.none())
def test_the_caret_stands_under_its_place_and_the_line_fits(before: str, after: str, room: int | None) -> None:
    line, caret = quoted(excerpt(f"{before}◊{after}", len(before)), room)

    column = cell_len(caret) - 1
    assert caret == " " * column + "^"
    assert cell_len(line[: line.index("◊")]) == column
    assert room is None or max(cell_len(line), cell_len(caret)) <= room


@given(TEXTS, st.integers(20, 150))
@example("a" * 39, 40)
def test_the_caret_behind_the_end_of_a_text_stands_behind_it(text: str, room: int) -> None:
    line, caret = quoted(excerpt(text + "x", len(text) + 1), room)

    assert cell_len(line) == cell_len(caret) - 1
    assert line.endswith("x")
    assert cell_len(caret) <= room


def test_of_a_long_line_what_is_around_the_caret_is_shown() -> None:
    line, caret = quoted(excerpt(f"{'a' * 45}◊{'b' * 45}", 45), 40)

    assert line == "a" * 20 + "◊" + "b" * 19
    assert caret == " " * 20 + "^"


@pytest.mark.parametrize(
    ("expression", "line", "column", "excerpt"),
    [
        ("input.a + 1", 1, 9, "input.a + 1\n        ^"),
        ("true &&\n\tinput.a", 2, 2, " input.a\n ^"),
        ("a" * 1000, 1, 1001, "a" * 1000),
        ("a\nb", 3, 1, "a"),
    ],
)
def test_a_failed_expression_is_a_finding(expression: str, line: int, column: int, excerpt: str) -> None:
    details = {"expression": expression, "pointer": "/output", "line": line, "column": column}
    made = Finding("/output", "wrong", "mend it", "expression_failed", line, column, excerpt)

    assert failed_expression(details, "wrong", "mend it") == made
    assert max(map(cell_len, quoted(excerpt, 40))) <= 40


def test_a_finding_without_an_expression_has_no_line() -> None:
    assert quoted("", 80) == []
    assert place(Finding("", "wrong")) == "/"
    assert place(Finding("/name", "wrong")) == "/name"
    assert place(Finding("/a", "wrong", line=2, column=3)) == "/a (line 2, column 3 of the text)"
    assert place(Finding("", "wrong", line=2, column=3)) == "line 2, column 3"


URL = f"https://service.example/日本/{'path/' * 12}${{input.order.nmbr.trimm()}}/items"
WHEN = "input.amount > 100 &&\n  inptu.rush"
FAULTY = {
    "name": "faulty",
    "steps": [{"id": "call", "type": "http", "condition": WHEN, "config": {"url": URL}}],
}
# Where each fault is: the line of the text, and what begins there.
PLACES = {
    "/steps/0/config/url": (1, URL.index(".trimm") + 2, "trimm()"),
    "/steps/0/condition": (2, 3, "inptu.rush"),
}


def carets(lines: list[str]) -> list[str]:
    """Return what stands above each caret, from its place on."""
    return [_from(line, mark.index("^")) for line, mark in pairwise(lines) if mark.strip() == "^"]


def _from(line: str, column: int) -> str:
    return next(line[n:] for n in range(len(line)) if cell_len(line[:n]) == column)


def test_validate_and_publish_show_where_in_an_expression_a_fault_is(house: House, tmp_path: Path) -> None:
    (tmp_path / "faulty.json").write_text(json.dumps(FAULTY), "utf-8")
    with serving(house) as api:
        asked = {"STEPWELL_URL": api.url, "STEPWELL_API_KEY": new_key(house, "acme_prod", ["admin"])}
        for command in ("validate", "publish"):
            look = ("definition", command, "faulty.json")
            code, shown = on_terminal(tmp_path, *look, columns=80, given="", **asked)
            in_json = run(tmp_path, *look, "--json", **asked)
            plain = run(tmp_path, *look, **asked, COLUMNS="40")

            lines = visible(shown)
            assert (code, plain.returncode, in_json.returncode) == (1, 1, 1)
            assert max(cell_len(line.rstrip()) for line in lines) <= 80
            check_places(lines)
            said = json.loads(in_json.stdout)[0] if command == "validate" else json.loads(in_json.stderr)
            check_fields(said["findings"])
            if command == "publish":
                check_places(plain.stderr.splitlines())


def check_places(lines: list[str]) -> None:
    for pointer, (line, column, _) in PLACES.items():
        assert f"  {pointer} (line {line}, column {column} of the text)" in [shown.rstrip() for shown in lines]
    assert [found[: len(wanted)] for found, (*_, wanted) in zip(carets(lines), PLACES.values(), strict=True)] == [
        wanted for *_, wanted in PLACES.values()
    ]


def check_fields(findings: list[dict[str, object]]) -> None:
    assert [(one["pointer"], one["line"], one["column"]) for one in findings] == [
        (pointer, line, column) for pointer, (line, column, _) in PLACES.items()
    ]
    for one, (*_, wanted) in zip(findings, PLACES.values(), strict=True):
        line, caret = str(one["excerpt"]).split("\n")
        assert line[len(caret) - 1 :].startswith(wanted)


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("source", [URL, f"{'日本 + ' * 20}{'input.a + ' * 20}"])
def test_a_terminal_of_any_width_shows_the_caret_under_its_place(tmp_path: Path, columns: int, source: str) -> None:
    code, shown = on_terminal(tmp_path, "expression", source, columns=columns)

    lines = visible(shown)
    assert code == 1
    assert max(cell_len(line.rstrip()) for line in lines) <= columns
    (found,) = carets(lines) if source is URL else carets(lines)[:1]
    assert found.startswith("trimm()" if source is URL else "日本")
