"""The benchmark of expressions runs and says what it must; how fast anything is, no test says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.expressions.cases import CASES
from bench.expressions.child import prepared
from bench.expressions.contenders import CONTENDERS, OURS, SCALE, Contender, same
from bench.expressions.report import Report
from bench.expressions.sources import SOURCES

ROOT = Path(__file__).parents[2]
QUICK = ("--seconds", "0.0001", "--repeat", "2", "--contender", OURS, "--contender", SCALE)


def benchmark(*arguments: str) -> bytes:
    command = [sys.executable, "-m", "bench.expressions", *QUICK, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout


def test_read_by_a_program_it_says_where_it_ran_what_was_evaluated_and_how_often() -> None:
    found = msgspec.json.decode(benchmark(), type=Report)

    assert (found.settings.seconds, found.settings.repeat) == (0.0001, 2)
    assert found.machine.python.startswith("CPython 3.")
    assert found.machine.cpu
    assert [(one.name, one.missing) for one in found.outcome.contenders] == [(OURS, ""), (SCALE, "")]
    assert [case.case for case in found.outcome.cases] == [case.name for case in CASES]
    for case in found.outcome.cases:
        assert case.cannot == {}
        assert {one.contender for one in case.results} == {OURS, SCALE}
        for one in case.results:
            assert len(one.rates) == 2
            assert 0 < one.min <= one.median <= one.max


def test_it_writes_a_file_when_asked(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    assert benchmark("--json", str(file)) == b""
    assert msgspec.json.decode(file.read_bytes(), type=Report).benchmark == "expressions"


def test_each_contender_has_a_source_for_a_case_or_a_reason_why_not() -> None:
    for contender in CONTENDERS:
        if contender.name != SCALE:
            for case in CASES:
                assert (case.name in SOURCES[contender.package]) is not bool(contender.cannot(case)), contender.name


def contender(answer: Any) -> Contender:
    def make(_source: Any, _case: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return lambda data: data, lambda _data: answer

    return Contender("somebody", "other", "somebody", make)


@pytest.mark.parametrize(
    ("answer", "said"), [("true", "wrong: 'true' instead of "), (ValueError("no"), "fails: ValueError: no")]
)
def test_who_does_not_give_the_right_answer_is_not_measured(answer: Any, said: str) -> None:
    ready, _ = prepared(contender(answer))
    assert all(why.startswith(said) for why in ready.cases.values())
    assert set(ready.cases) == {case.name for case in CASES}


def test_who_is_not_installed_is_missing() -> None:
    assert prepared(contender(ModuleNotFoundError("No module named 'somebody'")))[0].missing == (
        "No module named 'somebody'"
    )


@pytest.mark.parametrize(
    ("found", "wanted", "right"),
    [
        (True, True, True), (1, True, False), ("true", True, False), (False, True, False), (None, False, False),
        ({"a": [1.0]}, {"a": [1]}, True), ({"a": [1], "b": 2}, {"a": [1]}, False), ({"b": [1]}, {"a": [1]}, False),
        ([1, 2], [1], False), ((1,), [1], True), ("a", "a", True), (None, "a", False), (None, {"a": 1}, False),
    ],
)  # fmt: skip
def test_answers_are_compared_by_what_they_say(found: Any, wanted: Any, right: bool) -> None:
    assert same(found, wanted) is right
