"""DBOS Transact for Python: durable workflows of steps. As a program: a child of it.

Two ways to run them: calling the workflow from a few threads (more threads make it slower), and draining its queue with
coroutines. Settings: a pool of 20 connections, telemetry off, log level ERROR, a database of its own, and for the
queue a short polling interval and a high limit of workflows side by side.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import psycopg

from bench.cases import Contender, Effort, Figures
from bench.contenders import trials
from bench.contenders.child import Answer, Ask, Gate, serve
from bench.contenders.crew import python
from bench.contenders.packages import needs, version
from bench.ground import Ground

THREADS = 3  # of one process
POOL = 20
SIDE_BY_SIDE = 100  # workflows of the queue
POLL_S = 0.05
KEEPS = "each step's result, the workflow's input and output"
CLIENTS = 8  # threads that enqueue
QUEUE, WORKFLOW, RELEASE = "noops", "noops", "bench"
DONE = "select count(*) from dbos.workflow_status where status = 'SUCCESS'"
RECORDED = "select count(*) from dbos.operation_outputs"
WAITING = "select count(*) from dbos.workflow_status where status = 'ENQUEUED'"

missing = needs("dbos")


def steps(count: int) -> tuple[Contender, ...]:
    """Return it with workflows of so many steps: called in one and in two processes, and from its queue."""
    return _called(count, 1), _called(count, 2), _queued(count)


def starts() -> Contender:
    """Return it enqueueing."""

    def trial(ground: Ground, effort: Effort) -> Figures:
        workflows = effort.of(100, 8_000)
        return trials.fill(ground, _peer(1, queue=True), workflows, 1, [(WAITING, workflows)])

    return Contender("dbos", trial, f"{_said()}, DBOSClient.enqueue in {CLIENTS} threads.", missing)


def _said() -> str:
    return f"dbos {version('dbos')}, pool {POOL}"


def _peer(count: int, *, queue: bool) -> trials.Peer:
    return trials.Peer("peer_dbos", python(__name__), {"steps": count, "queue": queue})


def _called(count: int, processes: int) -> Contender:
    name = "dbos" + (f", {processes} processes" if processes > 1 else "")
    note = (
        f"{_said()}, synchronous workflows called in {processes} x {THREADS} threads. Favours it: they are called "
        "where they run, so nothing is enqueued or claimed."
    )
    return Contender(name, _steps(count, processes, queue=False), note, missing, KEEPS)


def _queued(count: int) -> Contender:
    note = (
        f"{_said()}, asynchronous workflows enqueued before, {SIDE_BY_SIDE} side by side, polling each {POLL_S} s. "
        "As with ours, work is claimed and its steps go on where they began."
    )
    return Contender("dbos, queue", _steps(count, 1, queue=True), note, missing, KEEPS)


def _steps(count: int, processes: int, *, queue: bool) -> Callable[[Ground, Effort], Figures]:
    def trial(ground: Ground, effort: Effort) -> Figures:
        workflows = effort.of(20, max(150, 3_000 // (count + 1)))
        proofs = [(DONE, workflows), (RECORDED, workflows * count)]
        measured = trials.drain(ground, _peer(count, queue=queue), workflows, proofs, processes)
        return {**measured.figures(workflows * count, "step"), "processes_per_s": workflows / measured.seconds}

    return trial


# -- the child


def _address(ask: Ask) -> str:
    return ask.url.replace("postgresql:", "postgresql+psycopg:", 1)


def _made(ask: Ask, number: int = 0) -> Any:
    """Return its main class, configured and not yet launched."""
    peer = import_module("dbos").DBOS
    peer(
        config={
            "name": "bench",
            "system_database_url": _address(ask),
            "sys_db_pool_size": POOL,
            "log_level": "ERROR",
            "enable_otlp": False,
            "executor_id": f"bench-{number}",
            "application_version": RELEASE,
        }
    )
    return peer


def install(ask: Ask, gate: Gate) -> Answer:
    """Make its tables and its queue."""
    gate()
    peer = _made(ask)
    peer.launch()
    peer.register_queue(QUEUE, worker_concurrency=SIDE_BY_SIDE, polling_interval_sec=POLL_S)
    return {}


def fill(ask: Ask, gate: Gate) -> Answer:
    """Enqueue workflows, if they are to come from the queue."""
    if not ask.settings["queue"]:
        gate()
        return {}
    client = import_module("dbos").DBOSClient(system_database_url=_address(ask))
    options = {"queue_name": QUEUE, "workflow_name": WORKFLOW, "app_version": RELEASE}
    with ThreadPoolExecutor(CLIENTS) as threads:
        gate()
        for _ in threads.map(lambda n: client.enqueue(options, n), range(ask.settings["count"])):
            pass
    return {}


def drain(ask: Ask, gate: Gate) -> Answer:
    """Run workflows."""
    return _from_queue(ask, gate) if ask.settings["queue"] else _by_calls(ask, gate)


def _by_calls(ask: Ask, gate: Gate) -> Answer:
    peer, count = _made(ask, ask.settings["number"]), ask.settings["steps"]

    @peer.step()  # type: ignore[untyped-decorator]
    def step(n: int) -> int:
        return n

    @peer.workflow(name=WORKFLOW)  # type: ignore[untyped-decorator]
    def workflow(n: int) -> int:
        for _ in range(count):
            n = step(n)
        return n

    peer.listen_queues([])
    peer.launch()
    with ThreadPoolExecutor(THREADS) as threads:
        gate()
        for _ in threads.map(workflow, range(ask.settings["number"], ask.settings["count"], ask.settings["processes"])):
            pass
    return {}


def _from_queue(ask: Ask, gate: Gate) -> Answer:
    peer, count = _made(ask), ask.settings["steps"]

    @peer.step()  # type: ignore[untyped-decorator]
    async def step(n: int) -> int:
        return n

    @peer.workflow(name=WORKFLOW)  # type: ignore[untyped-decorator]
    async def workflow(n: int) -> int:
        for _ in range(count):
            n = await step(n)
        return n

    peer.listen_queues([QUEUE])
    with psycopg.connect(ask.url, autocommit=True) as db:
        gate()
        peer.launch()  # some 50 ms; it begins at once, so it stands behind the gate
        while db.execute(DONE.encode()).fetchone() != (ask.settings["count"],):
            time.sleep(POLL_S)
    return {}


if __name__ == "__main__":
    serve({task.__name__: task for task in (install, fill, drain)})
