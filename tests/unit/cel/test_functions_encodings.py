from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel.values import NONE, Some
from tests.unit.cel.calls import call, refused

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAN = float("nan")
NO_WORDS: tuple[Any, ...] = ("T", "F", "tRUE", "yes", "", " true", 1, 0, None, [], b"true")
NO_BASE64 = (
    "a", "-_-_", "aGk==", "YWJj=", "YWJj==", "YWJj====", "=", "a===", "aGk=aGk=", "=YWJj", "Y=WJj", "YW=J", "é",
    "aG\xa0k=", "\ud800", "YQ=", "aGk\x1c", "aGk=!",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("base64.encode", b"hi", "aGk="), ("base64.encode", "é", "w6k="), ("base64.encode", b"", ""), ("base64.decode", "aGk=", b"hi"), ("base64.decode", "aGk", b"hi"), ("base64.decode", "", b""),
        ("base64.decode", "aGk=\n", b"hi"), ("base64.decode", " aG\tk = ", b"hi"), ("base64.decode", "aGl=", b"hi"), ("base64.decode", "YWJj", b"abc"), ("base64.decode", "+/+/", b"\xfb\xff\xbf"),
        ("hash.sha256", "", sha256().hexdigest()), ("hash.sha256", "é", sha256("é".encode()).hexdigest()), ("hash.sha256", b"\xff", sha256(b"\xff").hexdigest()),
        ("bytes", "é", b"\xc3\xa9"), ("bytes", b"\xff", b"\xff"), ("string", b"\xc3\xa9", "é"), ("string", {"a": [1]}, '{"a":[1]}'), ("string", "a", "a"),
        ("bool", True, True), ("bool", False, False), *(("bool", word, True) for word in ("true", "True", "TRUE", "t", "1")), *(("bool", word, False) for word in ("false", "False", "FALSE", "f", "0")),
        ("dyn", 1, 1), ("dyn", None, None), ("dyn", NONE, NONE),
    ],
    ids=repr,
)  # fmt: skip
def test_conversions_and_encodings(name: str, value: Any, result: Any) -> None:
    found = call(name, value)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        *(("base64.decode", text, "is not base64") for text in NO_BASE64),
        ("base64.decode", b"aGk=", "is not a text"), ("base64.decode", None, "is not a text"), ("base64.encode", 1, "is not a text"), ("base64.encode", "\ud800", "surrogate"), ("base64.encode", None, "is not a text"),
        ("hash.sha256", 1, "is not a text"), ("hash.sha256", [], "is not a text"), ("hash.sha256", "\ud800", "surrogate"), ("bytes", 1, "is not a text"), ("bytes", "\ud800", "surrogate"), ("bytes", None, "is not a text"),
        ("string", b"\xff", "UTF-8"), ("string", Some(1), "optional"), ("string", NONE, "optional"),
        *(("bool", value, "cannot be made true or false") for value in NO_WORDS),
    ],
    ids=repr,
)  # fmt: skip
def test_what_cannot_be_converted_or_encoded_is_an_error(name: str, value: Any, says: str) -> None:
    assert says in refused(name, value)


@given(st.binary())
def test_base64_reads_back_with_and_without_padding(value: bytes) -> None:
    text = b64encode(value).decode()
    assert call("base64.encode", value) == text
    assert call("base64.decode", text) == call("base64.decode", text.rstrip("=")) == value


def test_an_optional_has_a_value_or_none() -> None:
    assert call("optional.of", None) == Some(None)
    assert call("optional.none") is NONE
    assert call(".hasValue", Some(None)) is True
    assert call(".hasValue", NONE) is False
    assert call(".value", Some(1)) == 1
    assert "no value" in refused(".value", NONE)
    assert call(".orValue", Some(1), 2) == 1
    assert call(".orValue", NONE, 2) == 2
    assert call(".or", Some(1), Some(2)) == Some(1)
    assert call(".or", NONE, Some(2)) == Some(2)
    assert call(".or", NONE, NONE) is NONE


@pytest.mark.parametrize("value", [None, False, 0, 0.0, -0.0, "", b"", [], {}, timedelta(), EPOCH], ids=repr)
def test_what_counts_as_zero_makes_no_optional(value: Any) -> None:
    assert call("optional.ofNonZeroValue", value) is NONE


@pytest.mark.parametrize(
    "value",
    [True, 1, -1, 0.5, NAN, " ", b"\0", [None], {"a": 0}, timedelta(1), EPOCH + timedelta(1), NONE, Some(0)],
    ids=repr,
)
def test_any_other_value_makes_one(value: Any) -> None:
    assert call("optional.ofNonZeroValue", value).value is value


def test_other_values_are_no_optionals() -> None:
    others: tuple[Any, ...] = (None, 1, "a", [1], {}, True)
    for value in others:
        for name in (".hasValue", ".value"):
            assert "is not an optional" in refused(name, value)
        for name in (".orValue", ".or"):
            assert "is not an optional" in refused(name, value, Some(1))
        assert "is not an optional" in refused(".or", NONE, value)


@pytest.mark.parametrize(
    ("values", "result"),
    [((1,), 1), ((None,), None), ((None, 2, 3), 2), ((NONE, Some(2)), 2), ((NONE, None), None), ((Some(None), 0), 0), ((False, 1), False), (("", 1), "")],
    ids=repr,
)  # fmt: skip
def test_the_first_value_that_is_there(values: tuple[Any, ...], result: Any) -> None:
    assert call("coalesce", *values) == result
