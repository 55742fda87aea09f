"""What is shown of a run: tables to a person, one JSON document to a program."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from bench.expressions.contenders import OURS
from bench.expressions.race import Measured, Outcome, Settings

QUIET = 0.9  # the share of time that a contender must have had the core for figures to be trusted
ROOT = Path(__file__).parents[2]


class Machine(Struct):
    """Where a run took place. `changed`: the checkout was not as its commit has it."""

    commit: str
    changed: bool
    python: str
    cpu: str
    cores: int
    system: str


class Report(Struct):
    """A run, whole."""

    benchmark: str
    unit: str
    machine: Machine
    settings: Settings
    outcome: Outcome


def report(settings: Settings, outcome: Outcome) -> Report:
    """Return a run with where and how it was made."""
    return Report("expressions", "evaluations in a second of one core", machine(), settings, outcome)


def machine() -> Machine:
    """Return what this machine and this checkout are."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.release()}"
    return Machine(
        _git("rev-parse", "HEAD"), bool(_git("status", "--porcelain")), python, _cpu(), os.cpu_count() or 0, system
    )


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)  # noqa: S607  whichever git there is
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def show(found: Report, console: Console) -> None:
    """Print a run."""
    on, settings = found.machine, found.settings
    console.print(
        f"{found.unit}; {on.cpu}, {on.python}, commit {on.commit[:12] or 'unknown'}{' and changes' * on.changed}"
    )
    console.print(
        f"median of {settings.repeat} rounds of {settings.seconds} s of processor time for each case and contender"
    )
    for case in found.outcome.cases:
        _show_case(case, console)
    _show_summary(found.outcome, console)
    busy = min((one.busy for case in found.outcome.cases for one in case.results), default=1.0)
    if busy < QUIET:
        console.print(
            f"\nothers used the core: it was ours for {busy:.0%} of the time at worst. Measure again when all is quiet"
        )
    _show_contenders(found.outcome, console)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    return table


def _show_case(case: Measured, console: Console) -> None:
    table = _table(f"\n{case.case}: {case.says}", "contender", "median", "min", "max", "ours to it", "had a core")
    ours = next((result.median for result in case.results if result.contender == OURS), None)
    for one in case.results:
        ratio = f"{ours / one.median:.2f}" if ours else ""
        numbers = [f"{value:,.0f}" for value in (one.median, one.min, one.max)]
        style = {"ours": "bold", "ready": "dim", "scale": "dim"}.get(one.kind)
        table.add_row(one.contender, *numbers, ratio, f"{one.busy:.0%}", style=style)
    console.print(table)
    for name, why in case.cannot.items():
        console.print(f"{name}: {why}", style="dim")


def _show_summary(outcome: Outcome, console: Console) -> None:
    table = _table("\nours and the fastest other", "case", "ours", "fastest other", "ratio", "goal")
    for case in outcome.cases:
        ours = next((result.median for result in case.results if result.contender == OURS), 0.0)
        ratio = "" if case.ratio is None else f"{case.ratio:.2f}"
        goal = f"{case.goal:,} {'reached' if ours >= case.goal else 'missed'}" if case.goal else ""
        table.add_row(case.case, f"{ours:,.0f}", case.fastest_other, ratio, goal)
    console.print(table)


def _show_contenders(outcome: Outcome, console: Console) -> None:
    table = _table("\ncontenders", "name", "version", "remark")
    table.columns[2].justify = "left"
    for one in outcome.contenders:
        missing = f"missing: {one.missing}; the extra `bench-expressions` brings it" if one.missing else ""
        table.add_row(one.name, one.version, missing or one.favours)
    console.print(table)
