"""The limit: what PostgreSQL does with Stepwell's own rows when no engine is around them. As a program: its client.

`steps` appends the history rows of activities: of as many processes at a time as a batch has rows, each statement the
next row of each, as when so many processes advance together. `jobs` takes jobs from the queue, holds them by leases and
deletes the leases, which is what a queue must do at least. Both in Stepwell's real tables, with all their indexes and
partitions, in batches of BATCH on CONNECTIONS connections, rows going in as one JSON document. Nothing is decided, read
or retried, and nothing of the engine is used: a row here is a literal that looks like the engine's (a test compares).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
from msgspec import Struct

from bench.cases import Contender, Effort, Figures
from bench.contenders import trials
from bench.contenders.child import Answer, Ask, Gate, serve
from bench.contenders.crew import crew, python
from bench.ground import Ground
from bench.house import House
from bench.meter import Measured

BATCH = 500  # the most that the engine flushes at once
CONNECTIONS = 2
NAME = "limit"

_WORKER = """
insert into stepwell.worker (id, seen_at, started_at, host, pid, release)
values (stepwell.new_id(), now(), now(), 'limit', 0, 'limit') returning id
"""
_PROCESSES = "select stepwell.new_id() from generate_series(1, %s)"
APPEND = """
with me as materialized (select id from stepwell.worker where id = %s for key share)
insert into stepwell.history (process_id, seq, tenant_id, environment_id, attempt, v, feed_epoch, at, type, path, data)
select e.process_id, e.seq, e.tenant_id, e.environment_id, e.attempt, e.v, 1, e.at, e.type, e.path, e.data
from me, jsonb_to_recordset(%s::jsonb) as e(
  process_id bigint, seq integer, tenant_id integer, environment_id integer, attempt integer, v smallint,
  at timestamptz, type text, path text, data jsonb)
order by e.process_id, e.seq
"""
_QUEUE = """
insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id)
select 0, 1, stepwell.new_id(), number, 1, 1 from generate_series(1, %s) as number
"""
_CLAIM = f"""
with me as materialized (select id from stepwell.worker where id = %s for key share),
taken as (
  delete from stepwell.job
  where ctid = any (array(
    select j.ctid from stepwell.job j order by j.priority, j.lane, j.id limit {BATCH} for update skip locked))
  returning process_id, priority, lane, tenant_id, environment_id
)
insert into stepwell.lease (process_id, worker_id, priority, lane, tenant_id, environment_id)
select t.process_id, me.id, t.priority, t.lane, t.tenant_id, t.environment_id from me, taken t
returning process_id
"""  # noqa: S608  a number of ours
_GIVE_BACK = "delete from stepwell.lease where worker_id = %s"

Connection = psycopg.Connection[Any]

_encode = msgspec.json.Encoder().encode


def steps(count: int) -> Contender:
    """Return the append of the rows of processes with so many activities."""

    def trial(ground: Ground, effort: Effort) -> Figures:
        processes = CONNECTIONS * effort.of(2 * BATCH, 200_000 // count)
        proofs = [("select count(*) from stepwell.history", processes * count)]
        measured = _measured(ground, "append", proofs, processes=processes, steps=count)
        figures = measured.figures(processes * count, "step")
        return {**figures, "processes_per_s": processes / measured.seconds}

    note = (
        f"the same history rows and nothing else, {BATCH} to a statement on {CONNECTIONS} connections. It starts, "
        "claims and ends no process, so short processes flatter it."
    )
    return Contender(NAME, trial, note, keeps="the rows of the history", kind="limit")


def jobs() -> Contender:
    """Return the queue's own work: claim and give back."""

    def trial(ground: Ground, effort: Effort) -> Figures:
        count = effort.of(4 * BATCH, 300_000)
        proofs = [(f"select count(*) from stepwell.{table}", 0) for table in ("job", "lease")]  # noqa: S608  two names
        return _measured(ground, "claim", proofs, jobs=count).figures(count, "job")

    note = (
        f"job to lease to nothing in two statements and commits, {BATCH} at a time on {CONNECTIONS} connections. "
        "Nothing is done and nothing is kept."
    )
    return Contender(NAME, trial, note, kind="limit")


def _measured(ground: Ground, task: str, proofs: list[trials.Proof], **settings: Any) -> Measured:
    peer = trials.Peer("limit", python(__name__), settings)
    with ground.database(peer.database) as dsn, House(ground, dsn):
        if "jobs" in settings:
            with psycopg.connect(dsn) as db:
                db.execute(_QUEUE, (settings["jobs"],))
        ground.settle(dsn)
        with crew(peer.program, [peer.ask(ground, task)]) as children:
            measured = trials.timed(ground, children)
        trials.prove(dsn, proofs)
    return measured


# -- the child


class Row(Struct, frozen=True):
    """A row of history."""

    process_id: int
    seq: int
    at: datetime
    path: str
    data: dict[str, Any]
    tenant_id: int = 1
    environment_id: int = 1
    attempt: int = 1
    v: int = 1
    type: str = "activity.completed"


def rows(process_ids: Iterable[int], seq: int, last: int) -> list[Row]:
    """Return for each process the row of a no-op activity that has ended, and lets the next begin if there is one."""
    at, path = datetime.now(UTC), f"s{seq}"
    data: dict[str, Any] = {"output": {}}
    if seq < last:
        data["starts"] = [{"path": f"s{seq + 1}"}]
    return [Row(process_id, seq, at, path, data) for process_id in process_ids]


def document(batch: list[Row]) -> str:
    """Return the parameter of APPEND."""
    return _encode(batch).decode()


def append(ask: Ask, gate: Gate) -> Answer:
    """Append the rows of all processes, some at a time, one more row of each in every statement."""
    processes, last = ask.settings["processes"] // CONNECTIONS, ask.settings["steps"]

    def prepared(db: Connection) -> Callable[[], None]:
        me = _one(db, _WORKER)
        ids = [row[0] for row in db.execute(_PROCESSES, (processes,))]

        def run() -> None:
            for together in _portions(ids):
                for seq in range(1, last + 1):
                    db.execute(APPEND, (me, document(rows(together, seq, last))))

        return run

    return _side_by_side(ask, gate, prepared)


def claim(ask: Ask, gate: Gate) -> Answer:
    """Claim jobs and give them back until there are none."""

    def prepared(db: Connection) -> Callable[[], None]:
        me = _one(db, _WORKER)

        def run() -> None:
            while db.execute(_CLAIM, (me,)).fetchall():
                db.execute(_GIVE_BACK, (me,))

        return run

    return _side_by_side(ask, gate, prepared)


def _side_by_side(ask: Ask, gate: Gate, prepared: Callable[[Connection], Callable[[], None]]) -> Answer:
    """Prepare work on every connection, and do it in threads once the gate has opened."""
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        work = [prepared(_connected(ask)) for _ in range(CONNECTIONS)]
        gate()
        for done in [threads.submit(run) for run in work]:
            done.result()
    return {}


def _connected(ask: Ask) -> Connection:
    db = psycopg.connect(ask.url, autocommit=True, prepare_threshold=0)
    db.execute("set enable_seqscan = off")  # as the engine: its tables are empty at one time and large at another
    return db


def _one(db: Connection, statement: str) -> int:
    row = db.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0


def _portions(ids: list[int]) -> Iterator[list[int]]:
    return (ids[first : first + BATCH] for first in range(0, len(ids), BATCH))


if __name__ == "__main__":
    serve({"append": append, "claim": claim})
