"""A contender's own process: says what it can evaluate rightly, then times what it is asked to, one line of JSON each.

`python -m bench.expressions.child NAME CORE`, CORE -1 for any. Started by `race`; ends when its input does.
"""

from __future__ import annotations

import os
import sys
from importlib import metadata
from itertools import cycle, islice
from time import perf_counter, process_time
from typing import Any

import msgspec
from msgspec import Struct

from bench.expressions.cases import CASES, Case
from bench.expressions.contenders import BY_NAME, SCALE, Contender, Run, same

WARM = 0.1  # of the seconds asked for, before counting begins


class Ready(Struct):
    """What a contender says when it has started: by case '' (right) or why it is not measured."""

    version: str = ""
    missing: str = ""
    cases: dict[str, str] = {}


class Ask(Struct):
    """How long to evaluate which case."""

    case: str
    seconds: float


class Timed(Struct):
    """How often a case was evaluated, and how long that took: of processor time, and by the clock."""

    evaluations: int
    cpu: float
    wall: float

    @property
    def rate(self) -> float:
        """Return evaluations in a second of one core."""
        return self.evaluations / self.cpu


class Prepared:
    """A case, compiled and its data turned."""

    def __init__(self, contender: Contender, case: Case) -> None:
        load, self.run = contender.prepare(case)
        self.inputs = [load(data) for data in case.inputs]

    def fault(self, case: Case) -> str:
        """Return '' when every answer is right."""
        for data, given in zip(self.inputs, case.inputs, strict=True):
            wanted, found = case.answer(given), self.run(data)
            if not same(found, wanted):
                return f"wrong: {found!r:.80} instead of {wanted!r:.80}"
        return ""


def evaluated(run: Run, inputs: list[Any], seconds: float) -> Timed:
    """Evaluate, taking the inputs in turn, until so much processor time has gone by."""
    rounds, batch, done = cycle(inputs), len(inputs), 0
    wall, cpu = perf_counter(), process_time()
    while True:
        for data in islice(rounds, batch):
            run(data)
        done += batch
        spent = process_time() - cpu
        if spent >= seconds:
            return Timed(done, spent, perf_counter() - wall)
        if spent < seconds / 10:
            batch *= 2


def prepared(contender: Contender) -> tuple[Ready, dict[str, Prepared]]:
    """Compile and check every case."""
    ready, found = Ready(), {}
    for case in CASES:
        ready.cases[case.name] = contender.cannot(case)
        if ready.cases[case.name]:
            continue
        try:
            one = Prepared(contender, case)
            ready.cases[case.name] = one.fault(case)
            found[case.name] = one
        except ImportError as fault:
            return Ready(missing=str(fault)), {}
        except Exception as fault:  # noqa: BLE001  whatever another library raises is told, and the rest goes on
            ready.cases[case.name] = f"fails: {type(fault).__name__}: {str(fault)[:200]}"
    ready.version = _version(contender)
    return ready, found


def _version(contender: Contender) -> str:
    if contender.name == SCALE:
        return sys.version.split()[0]
    try:
        return metadata.version(contender.package)
    except metadata.PackageNotFoundError:  # ours, from a checkout that is not installed
        return ""


def main(name: str, core: int) -> None:
    """Answer what is asked until the input ends."""
    if core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    ready, cases = prepared(BY_NAME[name])
    _say(ready)
    for line in sys.stdin.buffer:
        ask = msgspec.json.decode(line, type=Ask)
        case = cases[ask.case]
        evaluated(case.run, case.inputs, ask.seconds * WARM)
        _say(evaluated(case.run, case.inputs, ask.seconds))


def _say(what: Struct) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
