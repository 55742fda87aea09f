"""What is checked of an http step at publish: headers, bodies, redirects."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.definition import parse_definition
from engine.core.headers import RESERVED
from engine.errors import InvalidDefinition
from tests.unit.core.given import document, http

FORM = "application/x-www-form-urlencoded"


def faults(**config: Any) -> list[tuple[str, str]]:
    try:
        parse_definition(document(http("a", config={"url": "https://x.example", **config})))
    except InvalidDefinition as fault:
        return [(finding.pointer.removeprefix("/steps/0/config"), finding.code) for finding in fault.findings]
    return []


@pytest.mark.parametrize(
    "config",
    [
        {"body": {"a": {"b": [1]}}},
        {"body": "a"},
        {"body": "a", "body_type": "json"},
        {"body": [1], "body_type": "json", "headers": {"Content-Type": "application/merge-patch+json"}},
        {"body": {"a": "b", "c": [1, None, "${input.x}"], "d": None}, "body_type": "form"},
        {"body": {}, "body_type": "form", "headers": {"content-type": f"{FORM}; charset=UTF-8"}},
        {"body": "${input.form}", "body_type": "form"},
        {"body": "a=${input.x}", "headers": {"Content-Type": FORM}},
        {"body": "a", "body_type": "text"},
        {"body": "<a/>", "body_type": "text", "headers": {"Content-Type": 'application/xml; charset="utf-8"'}},
        {"body": "{}", "body_type": "text", "headers": {"Content-Type": "application/json"}},
        {"body": "<a/>", "headers": {"Content-Type": "application/xml"}},
        {"body": {"a": 1}, "headers": {"Content-Type": "${input.type}"}},
        {"body": {"a": 1}, "body_type": "form", "headers": {"Content-Type": "${input.type}"}},
        {"body": None, "body_type": None},
        {"max_redirects": 0},
        {"max_redirects": 10},
    ],
)
def test_what_can_be_sent_is_accepted(config: dict[str, Any]) -> None:
    assert faults(**config) == []


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"body_type": "form"}, ("/body_type", "body_invalid")),
        ({"body": None, "body_type": "json"}, ("/body_type", "body_invalid")),
        ({"body": {}, "body_type": "multipart"}, ("/body_type", "unknown_value")),
        ({"body": {}, "body_type": True}, ("/body_type", "wrong_type")),
        ({"body": "a=b", "body_type": "form"}, ("/body", "body_invalid")),
        ({"body": "x${input.form}", "body_type": "form"}, ("/body", "body_invalid")),
        ({"body": [["a", "b"]], "body_type": "form"}, ("/body", "body_invalid")),
        ({"body": 5, "body_type": "form"}, ("/body", "body_invalid")),
        ({"body": {"a/b": {"c": 1}}, "body_type": "form"}, ("/body/a~1b", "body_invalid")),
        ({"body": {"a": [[1]]}, "body_type": "form"}, ("/body/a", "body_invalid")),
        ({"body": {"a": 1}, "body_type": "text"}, ("/body", "body_invalid")),
        ({"body": 5, "body_type": "text"}, ("/body", "body_invalid")),
        ({"body": {"a": 1}, "headers": {"Content-Type": FORM}}, ("/body", "body_invalid")),
        ({"body": {"a": 1}, "headers": {"Content-Type": "application/xml"}}, ("/body", "body_invalid")),
        ({"body": {}, "body_type": "form", "headers": {"Content-Type": "application/json"}}, ("/headers/Content-Type", "body_invalid")),
        ({"body": {}, "body_type": "form", "headers": {"Content-Type": "multipart/form-data"}}, ("/headers/Content-Type", "body_invalid")),
        ({"body": {}, "body_type": "json", "headers": {"content-type": "text/plain"}}, ("/headers/content-type", "body_invalid")),
        ({"body": "a", "body_type": "text", "headers": {"Content-Type": "text/plain; charset=latin-1"}}, ("/headers/Content-Type", "body_invalid")),
        ({"max_redirects": 11}, ("/max_redirects", "out_of_range")),
        ({"max_redirects": -1}, ("/max_redirects", "out_of_range")),
        ({"max_redirects": 1.5}, ("/max_redirects", "wrong_type")),
        ({"max_redirects": True}, ("/max_redirects", "wrong_type")),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused(config: dict[str, Any], fault: tuple[str, str]) -> None:
    assert fault in faults(**config)


def test_an_object_under_the_content_type_of_a_form_is_told_of_body_type() -> None:
    config = {"url": "https://x.example", "body": {"a": 1}, "headers": {"Content-Type": FORM}}
    with pytest.raises(InvalidDefinition) as caught:
        parse_definition(document(http("a", config=config)))
    assert "body_type: form" in caught.value.findings[0].advice


def test_every_header_that_is_refused_when_sent_is_refused_at_publish() -> None:
    for name in RESERVED:
        for written in (name, name.title()):
            assert (f"/headers/{written}", "header_reserved") in faults(headers={written: "${secrets.A}"})


def test_a_version_that_was_published_before_a_check_came_is_still_read() -> None:
    config = {"url": "https://x.example", "body": {"a": 1}, "headers": {"Content-Type": FORM}}
    parse_definition(document(http("a", config=config)), published=True)


JSON = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text("a${}.i", max_size=6), lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text("a/~", max_size=2), one, max_size=3), max_leaves=6)  # fmt: skip


@given(
    JSON,
    st.sampled_from([None, "json", "form", "text"]),
    st.sampled_from([None, FORM, "text/plain", "application/json", "text/plain;charset=x", "", ";;=", "${input.x}"]),
)
def test_any_body_is_accepted_or_refused_with_findings(body: Any, body_type: Any, content_type: Any) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    found = faults(body=body, body_type=body_type, headers=headers)
    assert {code for _, code in found} <= {"body_invalid", "expression_invalid", "wrong_count"}
