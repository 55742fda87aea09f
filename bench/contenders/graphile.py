"""graphile-worker: a job queue for Node. Its child is `graphile.js`.

By itself it fetches and completes each job in a query of its own. Its local queue fetches many jobs at once and the
batch delay completes many at once, which its page on performance recommends for such work.
"""

from __future__ import annotations

from typing import Any

from bench.cases import Contender
from bench.contenders import node
from bench.contenders.queue import Queue

PLAIN: dict[str, Any] = {"concurrency": 10}
BATCHED: dict[str, Any] = {"concurrency": 24, "local_queue": 2000, "complete_delay_ms": 100}

missing = node.needs("graphile-worker", "pg")


def jobs() -> tuple[Contender, ...]:
    """Return it with and without batches."""
    favours = (
        "Favours it: a job is one step and is deleted when it is done, so nothing of it is left; ours keeps the "
        "whole history of a process."
    )
    plain, batched = (f"{_said(settings)}. {favours}" for settings in (PLAIN, BATCHED))
    return (
        _queue().drain("", (1_000, 20_000), plain, **PLAIN),
        _queue().drain("batched", (1_000, 200_000), batched, **BATCHED),
    )


def pickup() -> Contender:
    """Return it as an idle worker."""
    return _queue().pickup(f"{_said(PLAIN)}, LISTEN/NOTIFY.", **PLAIN)


def starts() -> tuple[Contender, ...]:
    """Return it adding jobs one by one, and many in a call."""
    return _queue().starts((500, 10_000), (1_000, 200_000))


def _queue() -> Queue:
    return Queue(
        name="graphile-worker",
        release=f"graphile-worker {node.PACKAGES['graphile-worker']}",
        program=lambda: node.program("graphile.js"),
        missing=missing,
        keeps="nothing: the row is deleted",
        left="select count(*) from graphile_worker._private_jobs",
    )


def _said(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())
