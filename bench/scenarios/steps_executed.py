"""No-op activities: what an activity costs when it does nothing but be durable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from bench.cases import Contender, Goal, Scenario
from bench.contenders import absurd, dbos, limit, procrastinate
from bench.drain import as_steps, one_and_two
from bench.work import noops

SIZES = {1: (12_000, 80_000), 5: (6_000, 40_000), 20: (2_500, 15_000)}  # steps → processes, quick and full
MARK = "by the better of one or two processes: a mark to aim at"
ABOUT = (
    "Processes of {steps} no-op activities, one after the other; the result of each is durable before the next "
    "begins. A backlog is written first; the clock runs from the moment the workers, which have started and "
    "registered, may claim from it, until the last process has ended. CPU and WAL are those of one step, with its "
    "share of claiming, starting and ending its process. Peers run the same number of no-op steps, without a "
    "definition, conditions or retry policies to look at; the limit writes the same history rows in batches, with no "
    "engine around it."
)


def _scenario(steps: int) -> Scenario:
    peers = (limit.steps(steps), *absurd.steps(steps), *dbos.steps(steps))
    return Scenario(
        name=f"steps-executed-{steps}",
        title=f"No-op activities in processes of {steps}",
        about=ABOUT.format(steps=steps),
        main="steps_per_s",
        contenders=(*one_and_two(noops(steps), SIZES[steps]), *peers),
    )


def _with_goals(steps: int) -> Scenario:
    """Return the scenario that the goals are about; with procrastinate, for one of them is a multiple of its jobs."""
    base, jobs = _scenario(steps), as_steps(procrastinate.jobs())
    return replace(
        base,
        about=f"{base.about} A job of procrastinate counts as a step.",
        contenders=(*base.contenders, *jobs),
        against=(
            Goal("steps_per_s", "at_least", 10_000, "steps/s, the floor"),
            Goal("y_ratio", "at_least", 0.55, "of Y, one-row commits/s, the floor"),
            Goal("steps_per_s", "at_least", 25_000, "steps/s, within reach"),
            Goal("y_ratio", "at_least", 1.4, "of Y, within reach"),
            Goal("steps_per_s", "at_least", 45_000, f"steps/s, {MARK}", best=True),
            Goal("y_ratio", "at_least", 2.5, f"of Y, {MARK}", best=True),
            Goal("wal_per_step_bytes", "at_most", 600, "bytes of WAL for a step"),
            Goal("cpu_per_step_us", "at_most", 30, "µs of the worker's CPU for a step"),
            *_multiples(10, absurd.steps(steps)),
            *_multiples(40, dbos.steps(steps)),
            *_multiples(20, jobs),
        ),
    )


def _multiples(times: float, contenders: Iterable[Contender]) -> Iterator[Goal]:
    return (Goal("steps_per_s", "at_least", times, f"times {one.name}", than=one.name) for one in contenders)


SCENARIOS = (_scenario(1), _scenario(5), _with_goals(20))
