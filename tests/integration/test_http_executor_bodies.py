"""Bodies of http activities: JSON, forms, texts."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.executors.http import HttpRequest, RequestInvalid
from tests.partners.calls import KEY, failure, output, request, started
from tests.partners.raw import RawPartner, Received, always, reply

SECRET = "s3cr+t/val üe&="
FORM = "application/x-www-form-urlencoded"
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALAR = TEXT | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()


async def sent(**config: Any) -> Received:
    async with started() as executor, RawPartner(always(reply())) as partner:
        output(await executor.run(request(partner.url, method="POST", **config)))
    return partner.requests[0]


async def test_a_form_is_sent_as_names_and_values() -> None:
    body = {"grant_type": "client_credentials", "scope": ["a b", "c&d=e"], "n": 3, "yes": True, "none": None, "ä": "ü"}
    got = await sent(body=body, body_type="form")
    assert got.headers["content-type"] == FORM
    assert got.body == b"grant_type=client_credentials&scope=a+b&scope=c%26d%3De&n=3&yes=true&%C3%A4=%C3%BC"


@given(st.dictionaries(TEXT, SCALAR | st.lists(SCALAR, min_size=1)))
def test_whatever_a_form_holds_its_reader_gets_back(body: dict[str, Any]) -> None:
    data = HttpRequest.from_config({"url": "http://a", "body": body, "body_type": "form"}, KEY).content
    assert data is not None
    expected = [(name, one) for name, given in body.items() for one in (given if isinstance(given, list) else [given])]
    text = [(name, one if isinstance(one, str) else msgspec.json.encode(one).decode()) for name, one in expected]
    read = parse_qsl(data.decode("ascii"), keep_blank_values=True, strict_parsing=bool(data))
    assert [name for name, _ in read] == [name for name, _ in text]
    for (_, got), (_, wanted), (_, value) in zip(read, text, expected, strict=True):
        assert got == wanted or (isinstance(value, float) and float(got) == value)


async def test_an_empty_form_is_a_body_of_no_bytes() -> None:
    got = await sent(body={}, body_type="form")
    assert (got.headers["content-type"], got.headers["content-length"], got.body) == (FORM, "0", b"")


async def test_a_text_goes_as_it_is() -> None:
    got = await sent(body="Grüße\n", body_type="text")
    assert (got.headers["content-type"], got.body.decode()) == ("text/plain; charset=utf-8", "Grüße\n")


async def test_a_text_goes_under_the_content_type_of_the_config() -> None:
    got = await sent(body='{"a": 1}', body_type="text", headers={"Content-Type": "application/json"})
    assert (got.headers["content-type"], got.body) == ("application/json", b'{"a": 1}')


async def test_json_may_be_named_and_may_have_a_content_type_of_its_own() -> None:
    got = await sent(body="a", body_type="json", headers={"content-type": "application/merge-patch+json"})
    assert (got.headers["content-type"], got.body) == ("application/merge-patch+json", b'"a"')


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({"body": {"a": {"b": 1}}, "body_type": "form"}, "/body/a"),
        ({"body": {"a": [[1]]}, "body_type": "form"}, "/body/a"),
        ({"body": {"a/b": float("nan")}, "body_type": "form"}, "/body/a~1b"),
        ({"body": {"a": "\ud800"}, "body_type": "form"}, "/body/a"),
        ({"body": {"\ud800": "a"}, "body_type": "form"}, "/body/\ud800"),
        ({"body": "a=b", "body_type": "form"}, "/body"),
        ({"body": ["a"], "body_type": "form"}, "/body"),
        ({"body": {"a": 1}, "body_type": "form", "headers": {"Content-Type": "text/plain"}}, "/headers/Content-Type"),
        ({"body": {}, "body_type": "form", "headers": {"Content-Type": f"{FORM};charset=latin-1"}}, "/headers/Content-Type"),
        ({"body": {"a": 1}, "body_type": "text"}, "/body"),
        ({"body": "\ud800", "body_type": "text"}, "/body"),
        ({"body": "a", "body_type": "text", "headers": {"Content-Type": "text/xml; charset=utf-16"}}, "/headers/Content-Type"),
        ({"body": {}, "body_type": "json", "headers": {"Content-Type": FORM}}, "/headers/Content-Type"),
        ({"body": {}, "body_type": "multipart"}, "/body_type"),
        ({"body": {}, "body_type": ["form"]}, "/body_type"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_sent_is_refused_with_a_pointer(config: dict[str, Any], pointer: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        request("http://a", method="POST", **config)
    assert caught.value.pointer == pointer
    assert not caught.value.failed().retryable


@pytest.mark.parametrize("body_type", ["form", "text", "json"])
async def test_a_secret_in_a_body_does_not_come_back(body_type: str) -> None:
    async def echo(got: Received) -> bytes:
        return reply(400, got.body, "text/plain")

    body = SECRET if body_type == "text" else {"client_secret": SECRET}
    async with started() as executor, RawPartner(echo) as partner:
        call = request(partner.url, method="POST", body=body, body_type=body_type, redact=(SECRET,))
        outcome = failure(await executor.run(call))
    assert b"s3cr" in partner.requests[0].body
    assert "s3cr" not in msgspec.json.encode(outcome).decode()
    assert "[redacted]" in outcome.error.details["body"]
