"""Which step depends on which.

Explicit edges (`depends_on`, or being named by a decision) pass a skip on; implicit ones (from `order`) never
do. Rules: without any `depends_on` the sequence by `order`, else of the document, links each step to what
comes before it; with one, only steps with an `order` and no `depends_on` are linked so. A step named by
decisions that has no `depends_on` depends on those decisions alone; what follows it in sequence also follows
everything back to the last ordinary step, so that it waits for whichever branch was taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from engine.core.document import DecisionConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.document import Step


class Edge(Struct, frozen=True):
    """A step waits for another."""

    before: str
    explicit: bool


class Graph(Struct, frozen=True):
    """Edges by step, and the decisions that name a step."""

    edges: dict[str, tuple[Edge, ...]]
    deciders: dict[str, tuple[str, ...]]


def targets(step: Step) -> tuple[str, ...]:
    """Return all ids a decision names, each once; () for other steps."""
    config = step.config
    if not isinstance(config, DecisionConfig):
        return ()
    named = [i for branch in config.branches for i in branch.then]
    return tuple(dict.fromkeys([*named, *config.fallback]))


def build(steps: Sequence[Step]) -> Graph:
    """Return the graph. Unknown ids are left out; it may have cycles: see `cycle`."""
    known = {step.id for step in steps}
    deciders: dict[str, list[str]] = {}
    for step in steps:
        for target in targets(step):
            if target in known and target != step.id:
                deciders.setdefault(target, []).append(step.id)
    edges: dict[str, tuple[Edge, ...]] = {}
    for step in steps:
        if step.depends_on is not None:
            edges[step.id] = tuple(Edge(i, True) for i in step.depends_on if i in known)
        elif step.id in deciders:
            edges[step.id] = tuple(Edge(i, True) for i in deciders[step.id])
    _link(sequence(steps), edges)
    return Graph(
        edges={step.id: edges.get(step.id, ()) for step in steps},
        deciders={target: tuple(ids) for target, ids in deciders.items()},
    )


def sequence(steps: Sequence[Step]) -> list[Step]:
    """Return the steps that have a place in a sequence, in that order."""
    ordered = sorted((s for s in steps if s.order is not None), key=lambda s: s.order or 0)
    if ordered or any(s.depends_on is not None for s in steps):
        return ordered
    return list(steps)


def _link(steps: list[Step], edges: dict[str, tuple[Edge, ...]]) -> None:
    last: list[str] = []
    for step in steps:
        if step.id not in edges:
            edges[step.id] = tuple(Edge(i, False) for i in last)
            last = [step.id]
        elif step.depends_on is None:
            last = [*last, step.id]
        else:
            last = [step.id]


def order(graph: Graph) -> list[str]:
    """Return the steps, each after what it depends on; those in or behind a cycle are missing."""
    open_edges = {step: len(edges) for step, edges in graph.edges.items()}
    after = dependants(graph)
    ready = [step for step, count in open_edges.items() if not count]
    for step in ready:  # grows while it is walked
        for follower in after[step]:
            open_edges[follower] -= 1
            if not open_edges[follower]:
                ready.append(follower)
    return ready


def dependants(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return for each step those that depend on it directly."""
    after: dict[str, list[str]] = {step: [] for step in graph.edges}
    for step, edges in graph.edges.items():
        for edge in edges:
            after[edge.before].append(step)
    return {step: tuple(ids) for step, ids in after.items()}


def cycle(graph: Graph) -> list[str]:
    """Return the ids along one cycle, the first repeated at the end; [] where there is none."""
    done = set(order(graph))
    left = [step for step in graph.edges if step not in done]
    if not left:
        return []
    trail: list[str] = []
    step = left[0]
    while step not in trail:
        trail.append(step)
        step = next(e.before for e in graph.edges[step] if e.before not in done)
    return [*trail[trail.index(step) :], step][::-1]


def ancestors(graph: Graph) -> dict[str, frozenset[str]]:
    """Return for each step all it depends on, directly or not. The graph must have no cycle."""
    found: dict[str, frozenset[str]] = {}
    for step in order(graph):
        direct = [edge.before for edge in graph.edges[step]]
        found[step] = frozenset(direct).union(*(found[i] for i in direct))
    return found


def width(above: dict[str, frozenset[str]]) -> int:
    """Return how many steps may be open at once: the largest set without an ancestor among them (Dilworth).

    It is the number of steps less a maximum matching of step → later step (Kuhn's algorithm).
    """
    matched: dict[str, str] = {}  # later step by earlier step

    def place(later: str, seen: set[str]) -> bool:
        for earlier in above[later]:
            if earlier not in seen:
                seen.add(earlier)
                if earlier not in matched or place(matched[earlier], seen):
                    matched[earlier] = later
                    return True
        return False

    return len(above) - sum(place(later, set()) for later in above)
