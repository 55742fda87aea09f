"""The command: `python -m bench.expressions`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console

from bench.expressions.contenders import BY_NAME
from bench.expressions.race import Settings, run
from bench.expressions.report import report, show


@click.command()
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to this file.")
@click.option("--seconds", default=0.5, show_default=True, help="Processor time for each case, contender and round.")
@click.option("--repeat", default=5, show_default=True, help="Rounds.")
@click.option("--core", default=-1, help="The core to run on; the last one if not given.")
@click.option(
    "--contender", "names", multiple=True, type=click.Choice(list(BY_NAME)), help="Only this one; repeatable."
)
def main(file: Path | None, seconds: float, repeat: int, core: int, names: tuple[str, ...]) -> None:
    """Measure how many expressions a core evaluates in a second, ours and those of other libraries."""
    err = Console(stderr=True)
    with err.status("starting") as status:
        settings = Settings(seconds, repeat, core)
        found = report(settings, run(settings, names, status.update))
    document = msgspec.json.format(msgspec.json.encode(found)) + b"\n"
    if file:
        file.write_bytes(document)
    if sys.stdout.isatty():
        show(found, Console(highlight=False))
    elif not file:
        sys.stdout.buffer.write(document)


if __name__ == "__main__":
    main()
