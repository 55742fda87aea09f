"""Who takes turns, what is on record."""

from typing import Any

import psycopg
import pytest

from bench.cases import Contender, Effort, Figures, Scenario, Unable
from bench.ground import Ground
from bench.result import read, result_of, write
from bench.run import Observer, Options, Run, TrialRun, run, scenarios, turned
from tests.bench.samples import broken, scenario


class Listener(Observer):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def scenario(self, scenario: Scenario, trials: int) -> None:
        self.heard.append((scenario.name, trials))

    def missing(self, scenario: Scenario, contender: str, why: str) -> None:
        self.heard.append((scenario.name, "missing", contender, why))

    def trial(self, scenario: Scenario, contender: str, round_: int) -> None:
        self.heard.append((scenario.name, round_, contender))

    def done(self, scenario: Scenario, trial: TrialRun) -> None:
        self.heard.append((scenario.name, "failed" if trial.failed else "done", trial.contender))


def ours(ground: Ground, effort: Effort) -> Figures:
    """Ask the server for the figure: it must run."""
    with psycopg.connect(ground.dsn()) as db:
        row = db.execute("select 100").fetchone()
    assert row is not None
    return {"steps_per_s": float(row[0]), "size_count": effort.of(1.0, 1000.0)}


ABSENT = Contender("absent", lambda _ground, _effort: {}, missing=lambda: "pip install absent")


@pytest.fixture(scope="module")
def ran() -> tuple[Run, Listener]:
    """Return a run in two rounds on a real server, and what was heard of it."""
    listener = Listener()
    gone = broken("gone", Unable("it has gone away"), KeyError("lost"))
    sample = scenario(Contender("stepwell", ours, "one worker"), gone, ABSENT)
    options = Options(Effort(quick=True), 2, settings={"shared_buffers": "16MB"}, yardstick_s=1.0)
    return run([sample], options, listener), listener


def test_contenders_take_turns_and_each_round_begins_with_another(ran: tuple[Run, Listener]) -> None:
    assert [trial.contender for trial in ran[0].scenarios[0].trials] == ["stepwell", "gone", "gone", "stepwell"]
    assert ["".join(turned("abc", by)) for by in range(4)] == ["abc", "bca", "cab", "abc"]


def test_a_contender_that_fails_is_on_record_and_the_others_go_on(ran: tuple[Run, Listener]) -> None:
    failed = [trial for trial in ran[0].scenarios[0].trials if trial.contender == "gone"]
    assert failed[0].failed == "it has gone away"
    assert failed[1].failed.startswith("KeyError: 'lost' (trial, line ")  # no message of ours: with kind and place
    assert [trial.figures for trial in failed] == [{}, {}]


def test_a_contender_that_is_missing_is_on_record_and_never_tried(ran: tuple[Run, Listener]) -> None:
    assert ran[0].scenarios[0].missing == {"absent": "pip install absent"}


def test_the_yardstick_is_measured_before_each_trial_and_the_main_rate_compared_with_it(
    ran: tuple[Run, Listener],
) -> None:
    found = [trial.figures for trial in ran[0].scenarios[0].trials if trial.contender == "stepwell"]
    assert found[0]["y_per_s"] != found[1]["y_per_s"]
    for figures in found:
        assert figures["y_ratio"] == pytest.approx(100.0 / figures["y_per_s"])


def test_an_observer_hears_everything_in_order(ran: tuple[Run, Listener]) -> None:
    assert ran[1].heard == [
        ("sample", "missing", "absent", "pip install absent"),
        ("sample", 4),
        ("sample", 1, "stepwell"), ("sample", "done", "stepwell"), ("sample", 1, "gone"), ("sample", "failed", "gone"),
        ("sample", 2, "gone"), ("sample", "failed", "gone"), ("sample", 2, "stepwell"), ("sample", "done", "stepwell"),
    ]  # fmt: skip


def test_a_run_is_written_and_read_as_it_was(ran: tuple[Run, Listener], tmp_path: Any) -> None:
    result = result_of(ran[0])
    write(tmp_path / "result.json", result)
    assert read(tmp_path / "result.json") == result

    section = result.scenarios[0]
    assert [entry.name for entry in section.entries] == ["stepwell", "gone", "absent"]
    assert section.entries[0].figures["steps_per_s"].trials == [100.0, 100.0]
    assert section.entries[0].figures["size_count"].median == 1.0  # the effort was a quick one's
    assert section.entries[0].note == "one worker"
    assert len(section.entries[1].failed) == 2
    assert section.entries[2].missing == "pip install absent"
    assert result.quick
    assert result.settings["fsync"] == "on"
    assert result.machine.postgresql


def test_only_the_wanted_contenders_run() -> None:
    found = run([scenario(Contender("stepwell", ours), ABSENT)], Options(contenders=("absent",)))
    assert found.scenarios[0].trials == []
    assert found.machine is None  # nobody was there, so no server was started


def test_rounds_are_the_scenarios_own_one_for_a_quick_run_or_as_asked() -> None:
    three = scenario(ABSENT, repeat=3)
    assert Options().rounds(three) == 3
    assert Options(Effort(quick=True)).rounds(three) == 1
    assert Options(Effort(quick=True), repeat=5).rounds(three) == 5


def test_every_scenario_in_the_folder_is_found_and_well_formed() -> None:
    found = scenarios()
    assert len({one.name for one in found}) == len(found) > 0
    for one in found:
        assert one.name == one.name.lower().replace(" ", "-")
        assert one.title
        assert one.about
        assert one.repeat > 0
        names = [contender.name for contender in one.contenders]
        assert len(set(names)) == len(names) > 0
        for goal in one.against:
            assert goal.contender in names, (one.name, goal)
            assert goal.than is None or goal.than in names, (one.name, goal)
