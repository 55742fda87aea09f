"""Breadth-first walk through every state of a scope, with a readable trace of what went wrong.

For: `explore`, which checks the invariants in every state, then that nothing is left lying where only
a fault can happen, and at the end that from every state a finished one can be reached without another fault
(so a wait in a circle is found too, not only a standstill).
Must not: know the protocol beyond `initial`, `successors` and the invariants.
Invariants: the first counter-example found is one of the shortest, because the walk is breadth first.
"""

from __future__ import annotations

import gc
import time
from array import array
from typing import NamedTuple

from .invariants import fault_in, unanswered, unfinished
from .protocol import initial, successors
from .rules import Model
from .world import World

Label = tuple[str | int, ...]


class TooLarge(Exception):
    """The scope has more states than the caller allowed: the check would be incomplete."""


class Result(NamedTuple):
    """What a walk found: sizes, and the counter-example if there is one."""

    states: int
    steps: int
    seconds: float
    wrong: str
    trace: tuple[str, ...]

    def __str__(self) -> str:
        """Tell the story of the walk."""
        size = f"{self.states} states, {self.steps} steps, {self.seconds:.1f} s"
        if not self.wrong:
            return size
        lines = [f"{number:3d}. {line}" for number, line in enumerate(self.trace, 1)]
        return "\n".join([f"{self.wrong} ({size})", *lines])


class Walk:
    """One walk: the states seen, where each came from, and the faultless steps backwards."""

    def __init__(self, model: Model, limit: int) -> None:
        """Start at the initial world; give up beyond `limit` states."""
        self.model = model
        self.limit = limit
        self.worlds: list[World] = []
        self.index: dict[World, int] = {}
        self.came: list[tuple[int, Label]] = []
        self.sources, self.targets = array("l"), array("l")
        self.done: list[int] = []
        self.steps = 0

    def add(self, world: World, parent: int, label: Label) -> int:
        """Return the number of a state, new or known."""
        number = self.index.setdefault(world, len(self.worlds))
        if number == len(self.worlds):
            self.worlds.append(world)
            self.came.append((parent, label))
            if number >= self.limit:
                raise TooLarge(f"{self.model.scope.name} has more than {self.limit} states")
        return number

    def run(self) -> tuple[str, int]:
        """Walk; return what is wrong and in which state."""
        self.add(initial(self.model), -1, ())
        number = 0
        while number < len(self.worlds):
            wrong = fault_in(self.worlds[number]) or self.expand(number)
            if wrong:
                return wrong, number
            number += 1
        return self.circle()

    def expand(self, number: int) -> str:
        """Add the successors of a state; return what is left lying if nothing but faults leads on."""
        stands = True
        world = self.worlds[number]
        for label, after, fault in successors(self.model, world):
            self.steps += 1
            target = self.add(after, number, label)
            if not fault:
                stands = stands and target == number
                self.sources.append(number)
                self.targets.append(target)
        lying = unfinished(world)
        if not lying:
            lying = self.missing_outcome(world)
            self.done.append(number)
        return f"nothing more happens, and {lying}" if stands and lying else ""

    def missing_outcome(self, world: World) -> str:
        """Check the mails of the scope against the histories of a finished world."""
        for process in range(len(world.processes)):
            sent = tuple(name for name, to in self.model.scope.mails if to == process)
            wrong = unanswered(world, sent, process)
            if wrong:
                return wrong
        return ""

    def circle(self) -> tuple[str, int]:
        """Find the first state from which no finished one can be reached without another fault."""
        back: list[list[int]] = [[] for _ in self.worlds]
        for source, target in zip(self.sources, self.targets, strict=True):
            back[target].append(source)
        fine = bytearray(len(self.worlds))
        todo = list(self.done)
        for number in todo:
            fine[number] = 1
        while todo:
            for source in back[todo.pop()]:
                if not fine[source]:
                    fine[source] = 1
                    todo.append(source)
        number = fine.find(0)
        if number < 0:
            return "", -1
        return f"it can never be finished: {unfinished(self.worlds[number])}", number

    def trace(self, number: int) -> tuple[str, ...]:
        """Tell how a state was reached."""
        lines: list[str] = []
        while number > 0:
            number, label = self.came[number]
            lines.append(" ".join(str(word) for word in label))
        return tuple(reversed(lines))


def explore(model: Model, limit: int = 3_000_000) -> Result:
    """Walk through every state of a model; stop at the first counter-example."""
    began = time.perf_counter()
    walk = Walk(model, limit)
    collecting = gc.isenabled()
    gc.disable()  # millions of tuples and no cycles: collecting costs a third of the time
    try:
        wrong, number = walk.run()
    finally:
        if collecting:
            gc.enable()
    seconds = time.perf_counter() - began
    return Result(len(walk.worlds), walk.steps, seconds, wrong, walk.trace(number) if wrong else ())
