"""YAML is another spelling of JSON, and what cannot be read is said with its line."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.yaml_bodies import read_yaml
from engine.errors import BadInput
from stepwell import documents
from stepwell.output import clean


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: yes", {"a": "yes"}),
        ("on: off", {"on": "off"}),
        ("at: 2026-01-02", {"at": "2026-01-02"}),
        ("n: [1, 1.5, -2e3, true, null, ~]", {"n": [1, 1.5, -2000.0, True, None, None]}),
        ("version: 010", {"version": "010"}),
        ("time: 12:30:00", {"time": "12:30:00"}),
        ('{"a": "\\u00e9"}', {"a": "é"}),
    ],
)
def test_a_text_becomes_the_value_that_json_would_have(text: str, value: object) -> None:
    assert documents.parse(text, "here") == value


def refused(text: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        documents.parse(text, "broken.yaml")
    return caught.value


def test_neither_json_nor_yaml_is_refused_with_its_line_and_a_caret_under_the_place() -> None:
    fault = refused("a: 1\nb: [1] x")
    assert (fault.message, fault.advice) == (
        "broken.yaml is neither JSON nor YAML",
        "Put the text into single quotes: b: '[1] x'",
    )
    [finding] = fault.findings
    assert (finding.line, finding.column, finding.excerpt) == (2, 8, "b: [1] x\n       ^")


def test_an_expression_without_quotes_is_told_with_the_quotes() -> None:
    fault = refused("a: 1\ncondition: !(input.a > 1)")
    assert fault.advice == "Put the expression into single quotes: condition: '!(input.a > 1)'"
    [finding] = fault.findings
    assert finding.message == "a text without quotes cannot begin with !"
    assert (finding.line, finding.excerpt) == (2, f"condition: !(input.a > 1)\n{' ' * 11}^")
    assert (fault.code, finding.code) == ("invalid_input", "invalid_input")


def test_a_key_that_is_no_text_is_refused() -> None:
    fault = refused("1: one")
    assert fault.advice == "Correct that place."
    [finding] = fault.findings
    assert (finding.message, finding.line, finding.excerpt) == ("a key is not a text", 1, "1: one\n^")


def test_what_has_no_line_is_said_in_the_message() -> None:
    fault = refused("[" * 100 + "]" * 100 + " # of YAML")
    assert fault.message == "broken.yaml is neither JSON nor YAML: is nested more than 64 levels deep"
    assert fault.findings == ()


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.getcwd []", "!!binary aGk=", "!mine x"])
def test_no_tag_makes_anything_but_json_values(tag: str) -> None:
    with pytest.raises(BadInput):
        documents.parse(f"a: {tag}", "here")


def test_input_is_a_file_or_json_itself_or_empty(tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"from": "file"}')

    assert documents.read_value(str(tmp_path / "input.json"), "--input") == {"from": "file"}
    assert documents.read_value('{"from": "here"}', "--input") == {"from": "here"}
    assert documents.read_value(None, "--input") == {}


def test_a_missing_file_is_named() -> None:
    with pytest.raises(BadInput, match=r"there is no file nowhere\.yaml"):
        documents.read_file("nowhere.yaml")


# What readers of YAML, of 1.1 or 1.2, take for something else than a text, and what they trip over.
TRAPS = (
    *[
        "yes",
        "1e3",
        ".5e-3",
        "1e",
        "0o7",
        "0x1F",
        "1_000",
        "2026-01-01",
        "1:30",
        "~",
        "null",
        ".inf",
        ".nan",
        "=",
        "<<",
        "1.",
        "+1",
        "true",
        "TRUE",
        "%",
        "@",
        "`",
        "-",
        "?",
        ":",
        "#",
        "'",
    ],
    *("", " ", "\n", "a\n", "\n a", "a: b", "- a", "# c", "\t", "\x85", "\u2028", "\ufeff", "\x7f", "\u202e", "a\r\nb"),
)
TEXTS = st.sampled_from(TRAPS) | st.text(st.characters(codec="utf-8", exclude_characters="\0"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(VALUES)
def test_what_is_written_as_yaml_is_read_as_the_same_and_commands_no_terminal(value: Any) -> None:
    text = documents.as_yaml(value)

    assert repr(read_yaml(text, 64)) == repr(value)
    assert clean(text) == text


def test_a_definition_is_written_in_the_order_of_its_documentation() -> None:
    step = {"config": {"timeout_seconds": 1, "url": "u"}, "type": "http", "id": "a"}
    document = {"newer": 1, "steps": [step, {"type": "newer", "id": "b", "config": {}}], "name": "x"}

    made = documents.in_order(document)

    assert made == document
    assert [[*made], [*made["steps"][0]], [*made["steps"][0]["config"]]] == [
        ["name", "steps", "newer"],
        ["id", "type", "config"],
        ["url", "timeout_seconds"],
    ]
