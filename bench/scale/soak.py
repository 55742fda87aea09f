"""`stepwell bench soak`: a mixed load for minutes or hours, looked at every few seconds, and audited at its end.

The highest rate of the mix is found first; then a set share of it is started by a schedule, whatever the engine does.
What is looked for is what changes with time: latency, dead rows, sizes of tables, memory. Ctrl-C ends the load early
and in order: what was begun ends, is audited and is reported; a second Ctrl-C ends all at once, and nothing is left
behind.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec import Struct, field

from bench.cases import OURS, Figures, Unable
from bench.ground import Ground
from bench.house import House
from bench.load.arrivals import Arrivals, Flow, Spec, Told
from bench.load.latency import highest
from bench.meter import machine, percentiles
from bench.partner import Partner
from bench.programs import Program
from bench.report import html, markdown
from bench.result import FORMAT, Entry, Result, Section, Series, spread, versions, write
from bench.scale import mix
from bench.scale.audit import faults
from bench.scale.samples import Sampler
from bench.stamp import commit_of, now

LOOK_EVERY_S = 5.0
SAY_EVERY_S = 60.0
PATIENCE_S = 300.0  # for what was begun to end
SHOWN = (
    "wait_p50_ms",
    "wait_p99_ms",
    "flush_p99_ms",
    "events_per_s",
    "wal_per_min_mb",
    "job_dead_rows_count",
    "worker_rss_mb",
)

BY_HAND = "ended by hand"

GROWS = ("_dead_rows", "_size")

Tell = Callable[[str], None]


class Plan(Struct, frozen=True):
    """What to do. `find_s`: for how long the highest rate is looked for; `share` of it is then kept up."""

    seconds: float
    share: float
    workers: int = 1
    find_s: float = 20.0
    look_every_s: float = LOOK_EVERY_S


class Soaked(Struct):
    """What came of it. `ended`: why the load ended early, empty where it did not. `faults`: what the audit found.

    `commit`, `at`: of when it began.
    """

    highest_per_s: float = 0.0
    seconds: float = 0.0
    told: Told = field(default_factory=Told)
    series: dict[str, Series] = field(default_factory=dict)
    ended: str = ""
    faults: list[str] = field(default_factory=list)
    commit: str = field(default_factory=commit_of)
    at: str = field(default_factory=now)

    def failures(self) -> list[str]:
        """Return all that should not be: an end that nobody asked for, and what the audit found."""
        early = [self.ended] if self.ended not in ("", BY_HAND) else []
        return [*early, *(f"audit: {fault}" for fault in self.faults)]

    def figures(self) -> Figures:
        """Return the run in few figures: medians and the worst, and how the last quarter compares with the second."""
        rate = self.told.started / self.seconds if self.seconds else 0.0
        found = {"processes_per_s": rate, "highest_per_s": self.highest_per_s, **self.told.late()}
        for name in self.series:
            values, (stem, unit) = [value for _, value in self.series[name]], split(name)
            if name in SHOWN:
                found[f"{stem}_median{unit}"] = percentiles(values, (0.5,))[0]
            if name in SHOWN or stem.endswith(GROWS):
                found[f"{stem}_most{unit}"] = max(values)
        return found | self._drift()

    def _drift(self) -> Figures:
        """Return the median of the last quarter as a percentage of the second quarter's, where the first warms up."""
        found: Figures = {}
        for name in SHOWN:
            values = [value for _, value in self.series.get(name, ())]
            quarter = len(values) // 4
            if quarter:
                early, late = (percentiles(v, (0.5,))[0] for v in (values[quarter : 2 * quarter], values[-quarter:]))
                found |= {f"{split(name)[0]}_late_to_early_percent": 100 * late / early} if early else {}
        return found


def split(figure: str) -> tuple[str, str]:
    """Return a figure's name without its unit, and the unit."""
    stem, _, unit = figure.rpartition("_")
    return (stem.removesuffix("_per"), f"_per_{unit}") if stem.endswith("_per") else (stem, f"_{unit}")


def soak(ground: Ground, plan: Plan, tell: Tell) -> Soaked:
    """Load, look, wait for the end, audit. KeyboardInterrupt while loading ends the load alone."""
    found = Soaked()
    with ExitStack() as stack:
        dsn = stack.enter_context(ground.database("soak"))
        house = stack.enter_context(House(ground, dsn))
        partner = stack.enter_context(Partner())
        failing = stack.enter_context(Partner(failures=mix.FAILURES))
        flows = mix.publish(house, partner.url, failing.url)
        workers = [_observed(house) for _ in range(plan.workers)]
        tell(f"looking for the highest rate, {plan.find_s:g} s")
        found.highest_per_s = highest(house, flows, plan.find_s / 4, plan.find_s)
        _await_end(house)
        ground.settle(dsn)
        tell(f"{found.highest_per_s:,.0f} processes/s at most; {plan.share:.0%} of that from here on")
        _load(house, plan, flows, Sampler(house, workers), found, tell)
        try:
            _await_end(house)
        except Unable as late:
            found.ended = found.ended or str(late)
        tell("auditing")
        found.faults = faults(house)
    return found


def _observed(house: House) -> tuple[Program, str]:
    """Start a worker that serves its metrics; return it with their URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return house.worker("--observe", f"127.0.0.1:{port}"), f"http://127.0.0.1:{port}"


def _load(house: House, plan: Plan, flows: Sequence[Flow], sampler: Sampler, found: Soaked, tell: Tell) -> None:
    """Keep the load up and note what is seen."""
    spec = Spec(house.dsn(house.tenants[0]), tuple(flows), found.highest_per_s * plan.share)
    with Arrivals(spec) as arrivals:
        begun, said = time.monotonic(), 0.0
        try:
            while time.monotonic() - begun + plan.look_every_s <= plan.seconds:
                time.sleep(plan.look_every_s)
                figures, at = sampler.look(), time.monotonic() - begun
                for name, value in figures.items():
                    found.series.setdefault(name, []).append((round(at, 1), value))
                if at - said >= SAY_EVERY_S or not said:
                    said = at
                    tell(_line(at, plan, figures))
        except KeyboardInterrupt:
            found.ended = BY_HAND
        except Unable as failed:
            found.ended = str(failed)
        found.seconds = time.monotonic() - begun
        found.told = arrivals.stop()


def _line(at: float, plan: Plan, figures: Figures) -> str:
    words = [f"{name.replace('_', ' ')} {figures[name]:,.1f}" for name in SHOWN if name in figures]
    return f"{at / 60:.1f} of {plan.seconds / 60:g} min: {', '.join(words)}"


def _await_end(house: House) -> None:
    """Wait until nothing runs, waits or sleeps. Raises Unable when that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while left := house.running():
        if time.monotonic() > deadline:
            raise Unable(f"{left:,} processes have not ended {PATIENCE_S:g} s after the load")
        time.sleep(0.2)


def result_of(ground: Ground, plan: Plan, found: Soaked) -> Result:
    """Return what is written of it."""
    about = (
        "A mix of no-op, computed and HTTP steps, waits with signals, sleeps and retries, started by a schedule: "
        f"{found.seconds / 60:.1f} min at {plan.share:.0%} of the highest rate, {plan.workers} worker(s). "
        f"Looked at every {plan.look_every_s:g} s; …_late_to_early compares the last quarter with the second. Then "
        "audited: every process COMPLETED, histories without a gap, nothing begun or ended twice, nothing left over."
    )
    note = f"{plan.workers} worker(s)" + (f", {BY_HAND}" if found.ended == BY_HAND else "")
    figures = {name: spread([value]) for name, value in found.figures().items()}
    entry = Entry(OURS, note, figures=figures, failed=found.failures(), series=found.series)
    section = Section("soak", "Soak", about, "processes_per_s", [entry], commit=found.commit, at=found.at)
    return Result(
        FORMAT,
        found.commit,
        found.at,
        machine(ground),
        ground.stated(),
        versions(),
        [section],
        quick=plan.seconds < 600,
    )


@click.command("soak")
@click.option("--hours", type=click.FloatRange(0), default=0.0, help="How long; added to --minutes.")
@click.option("--minutes", type=click.FloatRange(0), default=0.0, help="How long; 20 without either.")
@click.option(
    "--rate",
    type=click.FloatRange(0.01, 1),
    default=0.7,
    show_default=True,
    help="Share of the highest rate, 0.01 to 1.",
)
@click.option("--workers", type=click.IntRange(1, 50), default=1, show_default=True, help="Worker programs.")
@click.option("--system", is_flag=True, help="On the system's PostgreSQL, the newest release in /usr/lib/postgresql.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="bench-results",
    show_default=True,
    help="Folder for the result file and its report.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result file as well.")
def command(hours: float, minutes: float, rate: float, workers: int, system: bool, out: Path, as_json: bool) -> None:
    """Keep a mixed load up for long, and see what changes: latency, dead rows, sizes, memory.

    The highest rate is found first, with as many starts as the engine takes; the load is a share of it. Ctrl-C ends the
    load early; what was measured is written all the same. Exit code 1 if a worker ended, a process did not, or the
    audit found a fault.
    """
    plan = Plan((hours * 60 + minutes or 20) * 60, rate, workers)
    out.mkdir(parents=True, exist_ok=True)
    stem = out / f"soak-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    with Ground(system=system) as ground:
        found = soak(ground, plan, lambda said: click.echo(said, err=True))
        result = result_of(ground, plan, found)
    write(stem.with_suffix(".json"), result)
    stem.with_suffix(".md").write_text(markdown.report(result), "utf-8")
    stem.with_suffix(".html").write_text(html.page(result), "utf-8")
    click.echo(f"wrote {stem.with_suffix('.json')}, .md and .html", err=True)
    if as_json:
        click.echo(stem.with_suffix(".json").read_text("utf-8"))
    for line in found.failures():
        click.echo(line, err=True)
    if found.failures():
        raise SystemExit(1)
