"""Every metric there is, once: name with its unit, labels, buckets, meaning. docs/observability.md is compared with it.

No label has an id, a path of a request or anything else that grows with the work done; `definition` is the one that
customers choose, and it is bounded in engine/metrics.py. No label names a tenant: who may scrape does not learn thereby
who the customers are.
"""

from __future__ import annotations

from engine.instruments import Declared

_BOTH = ("worker", "api")
_API = ("api",)

_QUICK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_CALL_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_ACTIVITY_S = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86400.0, 604800.0)
_PROCESS_S = (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0, 604800.0, 2592000.0)
_REQUEST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_EVENTS = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
_BYTES = (1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0)

COUNTED: tuple[Declared, ...] = (
    Declared("stepwell_build_info", "gauge", "1, with the release", ("release", "python"), programs=_BOTH),
    Declared("stepwell_processes_started_total", "counter", "processes begun", ("definition",)),
    Declared("stepwell_processes_ended_total", "counter", "processes ended", ("definition", "status")),
    Declared(
        "stepwell_process_duration_seconds",
        "histogram",
        "from a process's creation to its end, waiting included",
        ("definition", "status"),
        _PROCESS_S,
    ),
    Declared("stepwell_process_failures_total", "counter", "processes that ended FAILED, by why", ("category", "code")),
    Declared(
        "stepwell_activity_duration_seconds",
        "histogram",
        "attempts of activities, from begin to end on record",
        ("type", "outcome"),
        _ACTIVITY_S,
    ),
    Declared("stepwell_activity_retries_total", "counter", "failed attempts after which another is made", ("type",)),
    Declared(
        "stepwell_activity_failures_total",
        "counter",
        "failed attempts, those before a retry included",
        ("type", "category", "code"),
    ),
    Declared(
        "stepwell_call_duration_seconds",
        "histogram",
        "what executors took, waiting for their turn included",
        ("type", "outcome"),
        _CALL_S,
    ),
    Declared("stepwell_commands_rejected_total", "counter", "commands that a process refused", ("kind", "code")),
    Declared("stepwell_worker_registered", "gauge", "1 while this worker has its row, 0 without"),
    Declared("stepwell_worker_changes_total", "counter", "what became of this worker's row", ("what",)),
    Declared("stepwell_worker_holds_processes", "gauge", "processes this worker holds"),
    Declared("stepwell_worker_slots_processes", "gauge", "processes it would hold at most"),
    Declared("stepwell_worker_calls", "gauge", "executors at work, or waiting for their turn"),
    Declared("stepwell_claims_total", "counter", "processes this worker took up"),
    Declared("stepwell_tick_duration_seconds", "histogram", "heartbeats with their claim", (), _QUICK_S),
    Declared("stepwell_flush_duration_seconds", "histogram", "flushes: statement and commit", (), _QUICK_S),
    Declared("stepwell_flush_size_bytes", "histogram", "what one flush wrote, as JSON", (), _BYTES),
    Declared("stepwell_flush_events", "histogram", "history rows in one flush", (), _EVENTS),
    Declared(
        "stepwell_flush_failures_total",
        "counter",
        "processes whose part of a flush PostgreSQL refused: a bug or poison",
    ),
    Declared("stepwell_rescued_workers_total", "counter", "dead workers that this one buried"),
    Declared("stepwell_rescued_leases_total", "counter", "processes freed thereby"),
    Declared("stepwell_spans_total", "counter", "spans for the collector, by what became of them", ("outcome",)),
    Declared(
        "stepwell_http_request_duration_seconds",
        "histogram",
        "requests served; `route` is the path as declared",
        ("method", "route", "status"),
        _REQUEST_S,
        _API,
    ),
    Declared(
        "stepwell_http_connections_ended_total",
        "counter",
        "connections ended by the API, or not let in, and why",
        ("why",),
        programs=_API,
    ),
    Declared("stepwell_pool_connections", "gauge", "connections to PostgreSQL", ("state",), programs=_API),
    Declared("stepwell_pool_waiting_requests", "gauge", "requests waiting for a connection now", programs=_API),
    Declared("stepwell_pool_waits_total", "counter", "requests that had to wait for one", programs=_API),
    Declared("stepwell_pool_wait_seconds_total", "counter", "time they waited", programs=_API),
    Declared("stepwell_pool_timeouts_total", "counter", "requests that waited in vain", programs=_API),
    Declared("stepwell_errors_total", "counter", "log lines `error`", programs=_BOTH),
    Declared("stepwell_log_lines_dropped_total", "counter", "log lines nobody took in time", programs=_BOTH),
)

MEASURED: tuple[Declared, ...] = tuple(
    Declared(f"stepwell_{name}", "gauge", meaning, programs=_BOTH)
    for name, meaning in (
        ("database_up", "1 if PostgreSQL answered, else 0 and the rest of this table is missing"),
        ("queue_depth_jobs", "jobs nobody has claimed yet; exact up to 10,000, an estimate above"),
        ("queue_oldest_age_seconds", "age of the oldest of them; 0 without any"),
        ("timers_overdue", "timers that should have fired; counted up to 10,001"),
        ("timers_overdue_age_seconds", "by how much the oldest of them is late"),
        ("signals_unmatched", "signals not yet compared with the open waits; counted up to 10,001"),
        ("signals_unmatched_age_seconds", "age of the oldest of them"),
        ("inbox_mails", "commands nobody has decided yet; counted up to 10,001"),
        ("held_processes", "processes that some worker holds; counted up to 10,001"),
        ("quarantined_processes", "processes set aside for an operator; counted up to 10,001"),
        ("registered_workers", "workers with a row: those that run, and those not yet found dead"),
        ("partitions_ahead_months", "months after this one that have their partitions"),
    )
)
