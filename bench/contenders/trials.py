"""The three pieces of work that peers are measured at: doing what waits, picking up what comes, and enqueueing.

A peer's program knows the tasks it is asked for:

    install     make its schema
    fill        enqueue `count` jobs, `batch` in a call
    drain       do all `count` that wait, being `number` of `processes`
    attend      pick up `count` jobs as they come; tell how long each waited for its handler
    trickle     enqueue `count` jobs at an even `rate`, each with the moment at which it was
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg
from msgspec import Struct

from bench.cases import Figures, Unable
from bench.contenders.child import Ask
from bench.contenders.crew import Child, Program, ask, asked, crew
from bench.ground import Ground
from bench.meter import Measured, Meter, percentiles

RATE = 50  # jobs a second that are picked up
IDLE_S = 1.0  # for a worker to come to rest before the first job
BATCH = 500  # jobs in one call, where a peer takes many

Proof = tuple[str, int]  # a statement, and the number it must return


class Peer(Struct, frozen=True):
    """A peer's program, the database it works in, and the settings that all its tasks share.

    `clerk`: the program that installs and fills, where that is another.
    """

    database: str
    program: Program
    settings: dict[str, Any] = {}
    clerk: Program | None = None

    def ask(self, ground: Ground, task: str, **settings: Any) -> Ask:
        """Return what a child of the peer is asked."""
        return ask(task, ground, self.database, **self.settings, **settings)

    def do(self, ground: Ground, task: str, **settings: Any) -> None:
        """Have a child do a task that is not measured. Raises Unable."""
        asked(self.clerk or self.program, self.ask(ground, task, **settings))


def drain(ground: Ground, peer: Peer, count: int, proofs: Sequence[Proof], processes: int = 1) -> Measured:
    """Measure how the peer's processes do `count` pieces of work that wait for them. Raises Unable."""
    with ground.database(peer.database) as dsn:
        peer.do(ground, "install")
        peer.do(ground, "fill", count=count, batch=BATCH)
        ground.settle(dsn)
        each = [{"count": count, "processes": processes, "number": number} for number in range(processes)]
        measured = _together(ground, peer, "drain", each)
        prove(dsn, proofs)
    return measured


def fill(ground: Ground, peer: Peer, count: int, batch: int, proofs: Sequence[Proof]) -> Figures:
    """Measure how fast the peer enqueues, `batch` at a time. Raises Unable."""
    with ground.database(peer.database) as dsn:
        peer.do(ground, "install")
        ground.settle(dsn)
        measured = _together(ground, peer, "fill", [{"count": count, "batch": batch}])
        prove(dsn, proofs)
    return measured.figures(count, "start")


def pickup(ground: Ground, peer: Peer, count: int) -> Figures:
    """Measure how long jobs wait for the handler of an idle worker: in p50_ms, p95_ms, p99_ms. Raises Unable."""
    with ground.database(peer.database) as dsn:
        peer.do(ground, "install")
        ground.settle(dsn)
        asks = [peer.ask(ground, task, count=count, rate=RATE) for task in ("attend", "trickle")]
        with crew(peer.program, asks) as (worker, producer):
            worker.go()
            time.sleep(IDLE_S)
            producer.go()
            producer.answer()
            waited = worker.answer()["waited_ms"]
    if len(waited) != count:
        raise Unable(f"{count} jobs were enqueued, {len(waited)} picked up")
    return dict(zip(("p50_ms", "p95_ms", "p99_ms"), percentiles(waited), strict=True))


def prove(dsn: str, proofs: Sequence[Proof]) -> None:
    """Look into the database whether the work is all there. Raises Unable: who lost work has no rate."""
    with psycopg.connect(dsn) as db:
        for statement, wanted in proofs:
            row = db.execute(statement.encode()).fetchone()
            if row is None or row[0] != wanted:
                raise Unable(f"work was lost: {wanted} expected of «{statement}», {row and row[0]} found")


def timed(ground: Ground, children: Sequence[Child]) -> Measured:
    """Let children that stand at their gates begin, and measure until the last has answered. Raises Unable."""
    meter = Meter(ground, [child.pid for child in children])
    meter.start()
    for child in children:
        child.go()
    for child in children:
        child.answer()
    return meter.stop()


def _together(ground: Ground, peer: Peer, task: str, each: Sequence[dict[str, Any]]) -> Measured:
    with crew(peer.program, [peer.ask(ground, task, **settings) for settings in each]) as children:
        return timed(ground, children)
