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
    "url", ["https://x/${base64.decode('/w==')}", "${base64.decode('/w==')}/a", "https://x/${input.?a}"]
)
def test_what_is_no_text_is_an_error_with_its_place(url: str) -> None:
    program = Compiler().address(url, "/url")

    with pytest.raises(EvaluationError) as fault:
        program.evaluate(Given(input={}))
    assert (fault.value.pointer, fault.value.expression) == ("/url", url)
