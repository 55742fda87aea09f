"""The queue side of the model: which jobs a claim may take of those that are there.

For: a claim that misses the job of a give-back, takes it alone, or comes too early for it.
Must not: change a world, or know what a hold does with a number.
Invariants: what a claim takes is there, and all of it is the first choice.
"""

from __future__ import annotations

from itertools import combinations, product

from .world import Rows, Statement, World, statements


def takings(world: World, claim: Statement) -> list[Statement]:
    """Return what a claim may choose of the jobs that are still there (skip locked).

    It may miss the job of a give-back, or take it alone: a claim takes only so many of a lane.
    """
    there = [(p, world.processes[p]) for p in claim.processes if world.processes[p].jobs or world.processes[p].given]
    ways = []
    for choice in product(*(choices(rows) for _, rows in there)):
        taken = tuple(p for p, _ in there)
        ways.append(
            claim._replace(processes=taken, jobs=tuple(c[0] for c in choice), given=tuple(c[1] for c in choice))
        )
    return ways


def choices(rows: Rows) -> list[tuple[int, tuple[int, ...]]]:
    """List the choices among the jobs of one process, all of them first."""
    given = [part for size in range(len(rows.given), -1, -1) for part in combinations(rows.given, size)]
    jobs = (rows.jobs, 0) if rows.jobs and rows.given else (rows.jobs,)
    return [(count, part) for part in given for count in jobs if count or part]


def without(given: tuple[int, ...], taken: tuple[int, ...]) -> tuple[int, ...]:
    """Take some jobs of give-backs away from all there are."""
    left = list(given)
    for number in taken:
        left.remove(number)
    return tuple(left)


def told(claim: Statement) -> str:
    """Name the numbers a claim takes."""
    return f" with numbers {claim.given}" if any(claim.given) else ""


def numbers_left(world: World, claim: Statement, process: int) -> bool:
    """Tell whether a give-back's job is there that a claim has not taken: not chosen, too late, or taken by another."""
    others = (other for other in statements(world) if other.kind == "claim" and other.worker != claim.worker)
    taken = (zip(other.processes, other.given, strict=False) for other in others)
    return bool(world.processes[process].given) or any(
        (p == process and given) for pairs in taken for p, given in pairs
    )
