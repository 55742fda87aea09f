"""The scenarios of throughput: each is well-formed, and what they share measures what it says, in tiny sizes."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import TypeVar

import pytest
from msgspec.structs import replace

from bench import scenarios
from bench.cases import OURS, Effort, Scenario, Unable
from bench.drain import as_steps, drain, figures, gate
from bench.ground import Ground
from bench.house import House
from bench.meter import Measured
from bench.report.words import UNITS
from bench.run import Y_RATIO, Y
from bench.run import scenarios as registered
from bench.scenarios import fan_out, http_activities, lone_process, steps_executed, steps_queued, yardsticks
from bench.work import decisions, noops
from tests.house import eventually

T = TypeVar("T")
ALL = registered()
_WAITING = "select count(*) from pg_locks where relation = 'stepwell.job'::regclass and not granted"


class Tiny(Effort, frozen=True):
    def of(self, quick: T, full: T) -> T:
        size: object = super().of(quick, full)
        return max(1, size // 50) if isinstance(size, int) else size  # type: ignore[return-value]  # an int for an int


TINY = Tiny(quick=True)


def has_unit(figure: str) -> bool:
    return figure.endswith(tuple(UNITS))


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with Ground(settings={"shared_buffers": "32MB", "fsync": "off"}) as made:
        yield made


# -- the files


def test_every_file_has_scenarios_and_all_of_them_are_found() -> None:
    found: list[Scenario] = []
    for name in (module.name for module in pkgutil.iter_modules(scenarios.__path__)):
        module = importlib.import_module(f"bench.scenarios.{name}")
        if not name.startswith("_"):
            found += getattr(module, "SCENARIOS", None) or [module.SCENARIO]
    assert sorted(one.name for one in found) == sorted(one.name for one in ALL)
    assert len({one.name for one in found}) == len(found)


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_a_scenario_says_what_it_measures_and_how(scenario: Scenario) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", scenario.name)
    assert scenario.title
    assert 2 <= len(re.findall(r"[.!?](?= |$)", scenario.about)) <= 5
    assert has_unit(scenario.main)


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_its_contenders_have_names_of_their_own_and_say_their_settings(scenario: Scenario) -> None:
    names = [contender.name for contender in scenario.contenders]
    assert len(set(names)) == len(names)
    assert any(name.startswith(OURS) for name in names) or scenario is yardsticks.SCENARIO
    assert all(contender.note for contender in scenario.contenders)


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_its_goals_name_its_contenders_and_figures_with_a_unit(scenario: Scenario) -> None:
    names = {contender.name for contender in scenario.contenders}
    for goal in scenario.against:
        assert goal.contender in names
        assert goal.than is None or goal.than in names
        assert has_unit(goal.figure), goal
        assert goal.value > 0
        assert goal.words


@pytest.mark.parametrize("scenario", [*steps_executed.SCENARIOS, steps_queued.SCENARIO], ids=lambda one: one.name)
def test_the_goals_of_steps_are_about_figures_that_a_drain_has(scenario: Scenario) -> None:
    known = {*figures(Measured(1, 1, 1, 1, 1), noops(1), 1), Y, Y_RATIO}
    assert {scenario.main, *(goal.figure for goal in scenario.against)} <= known


# -- what they do


@pytest.mark.parametrize("scenario", [http_activities.SCENARIO, lone_process.SCENARIO], ids=lambda one: one.name)
def test_a_tiny_trial_yields_the_main_figure_and_those_of_the_goals(ground: Ground, scenario: Scenario) -> None:
    found = scenario.contenders[0].trial(ground, TINY)
    assert {scenario.main, *(goal.figure for goal in scenario.against)} <= {*found, Y, Y_RATIO}
    assert all(map(has_unit, found))
    assert found["steps_per_s"] > 0


def test_one_and_two_worker_processes_work_off_the_same_backlog(ground: Ground) -> None:
    one, two = (contender.trial(ground, TINY) for contender in fan_out.SCENARIO.contenders)
    assert one["steps_per_s"] == pytest.approx(52 * one["processes_per_s"])
    assert two["peak_rss_mb"] > 1.5 * one["peak_rss_mb"]


def test_work_that_was_not_done_has_no_rate(ground: Ground) -> None:
    work = decisions()  # of each of five rounds one way is skipped, so 15 of 20 steps are done
    with pytest.raises(Unable, match="COMPLETED are 2 processes and 30 activities instead of 2 processes and 32"):
        drain(ground, replace(work, activities=work.activities + 1), 2)


def test_nothing_is_claimed_before_the_clock_runs(ground: Ground) -> None:
    with ground.database("gate") as dsn, House(ground, dsn) as house:
        house.publish(noops(1).document)
        house.start("noop-1", [{}])
        with gate(house) as open_gate:
            house.worker()
            eventually(lambda: house.count(_WAITING), what="the worker stands at the gate")
            assert house.count("select count(*) from stepwell.lease") == 0
            open_gate()
            house.drained(30)
        assert house.count("select count(*) from stepwell.process where status = 'COMPLETED'") == 1


def test_a_peers_jobs_count_as_steps() -> None:
    contender = replace(fan_out.SCENARIO.contenders[0], trial=lambda *_: {"jobs_per_s": 1.0, "cpu_per_job_us": 2.0})
    (told,) = as_steps([contender])
    assert told.trial(Ground(), Effort()) == {"steps_per_s": 1.0, "cpu_per_step_us": 2.0}
