"""Every step through the queue: what a step costs when the process is handed on after each."""

from __future__ import annotations

from bench.cases import Goal, Scenario
from bench.contenders import graphile, limit, pgboss, pgqueuer, procrastinate
from bench.drain import as_steps, one_and_two
from bench.work import noops

STEPS = 20
SIZES = (1_000, 6_000)
HELD = "1"  # STEPWELL_HOLD_ACTIVITIES: after one activity the process goes back to the queue

QUEUES = (limit.jobs(), *graphile.jobs(), pgboss.jobs(), *pgqueuer.jobs(), *procrastinate.jobs())

SCENARIO = Scenario(
    name="steps-queued",
    title="No-op activities, each handed over through the queue",
    about=f"Processes of {STEPS} no-op activities; after each the worker gives the process back to the queue, and "
    "whoever claims it next reads its state anew, as if every step ran on another worker. This is the worst case of "
    "the engine and what a job queue does all the time, so job queues stand beside it with single no-op jobs: they "
    "keep no history and read no state, which favours them. The clock runs from the first claim allowed to the last "
    "process ended.",
    main="steps_per_s",
    contenders=(*one_and_two(noops(STEPS), SIZES, STEPWELL_HOLD_ACTIVITIES=HELD), *as_steps(QUEUES)),
    against=(Goal("steps_per_s", "at_least", 10_000, "steps/s"),),
)
