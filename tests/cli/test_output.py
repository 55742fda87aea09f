"""What a terminal shows: nothing that commands it, ids whole, columns that fit."""

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from stepwell import definition, output, process, task
from stepwell.output import Terminal, as_text, clean, facts, listing, typed

ID = "prc_1m7ywm62j0002"
ROW = {"id": ID, "name": "onboarding of new customers", "status": "COMPLETED", "at": "2026-01-31 12:00:00"}


def terminal(width: int) -> tuple[Terminal, io.StringIO]:
    file = io.StringIO()
    return Terminal(file=file, width=width, color_system=None), file


@pytest.mark.parametrize(
    "bad", ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\u202etxt", "\u2066a\u2069", "a\rb", "\x7f"]
)
def test_what_would_command_the_terminal_is_replaced_wherever_it_is_printed(bad: str) -> None:
    console, file = terminal(80)

    console.print(f"name: {bad}", markup=False)
    console.print(bad, soft_wrap=True, markup=False)
    listing(console, [{"name": bad, "what": bad}], ("name", "what"))
    facts(console, [("name", bad)])

    assert clean(file.getvalue()) == file.getvalue()
    assert "\ufffd" in file.getvalue()
    assert clean("plain\tühé 日本\n") == "plain\tühé 日本\n"


def test_json_says_the_same_without_what_would_command_the_terminal() -> None:
    value = {"name": "a\x1b[2J\x9b\u202eb\x7f"}

    assert clean(as_text(value)) == as_text(value)
    assert json.loads(as_text(value)) == value


def test_a_list_shows_the_columns_that_fit_and_breaks_no_id() -> None:
    choices = (("id", "at", "status", "name"), ("id", "status", "name"), ("id", "name"))
    headers = {}
    for width in (100, 60, 30):
        console, file = terminal(width)
        listing(console, [ROW], *choices)
        lines = file.getvalue().splitlines()
        headers[width] = lines[0].split()
        assert ID in lines[1]
        assert max(len(line.rstrip()) for line in lines) <= width

    assert headers == {100: [*choices[0]], 60: [*choices[1]], 30: [*choices[2]]}


LONG = "a-definition-with-a-name-of-" + "many-" * 12
LISTS = [
    (process.CHOICES, {"definition": LONG, "status": "IN_PROGRESS", "created_at": ROW["at"]}),
    (definition.CHOICES, {"name": LONG, "version": 12, "enabled": True}),
    (task.CHOICES, {"group": "desk", "title": LONG}),
]


@pytest.mark.parametrize(("choices", "row"), LISTS, ids=["process", "definition", "task"])
@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_long_name_is_shortened_and_takes_no_column_away(
    choices: Sequence[Sequence[str]], row: dict[str, object], width: int
) -> None:
    console, file = terminal(width)

    listing(console, [{"id": ID, **row}, {"id": ID, **row}], *choices)

    lines = file.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert lines[0].split() == ["id", *row]
    for value in row.values():
        text = "yes" if value is True else str(value)
        assert sum((text if len(text) < 20 else text[:20]) in line for line in lines) == 2
    assert sum(ID in line for line in lines) == 2


def test_where_an_id_is_wider_than_the_terminal_each_row_stands_by_itself_and_the_id_is_whole() -> None:
    console, file = terminal(60)
    long_id = "tsk_" + "0" * 95

    listing(console, [{"id": long_id, "title": "Well?", "group": None}], ("id", "group", "title"), ("id", "title"))

    assert file.getvalue().splitlines() == [f"id  {long_id}", "title  Well?", ""]


def test_facts_have_no_header() -> None:
    console, file = terminal(80)

    facts(console, [("id", ID), ("status", "FAILED")])

    assert [line.split() for line in file.getvalue().splitlines()] == [["id", ID], ["status", "FAILED"]]


def test_commands_are_shown_as_another_terminal_can_run_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "venv" / "bin" / "stepwell"
    script.parent.mkdir(parents=True)
    script.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(script.parent / "python"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.chdir(tmp_path)

    monkeypatch.setenv("PATH", "/nowhere")
    assert typed() == "venv/bin/stepwell"
    monkeypatch.setenv("PATH", str(script.parent))
    assert (typed(), typed(elsewhere=True)) == ("stepwell", "venv/bin/stepwell")
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert output.typed(elsewhere=True) == "stepwell"
