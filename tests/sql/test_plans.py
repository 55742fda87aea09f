"""No statement of the worker reads a hot table from end to end, whatever the planner believes about its size."""

from functools import partial

import pytest

from tests.house import House, eventually

STEPS = [
    {"id": "a", "type": "transform", "config": {"mapping": {"x": "${input.n}"}}},
    {"id": "pause", "type": "wait", "config": {"seconds": 1.5}},
    {"id": "paid", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.key}"}},
    {"id": "ask", "type": "manual", "config": {"title": "Look", "timeout_seconds": 0.1}},
]
HOT = "'job', 'lease', 'loss', 'inbox', 'timer', 'wait', 'signal', 'signal_job', 'signal_delivery', 'task', 'worker'"
# Fewer than 5 in 20 processes and dozens of ticks: the minute's upkeep and this test's own set-up.
SCANS = (
    f"select relname, seq_scan from pg_stat_user_tables where schemaname = 'stepwell' and seq_scan >= 5 "
    f"and (relname in ({HOT}) or relname ~ '^(process|history|payload)_') and relname <> 'worker'"
)


@pytest.mark.parametrize("rows", [0, 20_000], ids=["empty tables", "tables with 20,000 rows"])
def test_a_worker_scans_no_hot_table(house: House, rows: int) -> None:
    house.publish({"name": "all", "steps": STEPS[:3]})
    fill(house, rows)
    superuser = house.connect("superuser")
    superuser.execute("select pg_stat_reset()")
    with house.worker():
        processes = [house.start("all", {"n": n, "key": f"k{n}"}) for n in range(20)]
        with house.caller() as db:
            for n in range(20):
                db.execute("select stepwell.send_signal('paid', '{}', %s)", (f"k{n}",))
        for process in processes:
            eventually(partial(completed, house, process), what="completed")

    superuser.execute("select pg_stat_force_next_flush()")
    assert superuser.execute(SCANS).fetchall() == []


def completed(house: House, process: str) -> bool:
    """Look at the status without a scan of our own."""
    (number,) = house.rows("select stepwell.private_id('prc', %s)", process)[0]
    with house.owner.transaction():
        house.owner.execute("set local enable_seqscan = off")
        return bool(house.value("select status = 'COMPLETED' from stepwell.process where id = %s", number))


def fill(house: House, rows: int) -> None:
    """Put rows of other processes beside ours: parked long, waiting for what never comes."""
    if not rows:
        return
    house.start("all", {"n": 0, "key": "other"})
    house.owner.execute("delete from stepwell.job")
    house.owner.execute(
        "with p as (select * from stepwell.process limit 1), n as (select generate_series(1, %s) as n), "
        "made as (insert into stepwell.process (id, tenant_id, environment_id, definition_id, version, status, created_at) "
        "  select p.id + n, tenant_id, environment_id, definition_id, version, 'WAITING', created_at from p, n), "
        "t as (insert into stepwell.timer select p.id + n, now() + interval '1 day', 0, 0, tenant_id, environment_id from p, n), "
        "w as (insert into stepwell.wait select tenant_id, environment_id, 'paid', 'x' || n, p.id + n, 'paid' from p, n) "
        "insert into stepwell.history (process_id, seq, tenant_id, environment_id, v, feed_epoch, at, type, data) "
        "select p.id + n, s, tenant_id, environment_id, 1, 1, created_at, 'x', '{}' from p, n, generate_series(1, 3) s",
        (rows,),
    )
    house.owner.execute("analyze")
