"""pg-boss: a job queue for Node. Its child is `pgboss.js`.

Its workers poll, every half second at best, so a drain fetches and completes in a loop: its documented interface for
who wants more. What it does not know is a wake-up, hence its pick-up. A fetch sorts what waits, so the backlog counts.
"""

from __future__ import annotations

from bench.cases import Contender
from bench.contenders import node
from bench.contenders.queue import Queue

BATCH, FETCHERS = 500, 2
POLL_S = 0.5

missing = node.needs("pg-boss", "pg")


def jobs() -> Contender:
    """Return it with large batches."""
    note = (
        f"{FETCHERS} loops of fetch and complete with batches of {BATCH}. Favours it: a job is one step and leaves its "
        "row with a state; a batch that is lost runs again as a whole."
    )
    return _queue().drain("", (1_000, 50_000), note, fetched=BATCH, fetchers=FETCHERS)


def pickup() -> Contender:
    """Return it as an idle worker."""
    return _queue().pickup(f"polling each {POLL_S} s, its shortest interval.", poll_s=POLL_S)


def starts() -> tuple[Contender, ...]:
    """Return it sending jobs one by one, and many in a call."""
    return _queue().starts((500, 10_000), (1_000, 200_000))


def _queue() -> Queue:
    return Queue(
        name="pg-boss",
        release=f"pg-boss {node.PACKAGES['pg-boss']}",
        program=lambda: node.program("pgboss.js"),
        missing=missing,
        keeps="the job's row",
        left="select count(*) from pgboss.job where state <> 'completed'",
        done="select count(*) from pgboss.job where state = 'completed'",
    )
