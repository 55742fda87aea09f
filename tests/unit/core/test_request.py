"""What an http step sends."""

from typing import Any

import pytest

from engine.cel import EvaluationError
from engine.core.decide import PayloadNeeded
from engine.core.request import http_request
from tests.unit.core.given import Life, http, lived, transform


def request(config: Any, value: Any = None, secrets: Any = None) -> Any:
    life = lived(http("a", config=config), value=value)
    return http_request(life.plan, life.state, "a", life.inputs, secrets or {})


def test_a_request_is_its_config_filled_in() -> None:
    config = {
        "method": "POST",
        "url": "https://shop.example/orders/${input.id}",
        "query": {"page": "${input.n}", "all": True, "none": "${input.none}", "tags": ["a", "${input.n}", None]},
        "headers": {"Authorization": "Bearer ${secrets.TOKEN}", "X-N": "${input.n}"},
        "body": {"order": "${input.order}", "text": "n=${input.n}"},
        "expect_status": 201,
        "timeout_seconds": 5,
    }
    value = {"id": "o-1", "n": 2, "order": {"lines": [1]}, "none": None}
    assert request(config, value, {"TOKEN": "s3cret"}) == {
        "method": "POST",
        "url": "https://shop.example/orders/o-1",
        "query": {"page": "2", "all": "true", "tags": ["a", "2"]},
        "headers": {"Authorization": "Bearer s3cret", "X-N": "2"},
        "body": {"order": {"lines": [1]}, "text": "n=2"},
        "expect_status": (201,),
        "timeout_seconds": 5,
        "max_response_bytes": 1 << 20,
        "max_redirects": 0,
        "body_type": None,
        "idempotency_key": None,
        "secret_headers": ("Authorization",),
        "secret_body": False,
        "derived": [],
    }


def test_a_form_is_filled_in_and_its_values_become_texts() -> None:
    body = {"grant_type": "client_credentials", "n": "${input.n}", "tags": ["a", "${input.n}", None], "none": None,
            "yes": True, "text": "n=${input.n}"}  # fmt: skip
    found = request({"url": "http://a", "body": body, "body_type": "form", "max_redirects": 3}, {"n": 2})
    assert found["body"] == {
        "grant_type": "client_credentials",
        "n": "2",
        "tags": ["a", "2"],
        "yes": "true",
        "text": "n=2",
    }
    assert (found["body_type"], found["max_redirects"]) == ("form", 3)


def test_a_whole_form_may_come_from_one_reference() -> None:
    config = {"url": "http://a", "body": "${input}", "body_type": "form"}
    assert request(config, {"a": [1, 2]})["body"] == {"a": ["1", "2"]}


@pytest.mark.parametrize(("value", "text"), [("a", "a"), (5, "5"), (1.5, "1.5"), (True, "true")])
def test_a_text_body_is_a_text_whatever_its_reference_brings(value: Any, text: str) -> None:
    assert request({"url": "http://a", "body": "${input}", "body_type": "text"}, value)["body"] == text


@pytest.mark.parametrize(
    ("config", "headers", "body"),
    [
        ({"headers": {"X-A": "a", "X-B": "${input.x}"}, "body": "${input}"}, (), False),
        ({"headers": {"X-A": "${secrets.S}", "X-B": "a ${secrets.S} b", "X-C": "$${secrets.S}"}}, ("X-A", "X-B"), False),
        ({"body": {"a": [{"b": "${secrets.S}"}]}}, (), True),
        ({"body": {"a": "${secrets.S}"}, "body_type": "form"}, (), True),
    ],
)  # fmt: skip
def test_it_is_known_where_secrets_are(config: Any, headers: Any, body: bool) -> None:
    found = request({"url": "http://a", **config}, {"x": "y"}, {"S": "s"})
    assert (found["secret_headers"], found["secret_body"]) == (headers, body)


def test_a_body_that_is_null_is_not_no_body() -> None:
    assert "body" not in request({"url": "http://a"})
    assert request({"url": "http://a", "body": "${input}"})["body"] is None


def test_a_body_written_as_null_counts_as_none() -> None:
    assert "body" not in request({"url": "http://a", "body": None})


@pytest.mark.parametrize(
    ("config", "value", "place", "expression", "says"),
    [
        ({"url": "${input.url}"}, {"url": "file:///etc/passwd"}, "url", "input.url", "must begin with http:// or https://"),
        ({"url": "${input.url}"}, {"url": 7}, "url", "input.url", "must begin with http:// or https://"),
        ({"headers": {"X-A": "${input.x}"}}, {"x": "a\r\nHost: b"}, "headers/X-A", "input.x", "the header X-A contains a line break"),
        ({"headers": {"X-A": "${input.x}"}}, {"x": {}}, "headers/X-A", "input.x", "X-A must be a text, a number, true or false, and this is an object"),
        ({"query": {"p": "1", "q/r": "${input.x}"}}, {"x": {}}, "query/q~1r", "input.x", "q/r must be a text, a number, true or false, and this is an object"),
        ({"query": {"q": ["${input.x}"]}}, {"x": []}, "query/q", "[input.x]", "and this is a list"),
        ({"body": ["${input}"] * 200}, "x" * 8000, "body", None, "the body cannot be sent"),
        ({"body": "${input}", "body_type": "text"}, {}, "body", "input", "the body must be a text, a number, true or false, and this is an object"),
        ({"body": "${input}", "body_type": "text"}, None, "body", "input", "and this is null"),
        ({"body": "${input}", "body_type": "form"}, "a=b", "body", "input", "the body of a form must be an object of names and values"),
        ({"body": "${input}", "body_type": "form"}, [1], "body", "input", "must be an object"),
        ({"body": "${input}", "body_type": "form"}, None, "body", "input", "must be an object"),
        ({"body": {"q": "${input.x}"}, "body_type": "form"}, {"x": {}}, "body/q", "input.x", "q must be a text, a number, true or false, and this is an object"),
        ({"body": {"q": ["${input.x}"]}, "body_type": "form"}, {"x": []}, "body/q", "[input.x]", "and this is a list"),
        ({"idempotency_key": "${input.x}"}, {"x": {}}, "idempotency_key", "input.x", "the idempotency key must be a text, a number, true or false, and this is an object"),
        ({"idempotency_key": "${input.x}"}, {"x": "x" * 256}, "idempotency_key", "input.x", "1 to 255 ASCII characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_names_the_place(config: Any, value: Any, place: str, expression: Any, says: str) -> None:
    with pytest.raises(EvaluationError) as fault:
        request({"url": "http://a", **config}, value)
    assert (fault.value.pointer, fault.value.path) == (f"/steps/0/config/{place}", "")
    assert says in fault.value.message
    assert expression is None or fault.value.expression == expression


@pytest.mark.parametrize(
    ("config", "path", "place"),
    [
        ({"url": "http://a/${input.x}"}, "input.x", "url"),
        ({"url": "http://a", "headers": {"Authorization": "${secrets.NONE}"}}, "secrets.NONE", "headers/Authorization"),
    ],
)
def test_what_is_missing_in_a_request_is_named(config: Any, path: str, place: str) -> None:
    with pytest.raises(EvaluationError) as fault:
        request(config, {})
    assert (fault.value.path, fault.value.pointer) == (path, f"/steps/0/config/{place}")


@pytest.mark.parametrize(
    ("key", "sent"), [("${input.k}", "o-1"), ("order ${input.k}", "order o-1"), ("${input.n}", "7")]
)
def test_an_idempotency_key_is_filled_in(key: str, sent: str) -> None:
    assert request({"url": "http://a", "idempotency_key": key}, {"k": "o-1", "n": 7})["idempotency_key"] == sent


@pytest.mark.parametrize("key", [None, "", " o-1", "o-1\n", "ö"])
def test_an_idempotency_key_that_comes_to_nothing_or_cannot_be_sent_is_an_error(key: Any) -> None:
    with pytest.raises(EvaluationError, match="the idempotency key must") as fault:
        request({"url": "http://a", "idempotency_key": "${input.k}"}, {"k": key})
    assert fault.value.pointer == "/steps/0/config/idempotency_key"


@pytest.mark.parametrize("value", ["..", "."])
def test_a_path_that_leads_elsewhere_is_not_called(value: str) -> None:
    with pytest.raises(EvaluationError, match="leads elsewhere") as fault:
        request({"url": "http://a/orders/${input}"}, value)
    assert fault.value.pointer == "/steps/0/config/url"


def test_a_large_value_in_a_request_is_asked_for() -> None:
    life = Life(lived(http("a", config={"url": "http://a", "body": "${input}"})).plan, None, input_ref=0)
    life.open()
    with pytest.raises(PayloadNeeded):
        http_request(life.plan, life.state, "a", life.inputs, {})
    life.payloads = {0: [1]}
    assert http_request(life.plan, life.state, "a", life.inputs, {})["body"] == [1]


def test_only_http_steps_send_requests() -> None:
    life = lived(transform("a"))
    with pytest.raises(KeyError):
        http_request(life.plan, life.state, "a", life.inputs, {})
