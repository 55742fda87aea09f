"""What the programs measure of the database: right, bounded, cheap, and for them alone."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import errors

from tests.house import House

ONE = {"name": "one", "steps": [{"id": "a", "type": "transform", "config": {"mapping": {"x": 1}}}]}
FILL = """
    insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id)
    select n %% 5, n %% 3, stepwell.first_id(now() - interval '1 hour') + n, n, 1, 1 from generate_series(1, %s) n
"""


def measured(house: House, login: str = "house_worker") -> dict[str, Any]:
    with house.connect(login) as db:
        row = db.execute("select stepwell.measure()").fetchone()
    assert row is not None
    found: dict[str, Any] = row[0]
    return found


def test_an_empty_installation_measures_nought(house: House) -> None:
    assert measured(house) == {
        "queue_depth_jobs": 0,
        "queue_oldest_age_seconds": 0,
        "timers_overdue": 0,
        "timers_overdue_age_seconds": 0,
        "signals_unmatched": 0,
        "signals_unmatched_age_seconds": 0,
        "inbox_mails": 0,
        "held_processes": 0,
        "quarantined_processes": 0,
        "registered_workers": 0,
        "partitions_ahead_months": 3,
    }


def test_what_waits_is_counted_and_its_age_is_that_of_the_oldest_in_any_lane(house: House) -> None:
    house.publish(ONE)
    process = house.start("one")
    house.owner.execute(
        "insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id) values "
        "(7, 3, stepwell.first_id(now() - interval '90 s'), 1, 1, 1), (-5, 9, stepwell.new_id(), 2, 1, 1)"
    )
    house.owner.execute(
        "insert into stepwell.timer (process_id, due_at, priority, lane, tenant_id, environment_id) values "
        "(1, now() - interval '40 s', 0, 0, 1, 1), (2, now() - interval '5 s', 0, 0, 1, 1), (3, now() + interval '1 h', 0, 0, 1, 1)"
    )
    house.owner.execute(
        "insert into stepwell.lease (process_id, worker_id, priority, lane, tenant_id, environment_id) values "
        "(1, 0, 0, 0, 1, 1), (2, 5, 0, 0, 1, 1), (3, 6, 0, 0, 1, 1)"
    )
    with house.caller() as db:
        db.execute("select stepwell.send_signal('paid', '{}', 'k')")
        db.execute("select stepwell.cancel_process(%s)", (process,))
    seen = measured(house, "house_api")

    assert seen["queue_depth_jobs"] == 4
    assert 90 <= seen["queue_oldest_age_seconds"] < 150
    assert (seen["timers_overdue"], 40 <= seen["timers_overdue_age_seconds"] < 100) == (2, True)
    assert (seen["held_processes"], seen["quarantined_processes"]) == (2, 1)
    assert (seen["signals_unmatched"], seen["inbox_mails"]) == (1, 1)
    assert 0 <= seen["signals_unmatched_age_seconds"] < 60


@pytest.mark.parametrize("analyzed", [True, False], ids=["after a vacuum", "never looked at"])
def test_a_long_queue_is_estimated(house: House, analyzed: bool) -> None:
    house.owner.execute(FILL, (60_000,))
    if analyzed:
        house.owner.execute("vacuum analyze stepwell.job")
    seen = measured(house)

    assert 30_000 < seen["queue_depth_jobs"] < 120_000
    assert 3590 < seen["queue_oldest_age_seconds"] < 3700


def test_measuring_reads_no_table_from_end_to_end(house: House) -> None:
    house.owner.execute(FILL, (20_000,))
    house.owner.execute("analyze stepwell.job")
    superuser = house.connect("superuser")
    superuser.execute("select pg_stat_reset()")
    superuser.execute("select stepwell.measure()")
    superuser.execute("select pg_stat_force_next_flush()")
    scans = {
        table: (whole, by_index)
        for table, whole, by_index in superuser.execute(
            "select relname, seq_scan, idx_scan from pg_stat_user_tables where schemaname = 'stepwell'"
        )
    }
    hot = ("job", "timer", "signal_job", "inbox", "lease", "worker")
    assert [table for table in hot if scans[table][0] or not scans[table][1]] == []


def test_a_clock_set_back_makes_no_age_negative(house: House) -> None:
    house.owner.execute(
        "insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id) "
        "values (0, 0, stepwell.first_id(now() + interval '1 hour'), 1, 1, 1)"
    )

    assert measured(house)["queue_oldest_age_seconds"] == 0


@pytest.mark.parametrize("login", ["house_acme_prod", "house_report"])
def test_customers_do_not_measure(house: House, login: str) -> None:
    with house.connect(login) as db, pytest.raises(errors.InsufficientPrivilege):
        db.execute("select stepwell.measure()")
