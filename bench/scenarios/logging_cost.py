"""What does each log setting cost?"""

from __future__ import annotations

from bench.cases import OURS, Contender, Effort, Figures, Scenario
from bench.drain import drain
from bench.ground import Ground
from bench.work import noops

WORK = noops(20)
SIZES = (50, 4_000)
LEVELS = ("error", "info", "debug")
ACTIVITIES = ("none", "effectful", "all")


def trial(ground: Ground, effort: Effort) -> Figures:
    """Measure the same work with each setting, with the quietest first and last."""
    rates = {
        f"{level}_{activities}": _rate(ground, effort, level, activities)
        for level in LEVELS
        for activities in ACTIVITIES
    }
    quietest = (rates["error_none"] + _rate(ground, effort, "error", "none")) / 2
    shares = {f"{name}_ratio": rate / quietest for name, rate in rates.items()}
    return {**shares, **{f"{name}_per_s": rate for name, rate in rates.items()}}


def _rate(ground: Ground, effort: Effort, level: str, activities: str) -> float:
    found = drain(ground, WORK, effort.of(*SIZES), STEPWELL_LOG_LEVEL=level, STEPWELL_LOG_ACTIVITIES=activities)
    return found["steps_per_s"]


SCENARIO = Scenario(
    name="logging-cost",
    title="The cost of logging",
    about=(
        "20-step processes of no-op activities with each combination of STEPWELL_LOG_LEVEL and "
        "STEPWELL_LOG_ACTIVITIES. …_ratio is the rate as a share of that with error and none, the quietest; the log "
        "goes to a file. info and all are the settings without any."
    ),
    main="info_all_ratio",
    contenders=(Contender(OURS, trial, note="one worker process"),),
)
