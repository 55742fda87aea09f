"""Is it as fast with millions of jobs, timers, waiting processes and history rows as with none?"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from msgspec import Struct

from bench.cases import OURS, Contender, Effort, Figures, Goal, Scenario, Unable
from bench.ground import Ground
from bench.house import House
from bench.scale import fill, measure

QUICK = 20_000
SMALL_BACKLOG = (8_000, 300_000)  # what a backlog is compared with: it outlasts all turns
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
        """Fill a database, and measure it and one that holds nothing in turn."""
        count = effort.of(QUICK, self.full)
        _check_disk(ground, int(1.2 * self.bytes_each * count) + effort.of(0, WAL_BYTES))
        names = ("full", "small", "without") if self.backlog else ("full", "without")
        with _houses(ground, *names) as houses:
            if self.backlog:
                fill.pour(houses["small"], self.mould(houses["small"]), effort.of(*SMALL_BACKLOG))
            fill.pour(houses["full"], self.mould(houses["full"]), count)
            return _compared(measure.look(houses, {"full", "small"} if self.backlog else (), effort))


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
    """Hold a snapshot in a database, work off many processes whose dead rows it keeps, and measure as above."""
    with _houses(ground, "full", "without") as houses:
        houses["full"].connect("superuser").execute(_HOLD)
        measure.throughput(houses["full"], measure.SINGLE, effort.of(*CHURN))
        return _compared(measure.look(houses, (), effort))


@contextmanager
def _houses(ground: Ground, *names: str) -> Iterator[dict[str, House]]:
    """Yield a Stepwell for each name, in a database of its own."""
    with ExitStack() as open_:
        houses = {}
        for name in names:
            dsn = open_.enter_context(ground.database(f"scale_{name}"))
            houses[name] = open_.enter_context(House(ground, dsn))
            measure.publish(houses[name])
        yield houses


def _compared(looked: dict[str, measure.Samples]) -> Figures:
    """Return the figures, those of the full one by their own names, and the worst share of all.

    With a backlog what is more urgent is compared with the same beside a small one: it shares a worker that is busy.
    With none at all are compared claims, and the backlog's rate with that of the same work alone.
    """
    full, without = looked["full"], looked["without"]
    shares = [measure.flatness(looked.get("small", without), full)]
    if "small" in looked:
        shares.append(measure.flatness(without, {"claim": full["claim"], "computed_per_s": full["through_per_s"]}))
    made = {"flat_ratio": min(shares), **measure.figures(full)}
    for name, samples in looked.items():
        if name != "full":
            made |= {f"{name}_{figure}": value for figure, value in measure.figures(samples).items()}
    return made


def _check_disk(ground: Ground, needed: int) -> None:
    free = shutil.disk_usage(ground.folder).free
    if free < needed:
        advice = "set TMPDIR to a folder with more room"
        raise Unable(f"this needs {needed / 1e9:.0f} GB of disk and {free / 1e9:.0f} GB are free: {advice}")


SCENARIO = Scenario(
    name="scale",
    title="Millions of rows",
    about=(
        "20-step processes computed and executed, claims, and pick-up at 50 starts/s: each measured in a database "
        "that holds what the row names and right after it in one on the same server that holds nothing "
        "(`without`), four times over. The data are copies of a real process, made by SQL: rows as the engine "
        "writes them. With a backlog the measured work is more urgent than it, `through` is the rate of the "
        "backlog itself, and pick-up is that of a busy worker: all that is compared with the same beside a backlog "
        "of 300,000 (`small`), and claims and `through` also with no backlog. Timers have no process behind them: "
        "nobody looks at one before it is due. flat_ratio is the worst share of all rates, medians and 95th "
        "percentiles: 0.9 means a tenth worse."
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
