"""What does a worker cost that has nothing to do?"""

from __future__ import annotations

import time

import psycopg

from bench.cases import OURS, Contender, Effort, Figures, Goal, Scenario, Trial
from bench.ground import Ground
from bench.house import House
from bench.meter import Meter

QUERIES_PER_MIN = 300  # 5 a second
REST_S = 2.0  # until start-up is over, and told by the backends: they report once a second
MANY = 10

_COUNTED = "select xact_commit + xact_rollback from pg_stat_database where datname = %s"


def _idle(workers: int) -> Trial:
    def trial(ground: Ground, effort: Effort) -> Figures:
        with ground.database("idle") as dsn, House(ground, dsn) as house:
            programs = [house.worker() for _ in range(workers)]
            ground.settle(dsn)
            time.sleep(REST_S)
            # From another database, whose counter this look raises.
            with psycopg.connect(ground.dsn(), autocommit=True) as db:
                before = _queries(db, house.database)
                with Meter(ground, [program.pid for program in programs]) as meter:
                    time.sleep(effort.of(3.0, 60.0))
                queries = _queries(db, house.database) - before
        used = meter.measured
        minutes = used.seconds / 60
        return {
            "queries_per_min": queries / minutes / workers,
            "worker_cpu_percent": 100 * used.cpu_s / used.seconds / workers,
            "server_cpu_percent": 100 * used.server_cpu_s / used.seconds,
            "wal_per_min_kb": used.wal_bytes / 1000 / minutes,
            "worker_rss_mb": used.peak_rss_bytes / 1e6 / workers,
        }

    return trial


def _queries(db: psycopg.Connection[tuple[int]], database: str) -> int:
    row = db.execute(_COUNTED, (database,)).fetchone()
    return row[0] if row else 0


SCENARIO = Scenario(
    name="idle",
    title="Idle cost",
    about=(
        "Workers with nothing to do, for a minute. Queries are the transactions that PostgreSQL has counted in the "
        "database; a worker's statements commit one by one, so each is one. Queries, CPU and memory of the workers "
        "are per worker; CPU of the server and WAL are of all together. 100 percent is one core."
    ),
    main="queries_per_min",
    contenders=(
        Contender(OURS, _idle(1), note="1 worker"),
        Contender(f"{OURS}, {MANY} workers", _idle(MANY), note=f"{MANY} programs"),
    ),
    repeat=1,
    against=tuple(
        Goal("queries_per_min", "at_most", QUERIES_PER_MIN, f"queries/min of an idle worker ({words})", contender=name)
        for name, words in ((OURS, "1 worker"), (f"{OURS}, {MANY} workers", f"{MANY} workers"))
    ),
)
