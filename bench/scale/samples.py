"""How a running Stepwell is doing, looked at every few seconds without being in its way.

Rates come from PostgreSQL's counters and the workers' metrics, as the change since the look before. What processes
waited is read for those of the last seconds alone; who has not begun counts with its age so far. Each look costs some
milliseconds of the server.
"""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

from bench.cases import Figures, Unable
from bench.house import House
from bench.load.latency import waits
from bench.meter import cpu_seconds, percentiles, wal_position
from bench.programs import Program

CHANGING = ("job", "lease", "inbox", "timer", "wait", "signal", "worker", "process")  # they leave dead rows behind
PATIENCE_S = 10.0
SETTLED_S = 1.0  # processes younger than this may rightly not have begun, and their age would say nothing

_TABLES = """
select regexp_replace(relname, '_\\d{4}_\\d\\d$', ''), sum(n_tup_ins)::float8, sum(n_dead_tup)::float8,
       sum(pg_total_relation_size(relid))::float8 / 1e6
from pg_stat_user_tables
where schemaname = 'stepwell'
group by 1
"""
_QUEUE = """
select (m ->> 'queue_depth_jobs')::float8, (m ->> 'queue_oldest_age_seconds')::float8,
       (m ->> 'held_processes')::float8
from stepwell.measure() as m
"""
_BUCKET = re.compile(rb'^stepwell_flush_duration_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)

Buckets = dict[float, float]  # upper bound in seconds → how many flushes took no longer


class Sampler:
    """Looks at one house. `workers`: programs with the URL of their metrics."""

    def __init__(self, house: House, workers: Sequence[tuple[Program, str]]) -> None:
        self._house = house
        self._workers = workers
        self._db = house.connect("superuser")
        self._before = self._counters()
        self._flushes = self._buckets()

    def look(self) -> Figures:
        """Return all figures of the time since the look before. Raises Unable where a worker has ended."""
        for worker, _ in self._workers:
            worker.check()
        now, before = self._counters(), self._before
        passed = now["at"] - before["at"]
        self._before = now
        rates = {
            "starts_per_s": (now["in_process"] - before["in_process"]) / passed,
            "events_per_s": (now["in_history"] - before["in_history"]) / passed,
            "wal_per_min_mb": (now["wal"] - before["wal"]) / 1e6 / passed * 60,
            "worker_cpu_percent": 100 * (now["worker_cpu"] - before["worker_cpu"]) / passed,
            "server_cpu_percent": 100 * (now["server_cpu"] - before["server_cpu"]) / passed,
        }
        return {**rates, **self._waited(passed), **self._flushed(), **self._queue(), **self._tables()}

    def _counters(self) -> Figures:
        tables = {name: inserted for name, inserted, _, _ in self._db.execute(_TABLES).fetchall()}
        pids = [worker.pid for worker, _ in self._workers]
        return {
            "at": time.time(),
            "in_process": tables.get("process", 0.0),
            "in_history": tables.get("history", 0.0),
            "wal": float(wal_position(self._house.ground)),
            "worker_cpu": cpu_seconds(pids),
            "server_cpu": self._house.ground.cpu_seconds(),
        }

    def _waited(self, passed: float) -> Figures:
        until = time.time() - SETTLED_S
        try:
            found = waits(self._house, until - passed, until).created
        except Unable:  # nothing was started in that time
            return {}
        p50, p99 = percentiles(found, (0.5, 0.99))
        return {"wait_p50_ms": p50 * 1000, "wait_p99_ms": p99 * 1000}

    def _flushed(self) -> Figures:
        now, before = self._buckets(), self._flushes
        self._flushes = now
        grown = {bound: count - before.get(bound, 0.0) for bound, count in now.items()}
        if not grown or not max(grown.values()):
            return {}
        return {"flush_p50_ms": quantile(grown, 0.5) * 1000, "flush_p99_ms": quantile(grown, 0.99) * 1000}

    def _buckets(self) -> Buckets:
        """Return the histograms of all workers, added up."""
        total: Buckets = {}
        for _, url in self._workers:
            for bound, count in _BUCKET.findall(_metrics(url)):
                total[float(bound)] = total.get(float(bound), 0.0) + float(count)
        return total

    def _queue(self) -> Figures:
        row: Any = self._db.execute(_QUEUE).fetchone()
        rss = max(worker.rss_bytes() for worker, _ in self._workers)
        return {"jobs_count": row[0], "oldest_job_s": row[1], "held_count": row[2], "worker_rss_mb": rss / 1e6}

    def _tables(self) -> Figures:
        found: Figures = {}
        for name, _, dead, size in self._db.execute(_TABLES).fetchall():
            if name in CHANGING:
                found[f"{name}_dead_rows_count"] = dead
            if name in (*CHANGING, "history"):
                found[f"{name}_size_mb"] = size
        return found


def _metrics(url: str) -> bytes:
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=PATIENCE_S) as answer:  # noqa: S310  ours, on loopback
            return bytes(answer.read())
    except OSError as error:
        raise Unable(f"a worker does not tell its metrics: {error}") from error


def quantile(buckets: Buckets, share: float) -> float:
    """Return the value below which that share lies, as Prometheus does: evenly within a bucket.

    In the last bucket, which has no upper bound, its lower one.
    """
    wanted, low, below = share * max(buckets.values()), 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= wanted:
            inside = count - below
            return low if bound == float("inf") or not inside else low + (bound - low) * (wanted - below) / inside
        low, below = bound, count
    return low
