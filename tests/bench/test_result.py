"""What is concluded from figures, and what a result file must be."""

from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from bench.cases import Goal
from bench.meter import Machine
from bench.result import Result, merged, read, result_of, spread, verdicts, versions, write
from bench.run import Options, Run, ScenarioRun
from bench.stamp import commit_of
from engine.errors import OperatorError
from tests.bench.samples import MACHINE, entry, result, scenario, section


def test_a_figure_is_the_least_the_median_and_the_largest_of_its_trials() -> None:
    found = spread([3.0, 1.0, 2.123456789])
    assert (found.min, found.median, found.max) == (1.0, 2.12346, 3.0)
    assert found.trials == [3.0, 1.0, 2.12346]


@pytest.mark.parametrize(
    ("goal", "reached"),
    [
        (Goal("steps_per_s", "at_least", 100), True),
        (Goal("steps_per_s", "at_least", 101), False),
        (Goal("steps_per_s", "at_most", 100), True),
        (Goal("steps_per_s", "at_most", 99), False),
        (Goal("steps_per_s", "at_least", 10, than="peer"), True),
        (Goal("steps_per_s", "at_least", 11, than="peer"), False),
        (Goal("steps_per_s", "at_least", 5, contender="peer"), True),
        (Goal("steps_per_s", "at_least", 1, than="nobody"), None),
        (Goal("other_ms", "at_most", 1), None),
        (Goal("steps_per_s", "at_least", 200, best=True), True),
        (Goal("steps_per_s", "at_least", 200), False),
    ],
)
def test_a_goal_is_judged_by_medians(goal: Goal, reached: bool | None) -> None:
    found = section(
        entry("stepwell", 1.0, 100.0, 1000.0), entry("peer", 10.0), entry("stepwell, 2 processes", 200.0), goals=(goal,)
    )
    assert [verdict.reached for verdict in verdicts(found)] == [reached]


def test_a_contender_is_compared_with_our_median() -> None:
    found = section(entry("stepwell", 100.0), entry("peer", 10.0))
    assert found.times_ours(found.entries[1]) == pytest.approx(0.1)
    assert section(entry("peer", 10.0)).times_ours(entry("peer", 10.0)) is None


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    other = msgspec.structs.replace(result(), format=99)
    write(tmp_path / "other.json", other)
    with pytest.raises(OperatorError, match="format 99"):
        read(tmp_path / "other.json")


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', "{"])
def test_what_is_no_result_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "note.json").write_text(text)
    with pytest.raises(OperatorError, match=r"note\.json"):
        read(tmp_path / "note.json")


def test_of_a_scenario_in_two_files_the_later_counts() -> None:
    old = result(section(entry("stepwell", 1.0), name="a"), section(entry("stepwell", 1.0), name="b"))
    new = result(section(entry("stepwell", 2.0), name="a"))
    found = merged([old, new])
    assert [one.median("stepwell", "steps_per_s") for one in found.scenarios] == [2.0, 1.0]


def test_who_took_part_in_the_earlier_of_two_files_only_stays_with_the_commit_of_that_time() -> None:
    both = structs.replace(section(entry("stepwell", 1.0), entry("peer", 1.0)), commit="old")
    one = structs.replace(section(entry("peer", 2.0), entry("new", 3.0)), commit="new")
    (found,) = merged([result(both), result(one)]).scenarios
    assert [(e.name, found.median(e.name, "steps_per_s")) for e in found.entries] == [
        ("stepwell", 1.0),
        ("peer", 2.0),
        ("new", 3.0),
    ]
    assert found.commit == "old, new"
    (again,) = merged([result(both), result(structs.replace(both, commit="new"))]).scenarios
    assert again.commit == "new"


def test_what_was_not_measured_alike_does_not_become_one_report() -> None:
    other: Result = msgspec.structs.replace(result(), machine=Machine(64, "big", 1, "6.1", "3.11", "18.4", "xfs"))
    with pytest.raises(OperatorError, match="differ in machine"):
        merged([result(), other])
    with pytest.raises(OperatorError, match="differ in quick"):
        merged([result(), result(quick=True)])


def test_versions_are_those_of_what_we_build_on_and_compare_with_but_not_of_our_tools() -> None:
    found = versions()
    assert {"stepwell", "psycopg", "msgspec"} <= set(found)
    assert not {"pytest", "ruff", "jsonata-python"} & set(found)


def test_a_section_bears_the_commit_and_the_time_of_when_its_run_began() -> None:
    runs = [ScenarioRun(scenario(name=name), commit=name, at=f"at {name}") for name in ("a", "b")]
    found = result_of(Run(Options(), machine=MACHINE, scenarios=runs))
    assert [(one.commit, one.at) for one in found.scenarios] == [("a", "at a"), ("b", "at b")]


def test_without_a_checkout_the_release_stands_for_the_commit(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == f"release {versions()['stepwell']}"
