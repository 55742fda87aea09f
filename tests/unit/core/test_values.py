"""The one door by which values enter."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.values import Inadmissible, admit
from tests.unit.core.lives import json_values


def jsonb(text: bytes) -> str:
    """Write JSON as jsonb does: numbers in plain digits, keys by length in bytes, then bytewise; last key wins."""

    def write(value: Any) -> str:
        if isinstance(value, dict):
            keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
            return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {write(value[k])}" for k in keys) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(write, value)) + "]"
        if isinstance(value, Decimal):
            return f"{value:f}" if value else f"{abs(value):f}"
        return json.dumps(value, ensure_ascii=False)

    return write(json.loads(text, parse_float=Decimal, parse_int=Decimal))


@given(json_values)
def test_an_admitted_value_comes_back_from_jsonb_as_it_is(value: Any) -> None:
    try:
        admitted = admit(value)
    except Inadmissible:
        return
    encoded = msgspec.json.encode(admitted.value)
    back = msgspec.json.decode(jsonb(encoded))
    assert same(back, admitted.value)
    assert msgspec.json.encode(back) == encoded
    assert admitted.size == len(encoded)
    assert admit(back).value == back


def same(left: Any, right: Any) -> bool:
    """Compare with types and the order of keys."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return str(left) == str(right)  # tells 0.0 from -0.0


@pytest.mark.parametrize(
    ("value", "form"),
    [(1e22, 10**22), (1e23, 10**23), (1.5e300, 15 * 10**299), (-0.0, 0.0), (1e16, 10**16), (1e15, 1e15), (0.1, 0.1),
     (5e-324, 5e-324), (2**70, 2**70), ([1e22, "a"], [10**22, "a"]), ({"k": -0.0}, {"k": 0.0}), (True, True)],
)  # fmt: skip
def test_numbers_take_the_form_that_jsonb_gives_them(value: Any, form: Any) -> None:
    assert same(admit(value).value, form)


def test_keys_take_the_order_that_jsonb_gives_them() -> None:
    value = {"bb": 1, "a": 2, "é": 3, "ab": 4, "Z": 5}
    assert list(admit(value).value) == ["Z", "a", "ab", "bb", "é"]
    assert list(value) == ["bb", "a", "é", "ab", "Z"], "the value given is left as it was"


class Strange(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "code", "pointer"),
    [
        (float("nan"), "not_finite", ""),
        ([1, float("inf")], "not_finite", "/1"),
        ({"a": {"b~/": "\0"}}, "nul_character", "/a/b~0~1"),
        ({"a\0": 1}, "nul_character", "/a�"),
        ("\ud800", "lone_surrogate", ""),
        ({"\udfff": 1}, "lone_surrogate", "/?"),
        (10**308 + 1, "number_out_of_range", ""),
        (-1.7e308, "number_out_of_range", ""),
        ({1: 2}, "key_not_text", "/<int>"),
        ({10**5000: 2}, "key_not_text", "/<int>"),
        ((1, 2), "not_json", ""),
        ([Strange("x")], "not_json", "/0"),
        ({"x": b""}, "not_json", "/x"),
        ("x" * 101, "too_large", ""),
        (["x" * 60, "y" * 60], "too_large", "/1"),
        ([0] * 200, "too_large", ""),
        ('"' * 60, "too_large", ""),
    ],
)
def test_what_jsonb_cannot_hold_or_what_hurts_is_refused(value: Any, code: Any, pointer: Any) -> None:
    with pytest.raises(Inadmissible) as fault:
        admit(value, max_bytes=100)
    assert (fault.value.code, fault.value.pointer) == (code, pointer)
    fault.value.pointer.encode()


def test_a_number_with_five_thousand_digits_is_out_of_range() -> None:
    with pytest.raises(Inadmissible) as fault:
        admit([10**5000])
    assert (fault.value.code, fault.value.pointer) == ("number_out_of_range", "/0")


def nested(levels: int, leaf: Any = 0) -> Any:
    value = leaf
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


def test_depth_is_bounded_and_a_hundred_thousand_levels_do_no_harm() -> None:
    assert admit(nested(64)).value == nested(64)
    for levels in (65, 100_000):
        with pytest.raises(Inadmissible) as fault:
            admit(nested(levels))
        assert fault.value.code == "too_deep"


def test_a_value_that_holds_itself_is_too_deep() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(Inadmissible) as fault:
        admit(value)
    assert fault.value.code == "too_deep"


def test_a_value_shared_many_times_is_too_large_before_it_is_written() -> None:
    value: Any = "x" * 1000
    for _ in range(40):
        value = [value, value]
    with pytest.raises(Inadmissible) as fault:
        admit(value)
    assert fault.value.code == "too_large"


@given(st.integers(0, 300))
def test_the_limit_is_the_exact_number_of_bytes(length: Any) -> None:
    text = "ä" * length
    assert admit(text, max_bytes=2 * length + 2).size == 2 * length + 2
    with pytest.raises(Inadmissible):
        admit(text, max_bytes=2 * length + 1)


def test_an_unchanged_value_is_not_copied() -> None:
    value = {"a": [1, {"b": "c"}]}
    assert admit(value).value is value
