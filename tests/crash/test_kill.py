"""kill -9: what a worker had in hand is taken over, and what it had begun is repeated under the same identity."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from engine.core.ids import execution_id
from tests.crash.audit import (
    assert_at_rest,
    assert_whole,
    await_all,
    await_status,
    begun,
    held_by,
    number,
    running,
)
from tests.crash.outside import gate, partner, pick, post
from tests.house import House, WorkerProcess, eventually

HTTP_STEPS = ("plan", "wallet", "email")


def onboarding(url: str) -> dict[str, object]:
    return {
        "name": "onboarding",
        "retry_policy": {"max_attempts": 5, "initial_interval_seconds": 0.1, "max_interval_seconds": 0.5},
        "steps": [
            pick("profile", customer_id="${input.customer}", plan="team"),
            post("plan", f"{url}/plans/assignments", "${steps.profile.output}"),
            post("wallet", f"{url}/wallets", {"currency": "EUR", "of": "${input.customer}"}),
            pick("letter", to="${input.customer}", template="welcome", wallet="${steps.wallet.output.body.wallet_id}"),
            post("email", f"{url}/emails", "${steps.letter.output}"),
        ],
        "output": {"wallet": "${steps.wallet.output.body.wallet_id}"},
    }


def test_a_thousand_processes_outlive_a_killed_worker_and_the_partner_is_called_for_each_execution_and_no_other(
    house: House, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Fails without rescue (nothing ends), with an execution id made from attempt or seq (the set differs), with
    effects begun before their flush returned (a call history does not account for), with `lost` taken for a failure.
    """
    with partner(tmp_path, failure_rate=0.05) as outside, house.worker() as doomed, house.worker():
        house.publish(onboarding(outside.url))
        inputs = "[" + ",".join(f'{{"customer": "c{n}"}}' for n in range(1000)) + "]"
        with house.caller() as db:
            db.execute("select stepwell.start_processes('onboarding', %s)", (inputs,))
        victim = doomed.until("worker", what="registered")["worker"]
        eventually(lambda: outside.count() > 700 and held_by(house, victim), what="work in full swing")

        doomed.kill()
        killed_at = time.monotonic()
        eventually(lambda: not backends(house, doomed), what="the server has noticed", seconds=5)
        held = held_by(house, victim)
        in_flight = running(house, held)
        eventually(lambda: not held_by(house, victim), what="its leases are freed")
        rescued_after = time.monotonic() - killed_at
        await_all(house, 1000, seconds=90)

        record_property("seconds_to_rescue", round(rescued_after, 2))
        print(f"rescue {rescued_after:.2f} s after the kill: {len(held)} processes, {len(in_flight)} calls in flight")
        calls = outside.calls()

    starts, lost = begun(house)
    assert in_flight, "the kill hit nothing in flight: this run shows nothing"
    assert lost == in_flight
    processes = [id_ for (id_,) in house.rows("select id from stepwell.process")]
    executions = {execution_id(id_, step, run=1): (id_, step) for id_ in processes for step in HTTP_STEPS}
    assert {call["idempotency_key"] for call in calls} == set(executions)
    assert len({(call["idempotency_key"], call["path"], call["body_sha256"]) for call in calls}) == len(executions)
    for key, times in Counter(call["idempotency_key"] for call in calls).items():
        assert times <= starts[executions[key]], f"{executions[key]}: {times} calls, {starts[executions[key]]} begun"
    assert_whole(house)
    assert_at_rest(house)


def backends(house: House, worker: WorkerProcess) -> list[int]:
    """Return the server's processes that serve the connections of a worker process."""
    with house.connect("superuser") as db:
        return [
            pid
            for (pid,) in db.execute(
                "select a.pid from pg_stat_activity a join stepwell.worker w on a.backend_type = 'client backend' "
                "join pg_locks k on k.pid = a.pid and k.locktype = 'advisory' and k.objsubid = 1 and k.granted "
                "and k.classid = (w.id >> 32)::oid and k.objid = (w.id & 4294967295)::oid where w.pid = %s",
                (worker.process.pid,),
            )
        ]


def test_a_process_that_is_lost_with_five_workers_is_quarantined_and_the_others_go_on(house: House) -> None:
    """Fails where losses are not counted (it kills for ever), or where a ring of the net frees a quarantined lease."""
    with gate() as outside:
        house.publish({"name": "deadly", "steps": [post("hang", f"{outside.url}/hang", {"n": "${input.n}"})]})
        house.publish({"name": "harmless", "steps": [post("ask", f"{outside.url}/ask", {}), pick("x", y=1)]})
        outside.shut("/hang")
        deadly = house.start("deadly", {"n": 1})
        harmless = []
        for turn in range(1, 6):
            with house.worker() as worker:
                harmless.append(house.start("harmless"))
                outside.await_calls("/hang", turn)
                await_status(house, harmless, "COMPLETED")
                worker.kill()
        with house.worker():
            eventually(
                lambda: (
                    house.rows("select worker_id from stepwell.lease where process_id = %s", number(deadly)) == [(0,)]
                ),
                what="quarantine",
            )
            with house.caller() as db:
                db.execute("select stepwell.cancel_process(%s)", (deadly,))
            harmless.append(house.start("harmless"))
            eventually(lambda: house.status(harmless[-1]) == "COMPLETED", what="the last harmless one completes")
            eventually(lambda: house.value("select count(*) from stepwell.job") == 0, what="the ring is taken")

    assert [house.status(p) for p in harmless] == ["COMPLETED"] * 6
    assert house.rows("select worker_id, bell > 0 from stepwell.lease") == [(0, True)]
    assert house.rows("select process_id, losses, quarantined_at is not null from stepwell.loss") == [
        (number(deadly), 5, True)
    ]
    assert house.value("select count(*) from stepwell.inbox") == 1
    assert house.status(deadly) == "IN_PROGRESS"
    assert len(outside.calls("/hang")) == 5
    assert set(outside.per_key("/hang")) == {execution_id(number(deadly), "hang")}
    assert set(outside.per_key("/ask").values()) == {1}
    assert_whole(house)
