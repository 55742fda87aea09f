"""Data made by SQL is what the engine would have written; the audit sees what is wrong; a soak ends clean."""

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import psycopg
import pytest

from bench.cases import Unable
from bench.ground import Ground
from bench.house import House
from bench.load.arrivals import SAMPLED, Arrivals, Flow, Spec, Starter, Told
from bench.load.asking import Client, paced
from bench.load.latency import waits
from bench.load.rest import AT_REST, none_left, stopping
from bench.load.watcher import Watcher
from bench.report import html
from bench.scale import fill
from bench.scale.audit import CHECKS, faults
from bench.scale.measure import flatness
from bench.scale.samples import Sampler, quantile
from bench.scale.soak import BY_HAND, Plan, Soaked, _await_end, _load, _observed, result_of, soak, split
from bench.work import transforms

THREE = transforms(3)
GAP = "events have a gap before them, or a time before their predecessor's"
STATUSES = "select count(*) from stepwell.process where status = %s"


@pytest.fixture
def house(ground: Ground) -> Iterator[House]:
    with ground.database("scale_test") as dsn, House(ground, dsn) as made:
        made.publish(THREE.document)
        yield made


def test_copies_of_a_ready_process_run_to_their_end(house: House) -> None:
    mould = fill.ready(house, THREE.name, {"n": 1})
    fill.pour(house, mould, 60)
    assert house.count("select count(*) from stepwell.process where id > %s", mould.process_id) == 60
    assert house.count("select count(distinct tx) from stepwell.history") == 2
    assert (
        house.count(
            "select count(*) from stepwell.job j join stepwell.process p on p.id = j.id and p.id = j.process_id"
        )
        == 61
    )
    with stopping(house.worker()) as worker:
        none_left(house, worker, AT_REST)
    assert house.count(STATUSES, "COMPLETED") == 61
    assert faults(house) == []


def test_a_copy_of_a_waiting_process_hears_its_own_signal_alone(house: House) -> None:
    mould = fill.waiting(house)
    fill.pour(house, mould, 20)
    assert [house.count(f"select count(*) from stepwell.{table}") for table in ("wait", "timer")] == [21, 21]
    assert house.count("select count(distinct correlation) from stepwell.wait") == 21
    last = house.count("select max(id) from stepwell.process")
    house.connect("acme").execute("select stepwell.send_signal('later', '{}', %s)", (f"key-{last}",))
    with stopping(house.worker()) as worker:
        none_left(house, worker, "select count(*) from stepwell.wait where process_id = %s", last)
        none_left(house, worker, AT_REST)
    assert house.count(STATUSES, "COMPLETED") == 1
    assert house.count(STATUSES, "WAITING") == 20


def test_copied_timers_are_due_in_a_year_each_at_its_own_moment(house: House) -> None:
    fill.pour(house, fill.sleeping(house), 50)
    with house.connect("superuser") as db:
        rows = db.execute("select count(*), count(distinct due_at), min(due_at) from stepwell.timer").fetchone()
    assert rows is not None
    assert rows[:2] == (51, 51)
    assert rows[2] > datetime.now(UTC) + timedelta(days=364)


def test_copies_come_in_portions_and_with_all_their_history(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    mould = fill.finished(house, THREE.name, {"n": 1})
    assert mould.rows == 7  # the process; created, started, three steps, completed
    monkeypatch.setattr(fill, "PORTION_ROWS", 70)
    told: list[int] = []
    fill.pour(house, mould, 101, told.append)
    assert house.count(STATUSES, "COMPLETED") == 102
    assert (len(told), told[-1]) == (11, 101)
    assert faults(house) == []
    house.connect("superuser").execute("delete from stepwell.history where seq = 4")
    assert faults(house) == [f"102 {GAP}"]


def test_what_has_no_row_to_copy_is_refused(house: House) -> None:
    started = house.start(THREE.name, [{"n": 1}])[0]
    with pytest.raises(Unable, match="no row in timer"):
        fill._mould(house, started, "process", "timer")


HURTS = {
    "processes have not ended": "update stepwell.process set status = 'IN_PROGRESS', ended_at = null where id = (select min(id) from stepwell.process)",
    "processes did not end COMPLETED": "update stepwell.process set status = 'FAILED', ended_at = created_at where id = (select min(id) from stepwell.process)",
    GAP: "update stepwell.history set at = at - interval '1 min' where seq = 3",
    "processes have another status than their history": "update stepwell.process set status = 'CANCELLED', ended_at = created_at",
    "attempts were begun twice without being lost": "insert into stepwell.history (process_id, seq, tenant_id, environment_id, v, feed_epoch, at, type, path, attempt, data) select process_id, 90, tenant_id, environment_id, 1, 1, at, 'activity.started', 's0', 1, '{}' from stepwell.history where seq = 2",
    "activities ended twice": "update stepwell.history set path = 's0' where type = 'activity.completed'",
    "commands have two outcomes": """update stepwell.history set data = data || '{"command": 7}' where seq in (3, 4)""",
}


def test_the_audit_names_what_is_wrong_and_nothing_else(house: House) -> None:
    fill.finished(house, THREE.name, {"n": 1})
    assert faults(house) == []
    left = [check.words for check in CHECKS if check.words not in HURTS]
    assert left == [
        f"rows are left in {t}" for t in ("job", "lease", "inbox", "loss", "signal_job", "wait", "timer", "task")
    ]
    with house.connect("superuser") as db:
        for words, statement in HURTS.items():
            db.execute(statement.encode())
            assert any(fault.endswith(words) for fault in faults(house)), words
    house.start(THREE.name, [{"n": 1}])
    assert "1 rows are left in job" in faults(house)


def test_starts_by_schedule_are_all_made_though_nobody_takes_them(house: House) -> None:
    spec = Spec(house.dsn("acme"), (Flow(THREE.name, more={"n": 1}),), rate=200, seconds=0.5)
    with Arrivals(spec) as arrivals:
        told = arrivals.wait()
    assert told.started == 100
    assert house.count("select count(distinct data -> 'input' ->> 'key') from stepwell.history") == 100
    due = "select count(*) from stepwell.history where (data -> 'input' ->> 'due')::float8 between %s and %s"
    assert house.count(due, told.began_at, told.began_at + 0.5) == 100


def test_who_has_not_begun_counts_with_its_age(house: House) -> None:
    begun = time.time()
    house.start(THREE.name, [{"n": 1}, {"n": 2}])
    house.connect("superuser").execute("update stepwell.history set at = at - interval '1 hour'")
    found = waits(house, begun - 1, time.time() + 1).created
    assert [round(wait / 3600) for wait in found] == [1, 1]


def test_how_late_a_starter_was_is_an_even_sample_that_a_pipe_holds() -> None:
    starter = Starter(Spec("", (), rate=1), cast("psycopg.Connection[Any]", None), threading.Event())
    for number in range(10 * SAMPLED):
        starter._note_late(number / 1e5)
    assert len(starter.told.late_s) == SAMPLED
    assert sum(starter.told.late_s) / SAMPLED == pytest.approx(5 * SAMPLED / 1e5, rel=0.1)
    assert len(msgspec.json.encode(starter.told)) < 1 << 16


def test_a_load_whose_starts_came_late_has_no_figures() -> None:
    assert Told(late_s=[0.05]).punctual() == {"starter_late_p95_ms": 50, "starter_late_p99_ms": 50}
    with pytest.raises(Unable, match="the starts came 200 ms late"):
        Told(late_s=[0.2]).punctual()


def test_no_wait_is_left_without_its_signal_when_arrivals_are_stopped(house: House) -> None:
    flow = Flow(THREE.name, more={"n": 1}, signal="go", after_s=3600)
    with Arrivals(Spec(house.dsn("acme"), (flow,), rate=0)) as arrivals:
        while not house.count("select count(*) from stepwell.process"):
            pass
        told = arrivals.stop()
    assert told.started == told.signals == house.count("select count(*) from stepwell.signal")


def test_a_small_soak_ends_clean_and_is_reported(ground: Ground) -> None:
    plan, lines = Plan(seconds=2.0, share=0.3, find_s=0.5, look_every_s=0.6), list[str]()
    found = soak(ground, plan, lines.append)
    assert (found.ended, found.faults) == ("", [])
    assert found.told.started > 0
    assert {"wait_p50_ms", "flush_p99_ms", "events_per_s", "job_dead_rows_count", "history_size_mb"} <= set(
        found.series
    )
    assert len(found.series["events_per_s"]) in (2, 3)
    page = html.page(result_of(ground, plan, found))
    assert "Soak" in page
    assert lines[-1] == "auditing"


def test_a_load_ended_by_hand_leaves_nothing_undone(house: House, ground: Ground) -> None:
    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    plan, found = Plan(seconds=600, share=1.0, look_every_s=0.3), Soaked(highest_per_s=100)
    flow = Flow(THREE.name, more={"n": 1})
    _load(house, plan, [flow], Sampler(house, [_observed(house)]), found, interrupt)
    _await_end(house)
    assert found.ended == BY_HAND
    assert found.told.started == house.count(STATUSES, "COMPLETED") > 0
    assert "ended by hand" in html.page(result_of(ground, plan, found))


async def test_requests_by_schedule_do_not_wait_for_each_other() -> None:
    last_began = asyncio.Event()

    async def last() -> None:
        last_began.set()

    async with Client.open("http://127.0.0.1:1", "key") as client:
        await paced(client, [("first", last_began.wait), ("last", last)], 1000)
    assert sorted(client.taken) == ["first", "last"]


async def test_a_request_that_is_refused_ends_the_measurement() -> None:
    async with Client.open("http://127.0.0.1:1", "key") as client:
        with pytest.raises(Unable, match="a request failed"):
            await paced(client, [("ask", lambda: client.ask("GET", "processes"))], 1000)


async def test_a_watcher_notes_the_first_call_under_its_name() -> None:
    with Watcher() as watcher:
        async with Client.open(watcher.url, "key") as client:
            before = time.time()
            await client.ask("GET", "seen/7")
            first = watcher.seen["7"]
            await client.ask("GET", "seen/7")
            assert list(watcher.seen) == ["7"]
    assert before <= first == watcher.seen["7"] <= time.time()


def test_flatness_is_the_worst_figure_by_its_own_direction() -> None:
    empty = {"a_per_s": [100.0], "b": [10.0]}
    assert flatness(empty, {"a_per_s": [90.0], "b": [10.0]}) == 0.9
    assert flatness(empty, {"a_per_s": [200.0], "b": [20.0]}) == 0.5


def test_flatness_compares_rates_that_were_measured_side_by_side() -> None:
    assert flatness({"a_per_s": [100.0, 50.0, 50.0]}, {"a_per_s": [100.0, 50.0, 50.0]}) == 1.0
    assert flatness({"a_per_s": [100.0, 100.0, 50.0]}, {"a_per_s": [50.0, 50.0, 50.0]}) == 0.5


def test_flatness_looks_at_what_is_slow_now_and_then() -> None:
    assert flatness({"b": [1.0] * 100}, {"b": [1.0] * 90 + [4.0] * 10}) == 0.25


def test_a_quantile_lies_within_its_bucket() -> None:
    buckets = {0.001: 10.0, 0.002: 90.0, float("inf"): 100.0}
    assert quantile(buckets, 0.05) == pytest.approx(0.0005)
    assert quantile(buckets, 0.5) == pytest.approx(0.0015)
    assert quantile(buckets, 0.99) == 0.002


def test_a_soak_compares_its_last_quarter_with_its_second() -> None:
    series = [(float(t), float(v)) for t, v in enumerate([9, 9, 2, 2, 3, 3, 4, 4])]
    figures = Soaked(seconds=8, series={"wait_p50_ms": series}).figures()
    assert figures["wait_p50_late_to_early_percent"] == 200
    assert figures["wait_p50_most_ms"] == 9
    assert split("wal_per_min_mb") == ("wal_per_min", "_mb")
    assert split("events_per_s") == ("events", "_per_s")
