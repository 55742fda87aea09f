"""An installation of millions of rows, made by SQL in seconds: jobs, timers, waits, processes and all that goes with them.

Nothing in it is due, and every lease has a living worker: a tick finds work in the queue alone.
"""

from __future__ import annotations

from typing import Any

import psycopg

JOBS = TIMERS = 1_000_000
PROCESSES = 300_000
LANES, PRIORITIES, WORKERS = 20, 3, 100

# %(first)s: the smallest id; %(tenant)s … of the process that is there already, of which all others are copies.
FILL = {
    "worker": "insert into stepwell.worker (id, seen_at, started_at, host, pid, release) "
    "select %(first)s + n, now(), now(), 'far away', n, '1' from generate_series(1, %(workers)s) n",
    "process": "insert into stepwell.process (id, tenant_id, environment_id, definition_id, version, status, created_at) "
    "select %(first)s + n, %(tenant)s, %(environment)s, %(definition)s, 1, "
    "case when n %% 100 = 0 then 'CREATED' when n %% 100 = 1 then 'IN_PROGRESS' else 'WAITING' end, now() "
    "from generate_series(1, %(processes)s) n",
    "history": "insert into stepwell.history (process_id, seq, tenant_id, environment_id, v, feed_epoch, at, type, data) "
    "select %(first)s + n, s, %(tenant)s, %(environment)s, 1, 1, now(), 'activity.waiting', '{}' "
    "from generate_series(1, %(processes)s) n, generate_series(1, 3) s",
    "process_label": "insert into stepwell.process_label (tenant_id, environment_id, name, value, process_id) "
    "select %(tenant)s, %(environment)s, 'a', 'b', %(first)s + n from generate_series(1, %(some)s) n",
    "payload": "insert into stepwell.payload (process_id, n, tenant_id, environment_id, body) "
    "select %(first)s + n, 0, %(tenant)s, %(environment)s, '{}' from generate_series(1, %(some)s) n",
    "job": "insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id) "
    "select n %% %(priorities)s, n %% %(lanes)s, %(first)s + n, %(first)s + n, %(tenant)s, %(environment)s "
    "from generate_series(1, %(jobs)s) n",
    "timer": "insert into stepwell.timer (process_id, due_at, priority, lane, tenant_id, environment_id) "
    "select %(first)s + n, now() + interval '1 day' + n * interval '1 s', 0, 0, %(tenant)s, %(environment)s "
    "from generate_series(1, %(timers)s) n",
    "wait": "insert into stepwell.wait (tenant_id, environment_id, name, correlation, process_id, path) "
    "select %(tenant)s, %(environment)s, 'paid', 'k' || n, %(first)s + n, 'w' from generate_series(1, %(processes)s) n",
    "lease": "insert into stepwell.lease (process_id, worker_id, priority, lane, tenant_id, environment_id) "
    "select %(first)s + %(jobs)s + n, %(first)s + 1 + n %% %(workers)s, 0, 0, %(tenant)s, %(environment)s "
    "from generate_series(1, %(some)s) n",
    "loss": "insert into stepwell.loss (process_id, losses, tenant_id, environment_id) "
    "select %(first)s + n, 1, %(tenant)s, %(environment)s from generate_series(1, %(some)s) n",
    "inbox": "insert into stepwell.inbox (process_id, id, tenant_id, environment_id, command) "
    "select %(first)s + n, n, %(tenant)s, %(environment)s, '{}' from generate_series(1, %(some)s) n",
    "signal": "insert into stepwell.signal (id, tenant_id, environment_id, name, correlation, command, expires_at) "
    "select %(first)s + n, %(tenant)s, %(environment)s, 'paid', 'c' || n, '{}', now() + interval '1 day' "
    "from generate_series(1, %(some)s) n",
    "signal_job": "insert into stepwell.signal_job (id, signal_id, tenant_id, environment_id) "
    "select %(first)s + n, %(first)s + n, %(tenant)s, %(environment)s from generate_series(1, %(some)s) n",
    "signal_delivery": "insert into stepwell.signal_delivery (signal_id, process_id, tenant_id, environment_id, expires_at) "
    "select %(first)s + n, %(first)s + n, %(tenant)s, %(environment)s, now() + interval '1 day' "
    "from generate_series(1, %(some)s) n",
    "task": "insert into stepwell.task (process_id, path, run, tenant_id, environment_id, definition_id, title, created_at) "
    "select %(first)s + n, 't', 1, %(tenant)s, %(environment)s, %(definition)s, 'look', now() "
    "from generate_series(1, %(some)s) n",
    "business_key": "insert into stepwell.business_key (tenant_id, environment_id, definition_id, key, process_id) "
    "select %(tenant)s, %(environment)s, %(definition)s, 'k' || n, %(first)s + n from generate_series(1, %(some)s) n",
    "idempotency_key": "insert into stepwell.idempotency_key (tenant_id, environment_id, key, fingerprint) "
    "select %(tenant)s, %(environment)s, 'k' || n, '' from generate_series(1, %(some)s) n",
    "audit": "insert into stepwell.audit (id, tenant_id, environment_id, at, actor, action, subject, feed_epoch) "
    "select n, %(tenant)s, %(environment)s, now(), 'a', 'x', 'y', 1 from generate_series(1, %(some)s) n",
}

LEAVES = """
select c.oid::regclass::text
from pg_class c
left join pg_inherits i on i.inhrelid = c.oid
where c.relkind = 'r' and coalesce(i.inhparent, c.oid) = any(select to_regclass('stepwell.' || name) from unnest(%s::text[]) as name)
"""


def fill(owner: psycopg.Connection[Any], *tables: str, jobs: int = JOBS) -> None:
    """Fill these tables, without any named all of them, beside the one process that is there."""
    row = owner.execute("select id, tenant_id, environment_id, definition_id from stepwell.process").fetchone()
    assert row is not None
    first, tenant, environment, definition = row
    sizes = {"jobs": jobs, "timers": TIMERS, "processes": PROCESSES, "some": PROCESSES // 3}
    counts = {"lanes": LANES, "priorities": PRIORITIES, "workers": WORKERS}
    scope = {"first": first, "tenant": tenant, "environment": environment, "definition": definition}
    for (table,) in owner.execute(LEAVES, (list(tables or FILL),)):
        owner.execute(f"alter table {table} set unlogged")  # the WAL would be a third of the work
    for table in tables or FILL:
        owner.execute(FILL[table].encode(), {**sizes, **counts, **scope})
