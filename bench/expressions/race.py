"""The run: every contender in a process of its own, on one core, taking turns case by case.

Only one of them works at a time. Turns go round, and the order is turned with each round, so that a machine that
becomes slower or faster meanwhile does so for all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct

from bench.expressions.cases import CASES
from bench.expressions.child import Ask, Ready, Timed
from bench.expressions.contenders import CONTENDERS, OURS, Contender


class Settings(Struct):
    """How long and how often. `seconds`: of processor time, for each case, contender and round. `core`: -1 for any."""

    seconds: float = 0.5
    repeat: int = 5
    core: int = -1


class Result(Struct):
    """Evaluations in a second of one core. `busy`: the share of the time by the clock that the process had a core."""

    contender: str
    kind: str
    min: float
    median: float
    max: float
    busy: float
    rates: list[float]


class Measured(Struct):
    """One case. `ratio`: our median to that of the fastest other, None where there is nobody to compare with."""

    case: str
    says: str
    goal: int
    results: list[Result]
    cannot: dict[str, str]
    fastest_other: str = ""
    ratio: float | None = None


class Present(Struct):
    """A contender. `missing` says why it is not there."""

    name: str
    kind: str
    package: str
    version: str
    licence: str
    favours: str
    missing: str


class Outcome(Struct):
    """All that was measured."""

    contenders: list[Present]
    cases: list[Measured]


class Racer:
    """A contender's process."""

    def __init__(self, contender: Contender, core: int, stack: ExitStack) -> None:
        self.contender = contender
        command = [sys.executable, "-m", "bench.expressions.child", contender.name, str(core)]
        self.process = stack.enter_context(_started(command))
        self.ready = msgspec.convert(self._heard(), Ready)

    def _heard(self) -> Any:
        line = self._pipe(self.process.stdout).readline()
        if not line:
            return {"missing": f"the process ended with {self.process.wait()}"}
        return msgspec.json.decode(line)

    def timed(self, case: str, seconds: float) -> Timed:
        """Evaluate a case for some seconds. Raises RuntimeError when the process has ended."""
        wire = self._pipe(self.process.stdin)
        wire.write(msgspec.json.encode(Ask(case, seconds)) + b"\n")
        wire.flush()
        heard = self._heard()
        if "missing" in heard:
            raise RuntimeError(f"{self.contender.name}, {case}: {heard['missing']}")
        return msgspec.convert(heard, Timed)

    @staticmethod
    def _pipe(pipe: Any) -> Any:
        if pipe is None:
            raise RuntimeError("the process has no pipe")
        return pipe


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def run(settings: Settings, names: Iterable[str] = (), tell: Callable[[str], None] = lambda _: None) -> Outcome:
    """Measure every case with the contenders of these names, all of them without names."""
    wanted = set(names) or {contender.name for contender in CONTENDERS}
    core = settings.core if settings.core >= 0 else _last_core()
    with ExitStack() as stack:
        racers = [Racer(one, core, stack) for one in CONTENDERS if one.name in wanted]
        there = [racer for racer in racers if not racer.ready.missing]
        timed = _rounds(there, settings, tell)
    return Outcome([_present(racer) for racer in racers], [_measured(case.name, there, timed) for case in CASES])


def _last_core() -> int:
    """Return the core that is left to itself most: the system serves its devices on the first."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else -1


Rounds = dict[tuple[str, str], list[Timed]]  # by contender and case


def _rounds(racers: Sequence[Racer], settings: Settings, tell: Callable[[str], None]) -> Rounds:
    timed: Rounds = {}
    for turn in range(settings.repeat):
        for case in CASES:
            tell(f"round {turn + 1} of {settings.repeat}: {case.name}")
            for place in range(len(racers)):
                racer = racers[(place + turn) % len(racers)]
                if not racer.ready.cases[case.name]:
                    found = timed.setdefault((racer.contender.name, case.name), [])
                    found.append(racer.timed(case.name, settings.seconds))
    return timed


def _present(racer: Racer) -> Present:
    one, ready = racer.contender, racer.ready
    return Present(one.name, one.kind, one.package, ready.version, one.licence, one.favours, ready.missing)


def _measured(name: str, racers: Sequence[Racer], timed: Rounds) -> Measured:
    case = next(case for case in CASES if case.name == name)
    results = [
        _result(racer.contender, rounds) for racer in racers if (rounds := timed.get((racer.contender.name, name)))
    ]
    cannot = {racer.contender.name: why for racer in racers if (why := racer.ready.cases[name])}
    found = Measured(name, case.says, case.goal, sorted(results, key=lambda r: -r.median), cannot)
    ours = next((result for result in results if result.contender == OURS), None)
    others = [result for result in found.results if result.kind == "other"]
    if ours and others:
        found.fastest_other, found.ratio = others[0].contender, round(ours.median / others[0].median, 3)
    return found


def _result(contender: Contender, rounds: list[Timed]) -> Result:
    rates = [round(one.rate, 1) for one in rounds]
    busy = sum(one.cpu for one in rounds) / sum(one.wall for one in rounds)
    return Result(contender.name, contender.kind, min(rates), median(rates), max(rates), round(busy, 3), rates)
