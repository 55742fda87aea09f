"""The report: everything found and computed, with its assumptions, as a value and as Markdown. Pure.

The same report gives the same text. Figures of a machine that others use at the same time are shown as they are: that
nothing else ran is among the assumptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from bench.capacity import sizing
from bench.capacity.answers import answered
from bench.capacity.finding import Effort, Found
from bench.capacity.outside import COUNT_EVERY, LOOK_S
from bench.capacity.site import Setup
from bench.capacity.sizing import Bound, Cost, Need, Target
from bench.capacity.stage import Stage, Trial
from bench.meter import Machine
from bench.report.words import number

STAGE_HEAD = ("starts/s", "p50", "p95", "p99", "worker cores", "PostgreSQL cores", "held", "")
BUSY = 0.85  # from that share on, something counts as used up
NEED_HEAD = ("", "needed", "how it is computed")


class Report(Struct, frozen=True):
    """A capacity plan. `stages` are those of the search, then the one at which `cost` was taken."""

    definition: str
    steps: int
    verdict: str
    sustained: str
    target: Target
    needs: tuple[Need, ...]
    bounds: tuple[Bound, ...]
    assumptions: tuple[str, ...]
    sustained_per_s: float
    cost: Cost
    trial: Trial
    stages: tuple[Stage, ...]
    machine: Machine


def made(setup: Setup, found: Found, target: Target, effort: Effort, notes: Iterable[str]) -> Report:
    """Return the report."""
    return Report(
        definition=setup.document["name"],
        steps=len(setup.document["steps"]),
        verdict=sizing.verdict(found.cost, target),
        sustained=_sustained(setup, found),
        target=target,
        needs=tuple(sizing.needs(found.cost, target)),
        bounds=tuple(sizing.bounds(found.cost, target)),
        assumptions=(*notes, *_of_measuring(setup, found, effort), *_of_reckoning(target), *_of_tool(setup)),
        sustained_per_s=found.sustained_per_s,
        cost=found.cost,
        trial=found.trial,
        stages=found.stages,
        machine=found.machine,
    )


def _sustained(setup: Setup, found: Found) -> str:
    where = (
        f"on this machine ({found.machine.cores} cores, shared by PostgreSQL, workers, partners and this tool), "
        f"with {setup.workers} worker process{'es' if setup.workers > 1 else ''}"
    )
    if not found.sustained_per_s:
        return f"No rate was sustained {where}."
    if not found.bounded:
        return f"Sustained {where}: at least {number(found.sustained_per_s)} processes a second; more was not tried."
    return f"Sustained {where}: {number(found.sustained_per_s)} processes a second. {_bottleneck(setup, found)}"


def _bottleneck(setup: Setup, found: Found) -> str:
    """Say what was used up at the lowest rate that was not sustained."""
    refused = min((stage for stage in found.stages if stage.refusal), key=lambda stage: stage.rate_per_s)
    # Not by what was held there: a backlog fills the slots, whatever made it.
    if sizing.held_s(found.cost) * refused.rate_per_s >= BUSY * setup.workers * setup.slots:
        return f"Beyond, all {setup.slots} slots of each worker are taken: more of them (--slots) or more workers help."
    if refused.worker_cores >= BUSY * setup.workers:
        return "Beyond, the workers' processor time is used up: more worker processes help."
    if refused.worker_cores + refused.server_cores >= BUSY * found.machine.cores:
        return "Beyond, this machine's processors are used up."
    return "Beyond, neither slots nor processors of PostgreSQL and workers are used up: look at disk and neighbours."


def _of_measuring(setup: Setup, found: Found, effort: Effort) -> list[str]:
    """Say what ran, and what its figures are of."""
    skipped = [step["id"] for step in setup.document["steps"] if step["id"] not in found.trial.ran]
    not_run = f" Not run: {', '.join(skipped)}." if skipped else ""
    last = found.stages[-1]
    failed = [f"Of {last.started:,} processes {last.seen.failed} FAILED meanwhile: their calls were refused too often."]
    memory = ["The database lay in memory (tmpfs), so commits cost nothing: measure on a disk. Set TMPDIR."]
    return [
        f"Every process goes the way that these answers and this input lead: {', '.join(found.trial.ran)}.{not_run}",
        (
            f"A stage is sustained where p95 from schedule to start is at most {effort.limit_s * 1000:.0f} ms and what "
            f"is in flight does not grow. Stages take {effort.seconds:g} s at least; their schedule waits for nothing."
        ),
        (
            f"What a process costs was measured at {number(last.rate_per_s)}/s, {effort.measure_at:.0%} of the "
            f"{'highest rate sustained' if found.sustained_per_s else 'lowest rate tried'}; busier workers make larger "
            f"batches and pay less for each process. The tool's starts came late by {last.late_s * 1000:.0f} ms at p95."
        ),
        (
            f"Workers have STEPWELL_WORKER_SLOTS={setup.slots} and STEPWELL_HTTP_CONCURRENCY={setup.calls}; their "
            "memory is without that of the supervisor of --processes."
        ),
        *(failed if last.seen.failed else []),
        *(memory if found.machine.filesystem == "tmpfs" else []),
    ]


def _of_reckoning(target: Target) -> list[str]:
    """Say how the needs of the target follow from what was measured."""
    return [
        f"{target.utilisation:.0%} utilisation: the rest is head-room for peaks, vacuum, backups and a lost machine.",
        "Cores like this machine's, and CPU, WAL and disk that grow with the rate. Nothing else ran meanwhile.",
        (
            "The peak rate decides cores, the mean rate decides disk: WAL, disk and what is kept take --rate for all "
            "of a day's 86,400 s."
        ),
        (
            "WAL is a lower bound: whole pages after a checkpoint are in it only as far as one fell into the stage. A "
            "replica and an archive take as much again each."
        ),
        "Old months are dropped by hand: nothing does it by itself yet.",
        (
            f"In PostgreSQL's memory is what workers hold and what was touched in the last {sizing.CHECKPOINT_S / 60:g}"
            " minutes, at its start and after each wait. What waits for longer is read from disk when it goes on."
        ),
        (
            f"One PostgreSQL is trusted with {sizing.MOST_CORES} cores, {sizing.MOST_WAL_PER_S / 1e6:.0f} MB of WAL a "
            f"second, {sizing.MOST_DISK / 1e12:.0f} TB and {sizing.MOST_CONNECTIONS} connections."
        ),
    ]


def _of_tool(setup: Setup) -> list[str]:
    """Say what this tool adds to the load, and where it is gentler than the world."""
    waits = any(step["type"] != "http" and answered(step) for step in setup.document["steps"])
    looks = f", and reads all that waits {1 / LOOK_S:g} times" if waits else ""
    batches = ["starts"] if setup.through == "sql" else []
    batches += ["signals and completed tasks"] if waits else []
    cheap = f"The tool sends {' and '.join(batches)} in batches, which cost PostgreSQL less than single ones."
    without_api = "The API was not measured: its cores, memory and connections are not counted."
    own = f"counts leases {1 / (LOOK_S * COUNT_EVERY):g} times a second{looks}"
    return [
        f"The tool's own statements count as PostgreSQL's: it {own}.",
        *([cheap] if batches else []),
        *([without_api] if setup.through == "sql" else []),
        "Status queries, reports, the event feed and logs below level error are not part of the load.",
    ]


def amount(need: Need) -> str:
    """Return a needed figure with its unit."""
    return f"{number(need.value)} {need.unit}".strip()


def stage_row(stage: Stage, *, measured: bool = False) -> list[str]:
    """Return a stage as a row below STAGE_HEAD."""
    seen = stage.seen
    waited = [f"{number(s * 1000)} ms" for s in (seen.p50_s, seen.p95_s, seen.p99_s)]
    cores = [f"{stage.worker_cores:.2f}", f"{stage.server_cores:.2f}"]
    word = (stage.refusal or "sustained") + ("; what a process costs was taken here" if measured else "")
    return [number(stage.rate_per_s), *waited, *cores, f"{stage.held:.0f}", word]


def stage_rows(report: Report) -> list[list[str]]:
    """Return all stages as rows."""
    return [*(stage_row(stage) for stage in report.stages[:-1]), stage_row(report.stages[-1], measured=True)]


def need_rows(report: Report) -> list[list[str]]:
    """Return all needs as rows below NEED_HEAD."""
    return [[need.name, amount(need), need.formula] for need in report.needs]


def bound_rows(report: Report) -> list[list[str]]:
    """Return where one PostgreSQL ends, as rows."""
    return [[bound.name, f"{sizing.round_down(bound.rate_per_s)}/s", bound.words] for bound in report.bounds]


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    parts = [
        f"### {report.definition} at {number(report.target.rate_per_s)} processes a second",
        f"{report.verdict}\n\n{report.sustained}",
        _table(NEED_HEAD, need_rows(report)),
        "Stages:",
        _table(STAGE_HEAD, stage_rows(report)),
        "Where one PostgreSQL ends:",
        _table(("", "starts/s", "because of"), bound_rows(report)),
        "Assumptions:",
        "\n".join(f"- {text}" for text in report.assumptions),
        machine_words(report.machine),
    ]
    return "\n\n".join(parts) + "\n"


def machine_words(on: Machine) -> str:
    """Return what it was measured on."""
    return (
        f"Measured on {on.cores} cores ({on.model}), {on.memory_bytes / 1e9:.0f} GB; PostgreSQL {on.postgresql} on "
        f"{on.filesystem}, Python {on.python}, Linux {on.kernel}."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
