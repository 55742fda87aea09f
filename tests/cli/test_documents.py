"""YAML is another spelling of JSON, and what cannot be read is said with its line."""

from pathlib import Path

import pytest

from engine.errors import BadInput
from stepwell import documents


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


def test_neither_json_nor_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(BadInput, match=r"broken\.yaml is neither JSON nor YAML: .* in line 2"):
        documents.parse("a: 1\n\tb: [", "broken.yaml")


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadInput, match="a key is not a text in line 1"):
        documents.parse("1: one", "here")


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
