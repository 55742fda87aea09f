"""What does a small tenant notice of a neighbour with a million processes waiting?"""

from __future__ import annotations

from bench.cases import OURS, Contender, Effort, Figures, Scenario
from bench.ground import Ground
from bench.house import House
from bench.load.arrivals import Arrivals, Flow, Spec
from bench.load.latency import waits
from bench.load.rest import none_left, stopping
from bench.meter import percentiles
from bench.scale import fill
from bench.work import noops, transforms

BIG, SMALL = "big", "small"
HEAVY = noops(20)
LIGHT = transforms(1)
BACKLOG = (20_000, 1_000_000)
RATE = 1.0  # of the small tenant
SECONDS = (4.0, 60.0)

_OPEN = "select count(*) from stepwell.process where tenant_id = %s and ended_at is null"


def trial(ground: Ground, effort: Effort) -> Figures:
    """Measure the small tenant alone, then beside the backlog."""
    with ground.database("neighbours") as dsn, House(ground, dsn, tenants=(BIG, SMALL)) as house:
        house.publish(HEAVY.document, BIG)
        house.publish(LIGHT.document, SMALL)
        alone = _measured(house, effort, "alone_")
        fill.pour(house, fill.ready(house, HEAVY.name, {"n": 1}, BIG, priority=0), effort.of(*BACKLOG))
        ground.settle(dsn)
        beside = _measured(house, effort, "")
    return {**beside, **alone}


def _measured(house: House, effort: Effort, name: str) -> Figures:
    """Start one process a second for the small tenant, with a worker that begins when the starts do."""
    spec = Spec(house.dsn(SMALL), (Flow(LIGHT.name),), RATE, effort.of(*SECONDS))
    with stopping(house.worker()) as worker, Arrivals(spec) as arrivals:
        told = arrivals.wait()
        none_left(house, worker, _OPEN, house.scopes[SMALL][0])
    found = waits(house, told.began_at, told.began_at + spec.seconds, SMALL).created
    p50, p95 = percentiles(found, (0.5, 0.95))
    return {f"{name}p50_ms": p50 * 1000, f"{name}p95_ms": p95 * 1000, f"{name}max_ms": max(found) * 1000}


SCENARIO = Scenario(
    name="neighbours",
    title="A small tenant beside a large one",
    about=(
        "One tenant has a million 20-step processes waiting (20,000 in a quick run), the other starts one process a "
        "second, and one worker serves both. Counted is from the start's own history row to the moment a worker "
        "begins the small tenant's process, by the database's clock; alone_… is the same before the large tenant "
        "came. The priorities are the same."
    ),
    main="p95_ms",
    contenders=(Contender(OURS, trial, note="one worker"),),
    repeat=1,
)
