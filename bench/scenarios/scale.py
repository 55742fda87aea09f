"""Is it as fast with millions of jobs, timers, waiting processes and history rows as with none?"""

from __future__ import annotations

import shutil
from collections.abc import Callable

from msgspec import Struct

from bench.cases import OURS, Contender, Effort, Figures, Goal, Scenario, Unable
from bench.ground import Ground
from bench.house import House
from bench.scale import fill, measure

QUICK = 20_000
SMALL_BACKLOG = (8_000, 300_000)  # what a backlog is compared with: it outlasts all that is measured beside it
CHURN = (2_000, 200_000)  # processes worked off while a snapshot is held: their dead rows stay
HISTORY_ROWS = 23  # of one process of measure.COMPUTED
WAL_BYTES = 12 << 30  # max_wal_size is 8 GB, and a checkpoint takes a while
FLAT = 0.85

_HOLD = "begin isolation level repeatable read; select count(*) from stepwell.tenant"


class State(Struct, frozen=True):
    """What a database is to hold. `bytes_each`: of one copy on disk, with its indexes."""

    name: str
    full: int
    bytes_each: int
    mould: Callable[[House], fill.Mould]
    backlog: bool = False

    def trial(self, ground: Ground, effort: Effort) -> Figures:
        """Measure, fill, measure again."""
        count = effort.of(QUICK, self.full)
        _check_disk(ground, int(1.2 * self.bytes_each * count) + effort.of(0, WAL_BYTES))
        with ground.database("scale") as dsn, House(ground, dsn) as house:
            measure.publish(house)
            empty: Figures = {}
            if self.backlog:
                empty = measure.look(house, effort)
                fill.pour(house, self.mould(house), effort.of(*SMALL_BACKLOG))
            before = self._look(house, effort)
            fill.pour(house, self.mould(house), count)
            return _compared(before, self._look(house, effort), empty)

    def _look(self, house: House, effort: Effort) -> Figures:
        through = measure.look_through(house, effort) if self.backlog else {}
        return {**measure.look(house, effort), **through}


def _ready(house: House) -> fill.Mould:
    return fill.ready(house, measure.COMPUTED.name, {"n": 1})


def _finished(house: House) -> fill.Mould:
    return fill.finished(house, measure.COMPUTED.name, {"n": 1})


STATES = (
    State(f"{OURS}, 1M ready jobs", 1_000_000, 700, _ready, backlog=True),
    State(f"{OURS}, 10M ready jobs", 10_000_000, 700, _ready, backlog=True),
    State(f"{OURS}, 10M timers", 10_000_000, 180, fill.sleeping),
    State(f"{OURS}, 1M waiting processes", 1_000_000, 1_300, fill.waiting),
    State(f"{OURS}, 50M history rows", 50_000_000 // HISTORY_ROWS, 7_400, _finished),
)
SNAPSHOT = f"{OURS}, snapshot held open"


def held_open(ground: Ground, effort: Effort) -> Figures:
    """Measure; then hold a snapshot, work off many processes whose dead rows it keeps, and measure again."""
    with ground.database("scale") as dsn, House(ground, dsn) as house:
        measure.publish(house)
        before = measure.look(house, effort)
        house.connect("superuser").execute(_HOLD)
        measure.throughput(house, measure.SINGLE, effort.of(*CHURN))
        return _compared(before, measure.look(house, effort))


def _compared(before: Figures, after: Figures, empty: Figures | None = None) -> Figures:
    """Return the figures after, those before as `before_…`, and the worst share of the two.

    `empty`: those without any backlog, told as `empty_…`; the share is then the worst of both. Compared with them are
    claims, and the backlog's rate with that of the same work alone: all else shares a worker that is busy.
    """
    empty = empty or {}
    alike = {name: after[name] for name in empty if name.startswith("claim")}
    alike |= {"computed_per_s": after["through_per_s"]} if empty else {}
    shares = [measure.flatness(before, after), *([measure.flatness(empty, alike)] if alike else [])]
    told = {f"before_{name}": value for name, value in before.items()}
    return {"flat_ratio": min(shares), **after, **told, **{f"empty_{name}": value for name, value in empty.items()}}


def _check_disk(ground: Ground, needed: int) -> None:
    free = shutil.disk_usage(ground.folder).free
    if free < needed:
        advice = "set TMPDIR to a folder with more room"
        raise Unable(f"this needs {needed / 1e9:.0f} GB of disk and {free / 1e9:.0f} GB are free: {advice}")


SCENARIO = Scenario(
    name="scale",
    title="Millions of rows",
    about=(
        "20-step processes computed and executed, claims, and pick-up at 50 starts/s, each measured in one database "
        "before and after it holds what the row names. The data are copies of a real process, made by SQL: rows as "
        "the engine writes them; before_… are the figures before. With a backlog the measured work is more urgent "
        "than it, `through` is the rate of the backlog itself, and pick-up is that of a busy worker: before_… is then "
        "with a backlog of 300,000, and empty_… with none, with which claims and `through` are compared as well. "
        "Timers have no process behind them: nobody looks at one before it is due. flat_ratio is the worst share of "
        "all compared figures but the 99th percentiles, which are of a few values: 0.9 means a tenth worse."
    ),
    main="flat_ratio",
    contenders=(
        *(Contender(state.name, state.trial, note=f"in a quick run {QUICK:,}") for state in STATES),
        Contender(SNAPSHOT, held_open, note="REPEATABLE READ, idle, while 200,000 processes come and go"),
    ),
    repeat=1,
    against=tuple(
        Goal("flat_ratio", "at_least", FLAT, "of what it is without", contender=name)
        for name in (*(state.name for state in STATES), SNAPSHOT)
    ),
)
