"""The decode seam by itself: no server, no database."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.bodies import decode_json, too_deep
from engine.errors import BadInput, TooLarge, UnreadableBody

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def _depth(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 0


@given(VALUES, st.integers(0, 6))
def test_depth_is_counted_as_a_decoder_would_nest(value: Any, limit: int) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert too_deep(text.encode("utf-8", "surrogatepass"), limit) == (_depth(value) > limit)


@pytest.mark.parametrize("unit", ["[", "{", "[[]", '[{"a":', '"[', "]["])
def test_counting_depth_takes_no_longer_for_what_is_no_json(unit: str) -> None:
    raw = (unit * (1 << 20)).encode()
    assert too_deep(raw, 68) in (True, False)


@given(st.binary(max_size=200))
def test_any_bytes_end_as_a_value_or_as_an_error_of_ours(raw: bytes) -> None:
    with suppress(UnreadableBody, BadInput, TooLarge):  # anything else is a 500
        decode_json(raw)


@given(VALUES)
def test_what_is_decoded_is_what_was_written_unless_it_is_refused(value: Any) -> None:
    with suppress(BadInput):
        assert decode_json(json.dumps(value).encode()) == value
