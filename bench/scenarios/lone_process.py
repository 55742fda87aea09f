"""A process alone: how quickly one step follows the other when there is nothing to share a commit with."""

from __future__ import annotations

from bench.cases import OURS, Contender, Effort, Figures, Goal, Scenario, Trial
from bench.drain import PATIENCE_S, check, figures
from bench.ground import Ground
from bench.house import House
from bench.meter import Meter, percentiles
from bench.work import noops

STEPS = 100  # the most that a definition may have
ROUNDS = (6, 40)
TOGETHER = 8
_SPANS = """
select extract(epoch from ended_at - started_at)::float8 from stepwell.process order by id offset %s
"""


def _trial(together: int) -> Trial:
    work = noops(STEPS)

    def trial(ground: Ground, effort: Effort) -> Figures:
        rounds = effort.of(*ROUNDS)
        with ground.database("lone") as dsn, House(ground, dsn) as house:
            house.publish(work.document)
            worker = house.worker()
            _run(house, work.name, together)  # the first compiles the definition and prepares the statements
            ground.settle(dsn)
            with Meter(ground, [worker.pid]) as meter:
                for _ in range(rounds):
                    _run(house, work.name, together)
            check(house, work, (rounds + 1) * together)
            spans = [row[0] for row in house.connect("superuser").execute(_SPANS, (together,))]
        p50, p95 = percentiles([span * 1000 / STEPS for span in spans], (0.5, 0.95))
        used = figures(meter.measured, work, rounds * together)
        return {"step_ms": p50, "step_of_slow_process_ms": p95, **used}

    return trial


def _run(house: House, name: str, together: int) -> None:
    house.start(name, [{}] * together)
    house.drained(PATIENCE_S)


SCENARIO = Scenario(
    name="lone-process",
    title="A process alone",
    about=f"Processes of {STEPS} no-op activities, started one at a time in an idle engine, or {TOGETHER} at a time. "
    "Every step waits for a commit of its own, so this is a round trip and an fsync, not a matter of throughput. A "
    "step's time is the average within a process, from its start to its end by its own row: step is that of the median "
    "process, step_of_slow_process of the one that 95 % are quicker than; single slow steps do not show. The rates "
    "include what lies between the processes: start, pick-up, and the look that finds it ended.",
    main="step_ms",
    contenders=(
        Contender(OURS, _trial(1), "One at a time, one worker process."),
        Contender(
            f"{OURS}, {TOGETHER} at a time",
            _trial(TOGETHER),
            f"{TOGETHER} started in one statement, one worker process.",
        ),
    ),
    against=(Goal("step_ms", "at_most", 1, "ms for a step"),),
)
