"""How the report and the way to it are shown: a table to a person, JSON to a program, files in a folder."""

from __future__ import annotations

import sys
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.capacity import report as reports
from bench.capacity.finding import Observer
from bench.capacity.report import Report
from bench.capacity.site import Setup
from bench.capacity.stage import Stage, Trial
from bench.report import plots
from bench.report.words import number
from engine.errors import OperatorError

FAST, SLOW, KNEE = "#0f766e", "#b45309", "#be123c"


class Progress(Observer):
    """Says on stderr how it goes on."""

    def begun(self, setup: Setup) -> None:
        """Say that a server is being made."""
        click.echo(f"{setup.document['name']}: starting PostgreSQL, partners and workers …", err=True)

    def tried(self, one: Trial) -> None:
        """Say that one process went through."""
        click.echo(f"one process: {one.seconds * 1000:.0f} ms, {one.activities} activities", err=True)

    def stage(self, place: int, of: int, rate: float) -> None:
        """Say that a stage begins."""
        click.echo(f"stage {place} of at most {of}: {number(rate)} starts/s … ", err=True, nl=False)

    def done(self, stage: Stage) -> None:
        """Say how a stage ended."""
        click.echo(stage.refusal or f"sustained, p95 {stage.seen.p95_s * 1000:.1f} ms", err=True)


def observer(*, as_json: bool) -> Observer:
    """Return who hears how it goes on: nobody where a program asked for JSON and reads stderr, too."""
    return Observer() if as_json and not sys.stderr.isatty() else Progress()


def show(report: Report, *, as_json: bool) -> None:
    """Print the report."""
    if as_json:
        click.echo(encoded(report).decode())
        return
    console = Console(highlight=False)
    console.print()
    _say(console, report.verdict, "bold")
    _say(console, report.sustained)
    console.print(_table(reports.NEED_HEAD, reports.need_rows(report)))
    console.print(_table(reports.STAGE_HEAD, reports.stage_rows(report)))
    console.print(_table(("one PostgreSQL ends", "at", "because of"), reports.bound_rows(report)))
    console.print(Text("Assumptions", "bold"))
    for text in report.assumptions:
        _say(console, f"- {text}")
    _say(console, reports.machine_words(report.machine), "bright_black")


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style))


def _table(head: tuple[str, ...], rows: list[list[str]]) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in head[:-1]:
        made.add_column(name, no_wrap=True)
    made.add_column(head[-1])
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def encoded(report: Report) -> bytes:
    """Return the report as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2)


def write(report: Report, folder: Path) -> None:
    """Write capacity.json, capacity.md and capacity.html. Raises OperatorError where that cannot be done."""
    made = {"json": encoded(report).decode() + "\n", "md": reports.markdown(report), "html": page(report)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, text in made.items():
            (folder / f"capacity.{suffix}").write_text(text, "utf-8")
    except OSError as error:
        raise OperatorError(
            f"--out: {folder} cannot be written: {error.strerror}", advice="Name another folder."
        ) from None


def page(report: Report) -> str:
    """Return the report as one page; nothing is fetched, no script runs."""
    title = escape(f"{report.definition}: capacity for {number(report.target.rate_per_s)} processes a second")
    style = files("bench.report").joinpath("page.css").read_text("utf-8")
    without = plots.missing()
    body = [
        f"<h1>{title}</h1><p><strong>{escape(report.verdict)}</strong></p><p>{escape(report.sustained)}</p>",
        _html_table(reports.NEED_HEAD, reports.need_rows(report)),
        f"<h2>Latency and utilisation over the rate</h2>{f'<p>{escape(without)}</p>' if without else plot(report)}",
        _html_table(reports.STAGE_HEAD, reports.stage_rows(report)),
        "<h2>Where one PostgreSQL ends</h2>",
        _html_table(("", "starts/s", "because of"), reports.bound_rows(report)),
        f"<h2>Assumptions</h2><ul>{''.join(f'<li>{escape(text)}</li>' for text in report.assumptions)}</ul>",
        f'<p class="soft">{escape(reports.machine_words(report.machine))}</p>',
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n{chr(10).join(body)}\n</main>\n</body>\n</html>\n"
    )


def _html_table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = ["".join(f'<td class="words">{escape(cell)}</td>' for cell in row) for row in rows]
    return f"<table><tr>{top}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def plot(report: Report) -> str:
    """Return latency and busy cores over the rate, the highest sustained rate marked; '' without matplotlib."""
    stages = sorted(report.stages, key=lambda stage: stage.rate_per_s)
    rates = [stage.rate_per_s for stage in stages]

    def draw(axes: Any) -> None:
        axes.plot(
            rates, [s.seen.p95_s * 1000 for s in stages], "o-", color=FAST, label="p95 from schedule to start, ms"
        )
        axes.set_yscale("log")
        axes.set_xlabel("starts a second")
        axes.set_ylabel("ms")
        busy = axes.twinx()
        busy.plot(rates, [s.worker_cores for s in stages], "s--", color=SLOW, label="busy cores: workers")
        busy.plot(rates, [s.server_cores for s in stages], "^--", color=plots.INK, label="busy cores: PostgreSQL")
        busy.set_ylabel("cores")
        busy.set_ylim(bottom=0)
        if report.sustained_per_s:
            axes.axvline(report.sustained_per_s, color=KNEE, linewidth=1, label="highest sustained rate")
        lines = [*axes.get_lines(), *busy.get_lines()]
        labels = [line.get_label() for line in lines]
        axes.legend(lines, labels, frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))

    return plots.drawn("capacity", 3.6, draw)
