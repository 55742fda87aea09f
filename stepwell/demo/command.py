"""`stepwell demo`: both examples on real input, with a crash in the middle, checked to the last call.

Exit code 0 only if every process ended as its row says, the partner saw exactly the executions it should have, and
every repeated call belongs to a retry on record or to an execution that was in flight at the kill.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import click
from rich.console import Console

from engine.errors import OperatorError
from stepwell import documents, provision
from stepwell.demo import drive
from stepwell.demo import report as ending
from stepwell.demo.audit import audit
from stepwell.demo.expectations import ONBOARDING, ORDERS
from stepwell.demo.rows import Case, read_cases
from stepwell.demo.watch import Kill, Watch
from stepwell.demo.world import World, world
from stepwell.guard import HOME
from stepwell.output import Terminal
from stepwell.supervise import Stop

DEFINITIONS = (f"{ONBOARDING}.yaml", f"{ORDERS}.yaml")


@click.command()
@click.option("--examples", type=click.Path(file_okay=False, path_type=Path), help="Folder with definitions and data.")
@click.option("--limit", type=click.IntRange(2), help="Use only so many rows.")
@click.option("--keep", is_flag=True, help="Leave data and logs behind, to look at.")
@click.option("--timeout", type=click.FloatRange(5), default=120, show_default=True, help="Seconds it may take.")
@click.option("--seed", default=7, show_default=True, help="Decides which calls fail at the partner.")
@click.option("--failure-rate", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share of them.")
def demo(examples: Path | None, limit: int | None, keep: bool, timeout: float, seed: int, failure_rate: float) -> None:
    """Run real processes on a private PostgreSQL, kill a worker half-way, and check that nothing was lost.

    Takes less than a minute, asks for nothing, and leaves nothing behind (but with --keep).
    """
    folder = find_examples(examples)
    console = Terminal()
    console.print("Starting PostgreSQL, the API, two workers and a partner service that fails now and then …")
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of transactions that Ctrl-C cuts off
    good, stop = False, Stop()
    try:
        with stop.on_signals(), world(stop, keep=keep, seed=seed, failure_rate=failure_rate) as made:
            cases = read_cases(folder, made.partner_url, limit)
            try:
                good = asyncio.run(play(made, cases, folder, console, stop, timeout, keep=keep))
            finally:
                if not good and not stop.is_set():
                    tell_complaints(made, console)
    except Exception:
        if not stop.is_set():  # else it is Stopped, or what Ctrl-C did to a program that was just starting
            raise
        console.print("Stopped.")
    if not good:
        raise SystemExit(1)


def tell_complaints(made: World, console: Console) -> None:
    """Print what the programs' logs say of trouble, before they are gone."""
    for child in made.family.children:
        if said := child.complaints():
            console.print(f"{child.name}:\n{said}", markup=False, soft_wrap=True)


async def play(
    made: World, cases: list[Case], examples: Path, console: Console, stop: Stop, timeout_s: float, *, keep: bool
) -> bool:
    """Play all cases; report; tell whether all is as it should be."""
    async with drive.outside_of(made) as outside:
        await drive.publish(outside, [documents.read_file(str(examples / name)) for name in DEFINITIONS])
        console.print(f"Published {' and '.join(DEFINITIONS)}; starting {len(cases)} processes.")
        watch = Watch(outside, cases, console, stop, timeout_s)
        async with asyncio.TaskGroup() as group:
            group.create_task(drive.act(outside, cases))
            group.create_task(watch.run())
        return report(made, cases, outside, watch.kill, console, keep=keep)


def report(
    made: World, cases: list[Case], outside: drive.Outside, killed: Kill | None, console: Console, *, keep: bool
) -> bool:
    """Check everything and print what came of it."""
    with provision.connected(made.connection.owner_url) as owner:
        found = audit(owner, made.calls, cases, outside.rolled_back)
    if killed is None:
        found.faults.append("no worker held anything when half of the processes had ended: none was killed")
    elif killed.rescued_s is None:
        found.faults.append("the killed worker's processes were not taken over in time")
    ending.tell(console, found, outside, killed)
    ending.next_steps(console, outside, kept=keep)
    return not found.faults


def find_examples(given: Path | None) -> Path:
    """Return the folder of the examples: the one given, else that of the checkout. Raises OperatorError."""
    folder = given or HOME / "examples"
    if not (folder / "data").is_dir():
        raise OperatorError(
            f"the demo's examples are not in {folder}", advice="Run it in a checkout, or use --examples DIR."
        )
    return folder
