"""The demo's closing table: what was done, what the crash cost, where to look next."""

from __future__ import annotations

import shlex
from typing import Any

from rich.console import Console

from stepwell.demo.audit import Report, shown
from stepwell.demo.drive import Outside
from stepwell.demo.watch import Kill
from stepwell.output import facts, typed

COMMAND_WIDTH = 34


def figures(report: Report, outside: Outside, killed: Kill | None) -> list[tuple[str, Any]]:
    """Return the rows of the table."""
    signals = outside.signals
    rate = report.activities / report.seconds if report.seconds else 0.0
    rescue = f"{killed.rescued_s:.2f} s" if killed and killed.rescued_s is not None else "not observed"
    return [
        ("processes", sum(report.by_state.values())),
        *((f"  {name}, {status}", count) for (name, status), count in sorted(report.by_state.items())),
        ("activities", report.activities),
        ("retries", report.retries),
        ("tasks done by people", outside.tasks_done),
        ("payment signals", f"{signals['api']} by API, {signals['sql']} by SQL, {signals['early']} before the order"),
        ("transactions rolled back", f"{report.rolled_back}, nothing left of them"),
        ("calls at the partner", report.calls),
        ("executions at the partner", f"{report.executions}, each with one idempotency key"),
        ("distinct effects", report.effects),
        ("repeated calls", report.repeats),
        ("  explained by retries", report.repeats_by_retry),
        ("  explained by the kill", f"{report.repeats_by_kill} (of {report.lost} executions in flight)"),
        ("killed", f"{killed.worker.name}, holding {killed.held} processes" if killed else "no worker"),
        ("time to rescue", rescue),
        ("activities/s", f"{rate:.0f} over {report.seconds:.1f} s"),
        ("start to end, p50 / p95", f"{report.p50_s:.2f} s / {report.p95_s:.2f} s (people and payments included)"),
    ]


def tell(console: Console, report: Report, outside: Outside, killed: Kill | None) -> None:
    """Print the table and the verdict."""
    rows = [(name, str(value)) for name, value in figures(report, outside, killed)]
    console.print()
    facts(console, rows, "What happened")
    console.print()
    if report.faults:
        console.print(f"{len(report.faults)} faults:", style="bold red")
        for fault in shown(report.faults):
            console.print(f"  {fault}", markup=False, soft_wrap=True)
    else:
        console.print(
            "Every process ended as expected; the partner saw exactly the executions it should have.",
            style="bold green",
        )


def next_steps(console: Console, outside: Outside, *, kept: bool) -> None:
    """Say where to look next."""
    console.print()
    console.print("Where to look next", style="bold")
    me, folder = typed(), shlex.quote(str(outside.world.folder))
    if kept:
        lines = [
            (f"{me} up --data-dir {folder}", "the same world, to play with"),
            (f"STEPWELL_DATA_DIR={folder} {me} definition list", "in another terminal"),
            (f"less {folder}/partner-calls.jsonl", "what the partner was asked"),
            (f"ls {folder}/logs", "what the programs said"),
        ]
    else:
        lines = [
            (f"{me} up", "everything in one terminal, to play with"),
            (f"{me} demo --keep", "the same, but all data and logs stay"),
        ]
    lines.append(("examples/*.yaml", "the two definitions"))
    lines.append(("docs/architecture.md", "the way of one activity through the code"))
    for what, why in lines:
        console.print(f"  {what:<{COMMAND_WIDTH}}  {why}", markup=False, soft_wrap=True)
