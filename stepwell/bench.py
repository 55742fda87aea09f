"""`stepwell bench`: list and run the scenarios of the harness, make reports of what was measured.

The only module of the program that knows the package `bench`. Two commands have modules of their own there, which are
imported when they are asked for.

Ctrl-C, SIGTERM and a closed terminal end a run in order: its PostgreSQL and its programs end, its folder goes, and what
was measured until then is written.
"""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from bench.cases import Effort, Scenario, Unable
from bench.progress import Shown
from bench.report import html, markdown, plots
from bench.result import Result, is_ours, merged, read, result_of, write
from bench.run import Options, Run, run, scenarios
from engine.errors import BadInput, OperatorError
from stepwell.output import Terminal, as_text, json_option, show

ELSEWHERE = {"soak": "bench.scale.soak:command", "capacity": "bench.capacity.command:command"}
FOLDER = "bench-results"
_ENDS = (signal.SIGTERM, signal.SIGHUP)
QUICK_YARDSTICK_S = 1.0


class Bench(click.Group):
    """A group, some of whose commands are imported when they are asked for."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order in which they are needed."""
        return [*self.commands, *ELSEWHERE]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return the command of that name."""
        if name not in ELSEWHERE:
            return super().get_command(ctx, name)
        module, _, attribute = ELSEWHERE[name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises OperatorError where this machine cannot."""
        try:
            return super().invoke(ctx)
        except Unable as error:
            raise OperatorError(str(error), advice="Mend that and run it again; nothing was left behind.") from error


@click.group(cls=Bench)
def bench() -> None:
    """Measure: how fast it is here, beside others, at scale, and how much machine is needed.

    Every run starts a PostgreSQL of its own, durable as in production, and leaves nothing behind but its report.
    """
    for number in _ENDS:
        signal.signal(number, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]  # libpq would heed PGOPTIONS and the like, and measure something else than is stated


@bench.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the scenarios and who takes part in each."""
    found = scenarios()
    value = [
        {"name": one.name, "title": one.title, "about": one.about, "contenders": [c.name for c in one.contenders]}
        for one in found
    ]
    show({"items": value}, lambda console: _tell(console, found), as_json=as_json)


def _tell(console: Console, found: Sequence[Scenario]) -> None:
    for one in found:
        console.print(one.name, style="bold", end="  ")
        console.print(one.title)
        for contender in one.contenders:
            console.print(f"    {contender.name:<34} {contender.missing() or ''}".rstrip(), style="dim")


@bench.command("run")
@click.argument("names", metavar="[SCENARIO]...", nargs=-1)
@click.option("--quick", is_flag=True, help="Small sizes and one round: to see that it works, not how fast it is.")
@click.option("--repeat", type=click.IntRange(1, 100), help="Rounds, instead of each scenario's own number.")
@click.option("--contender", "contenders", multiple=True, help="Only this one; repeatable.")
@click.option("--system", is_flag=True, help="On the system's PostgreSQL, the newest release in /usr/lib/postgresql.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    show_default=True,
    help="Folder for the result file and its report.",
)
@json_option
def run_(
    names: tuple[str, ...],
    quick: bool,
    repeat: int | None,
    contenders: tuple[str, ...],
    system: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Run scenarios, all of them without a name, and write what was measured.

    Writes a result file (JSON), a report (HTML) and tables (Markdown), and prints the tables. Measure on a machine that
    has nothing else to do. Exit code 1 if a trial of Stepwell failed.
    """
    wanted = chosen(names, contenders)
    effort = Effort(quick)
    options = Options(effort, repeat, contenders, system, yardstick_s=effort.of(QUICK_YARDSTICK_S, 2.0))
    out.mkdir(parents=True, exist_ok=True)
    console = Terminal(stderr=True)
    found = _measured(wanted, options, out / _stem(), console)
    click.echo(as_text(found) if as_json else markdown.report(found))
    if any(entry.failed for section in found.scenarios for entry in section.entries if is_ours(entry.name)):
        raise SystemExit(1)


def chosen(names: Sequence[str], contenders: Sequence[str]) -> list[Scenario]:
    """Return the scenarios of these names, all without any. Raises BadInput for one that there is not."""
    known = {one.name: one for one in scenarios()}
    _refuse_unknown("scenario", names, list(known))
    wanted = [known[name] for name in names or known]
    _refuse_unknown("contender", contenders, sorted({c.name for one in wanted for c in one.contenders}))
    return wanted


def _refuse_unknown(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadInput(f"there is no {what} '{unknown[0]}'", advice=f"Choose from: {', '.join(known)}")


def _stem() -> str:
    return f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def _measured(wanted: Sequence[Scenario], options: Options, stem: Path, console: Terminal) -> Result:
    """Run, write after each scenario and at the end, also when it is interrupted; return the result."""
    found = Run(options)
    try:
        with Shown(console, len(wanted)) as observer:
            for one in wanted:
                run([one], options, observer, into=found)
                if found.machine is not None:
                    write(stem.with_suffix(".json"), result_of(found))
    finally:
        if found.machine is not None:
            _report(result_of(found), stem, lambda said: console.print(said, style="dim", soft_wrap=True))
    return result_of(found)


@bench.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the report; without it the folder of the last file.",
)
@json_option
def report(files: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    """Make a report (HTML, Markdown) of result files, and print the tables.

    Of several files, measured on the same machine with the same settings, one report is made; where two hold the same
    contender of a scenario, the later file counts.
    """
    found = merged([read(file) for file in files])
    folder = out or files[-1].parent
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / (files[-1].stem if len(files) == 1 else _stem())
    _report(found, stem, lambda said: click.echo(said, err=True), also_json=len(files) > 1)
    click.echo(as_text(found) if as_json else markdown.report(found))


def _report(found: Result, stem: Path, tell: Callable[[str], None], *, also_json: bool = True) -> None:
    """Write the files of a report; say which. The result file comes first: what was measured must not be lost."""
    if also_json:
        write(stem.with_suffix(".json"), found)
    try:
        stem.with_suffix(".md").write_text(markdown.report(found), "utf-8")
        stem.with_suffix(".html").write_text(html.page(found), "utf-8")
    except OSError as error:
        raise OperatorError(f"the report could not be written: {error}", advice="Name a folder with --out.") from error
    for ending in (*([".json"] if also_json else []), ".md", ".html"):
        tell(f"wrote {stem.with_suffix(ending)}")
    if (why := plots.missing()) is not None:
        tell(why)
