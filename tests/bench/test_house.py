"""Stepwell on the ground: real programs, all the way to the end of a process."""

import os
from pathlib import Path

import httpx
import psycopg
import pytest

from bench.cases import Unable
from bench.ground import Ground
from bench.house import House

STEPS = {"name": "d", "steps": [{"id": "a", "type": "transform", "config": {"mapping": {"n": "${input.n + 1}"}}}]}
PARKED = {"name": "p", "steps": [{"id": "a", "type": "wait", "config": {"signal": "go"}}]}


def test_a_worker_moves_every_process_to_its_end(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_NO_SUCH_SETTING", "1")  # a worker that saw it would refuse to start
    with ground.database("moved") as dsn, House(ground, dsn, tenants=("acme", "globex")) as house:
        for tenant in house.tenants:
            house.publish(STEPS, tenant)
            ids = house.start("d", [{"n": n} for n in range(7)], tenant)
            assert len(set(ids)) == 7
        assert house.running() == 14

        worker = house.worker()
        house.drained(30)

        assert house.running() == 0
        assert house.count("select count(*) from stepwell.process where status = 'COMPLETED'") == 14
        assert house.count("select count(distinct tenant_id) from stepwell.history") == 2
        assert worker.rss_bytes() > 10_000_000
    assert not worker.running


def test_more_inputs_than_a_portion_are_all_started(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.house.PORTION", 3)
    with ground.database("portions") as dsn, House(ground, dsn) as house:
        house.publish(STEPS)
        assert len(house.start("d", [{"n": n} for n in range(7)], priority=5)) == 7
        assert house.count("select count(*) from stepwell.job where priority = 5") == 7


def test_a_parked_process_is_running_and_drained(ground: Ground) -> None:
    with ground.database("parked") as dsn, House(ground, dsn) as house:
        house.publish(PARKED)
        house.start("p", [{}])
        house.worker()
        house.drained(30)
        assert house.running() == 1


def test_the_api_answers_to_the_key_of_each_tenant_and_to_no_other(ground: Ground) -> None:
    with ground.database("answered") as dsn, House(ground, dsn, tenants=("acme", "globex")) as house:
        api = house.api()
        house.publish(STEPS, "globex")
        for key, status in ((house.key, 404), (house.keys["globex"], 201), ("swk_none", 401)):
            asked = {"definition": "d", "input": {"n": 1}}
            answer = httpx.post(f"{api.url}/api/v1/processes", json=asked, headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == status


def test_what_is_not_drained_in_time_is_told_with_what_is_left(ground: Ground) -> None:
    with ground.database("slow") as dsn, House(ground, dsn) as house:
        house.publish(STEPS)
        house.start("d", [{"n": 1}] * 3)
        with pytest.raises(Unable, match="3 jobs and 0 leases"):
            house.drained(0)


def test_a_program_that_ends_by_itself_is_told_with_its_last_words_and_no_password(ground: Ground) -> None:
    with ground.database("refused") as dsn, House(ground, dsn) as house:
        with pytest.raises(Unable, match="STEPWELL_WORKER_SLOTS") as caught:
            house.worker(STEPWELL_WORKER_SLOTS="none")
        password = str(psycopg.conninfo.conninfo_to_dict(house.dsn("worker"))["password"])
        assert password not in str(caught.value)
        house.publish(STEPS)
        house.start("d", [{"n": 1}])
        with pytest.raises(Unable, match="worker ended"):
            house.drained(30)


def test_a_password_stands_on_no_command_line(ground: Ground) -> None:
    with ground.database("secret") as dsn, House(ground, dsn) as house:
        worker = house.worker()
        password = str(psycopg.conninfo.conninfo_to_dict(house.dsn("worker"))["password"])
        lines = [(Path("/proc") / str(pid) / "cmdline").read_text() for pid in (worker.pid, ground.pid, os.getpid())]
        assert "worker" in lines[0]
        assert password not in "".join(lines)
