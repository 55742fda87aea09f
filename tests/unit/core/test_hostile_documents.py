"""Whatever the document: a definition, or findings. Nothing else escapes."""

from __future__ import annotations

import time
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.compile import compile_definition
from engine.core.definition import parse_definition
from engine.core.document import CONFIGS, DOCUMENT, STEP_FIELDS
from engine.errors import Finding, InvalidDefinition
from tests.unit.core.lives import documents, json_values

quick = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))


def tried(document: Any) -> None:
    findings: tuple[Finding, ...] = ()
    try:
        compile_definition(parse_definition(document))
    except InvalidDefinition as fault:
        findings = fault.findings or (Finding("", "no finding", code="none"),)
    for finding in findings:
        finding.pointer.encode()
        assert finding.code != "none"


_names = sorted({*DOCUMENT.fields, *STEP_FIELDS, *(name for config in CONFIGS.values() for name in config.fields)})
_words = st.sampled_from([*CONFIGS, "a", "b", "c", "${input.x}", "${steps.a.output}", "${", "any", "http://x", ""])
_likely = st.recursive(
    json_values | _words | st.integers(-2, 5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_names), inner, max_size=5),
    max_leaves=20,
)


@quick
@given(json_values | _likely)
def test_any_value_is_read_or_refused(value: Any) -> None:
    tried(value)


@quick
@given(st.fixed_dictionaries({"name": st.just("x"), "steps": st.lists(st.fixed_dictionaries({
    "id": st.sampled_from("abc") | _likely, "type": st.sampled_from(list(CONFIGS)), "config": _likely,
}, optional={"depends_on": st.lists(st.sampled_from("abcd")), "condition": _likely, "order": st.integers(0, 3)}),
    max_size=4)}, optional={"trigger": _likely, "input_schema": _likely, "output": _likely}))  # fmt: skip
def test_any_likely_document_is_read_or_refused(value: Any) -> None:
    tried(value)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return (container, key) of every place in a document."""
    found = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += [(value, key), *_places(inner)]
    return found


@quick
@given(documents(), st.data())
def test_a_good_document_with_one_place_spoilt_is_read_or_refused(document: Any, data: Any) -> None:
    document = deepcopy(document)  # parts of it are the strategy's own
    container, key = data.draw(st.sampled_from(_places(document)))
    container[key] = data.draw(_likely)
    tried(document)


def deep(levels: int) -> Any:
    value: Any = {}
    for level in range(levels):
        value = [value] if level % 2 else {"all": value, "properties": value}
    return value


@pytest.mark.parametrize("field", ["input_schema", "output", "metadata", "trigger", "steps", "name"])
def test_ten_thousand_levels_are_refused(field: Any) -> None:
    with pytest.raises(InvalidDefinition) as fault:
        parse_definition({"name": "x", "steps": [], field: deep(10_000)})
    assert fault.value.findings[0].code in ("too_deep", "too_large")


def test_a_huge_document_is_refused_quickly() -> None:
    begin = time.perf_counter()
    huge: list[Any] = [{"name": "x" * (50 << 20)}, {"steps": [{}] * 2_000_000}, {f"k{i}": 0 for i in range(200_000)}]
    for value in huge:
        with pytest.raises(InvalidDefinition) as fault:
            parse_definition(value)
        assert len(fault.value.findings) <= 200
    assert time.perf_counter() - begin < 5


def test_a_document_full_of_faults_is_refused_quickly() -> None:
    begin = time.perf_counter()
    fields = {f"unknown_field_number_{i}": 0 for i in range(12_000)}
    with pytest.raises(InvalidDefinition) as fault:
        parse_definition({"name": "x", "steps": [{"id": "a", **fields}], **fields})
    assert len(fault.value.findings) == 200
    assert time.perf_counter() - begin < 5
