"""How a run goes on: a bar and a line for each trial where a person looks, lines alone for a log."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from bench.cases import Scenario
from bench.report.words import number, title
from bench.run import Observer, TrialRun

_WIDEST_NAME = 34


class Shown(Observer):
    """Shows a run on a console; a context manager, since a bar must be taken away."""

    def __init__(self, console: Console, scenarios: int) -> None:
        self._console = console
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn())
        self._progress = Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal)
        self._scenarios = scenarios
        self._number = 0
        self._task: TaskID | None = None
        self._begun = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def scenario(self, scenario: Scenario, trials: int) -> None:
        """Show the scenario's title; begin its bar."""
        self._number += 1
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(scenario.name, total=trials)
        self._say(f"{self._number}/{self._scenarios} {scenario.name}: {scenario.title}", "bold")

    def missing(self, scenario: Scenario, contender: str, why: str) -> None:  # noqa: ARG002  an observer hears all
        """Say who is not there."""
        self._say(f"  {contender}: {why}", "yellow")

    def trial(self, scenario: Scenario, contender: str, round_: int) -> None:
        """Name the trial beside the bar."""
        self._begun = time.monotonic()
        if self._task is not None:
            self._progress.update(self._task, description=f"{scenario.name}, round {round_}: {contender}")

    def done(self, scenario: Scenario, trial: TrialRun) -> None:
        """Say what came out."""
        if self._task is not None:
            self._progress.advance(self._task)
        took = f"{time.monotonic() - self._begun:.0f} s"
        name = f"  round {trial.round}  {trial.contender:<{_WIDEST_NAME}}"
        if trial.failed:
            self._say(f"{name} failed after {took}: {trial.failed}", "red")
        else:
            value = trial.figures.get(scenario.main)
            self._say(f"{name} {number(value):>12} {title(scenario.main)}, {took}", "")

    def _say(self, text: str, style: str) -> None:
        self._progress.console.print(Text(text, style=style), soft_wrap=True)
