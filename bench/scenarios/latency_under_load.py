"""How long does a process wait for a worker at 10, 50 and 80 % of the highest rate?"""

from __future__ import annotations

from bench.cases import OURS, Contender, Effort, Figures, Goal, Scenario
from bench.ground import Ground
from bench.house import House
from bench.load.arrivals import Flow, Spec
from bench.load.latency import highest, in_ms, steady
from bench.work import noops

WORK = noops(5)
SHARES = (10, 50, 80)  # percent of the highest rate


def trial(ground: Ground, effort: Effort) -> Figures:
    """Find the highest rate, then load it with shares of that."""
    flow, warm_s = Flow(WORK.name), effort.of(0.5, 3.0)
    with ground.database("latency") as dsn, House(ground, dsn) as house:
        house.publish(WORK.document)
        house.worker()
        top = highest(house, [flow], warm_s, effort.of(2.0, 15.0))
        figures = {"highest_per_s": top}
        for share in SHARES:
            ground.settle(dsn)
            rate, seconds = top * share / 100, warm_s + effort.of(2.0, 30.0)
            found = steady(house, Spec(house.dsn("acme"), (flow,), rate, seconds), warm_s)
            figures |= in_ms(found.waits.created, f"{{}}_at_{share}_ms")
            figures |= in_ms(found.waits.due, f"due_{{}}_at_{share}_ms")
            figures[f"starter_late_at_{share}_ms"] = found.told.late()["starter_late_p99_ms"]
    return figures


SCENARIO = Scenario(
    name="latency-under-load",
    title="Schedule-to-start latency under load",
    about=(
        "First the highest rate of five-step processes, completed while some always wait. Then starts by SQL at 10, "
        "50 and 80 % of it, from a process that keeps to a schedule whatever the engine does. pNN_at_… is from the "
        "start's own history row to the moment a worker begins the process, by the database's clock; the start's "
        "commit is in it. due_pNN_at_… begins when the start was due: an open loop, which has in it also the start's "
        "call, up to 2 ms until the next bundle, and what the starter was late (starter_late_…, its 99th percentile)."
    ),
    main="p95_at_50_ms",
    contenders=(Contender(OURS, trial, note="one worker, SQL starts in bundles of what is due within 2 ms"),),
    against=(Goal("p95_at_50_ms", "at_most", 10, "ms from schedule to start, p95, at 50 % load"),),
)
