"""Ours gives what Google's gives, or both refuse: for cases written by hand and for thousands made at random."""

from __future__ import annotations

import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

pytest.importorskip("cel_expr_python", reason="cel-expr-python has no wheel for this platform")

from tests.oracle import answers, google
from tests.oracle.differences import DIFFERENCES, ERROR, Difference
from tests.oracle.expressions import NOW, expressions, inputs
from tests.oracle.templates import TOPS
from tests.unit.cel.given import alike

EXAMPLES = int(os.environ.get("STEPWELL_ORACLE_EXAMPLES", "6000"))
CASES = (Path(__file__).parent / "cases.cel").read_text(encoding="utf-8").splitlines()
INPUT = {
    "n": 2, "x": 2.5, "s": "abc", "yes": True, "none": None, "l": [1, 2, 3], "empty": [], "words": ["b", "a"],
    "m": {"a": 1, "nil": None, "odd-name": 7, "deep": {"b": [5, 6]}}, "mixed": [1, "a", None],
    "rows": [{"id": 2, "q": 1.5}, {"id": 1, "q": 2.5}], "when": "2026-02-28T23:59:58.789Z",
}  # fmt: skip
DATA = {"input": INPUT, "now": NOW}


def compare(source: str, data: dict[str, Any]) -> bool:
    """Tell whether both give the same value, fail where they differ.

    What ours finds wrong at publish, their checker may find wrong as well: that is no difference.
    """
    ours, theirs = answers.ask(source, data), google.ask(source, data)
    if answers.agree(ours, theirs) or (ours.early and google.refuses(source)):
        return ours.error is None
    pytest.fail(f"{source}\n  ours:   {ours}\n  theirs: {theirs}\n  input:  {data['input']}", pytrace=False)


@pytest.mark.parametrize("source", [case for case in CASES if case and not case.startswith("//")])
def test_a_case_written_by_hand_gives_the_same(source: str) -> None:
    compare(source, DATA)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_a_difference_is_as_described(difference: Difference) -> None:
    for source, ours, theirs in difference.examples:
        for who, ask, expected in (("ours", answers.ask, ours), ("theirs", google.ask, theirs)):
            answer = ask(source, DATA)
            same = (
                answer.error is not None
                if expected is ERROR
                else answer.error is None and alike(answer.value, expected)
            )
            assert same, f"{source}: {who} gives {answer}"


@pytest.mark.timeout(120 + EXAMPLES // 20)
@pytest.mark.parametrize("kind", TOPS)
def test_expressions_made_at_random_give_the_same(kind: str) -> None:
    answered: list[bool] = []

    @settings(
        max_examples=EXAMPLES // len(TOPS), derandomize=True, database=None, deadline=None, report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(source=expressions(kind), values=inputs())
    def same(source: str, values: dict[str, Any]) -> None:
        kept = deepcopy(values)
        answered.append(compare(source, {"input": values, "now": NOW}))
        assert values == kept, f"{source} changed what it was given"

    same()
    assert sum(answered) > len(answered) / 2, "most expressions should have a value, not an error"
