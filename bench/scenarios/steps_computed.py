"""Steps that call nobody: decided in memory, back to back, and written together."""

from __future__ import annotations

from bench.cases import Scenario
from bench.drain import one_and_two
from bench.work import ITEMS, decisions, transforms

SIZES = {1: (12_000, 80_000), 5: (8_000, 50_000), 20: (3_000, 20_000)}  # steps → processes, quick and full
HEAVY = (2_000, 12_000)
CLOCK = (
    "The clock runs from the moment the registered workers may claim from the backlog until the last process has ended."
)


def _scenario(steps: int) -> Scenario:
    return Scenario(
        name=f"steps-computed-{steps}",
        title=f"Transforms in processes of {steps}",
        about=f"Processes of {steps} small transforms, each reading what the one before left. They need nobody "
        "outside, so the engine decides them back to back and writes their results together, one history row each. "
        f"{CLOCK}",
        main="steps_per_s",
        contenders=one_and_two(transforms(steps), SIZES[steps]),
    )


_HEAVY = Scenario(
    name="decisions",
    title="Decisions and mappings over a list",
    about=f"Processes of 20 steps in five rounds: a transform that sums and filters a list of {ITEMS} objects and has "
    "a condition, a decision with two ways on its result, and a transform on each way. Fifteen steps run and five "
    f"are skipped; only those that run are counted. {CLOCK}",
    main="steps_per_s",
    contenders=one_and_two(decisions(), HEAVY),
)

SCENARIOS = (*(_scenario(steps) for steps in SIZES), _HEAVY)
