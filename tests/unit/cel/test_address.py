"""URLs with expressions in them."""

from typing import Any

import pytest

from engine.cel import Compiler, EvaluationError
from tests.unit.cel.given import Given


@pytest.mark.parametrize(
    ("url", "value", "expected"),
    [
        ("https://api.example.com/orders/${input.v}", "17", "https://api.example.com/orders/17"),
        ("https://api.example.com/orders/${input.v}/x", "../admin?a=b#c", "https://api.example.com/orders/..%2Fadmin%3Fa%3Db%23c/x"),
        ("https://api.example.com${input.v}", "@evil.example", "https://api.example.com%40evil.example"),
        ("https://api.example.com/${input.v}", "Müller & Söhne", "https://api.example.com/M%C3%BCller%20%26%20S%C3%B6hne"),
        ("${input.v}/plans", "http://127.0.0.1:80/base", "http://127.0.0.1:80/base/plans"),
        ("${input.v}", "https://a.example/x?y=z", "https://a.example/x?y=z"),
        ("https://api.example.com/${'a/' + input.v}", "../b", "https://api.example.com/a%2F..%2Fb"),
        ("https://api.example.com/${input.v}${input.v}", "?", "https://api.example.com/%3F%3F"),
        ("https://api.example.com/${input.v}", 10.0, "https://api.example.com/10"),
        ("https://api.example.com/${input.v}", {"a": 1}, "https://api.example.com/%7B%22a%22%3A1%7D"),
        ("https://api.example.com/$${${input.v}}", "/", "https://api.example.com/${%2F}"),
    ],
)  # fmt: skip
def test_an_expression_cannot_change_the_structure_of_a_url_unless_it_begins_it(
    url: str, value: Any, expected: str
) -> None:
    template = Compiler().address(url, "/url")

    assert template.evaluate(Given(input={"v": value})) == expected


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("https://a/orders/${input.v}", ".."),
        ("https://a/orders/${input.v}/x", "."),
        ("https://a/orders/.${input.v}?x=y", "."),
        ("https://a/orders/%2E${input.v}#x", "."),
        ("https://a/orders/%2${input.v}%2e", "E"),
        ("https://a/orders/${input.v}${input.v}", "."),
        ("https://a/../${input.v}", "x"),
        ("${input.v}/orders", "https://a/x/.."),
        ("${input.v}/orders", "https://a/%2e%2E/x"),
    ],
)
def test_a_path_that_leads_elsewhere_once_it_is_filled_in_is_an_error(url: str, value: str) -> None:
    program = Compiler().address(url, "/url")

    with pytest.raises(EvaluationError, match="leads elsewhere") as fault:
        program.evaluate(Given(input={"v": value}))
    assert (fault.value.pointer, fault.value.expression) == ("/url", url)


@pytest.mark.parametrize(
    ("url", "value", "expected"),
    [
        ("https://a/${input.v}", "...", "https://a/..."),
        ("https://a/${input.v}", "a..b", "https://a/a..b"),
        ("https://a/v1.${input.v}", "", "https://a/v1."),
        ("https://a/${input.v}", "%2e%2e", "https://a/%252e%252e"),
        ("https://a/x?y=/../${input.v}", "..", "https://a/x?y=/../.."),
        ("https://a/x#/../${input.v}", "..", "https://a/x#/../.."),
        ("${input.v}", "https://a/x/../y", "https://a/x/../y"),
    ],
)
def test_dots_that_lead_nowhere_stay_as_they_are(url: str, value: str, expected: str) -> None:
    assert Compiler().address(url, "/url").evaluate(Given(input={"v": value})) == expected


@pytest.mark.parametrize(
    "url",
    ["https://x/${base64.decode('/w==')}", "${base64.decode('/w==')}/a", "https://x/${input.?a}", "https://x/${null}"],
)
def test_what_is_no_text_is_an_error_with_its_place(url: str) -> None:
    program = Compiler().address(url, "/url")

    with pytest.raises(EvaluationError) as fault:
        program.evaluate(Given(input={}))
    assert (fault.value.pointer, fault.value.expression) == ("/url", url)
