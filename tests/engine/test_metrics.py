"""What a worker shows with --observe: counts that agree with the history, gauges of the database, health."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.certificates import Authority
from tests.engine.scraping import OBSERVE, Scraper, partner, place_of
from tests.house import House, eventually

CALLS = {
    "name": "calls",
    "steps": [
        {"id": "make", "type": "transform", "config": {"mapping": {"x": 1}}},
        {
            "id": "call",
            "type": "http",
            "config": {"url": "${input.url}", "timeout_seconds": 60},
            "retry_policy": {"max_attempts": 3, "initial_interval_seconds": 0.01},
        },
    ],
}


def ended(house: House, process: str, status: str = "COMPLETED") -> bool:
    return house.status(process) == status


def test_what_is_counted_agrees_with_the_history(house: House) -> None:
    house.publish(CALLS)
    with partner(500, 200, 404) as service, house.worker(*OBSERVE) as worker:
        scraper = Scraper(worker)
        good = house.start("calls", {"url": service.url})
        eventually(partial(ended, house, good), what="completed at the second attempt")
        bad = [house.start("calls", {"url": service.url}) for _ in range(2)]
        for process in bad:
            eventually(partial(ended, house, process, "FAILED"), what="failed")
        with house.caller() as db:
            db.execute("select stepwell.cancel_process(%s)", (good,))
        eventually(lambda: house.history(good)[-1][1] == "command.rejected", what="refused")
        rejected = 'stepwell_commands_rejected_total{code="process_ended",kind="cancel"}'
        eventually(lambda: scraper.metrics().get(rejected) == 1, what="all of it is counted")
        seen = scraper.metrics()

    failed = house.value("select count(*) from stepwell.history where type = 'activity.failed'")
    assert seen['stepwell_processes_started_total{definition="calls"}'] == 3
    assert seen['stepwell_processes_ended_total{definition="calls",status="COMPLETED"}'] == 1
    assert seen['stepwell_process_duration_seconds_count{definition="calls",status="FAILED"}'] == 2
    assert seen['stepwell_process_failures_total{category="external",code="not_found"}'] == 2
    assert sum(v for k, v in seen.items() if k.startswith("stepwell_activity_failures_total{")) == failed == 3
    assert seen['stepwell_activity_retries_total{type="http"}'] == 1
    assert seen['stepwell_activity_duration_seconds_count{outcome="completed",type="transform"}'] == 3
    assert seen['stepwell_activity_duration_seconds_count{outcome="retrying",type="http"}'] == 1
    assert seen['stepwell_activity_duration_seconds_count{outcome="failed",type="http"}'] == 2
    assert seen['stepwell_call_duration_seconds_count{outcome="completed",type="http"}'] == 1
    rows = house.value("select count(*) - 3 from stepwell.history")  # process.created is the caller's
    assert seen["stepwell_flush_events_sum"] == rows
    assert seen["stepwell_flush_size_bytes_sum"] > 100 * rows
    assert seen["stepwell_flush_duration_seconds_count"] == seen["stepwell_flush_events_count"] > 3
    assert seen["stepwell_worker_registered"] == 1
    assert seen["stepwell_worker_slots_processes"] == 500


def test_a_worker_that_died_is_counted_by_the_one_that_buried_it(house: House) -> None:
    house.publish(CALLS)
    with partner(200) as service, house.worker() as first, house.worker(*OBSERVE) as second:
        first.until("worker", what="registered")
        scraper = Scraper(second)
        second.until("worker", what="registered")
        second.send(signal.SIGSTOP)
        service.hold.clear()
        process = house.start("calls", {"url": service.url})
        eventually(lambda: service.calls, what="called")
        first.kill()
        second.send(signal.SIGCONT)
        eventually(lambda: len(service.calls) > 1, what="called again")
        service.hold.set()
        eventually(partial(ended, house, process), what="completed")
        lost = 'stepwell_activity_duration_seconds_count{outcome="lost",type="http"}'
        eventually(lambda: scraper.metrics().get(lost) == 1, what="the lost attempt is counted")
        seen = scraper.metrics()

    assert seen["stepwell_rescued_workers_total"] == 1
    assert seen["stepwell_rescued_leases_total"] == 1
    assert [line["outcome"] for line in second.seen("activity.end", path="call")] == ["lost", "completed"]


def test_health_tells_whether_the_worker_has_its_row(house: House) -> None:
    with house.worker(*OBSERVE, STEPWELL_SILENCE_LIMIT_SECONDS="3") as worker:
        scraper = Scraper(worker)
        eventually(lambda: scraper.get("/health/ready").status_code == 200, what="ready")
        database = house.value("select current_database()")
        with psycopg.connect(make_conninfo(house.superuser_dsn, dbname="postgres"), autocommit=True) as db:
            db.execute(f'alter database "{database}" allow_connections false')
            try:
                db.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (database,))
                eventually(lambda: scraper.get("/health/ready").status_code == 503, what="not ready")
                assert scraper.get("/health/live").status_code == 200
                eventually(lambda: scraper.metrics()["stepwell_database_up"] == 0, what="the database is away")
                seen = scraper.metrics()
                assert seen["stepwell_worker_registered"] == 0
                assert "stepwell_queue_depth_jobs" not in seen
            finally:
                db.execute(f'alter database "{database}" allow_connections true')
        eventually(lambda: scraper.get("/health/ready").status_code == 200, what="ready again")
        assert scraper.get("/metrics/more").status_code == 404
        assert scraper.get("/metrics", "POST").status_code == 404


def test_metrics_are_shown_over_tls_to_those_who_have_the_token(house: House, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("127.0.0.1")
    files = {"STEPWELL_TLS_CERTIFICATE_FILE": str(pair.certificate), "STEPWELL_TLS_KEY_FILE": str(pair.key)}
    with house.worker(*OBSERVE, STEPWELL_METRICS_TOKEN="sesam", **files) as worker:
        assert place_of(worker).startswith("https://")
        assert Scraper(worker, "sesam", authority.context()).metrics()["stepwell_database_up"] == 1
        for wrong in (None, "sesa", "sesam2"):
            answer = Scraper(worker, wrong, authority.context()).get("/metrics")
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert Scraper(worker, None, authority.context()).get("/health/live").status_code == 200
        in_clear = httpx.get(place_of(worker).replace("https", "http") + "/metrics", trust_env=False)
        assert in_clear.status_code == 400
        assert "stepwell_" not in in_clear.text


def run(house: House, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stepwell", "worker", *arguments]
    env = {"STEPWELL_DATABASE_URL": house.dsn("house_worker"), "PATH": ""}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False, cwd=house.folder)


@pytest.mark.parametrize("place", ["9464", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:9464", ":9464", ""])
def test_what_is_no_place_is_refused_with_an_example_of_one(house: House, place: str) -> None:
    done = run(house, "--observe", place)

    assert done.returncode == 2
    assert "is not HOST:PORT, such as 127.0.0.1:9464" in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_a_port_in_use_ends_the_worker_with_advice_before_it_registers(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(house, "--observe", f"127.0.0.1:{port}")

    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert f"port {port} is in use" in said
    assert "--observe" in said
    assert "Traceback" not in said
    assert house.value("select count(*) from stepwell.worker") == 0


def test_requests_that_never_end_neither_stop_the_engine_nor_other_scrapes(house: House) -> None:
    house.publish(CALLS)
    with partner() as service, house.worker(*OBSERVE) as worker, ExitStack() as stack:
        scraper = Scraper(worker)
        host, _, port = scraper.url.removeprefix("http://").partition(":")
        hanging = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(40)]
        for one in hanging:
            one.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        processes = [house.start("calls", {"url": service.url}) for _ in range(5)]
        for process in processes:
            eventually(partial(ended, house, process), what="completed")
        assert scraper.metrics()["stepwell_worker_registered"] == 1
