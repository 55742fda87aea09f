"""absurd: durable tasks of steps, in PL/pgSQL, with thin clients. As a program: a child of its Python client.

A client has one connection, so a process has several, each with its batch of tasks; two processes have a queue each,
for only so can each know when its share is done. Where Node is, its TypeScript client is measured too: `absurd.js`.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.cases import Contender, Effort, Figures
from bench.contenders import node, pace, trials
from bench.contenders.child import Answer, Ask, Gate, serve
from bench.contenders.crew import Program, python
from bench.contenders.packages import needs, version
from bench.ground import Ground

CLIENTS = 4  # of one process
BATCH = 10
NODE_CONCURRENCY = 20
POLL_S = 0.01
TASK = "noops"
KEEPS = "each step's result"
TOOL = Path(sys.executable).with_name("absurdctl")

missing = needs("absurd_sdk", "absurdctl")


def steps(count: int) -> tuple[Contender, ...]:
    """Return it with tasks of so many steps: Python in one and in two processes, and TypeScript."""
    return _python(count, 1), _python(count, 2), _node(count)


def starts() -> Contender:
    """Return it spawning tasks."""

    def trial(ground: Ground, effort: Effort) -> Figures:
        tasks = effort.of(200, 10_000)
        return trials.fill(ground, _peer(ground, 1, 1), tasks, 1, [(_count("t", 0, "state = 'pending'"), tasks)])

    return Contender("absurd", trial, f"{_said()}, spawn on {pace.PRODUCERS} connections.", missing)


def _said() -> str:
    return f"absurd-sdk {version('absurd-sdk')}"


def _peer(ground: Ground, count: int, queues: int, program: Program | None = None) -> trials.Peer:
    """Return its Python client, or another program with the Python client as its clerk."""
    settings = {"steps": count, "queues": queues, "concurrency": NODE_CONCURRENCY, "bin": str(ground.bin)}
    return trials.Peer("peer_absurd", program or python(__name__), settings, clerk=python(__name__))


def _python(count: int, processes: int) -> Contender:
    def trial(ground: Ground, effort: Effort) -> Figures:
        return _drained(ground, _peer(ground, count, processes), effort, count, processes)

    name = "absurd" + (f", {processes} processes" if processes > 1 else "")
    how = f"{processes} x {CLIENTS} clients with batches of {BATCH}"
    return Contender(
        name, trial, f"{_said()} for Python, {how}. Each step is a call and a commit of its own.", missing, KEEPS
    )


def _node(count: int) -> Contender:
    def trial(ground: Ground, effort: Effort) -> Figures:
        return _drained(ground, _peer(ground, count, 1, node.program("absurd.js")), effort, count, 1)

    of_node = node.needs("absurd-sdk", "pg")
    note = f"absurd-sdk {node.PACKAGES['absurd-sdk']} for TypeScript, concurrency and batch {NODE_CONCURRENCY}."
    return Contender("absurd, Node", trial, note, lambda: missing() or of_node(), KEEPS)


def _drained(ground: Ground, peer: trials.Peer, effort: Effort, count: int, queues: int) -> Figures:
    share = effort.of(40, max(800, 16_000 // (count + 2))) // queues
    tasks = share * queues
    proofs = [(_count("t", number, "state = 'completed'"), share) for number in range(queues)]
    proofs += [(_count("c", number), share * count) for number in range(queues)]
    measured = trials.drain(ground, peer, tasks, proofs, queues)
    return {**measured.figures(tasks * count, "step"), "processes_per_s": tasks / measured.seconds}


def _count(letter: str, number: int, condition: str = "true") -> str:
    return f"select count(*) from absurd.{letter}_q{number} where {condition}"  # noqa: S608  our own names


# -- the child


def install(ask: Ask, gate: Gate) -> Answer:
    """Load its schema with its own tool, which carries it and hands it to psql, and make the queues."""
    gate()
    path = os.pathsep.join((ask.settings["bin"], os.environ.get("PATH", os.defpath)))
    environment = {**os.environ, "PATH": path, "ABSURD_DATABASE_URL": ask.url}
    subprocess.run((str(TOOL), "init"), env=environment, check=True)
    for number in range(ask.settings["queues"]):
        client = import_module("absurd_sdk").Absurd(ask.url, queue_name=f"q{number}")
        client.create_queue(f"q{number}")
        client.close()
    return {}


async def fill(ask: Ask, gate: Gate) -> Answer:
    """Spawn tasks one by one, in each queue its share."""
    queues = ask.settings["queues"]
    share = Ask(ask.task, ask.url, {"count": ask.settings["count"] // queues, "batch": 1})
    async with AsyncExitStack() as stack:
        clients = [await _client(ask, number, stack) for number in range(queues) for _ in range(pace.PRODUCERS)]
        gate()
        for first in range(0, len(clients), pace.PRODUCERS):
            one = [_spawner(client) for client in clients[first : first + pace.PRODUCERS]]
            await pace.fill(share, one, one)
    return {}


async def drain(ask: Ask, gate: Gate) -> Answer:
    """Do the tasks of the queue that is this process's own."""
    left = ask.settings["count"] // ask.settings["queues"]
    clients: list[Any] = []

    async def noops(params: Any, context: Any) -> Any:
        nonlocal left
        for number in range(ask.settings["steps"]):
            await context.step(f"s{number}", _nothing)
        left -= 1
        if left == 0:
            for client in clients:
                client.stop_worker()  # it ends when its batch has
        return params

    async with AsyncExitStack() as stack:
        for _ in range(CLIENTS):
            clients.append(await _client(ask, ask.settings["number"], stack))
            clients[-1].register_task(TASK)(noops)
        gate()
        await asyncio.gather(*(client.start_worker(concurrency=BATCH, poll_interval=POLL_S) for client in clients))
    return {}


async def _client(ask: Ask, queue: int, stack: AsyncExitStack) -> Any:
    """Return a client that is connected."""
    client = import_module("absurd_sdk").AsyncAbsurd(ask.url, queue_name=f"q{queue}")
    stack.push_async_callback(client.close)
    client.register_task(TASK)(_nothing)
    await client.list_queues()
    return client


def _spawner(client: Any) -> pace.Enqueue:
    return lambda n: client.spawn(TASK, {"n": n})


async def _nothing(*_: Any) -> dict[str, Any]:
    return {}


def _alone(work: Callable[[Ask, Gate], Coroutine[Any, Any, Answer]]) -> Callable[[Ask, Gate], Answer]:
    return lambda ask, gate: asyncio.run(work(ask, gate))


if __name__ == "__main__":
    serve({"install": install, "fill": _alone(fill), "drain": _alone(drain)})
