"""Every step through the queue: what a step costs when the process is handed on after each."""

from __future__ import annotations

from bench.cases import Goal, Scenario
from bench.contenders import graphile, limit, pgboss, pgqueuer, procrastinate
from bench.drain import as_steps, one_and_two
from bench.scenarios.steps_executed import MARK
from bench.work import noops

STEPS = 20
SIZES = (1_000, 6_000)
BATCHED = "graphile-worker, batched"
HELD = "1"  # STEPWELL_HOLD_ACTIVITIES: after one activity the process goes back to the queue

QUEUES = (limit.jobs(), *graphile.jobs(), pgboss.jobs(), *pgqueuer.jobs(), *procrastinate.jobs())

SCENARIO = Scenario(
    name="steps-queued",
    title="No-op activities, each handed over through the queue",
    about=f"Processes of {STEPS} no-op activities; after each the worker gives the process back to the queue and "
    "claims it anew. One worker gets all of them back and has most of their states still; of two processes each gets "
    "about half from the other, and reads their states from the database. This is what a job queue does all the time, "
    "so job queues stand beside it with single no-op jobs: they keep no history and read no state, which favours "
    "them. The clock runs from the first claim allowed to the last "
    "process ended.",
    main="steps_per_s",
    contenders=(*one_and_two(noops(STEPS), SIZES, STEPWELL_HOLD_ACTIVITIES=HELD), *as_steps(QUEUES)),
    against=(
        Goal("steps_per_s", "at_least", 10_000, "steps/s", best=True),
        Goal("steps_per_s", "at_least", 22_000, f"steps/s, {MARK}", best=True),
        Goal("steps_per_s", "at_least", 1, f"times {BATCHED}, {MARK}", than=BATCHED, best=True),
    ),
)
