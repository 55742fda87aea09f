"""What becomes of orders, with a real worker at work."""

import asyncio
from typing import Any

import httpx

from tests.api.client import PROCESSES, SIGNALS, TASKS, Api, problem, publish, start
from tests.house import eventually

FORM = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
APPROVAL: dict[str, Any] = {
    "name": "approval",
    "steps": [
        {"id": "greet", "type": "transform", "config": {"mapping": {"text": "hello"}}},
        {"id": "check", "type": "manual", "config": {"title": "All right?", "form": FORM, "due_seconds": 1}},
        {"id": "paid", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.order}"}},
    ],
    "output": {"ok": "${steps.check.output.data.ok}"},
}
FAILING: dict[str, Any] = {
    "name": "failing",
    "steps": [{"id": "break", "type": "transform", "config": {"mapping": {"x": "${input.nothing}"}}}],
}


async def _reached(client: httpx.AsyncClient, process: str, status: str) -> dict[str, Any]:
    for _ in range(600):
        shown: dict[str, Any] = (await client.get(f"{PROCESSES}/{process}")).json()
        if shown["status"] == status:
            return shown
        await asyncio.sleep(0.05)
    raise AssertionError(shown)


async def test_orders_are_answered_with_what_became_of_them(api: Api) -> None:
    client = await api.client()
    with api.house.worker() as worker:
        await asyncio.to_thread(eventually, lambda: worker.log, what="the worker is there")
        await publish(client, APPROVAL)
        process = await start(client, "approval", {"order": "o-1"})
        waiting = await _reached(client, process, "WAITING")
        assert waiting["current_activity"] == "check"
        [task] = (await client.get(TASKS)).json()["items"]
        assert task["id"] == waiting["activities"][1]["task_id"]
        assert task["form"] == FORM
        path = f"{TASKS}/{task['id']}"

        bad = await client.post(f"{path}/complete", json={"by": "Ann", "data": {"ok": "yes"}})
        problem(bad, 422, "form_invalid", "/data/ok")
        key = {"Idempotency-Key": "done"}
        done = await client.post(f"{path}/complete", json={"by": "Ann", "data": {"ok": True}}, headers=key)
        assert done.status_code == 200, done.text
        assert (done.json()["status"], done.json()["id"]) == ("COMPLETED", task["id"])
        again = await client.post(f"{path}/complete", json={"by": "Ann", "data": {"ok": True}}, headers=key)
        assert again.status_code == 200
        assert again.json() == done.json()
        late = await client.post(f"{path}/reject", json={"by": "Bob", "reason": "no"})
        assert problem(late, 409, "command_rejected")["details"]["code"] == "task_not_open"
        retry = await client.post(f"{PROCESSES}/{process}/retry")
        assert problem(retry, 409, "command_rejected")["details"]["code"] == "not_failed"

        sent = await client.post(SIGNALS, json={"name": "paid", "correlation_key": "o-1", "data": {"eur": 5}})
        assert sent.status_code == 202
        ended = await _reached(client, process, "COMPLETED")
        assert ended["output"] == {"ok": True}
        assert [a["status"] for a in ended["activities"]] == ["COMPLETED"] * 3
        assert ended["current_activity"] is None
        cancel = await client.post(f"{PROCESSES}/{process}/cancel")
        assert problem(cancel, 409, "command_rejected")["details"]["code"] == "process_ended"


async def test_a_running_process_is_cancelled_and_a_failed_one_retried(api: Api) -> None:
    client = await api.client()
    with api.house.worker() as worker:
        await asyncio.to_thread(eventually, lambda: worker.log, what="the worker is there")
        await publish(client, APPROVAL)
        await publish(client, FAILING)
        process = await start(client, "approval", {"order": "o-1"})
        await _reached(client, process, "WAITING")
        answer = await client.post(f"{PROCESSES}/{process}/cancel", json={"by": "Ann", "reason": "enough"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "CANCELLED"
        failing = await start(client, "failing", {})
        shown = await _reached(client, failing, "FAILED")
        assert shown["error"]["step_id"] == "break"
        answer = await client.post(f"{PROCESSES}/{failing}/retry")
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] in ("IN_PROGRESS", "FAILED")


async def test_a_process_with_a_snapshot_is_shown_whole(api: Api) -> None:
    """Fails where the API reads a snapshot in another way than the worker writes it."""
    many = [{"id": f"s{n}", "type": "transform", "config": {"mapping": {"n": n}}} for n in range(70)]
    wait = {"id": "w", "type": "wait", "config": {"signal": "go", "correlation_key": "k"}}
    snapshot = "select snapshot_seq > 64 from stepwell.process"
    client = await api.client()
    with api.house.worker():
        await publish(client, {"name": "many", "steps": [*many, wait]})
        process = await start(client, "many", {})
        await asyncio.to_thread(eventually, lambda: api.house.value(snapshot), what="a snapshot")
        shown = await client.get(f"{PROCESSES}/{process}")

        assert shown.status_code == 200, shown.text
        assert shown.json()["status"] == "WAITING"
        assert [a["status"] for a in shown.json()["activities"]] == ["COMPLETED"] * 70 + ["WAITING"]
        assert shown.json()["activities"][69]["output"] == {"n": 69}
