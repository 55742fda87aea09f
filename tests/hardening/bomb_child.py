"""Lights bombs one after the other, with little memory and little time, and says how each ended: a line of JSON each.

`python -m tests.hardening.bomb_child GROUP [NAME]`. What is killed has said before which bomb it was at. Memory is
bounded by RLIMIT_AS to what imports and data took and ROOM, time by RLIMIT_CPU, anew for each bomb. At the end the data
must be what they were.
"""

from __future__ import annotations

import gc
import resource
import sys
import traceback
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.cel import ROOTS, Allowance, Compiler, EvaluationError, InvalidExpression, Program
from engine.cel.fuel import FUEL, Fuel
from engine.core.values import Inadmissible, admit
from tests.hardening.bomb_parts import Bomb
from tests.hardening.expression_bombs import BOMBS, HARMS
from tests.hardening.hostile_data import made

ROOM = 256 << 20
SECONDS = 5  # of processor time, for compiling and evaluating with a full tank: a bound on work, not on speed
FRAMES = 150  # of the stack, which a worker has below it when it evaluates


class Begun(Struct, tag=True):
    """A bomb is lit now."""

    name: str


class Changed(Struct, tag=True):
    """The data that are no longer what they were."""

    data: list[str]


class Ended(Struct, tag=True):
    """How a bomb ended: refused | error | value, or a fault of ours. `spent`: fuel; `peak`: bytes beyond those before."""

    name: str
    end: str = ""
    said: str = ""
    cpu: float = 0.0
    spent: int = 0
    peak: int = 0


class Hostile:
    """A scope of hostile data."""

    def __init__(self, value: Any) -> None:
        self.fuel = Fuel()
        self._value = value

    def lookup(self, root: str) -> Any:
        if root == "input":
            return self._value
        if root == "now":
            return datetime(2026, 1, 31, 12, tzinfo=UTC)
        if root == "process":
            return {"id": "prc_1", "version": 1, "business_key": None, "definition_id": "wf_1"}
        raise KeyError(root)

    def step(self, step_id: str, field: str) -> Any:
        if (step_id, field) == ("a", "output"):
            return self._value
        raise KeyError(field)

    def secret(self, name: str) -> str:
        raise KeyError(name)


def lit(bomb: Bomb, scope: Hostile) -> None:
    """Compile and evaluate, as publishing and deciding do. Raises what they raise; of many errors the last."""
    if bomb.what == "harm":
        bomb.source()
        return
    compiler, last = Compiler(ROOTS, Allowance()), None
    parts = bomb.source if bomb.what == "definition" else [(bomb.what, bomb.source)]
    programs = [(what, getattr(compiler, what)(source, "")) for what, source in parts]
    compiler.raise_first()
    for what, program in programs:
        try:
            evaluated(what, program, scope)
        except (EvaluationError, Inadmissible) as fault:  # a process may go on after a step that failed
            last = fault
    if last:
        raise last


def evaluated(what: str, program: Program, scope: Hostile) -> None:
    found = program.evaluate(scope)
    if what == "condition":
        assert type(found) is bool
        program.inputs(scope)
    else:
        admit(found)


def at_depth(frames: int, bomb: Bomb, scope: Hostile) -> None:
    if frames:
        at_depth(frames - 1, bomb, scope)
    else:
        lit(bomb, scope)


def ended(bomb: Bomb, value: Any) -> Ended:
    scope, found = Hostile(value), Ended(bomb.name)
    gc.collect()
    before, began = _memory(peak_anew=True)[0], _seconds()
    _allow(began + 2 * SECONDS)
    try:
        at_depth(FRAMES, bomb, scope)
        found.end = "value"
    except (InvalidExpression, EvaluationError, Inadmissible) as fault:
        found.end = "refused" if isinstance(fault, InvalidExpression) else "error"
        found.said = str(fault)[:200]
    except BaseException as fault:
        found.end = type(fault).__name__
        found.said = "".join(traceback.format_exception(fault, limit=-5))[-1500:]
    found.cpu = round(_seconds() - began, 3)
    found.peak = _memory()[1] - before
    found.spent = FUEL - scope.fuel.left
    return found


def _seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _allow(seconds: float) -> None:
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, hard))


def _memory(*, peak_anew: bool = False) -> tuple[int, int]:
    """Return what is resident, and the most that was since the peak was forgotten; (0, 0) where nobody tells."""
    try:
        if peak_anew:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0, 0
    sizes = {line.split()[0]: int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("Vm")}
    return sizes["VmRSS:"], sizes["VmHWM:"]


def _bounded() -> None:
    """Bound the memory of this process, where it can be told how much it has."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    statm = Path("/proc/self/statm")
    if statm.exists():
        size = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, size + ROOM))


def main(group: str, name: str = "") -> None:
    bombs = [bomb for bomb in (*BOMBS, *HARMS) if bomb.group == group and name in ("", bomb.name)]
    data = {name: admit(made(name)).value for name in dict.fromkeys(bomb.data for bomb in bombs)}
    before = {name: _digest(value) for name, value in data.items()}
    gc.freeze()  # the data are not looked through again and again
    _bounded()
    for bomb in bombs:
        _say(Begun(bomb.name))
        _say(ended(bomb, data[bomb.data]))
    after = {name: _digest(value) for name, value in data.items()}
    _say(Changed([name for name in data if after[name] != before[name]]))


def _digest(value: Any) -> bytes:
    return sha256(msgspec.json.encode(value)).digest()


def _say(what: Struct) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
