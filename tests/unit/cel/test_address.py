"""URLs with references in them."""

import pytest

from engine.cel.compiler import Compiler
from tests.unit.cel.test_paths import Values


@pytest.mark.parametrize(
    ("url", "value", "expected"),
    [
        ("https://api.example.com/orders/${input.v}", "17", "https://api.example.com/orders/17"),
        ("https://api.example.com/orders/${input.v}/x", "../admin?a=b#c", "https://api.example.com/orders/..%2Fadmin%3Fa%3Db%23c/x"),
        ("https://api.example.com${input.v}", "@evil.example", "https://api.example.com%40evil.example"),
        ("https://api.example.com/${input.v}", "Müller & Söhne", "https://api.example.com/M%C3%BCller%20%26%20S%C3%B6hne"),
        ("${input.v}/plans", "http://127.0.0.1:80/base", "http://127.0.0.1:80/base/plans"),
        ("${input.v}", "https://a.example/x?y=z", "https://a.example/x?y=z"),
    ],
)  # fmt: skip
def test_a_reference_cannot_change_the_structure_of_a_url_unless_it_begins_it(
    url: str, value: str, expected: str
) -> None:
    template = Compiler().address(url, "/url")

    assert template.evaluate(Values(input={"v": value})) == expected
