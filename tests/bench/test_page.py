"""What docs/benchmarks.md shows works as it stands there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.cases import Effort, Scenario
from bench.ground import SETTINGS, Ground
from bench.result import write
from bench.run import scenarios
from tests.bench.samples import entry, result, section
from tests.docs.made import benchmarks
from tests.docs.pages import blocks, text_of


def test_the_scenario_of_the_page_measures_what_its_goal_names(ground: Ground) -> None:
    (block,) = blocks("docs/benchmarks.md", "python")
    names: dict[str, Any] = {}
    exec(compile(block.text, "docs/benchmarks.md", "exec"), names)  # noqa: S102  it is the page's own
    scenario: Scenario = names["SCENARIO"]

    figures = scenario.contenders[0].trial(ground, Effort(quick=True))

    assert figures[scenario.main] > 0
    assert {goal.figure for goal in scenario.against} <= set(figures)


@pytest.fixture
def committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return where the result file of the page is expected."""
    monkeypatch.setattr(benchmarks, "FILE", tmp_path / "benchmarks.json")
    benchmarks.measured.cache_clear()
    yield tmp_path / "benchmarks.json"
    benchmarks.measured.cache_clear()


def test_until_something_is_measured_the_page_says_so(committed: Path) -> None:
    for part in (benchmarks.engines, benchmarks.overview, benchmarks.results, benchmarks.notes):
        assert part() == "Nothing was measured yet."


def test_what_was_measured_stands_on_the_page(committed: Path) -> None:
    inline = section(entry("stepwell", 100.0), entry("absurd", 10.0), name="steps-executed-20")
    queued = section(entry("stepwell", 40.0), entry("pgqueuer", 50.0), name="steps-queued")
    write(committed, result(inline, queued))

    assert [line.split(" | ")[:2] for line in benchmarks.engines().splitlines()[2:]] == [
        ["| stepwell", "100"], ["| pgqueuer", "50"], ["| stepwell (steps-queued)", "40"], ["| absurd", "10"],
    ]  # fmt: skip
    assert "commit abc123" in benchmarks.overview()
    assert "| pgqueuer | 50 | 50 … 50 | 1.25 |" in benchmarks.results()
    assert "- **absurd**: a note on absurd" in benchmarks.notes()


def test_every_scenario_stands_in_the_list_of_the_page() -> None:
    listed = benchmarks.listed()
    for scenario in scenarios():
        assert f"| `{scenario.name}` | {scenario.title}. " in listed


def test_the_page_names_every_setting_of_the_server() -> None:
    page = text_of("docs/benchmarks.md")
    assert [name for name in SETTINGS if f"`{name}`" not in page] == []
