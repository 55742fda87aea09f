"""Everything works through a pooler in transaction mode; there silence alone tells a lost worker."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import httpx

from engine import db
from engine.core.ids import task_id
from tests.api.client import DEFINITIONS, PROCESSES, SIGNALS, TASKS, new_key
from tests.crash.audit import assert_at_rest, assert_whole, await_all, await_status, held_by, number
from tests.crash.outside import Gate, gate, pick, post
from tests.house import House, eventually
from tests.pooler.bouncer import SILENCE, PooledHouse, sessions
from tests.served import serving

MANY = 12  # runs of a statement: more than psycopg waits for before it prepares


def everything(url: str) -> dict[str, Any]:
    """Return a definition with a step of every kind that waits for something else."""
    return {
        "name": "everything",
        "retry_policy": {"max_attempts": 3, "initial_interval_seconds": 0.1, "max_interval_seconds": 0.1},
        "steps": [
            pick("sum", n="${input.n}"),
            post("ask", f"{url}/ask", "${steps.sum.output}"),
            {"id": "nap", "type": "wait", "config": {"seconds": 0.2}},
            {"id": "paid", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.key}"}},
            {"id": "look", "type": "manual", "config": {"title": "All right?"}},
        ],
        "output": {"n": "${steps.ask.output.body.echo.n}", "by": "${steps.look.output.by}"},
    }


def task_of(process: str) -> str:
    return task_id(number(process), "look", 1)


def test_one_connection_of_a_client_meets_several_sessions_and_is_known_to_be_pooled(pooled: PooledHouse) -> None:
    with (
        db.connect(pooled.dsn("house_worker"), "test") as through,
        db.connect(pooled.dsn("superuser"), "test") as direct,
    ):
        assert db.is_pooled(through)
        eventually(lambda: len(sessions(through)) > 1, what="the pooler has several sessions")
        assert not db.is_pooled(direct)
        assert len(sessions(direct)) == 1


def test_no_connection_of_ours_leaves_a_prepared_statement_in_a_session_of_somebody_else(pooled: PooledHouse) -> None:
    with db.connect(pooled.dsn("house_worker"), "test") as through:
        eventually(lambda: len(sessions(through)) > 1, what="the pooler has several sessions")
        asyncio.run(repeat(pooled.dsn("house_worker")))
        left = [through.execute("select name from pg_prepared_statements").fetchall() for _ in range(MANY)]
    assert left == [[]] * MANY


async def repeat(url: str) -> None:
    """Run one statement often, as a worker and as the API does."""
    link = db.Link(url, "test")
    await link.open()
    pool = db.pool(url, "test", 2)
    await pool.open()
    for n in range(MANY):
        assert await link.only("select %(n)s::integer", {"n": n}) == (n,)
        async with pool.connection() as connection:
            await connection.execute("select %(n)s::integer", {"n": n})
    await link.close()
    await pool.close()


def test_by_sql_processes_run_wait_are_signalled_looked_at_timed_cancelled_and_retried(pooled: PooledHouse) -> None:
    with gate() as outside, pooled.worker() as worker, pooled.caller() as customer:
        outside.answers["/ask"] = lambda n: (503, {}) if n == 1 else (200, {"echo": {"n": 7}})
        pooled.publish(everything(outside.url))
        whole = [pooled.start("everything", {"n": 7, "key": f"k{n}"}) for n in range(MANY)]
        unwanted = pooled.start("everything", {"n": 7, "key": "never"})
        for n in range(MANY):
            customer.execute("select stepwell.send_signal('paid', '{}', %s)", (f"k{n}",))
        for process in whole:
            eventually(lambda id_=process: has_task(pooled, id_), what="task")  # type: ignore[misc]
            customer.execute("select stepwell.complete_task(%s, 'ann')", (task_of(process),))
        await_status(pooled, whole, "COMPLETED")
        customer.execute("select stepwell.cancel_process(%s)", (unwanted,))
        await_status(pooled, [unwanted], "CANCELLED")

        outside.answers["/ask"] = lambda _: (400, {})
        failing = pooled.start("everything", {"n": 7, "key": "k"})
        await_status(pooled, [failing], "FAILED")
        del outside.answers["/ask"]
        customer.execute("select stepwell.retry_process(%s)", (failing,))
        eventually(lambda: pooled.status(failing) == "WAITING", what="the retried one waits for its signal")
        customer.execute("select stepwell.cancel_process(%s)", (failing,))
        await_status(pooled, [failing], "CANCELLED")
        assert len(worker.seen("worker")) == 1, "it lost its connection or was taken for dead"

    assert pooled.history(whole[0])[-1][4]["output"] == {"n": 7, "by": "ann (house_acme_prod)"}
    assert_whole(pooled)
    assert_at_rest(pooled)


def has_task(house: House, process: str) -> bool:
    return bool(house.value("select true from stepwell.task where process_id = %s", number(process)))


def test_by_the_api_processes_are_started_signalled_looked_at_cancelled_and_retried(pooled: PooledHouse) -> None:
    key = new_key(pooled, "acme_prod", ["admin"])
    with (
        gate() as outside,
        pooled.worker(),
        serving(pooled, STEPWELL_LOCK_PROBE="false") as server,
        httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as api,
    ):
        outside.answers["/ask"] = lambda _: (400, {})
        answered(api.post(DEFINITIONS, json=everything(outside.url)), 201)
        made = [start(api, n) for n in range(MANY)]
        await_status(pooled, made, "FAILED")
        del outside.answers["/ask"]
        for n, process in enumerate(made):
            answered(api.post(f"{PROCESSES}/{process}/retry", json={}), 200, 202)
            answered(api.post(SIGNALS, json={"name": "paid", "correlation_key": f"k{n}"}), 200, 201, 202)
        for process in made[1:]:
            eventually(lambda id_=process: has_task(pooled, id_), what="task")  # type: ignore[misc]
            answered(api.post(f"{TASKS}/{task_of(process)}/complete", json={"by": "ann"}), 200, 202)
        await_status(pooled, made[1:], "COMPLETED")
        answered(api.post(f"{PROCESSES}/{made[0]}/cancel", json={}), 200, 202)
        await_status(pooled, made[:1], "CANCELLED")
        assert api.get(PROCESSES, params={"status": "COMPLETED"}).json()["items"]
        assert api.get("/health/ready").status_code == 200
        assert server.troubles() == []

    assert_whole(pooled)
    assert_at_rest(pooled)


def start(api: httpx.Client, n: int) -> str:
    given = {"definition": "everything", "input": {"n": n, "key": f"k{n}"}}
    return str(answered(api.post(PROCESSES, json=given), 201)["id"])


def answered(response: httpx.Response, *expected: int) -> dict[str, Any]:
    assert response.status_code in expected, response.text
    found: dict[str, Any] = response.json()
    return found


def calling(house: PooledHouse, outside: Gate, count: int) -> list[str]:
    """Return processes whose call is under way and stays so."""
    house.publish({"name": "ask", "steps": [post("ask", f"{outside.url}/ask", {}), pick("then", x=1)]})
    outside.shut("/ask")
    made = [house.start("ask") for _ in range(count)]
    outside.await_calls("/ask", count)
    return made


def test_a_worker_told_to_stop_ends_its_calls_and_leaves_nothing_to_rescue(pooled: PooledHouse) -> None:
    with gate() as outside, pooled.worker() as worker:
        calling(pooled, outside, 5)
        worker.send(signal.SIGTERM)
        outside.open()
        assert worker.process.wait(20) == 0
        assert pooled.value("select count(*) from stepwell.worker") == 0
        with pooled.worker():
            await_all(pooled, 5)
        assert len(outside.calls("/ask")) == 5
    assert_at_rest(pooled)


def test_a_killed_worker_is_rescued_by_silence_alone(pooled: PooledHouse) -> None:
    """Fails where a missing session lock counts: a pooler's sessions come and go, and their locks with them."""
    with gate() as outside, pooled.worker() as doomed:
        calling(pooled, outside, 20)
        victim = doomed.until("worker", what="registered")["worker"]
        with pooled.worker() as other:
            other.until("worker", what="registered")
            doomed.kill()
            seen_at = pooled.value("select seen_at from stepwell.worker where id = %s", victim)
            eventually(lambda: not held_by(pooled, victim), what="its leases are freed")
            silence = pooled.value("select extract(epoch from clock_timestamp() - %s)::float8", seen_at)
            outside.open()
            await_all(pooled, 20)
            assert other.seen("rescue", workers=[victim], leases=20)
    assert silence >= SILENCE
    assert_whole(pooled)
    assert_at_rest(pooled)
