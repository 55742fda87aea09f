"""YAML by itself: no more than JSON can say, at no more cost."""

import pytest

from api.bodies import decode_yaml
from api.yaml_bodies import MAX_EVENTS
from engine.errors import TooLarge, UnreadableBody


@pytest.mark.parametrize(
    "text",
    ["1: a", "true: a", "~: a", "1.5: a", "[a]: b", "? {a: 1}\n: b", "a: {2: b}", "!!int 1: a", "!!binary YQ==: b"],
)
def test_a_key_that_is_no_text_is_refused(text: str) -> None:
    with pytest.raises(UnreadableBody, match="a key is not a text in line 1"):
        decode_yaml(text.encode())


@pytest.mark.timeout(10)
def test_keys_chosen_to_collide_cost_nothing() -> None:
    prime = 2**61 - 1
    text = "\n".join(f"{i * prime}: 1" for i in range(1, 24_000))
    with pytest.raises(UnreadableBody):
        decode_yaml(text.encode())


@pytest.mark.parametrize("text", ["[" + "1," * MAX_EVENTS + "]", "- {}\n" * (MAX_EVENTS // 2), "? a\n" * MAX_EVENTS])
def test_parts_are_counted_before_anything_is_made_of_them(text: str) -> None:
    with pytest.raises(TooLarge, match="50000 parts"):
        decode_yaml(text.encode())


@pytest.mark.parametrize("text", ["a: 1\na: 2", "b: {a: 1, 'a': 2}", 'a: 1\n"\\u0061": 2'])
def test_a_key_that_is_there_twice_is_refused(text: str) -> None:
    with pytest.raises(UnreadableBody, match="is there twice"):
        decode_yaml(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "!!binary YWJj",
        "!!set {a}",
        "!!timestamp 2026-01-01",
        "!!omap [a: 1]",
        "!!python/name:os.system x",
        "!mine x",
        "!!bool maybe",
        "!!bool [a]",
        "!!int ''",
        "!!int 0x10",
        "!!int 1_000",
        "!!int " + "1:" * 200_000 + "1",
        "!!float 1:30",
        "!!float inf",
        "!!null x",
    ],
)
@pytest.mark.timeout(10)
def test_a_tag_makes_nothing_that_json_does_not_have(text: str) -> None:
    with pytest.raises(UnreadableBody):
        decode_yaml(text.encode())


def test_what_json_can_say_is_read() -> None:
    text = "a: [1, -2.5, 1e3, true, null, ~, yes, 2026-01-01, '1', !!str 1, !!int '7']\nb: &x {c: d}\n'1': *x\n<<: {e: f}\n"
    assert decode_yaml(text.encode()) == {
        "a": [1, -2.5, 1000.0, True, None, None, "yes", "2026-01-01", "1", "1", 7],
        "b": {"c": "d"},
        "1": {"c": "d"},
        "<<": {"e": "f"},
    }
