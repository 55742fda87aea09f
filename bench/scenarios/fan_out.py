"""Branches side by side, and the step that joins them."""

from __future__ import annotations

from bench.cases import Scenario
from bench.drain import one_and_two
from bench.work import fan

BRANCHES = 50  # the most that a definition may have open
SIZES = (600, 4_000)

SCENARIO = Scenario(
    name="fan-out",
    title=f"Fan-out to {BRANCHES} branches and a join",
    about=f"Each process is one no-op activity, then {BRANCHES} side by side, then one that waits for them all: "
    f"{BRANCHES + 2} activities. The clock runs from the moment the registered workers may claim from the backlog "
    "until the last process has ended.",
    main="processes_per_s",
    contenders=one_and_two(fan(BRANCHES), SIZES),
)
