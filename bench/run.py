"""The run: scenarios one after another, contenders taking turns, and every trial on record, also one that failed.

Each scenario gets a server of its own. In a round every contender has one trial, and the next round begins with another
of them, so that a machine that becomes slower or faster meanwhile does so for all. Before every trial what the last one
left is written out and the yardstick Y is measured: `y_per_s` is what the disk gave just then.

Must not print: an Observer is told. Ctrl-C ends the run; what was measured until then is in the exception's way out,
for `run` hands over every scenario when it is done.
"""

from __future__ import annotations

import importlib
import pkgutil
import traceback
from collections.abc import Iterable, Sequence

import psycopg
from msgspec import Struct, field

from bench import scenarios as folder
from bench.cases import Contender, Effort, Figures, Scenario, T, Unable
from bench.ground import Ground
from bench.meter import Machine, machine
from bench.stamp import commit_of, now
from engine.errors import StepwellError

Y = "y_per_s"
Y_RATIO = "y_ratio"
RATE = "_per_s"
_LONGEST_REASON = 2000


class Options(Struct, frozen=True):
    """What to run. `repeat`: rounds instead of a scenario's own. `contenders`: only these; all without any."""

    effort: Effort = Effort()
    repeat: int | None = None
    contenders: tuple[str, ...] = ()
    system: bool = False
    settings: dict[str, str] = {}  # of PostgreSQL, beside the stated ones
    yardstick_s: float = 2.0

    def rounds(self, scenario: Scenario) -> int:
        """Return how many rounds a scenario has."""
        return self.repeat or self.effort.of(1, scenario.repeat)

    def takes(self, contender: Contender) -> bool:
        """Tell whether a contender is wanted."""
        return not self.contenders or contender.name in self.contenders


class TrialRun(Struct):
    """One trial: its figures, or why there are none."""

    contender: str
    round: int  # from 1
    figures: Figures = {}
    failed: str = ""


class ScenarioRun(Struct):
    """One scenario's trials, in the order in which they ran. `missing`: contender → what is not installed.

    `commit`, `at`: of when it began.
    """

    scenario: Scenario
    trials: list[TrialRun] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    commit: str = field(default_factory=commit_of)
    at: str = field(default_factory=now)


class Run(Struct):
    """All that was measured. `machine`: None until a server has run, and `settings` none."""

    options: Options
    settings: dict[str, str] = field(default_factory=dict)
    machine: Machine | None = None
    scenarios: list[ScenarioRun] = field(default_factory=list)


class Observer:
    """Hears how the run goes on; this one keeps quiet."""

    def scenario(self, scenario: Scenario, trials: int) -> None:
        """Hear that a scenario begins, of that many trials."""

    def missing(self, scenario: Scenario, contender: str, why: str) -> None:
        """Hear that a contender is not there."""

    def trial(self, scenario: Scenario, contender: str, round_: int) -> None:
        """Hear that a trial begins."""

    def done(self, scenario: Scenario, trial: TrialRun) -> None:
        """Hear how a trial ended."""


def scenarios() -> tuple[Scenario, ...]:
    """Return every scenario of bench/scenarios, in the order of its files, each of which has SCENARIO or SCENARIOS.

    Raises what a broken file raises.
    """
    names = sorted(found.name for found in pkgutil.iter_modules(folder.__path__) if not found.name.startswith("_"))
    modules = [importlib.import_module(f"{folder.__name__}.{name}") for name in names]
    return tuple(found for module in modules for found in getattr(module, "SCENARIOS", None) or (module.SCENARIO,))


def run(wanted: Iterable[Scenario], options: Options, observer: Observer | None = None, into: Run | None = None) -> Run:
    """Run scenarios and return all trials. `into`: filled as the run goes on, so that Ctrl-C loses nothing done."""
    found = into or Run(options)
    for scenario in wanted:
        ran = ScenarioRun(scenario)
        found.scenarios.append(ran)
        _run_scenario(ran, found, observer or Observer())
    return found


def _run_scenario(ran: ScenarioRun, found: Run, observer: Observer) -> None:
    options, scenario = found.options, ran.scenario
    there = _there(ran, options, observer)
    rounds = options.rounds(scenario) if there else 0
    observer.scenario(scenario, rounds * len(there))
    if not there:
        return
    with Ground(system=options.system, settings=options.settings) as ground:
        found.machine = found.machine or machine(ground)
        found.settings = found.settings or ground.stated()
        for number in range(rounds):
            for contender in turned(there, number):
                observer.trial(scenario, contender.name, number + 1)
                trial = _trial(ground, scenario, contender, options)
                trial.round = number + 1
                ran.trials.append(trial)
                observer.done(scenario, trial)


def _there(ran: ScenarioRun, options: Options, observer: Observer) -> list[Contender]:
    """Return the wanted contenders that can run; note the others."""
    there = []
    for contender in filter(options.takes, ran.scenario.contenders):
        why = contender.missing()
        if why is None:
            there.append(contender)
        else:
            ran.missing[contender.name] = why
            observer.missing(ran.scenario, contender.name, why)
    return there


def turned(row: Sequence[T], by: int) -> list[T]:
    """Return a row in the same order, beginning with another of its members."""
    first = by % len(row)
    return [*row[first:], *row[:first]]


def _trial(ground: Ground, scenario: Scenario, contender: Contender, options: Options) -> TrialRun:
    """Measure once. Never raises for what goes wrong in a trial; Ctrl-C passes."""
    try:
        ground.settle()
        y = ground.yardstick(options.yardstick_s)
        ground.settle()
        figures = contender.trial(ground, options.effort)
    except Exception as error:  # noqa: BLE001  whatever a contender raises is its own failure, and on record
        return TrialRun(contender.name, 0, failed=_reason(error))
    return TrialRun(contender.name, 0, _with_y(figures, scenario.main, y))


def _with_y(figures: Figures, main: str, y: float) -> Figures:
    ratio = {Y_RATIO: figures[main] / y} if main.endswith(RATE) and main in figures and y else {}
    return {**figures, Y: y, **ratio}


def _reason(error: Exception) -> str:
    """Return what went wrong in a line, with its place where it is no message of ours."""
    said = " ".join(str(error).split())
    if isinstance(error, Unable | StepwellError | psycopg.Error):
        return said[:_LONGEST_REASON]
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {said} ({frame.name}, line {frame.lineno})"[:_LONGEST_REASON]
