"""How long a process takes by its own steps: the longest way through those that ran. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from engine.core.compile import Plan


def longest(plan: Plan, ran: Collection[str], seconds: Mapping[str, float]) -> float:
    """Return the seconds of the longest way through the steps that ran."""
    done: dict[str, float] = {}
    for name in plan.order:
        begin = max((done[edge.before] for edge in plan.steps[name].edges), default=0.0)
        done[name] = begin + (seconds.get(name, 0.0) if name in ran else 0.0)
    return max(done.values(), default=0.0)
