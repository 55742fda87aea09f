"""Starts that come by a schedule, from a process of its own: an open loop, as customers are.

The n-th start is due at begin + n / rate, whatever the engine does meanwhile; it is made late, never left out, so a
slow engine does not lower the load it is measured under. What is due at the same moment is started in one statement.
How late the starts were is part of the answer: where they were, the figures of that trial are about the starter.

In `flood` there is no schedule: so many starts that a few are always waiting. That finds the highest rate.

The process ends when its input does, so it cannot outlive who started it. Each start's input has `due` (seconds since
1970), `key` (nobody else has it) and what its flow adds.
"""

from __future__ import annotations

import heapq
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import cycle
from random import Random
from types import TracebackType
from typing import Any, Self

import msgspec
import psycopg
from msgspec import Struct

from bench.cases import Figures, Unable
from bench.meter import percentiles

PAUSE_S = 0.002  # between two statements: what is due meanwhile is one of them
MOST_AT_ONCE = 500
WAITING = 1_000  # flood: this many not yet begun are enough
LOOK_S = 0.05  # between two looks whether there are: counting them costs too
FLOOD_BUNDLE = 20
PATIENCE_S = 30.0  # for its end
SAMPLED = 2_000  # of how late it was: its answer fits into a pipe that nobody reads
LATE_P95_S = 0.1  # who is later than this measures the starter

_START = "select stepwell.start_processes(%s, %s::jsonb, priority => %s)"
_SIGNAL = "select count(stepwell.send_signal(%s, '{}', key)) from unnest(%s::text[]) as key"
_WAITING = "select count(*) from (select from stepwell.process where status = 'CREATED' limit %s) as p"


class Flow(Struct, frozen=True):
    """What is started. `weight`: its share among the others. `signal`: sent for its key, `after_s` after its start.

    `bare`: the input is `more` and nothing else, for a definition that refuses what it does not know.
    """

    definition: str
    weight: int = 1
    more: dict[str, Any] = {}
    bare: bool = False
    signal: str = ""
    after_s: float = 0.0


class Spec(Struct, frozen=True):
    """What the process is told. `rate` 0: flood. `seconds` 0: until its input ends."""

    dsn: str
    flows: tuple[Flow, ...]
    rate: float
    seconds: float = 0.0
    priority: int = 0
    seed: int = 7


class Told(Struct):
    """What it answers at its end. `late_s`: how late statements came back, at most SAMPLED of them, drawn evenly."""

    started: int = 0
    signals: int = 0
    began_at: float = 0.0
    late_s: list[float] = []

    def late(self) -> Figures:
        """Return how late the starts themselves were; nothing where there were none."""
        if not self.late_s:
            return {}
        p95, p99 = percentiles(self.late_s, (0.95, 0.99))
        return {"starter_late_p95_ms": p95 * 1000, "starter_late_p99_ms": p99 * 1000}

    def punctual(self) -> Figures:
        """Return `late`. Raises Unable where the starts were so late that the figures are about the starter."""
        found = self.late()
        late_ms = found.get("starter_late_p95_ms", 0.0)
        if late_ms > LATE_P95_S * 1000:
            raise Unable(f"the starts came {late_ms:.0f} ms late at p95, so the load was not what it should be")
        return found


class Arrivals:
    """The process as who starts it sees it. Raises RuntimeError where it failed; its stderr says why."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bench.load.arrivals"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for who started it, who then ends it
        )
        try:
            _write(self._process, msgspec.json.encode(self._spec) + b"\n")
            _read(self._process)  # it has its connection
        except BaseException:
            self._end(at_once=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(at_once=kind is not None)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    def stop(self) -> Told:
        """Have it end now; return what it did."""
        process = self._running()
        if process.stdin is not None:
            process.stdin.close()
        return self.wait()

    def wait(self) -> Told:
        """Return what it did, once its time is over."""
        return msgspec.json.decode(_read(self._running()), type=Told)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the arrivals are not running: use them in a with block")
        return self._process

    def _end(self, *, at_once: bool) -> None:
        with self._running() as process:
            if at_once:
                process.kill()
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
        self._process = None


def _write(process: subprocess.Popen[bytes], line: bytes) -> None:
    if process.stdin is not None:
        process.stdin.write(line)
        process.stdin.flush()


def _read(process: subprocess.Popen[bytes]) -> bytes:
    line = process.stdout.readline() if process.stdout is not None else b""
    if not line:
        raise RuntimeError("the process that starts processes has ended by itself; what it wrote to stderr says why")
    return line


class Starter:
    """The work of the process itself."""

    def __init__(self, spec: Spec, db: psycopg.Connection[Any], stop: threading.Event) -> None:
        self._spec = spec
        self._db = db
        self._stop = stop
        self._flows = _mixed(spec)
        self._promised: list[tuple[float, str, str]] = []  # signals: when, name, key
        self._draw = Random(spec.seed)  # noqa: S311  a sample, not a secret
        self._statements = 0
        self.told = Told()

    def run(self) -> None:
        """Start until the time is over or the input ends, and leave no wait without its signal."""
        self.told.began_at = time.time()
        if self._spec.rate:
            self._by_schedule()
        else:
            self._flood()
        self._send_until(float("inf"))

    def _by_schedule(self) -> None:
        began, rate = self.told.began_at, self._spec.rate
        most = round(self._spec.seconds * rate) if self._spec.seconds else math.inf
        while not self._stop.is_set():
            due = min(int((time.time() - began) * rate), most, self.told.started + MOST_AT_ONCE)
            if due > self.told.started:
                self._start([began + n / rate for n in range(self.told.started, int(due))])
            elif self.told.started >= most and not self._promised:
                return
            self._send_until(time.time())
            self._stop.wait(PAUSE_S)

    def _flood(self) -> None:
        while not self._stop.is_set():
            found = self._db.execute(_WAITING, (WAITING,)).fetchone()
            if found is None or found[0] >= WAITING:
                self._stop.wait(LOOK_S)
            else:
                for _ in range(WAITING // FLOOD_BUNDLE):
                    self._start([time.time()] * FLOOD_BUNDLE)
            self._send_until(time.time())

    def _start(self, due: list[float]) -> None:
        """Start one process for each moment; one statement for each flow among them."""
        inputs: dict[str, list[dict[str, Any]]] = {}
        for moment in due:
            flow = next(self._flows)
            key = f"{self.told.began_at:.3f}-{self.told.started}"
            own = {} if flow.bare else {"due": moment, "key": key}
            inputs.setdefault(flow.definition, []).append({**own, **flow.more})
            self.told.started += 1
            if flow.signal:
                heapq.heappush(self._promised, (moment + flow.after_s, flow.signal, key))
        for definition, group in inputs.items():
            self._db.execute(_START, (definition, json.dumps(group), self._spec.priority))
        self._note_late(round(time.time() - due[0], 6))

    def _note_late(self, seconds: float) -> None:
        """Keep an even sample: each statement is in it with the same chance."""
        self._statements += 1
        place = self._draw.randrange(self._statements)
        if len(self.told.late_s) < SAMPLED:
            self.told.late_s.append(seconds)
        elif place < SAMPLED:
            self.told.late_s[place] = seconds

    def _send_until(self, moment: float) -> None:
        ready: dict[str, list[str]] = {}
        while self._promised and self._promised[0][0] <= moment:
            _, name, key = heapq.heappop(self._promised)
            ready.setdefault(name, []).append(key)
        for name, keys in ready.items():
            self._db.execute(_SIGNAL, (name, keys))
            self.told.signals += len(keys)


def _mixed(spec: Spec) -> Iterator[Flow]:
    """Return the flows in an order that mixes them by weight, the same one for the same seed."""
    pattern = [flow for flow in spec.flows for _ in range(flow.weight)]
    Random(spec.seed).shuffle(pattern)  # noqa: S311  an order, not a secret
    return cycle(pattern)


def _watch_input(stop: threading.Event) -> None:
    while os.read(0, 4096):  # not sys.stdin: at our end it would be found locked
        pass
    stop.set()


def main() -> None:
    """Read the spec from the first line of the input, work, write what was done."""
    spec = msgspec.json.decode(sys.stdin.buffer.readline(), type=Spec)
    stop = threading.Event()
    with psycopg.connect(spec.dsn, autocommit=True, application_name="arrivals") as db:
        threading.Thread(target=_watch_input, args=(stop,), daemon=True).start()
        print("ready", flush=True)
        starter = Starter(spec, db, stop)
        starter.run()
    print(msgspec.json.encode(starter.told).decode(), flush=True)


if __name__ == "__main__":
    main()
