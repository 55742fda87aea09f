"""The processes again, in the words of workflow tools."""

import json
from typing import Any

import httpx
import pytest

from api.execution_view import IN_WORDS
from api.wire import ExecutionStatus, StepStatus
from engine.core.ids import private_id
from engine.core.model import ActivityStatus, ProcessStatus
from engine.core.snapshot import FORMAT
from tests.api.client import (
    DEFINITIONS,
    HELLO,
    PLAIN,
    PROCESSES,
    TASKS,
    Api,
    at_work,
    problem,
    publish,
    reached,
    start,
)

EXECUTIONS = "/api/v1/workflows/executions"
ORDER: dict[str, Any] = {
    "name": "order",
    "steps": [
        {"id": "sum", "type": "transform", "config": {"mapping": {"eur": "${input.eur}"}}},
        {"id": "gift", "type": "transform", "condition": "${input.gift}", "config": {"mapping": {"x": 1}}},
        {"id": "ask", "type": "manual", "config": {"title": "All right?", "on_reject": "fail"}},
        {"id": "thank", "type": "event", "config": {"name": "thanked"}},
    ],
    "output": {"paid": "${steps.sum.output.eur}"},
}


async def executions(client: httpx.AsyncClient, **parameters: str | int) -> list[dict[str, Any]]:
    response = await client.get(EXECUTIONS, params=parameters)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


async def ids(client: httpx.AsyncClient, **parameters: str | int) -> list[str]:
    return [item["id"] for item in await executions(client, **parameters)]


async def task_of(client: httpx.AsyncClient, process: str) -> str:
    return f"{TASKS}/{(await client.get(TASKS, params={'process': process})).json()['items'][0]['id']}"


def test_every_state_has_a_word() -> None:
    assert set(IN_WORDS) == set(ProcessStatus)
    assert set(IN_WORDS.values()) == set(ExecutionStatus)
    assert {status.lower() for status in ActivityStatus} == set(StepStatus)


async def test_an_execution_that_nobody_has_taken_up_is_pending_with_all_its_steps(api: Api) -> None:
    client = await api.client(rights=["workflows:read", "workflows:execute"])
    made = await publish(await api.client(), HELLO)
    process = await start(client, "hello", {"n": 1})
    shown = (await client.get(f"{EXECUTIONS}/{process}")).json()
    step = {"status": "pending", "output": None, "error": None, "attempt": 0, "started_at": None, "completed_at": None}
    assert shown == {
        "id": process,
        "workflow_id": made["id"],
        "workflow_name": "hello",
        "tenant_id": "acme",
        "environment_id": "prod",
        "trigger_type": "api",
        "trigger_event": None,
        "status": "pending",
        "started_at": None,
        "completed_at": None,
        "context": {"input": {"n": 1}, "steps": {}, "output": None},
        "error": None,
        "step_executions": [{"step_id": "greet", **step}, {"step_id": "check", **step}],
    }
    assert await executions(client) == [shown]


async def test_executions_pass_through_their_states_and_are_found_by_them(api: Api) -> None:
    client = await api.client()
    made = await publish(client, ORDER)
    done, failed, cancelled, open_ = [await start(client, "order", {"eur": n, "gift": False}) for n in range(4)]
    async with at_work(api):
        for process in (done, failed, cancelled, open_):
            await reached(client, process, "WAITING")
        await client.post(f"{await task_of(client, done)}/complete", json={"by": "Ann", "data": {"n": 1}})
        await client.post(f"{await task_of(client, failed)}/reject", json={"by": "Ann", "reason": "no"})
        answer = await client.post(f"{EXECUTIONS}/{cancelled}/cancel", json={"by": "Ann", "reason": "enough"})
        assert answer.json()["process_id"] == cancelled
        for process, status in ((done, "COMPLETED"), (failed, "FAILED"), (cancelled, "CANCELLED")):
            await reached(client, process, status)
        fresh = await client.post(
            f"{DEFINITIONS}/{made['id']}/trigger", json={"trigger_data": {"eur": 5, "gift": True}}
        )
        fresh_id = fresh.json()["execution_id"]
        await reached(client, fresh_id, "WAITING")

        assert await ids(client, status="completed") == [done]
        assert await ids(client, status="failed") == [failed]
        assert await ids(client, status="cancelled") == [cancelled]
        assert await ids(client, status="running") == [fresh_id, open_]
        assert await ids(client, status="pending") == []
        every = {item["id"]: item for item in await executions(client, workflow_id="order")}
        assert list(every) == [fresh_id, open_, cancelled, failed, done]
        for process, item in every.items():
            assert (await client.get(f"{EXECUTIONS}/{process}")).json() == item

    ended = every[done]
    assert ended["status"] == "completed"
    assert ended["started_at"] <= ended["completed_at"]
    assert ended["context"]["input"] == {"eur": 0, "gift": False}
    assert ended["context"]["output"] == {"paid": 0}
    assert list(ended["context"]["steps"]) == ["sum", "ask", "thank"]
    assert ended["context"]["steps"]["ask"]["data"] == {"n": 1}
    assert [s["output"] for s in ended["step_executions"]][::2] == [{"eur": 0}, ended["context"]["steps"]["ask"]]
    assert every[failed]["error"]["code"] == every[failed]["step_executions"][2]["error"]["code"] == "task_rejected"
    for process, states in (
        (done, ["completed", "skipped", "completed", "completed"]),
        (failed, ["completed", "skipped", "failed", "skipped"]),
        (cancelled, ["completed", "skipped", "cancelled", "skipped"]),
        (open_, ["completed", "skipped", "waiting", "pending"]),
        (fresh_id, ["completed", "completed", "waiting", "pending"]),
    ):
        assert [s["status"] for s in every[process]["step_executions"]] == states
    assert (every[open_]["trigger_type"], every[open_]["trigger_event"]) == ("api", None)
    assert (every[fresh_id]["trigger_type"], every[fresh_id]["trigger_event"]) == ("manual", {"eur": 5, "gift": True})


async def test_a_failed_execution_is_retried_and_one_that_did_not_fail_is_not(api: Api) -> None:
    client = await api.client()
    await publish(client, ORDER)
    process = await start(client, "order", {"eur": 1, "gift": False})
    async with at_work(api):
        await reached(client, process, "WAITING")
        refused = await client.post(f"{EXECUTIONS}/{process}/retry")
        assert problem(refused, 409, "command_rejected")["details"]["process_id"] == process
        await client.post(f"{await task_of(client, process)}/reject", json={"by": "Ann", "reason": "no"})
        await reached(client, process, "FAILED")
        assert (await client.post(f"{EXECUTIONS}/{process}/retry")).status_code in (200, 202)
        await reached(client, process, "WAITING")
        assert await ids(client, status="running") == [process]


async def test_the_list_is_cut_into_pages_by_cursor_or_by_offset(api: Api) -> None:
    client = await api.client()
    made = await publish(client, PLAIN)
    await publish(client, HELLO)
    many = (await client.post(f"{PROCESSES}/bulk", json={"definition": "plain", "inputs": [{}] * 50})).json()["ids"]
    other = await start(client, "hello", {"n": 1})
    newest = [other, *sorted(many, reverse=True)]
    for number, process in enumerate(newest):  # the states take turns
        status = ("CREATED", "IN_PROGRESS", "WAITING")[number % 3]
        api.house.owner.execute(
            "update stepwell.process set status = %s where id = %s", (status, private_id("prc", process))
        )
    running = [process for number, process in enumerate(newest) if number % 3]
    for filters, wanted in (
        ({}, newest),
        ({"workflow_id": "plain"}, newest[1:]),
        ({"workflow_id": made["id"]}, newest[1:]),
        ({"status": "running"}, running),
        ({"status": "running", "workflow_id": "plain"}, running[: len(running)]),
        ({"status": "pending", "workflow_id": made["id"]}, newest[3::3]),
    ):
        for limit in (1, 20, 21, 41, 200):
            seen: list[str] = []
            parameters: dict[str, Any] = {**filters, "limit": limit}
            while True:
                page = (await client.get(EXECUTIONS, params=parameters)).json()
                assert len(page["items"]) <= limit
                seen += [item["id"] for item in page["items"]]
                if "next_cursor" not in page or (limit == 1 and len(seen) > 4):
                    break
                parameters["cursor"] = page["next_cursor"]
            assert seen == (wanted if limit > 1 else wanted[:5]), (filters, limit)
        for offset, limit in ((0, 5), (7, 25), (len(wanted), 5), (10_000, 1)):
            assert await ids(client, **filters, offset=offset, limit=limit) == wanted[offset : offset + limit], filters
    assert await ids(client, workflow_id="nobody") == []
    assert await ids(client, workflow_id="wf_1000000000000") == []
    both = await client.get(EXECUTIONS, params={"offset": 0, "cursor": newest[0]})
    problem(both, 400, "invalid_parameter", "/offset")
    for name, value in (("offset", "10001"), ("status", "CREATED"), ("cursor", made["id"]), ("definition", "plain")):
        problem(await client.get(EXECUTIONS, params={name: value}), 400, "invalid_parameter", f"/{name}")


async def test_large_values_are_shown_up_to_8_mib_and_then_left_out(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    for n in range(10):
        await start(client, "plain", {"n": n, "text": chr(97 + n) * 1_000_000})
    shown = [item["context"]["input"] for item in await executions(client)]
    assert [given["n"] for given in shown[:8]] == list(range(9, 1, -1))
    assert shown[8:] == [None, None]
    oldest = (await executions(client, offset=9))[0]
    assert oldest["context"]["input"] == {"n": 0, "text": "a" * 1_000_000}
    assert (await client.get(f"{EXECUTIONS}/{oldest['id']}")).json() == oldest
    answer = await client.get(EXECUTIONS)
    assert len(answer.content) < 9 << 20


async def test_small_values_count_too_so_that_no_page_is_larger_than_its_values_may_be(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    await client.post(f"{PROCESSES}/bulk", json={"definition": "plain", "inputs": [{"text": "x" * 8000}] * 200})
    snapshot = {"format": FORMAT, "state": {"status": "CREATED", "activities": _outputs(6)}}
    api.house.owner.execute("update stepwell.process set snapshot = %s, snapshot_seq = 1", (json.dumps(snapshot),))
    items = await executions(client, limit=200)
    assert len(items) == 200
    assert items[0]["context"]["steps"]["s5"] == "y" * 8000
    assert items[-1]["context"]["steps"] == {f"s{n}": None for n in range(6)}
    assert items[-1]["step_executions"][-1]["status"] == "completed"
    assert len(json.dumps(items)) < 20 << 20


def _outputs(count: int) -> dict[str, Any]:
    return {f"s{n}": {"path": f"s{n}", "status": "COMPLETED", "output": "y" * 8000} for n in range(count)}


@pytest.mark.parametrize("other", ["globex_prod", "acme_dev"])
async def test_another_tenant_or_environment_sees_and_orders_nothing(api: Api, other: str) -> None:
    owner, stranger = await api.client(), await api.client(other)
    made = await publish(owner, {**PLAIN, "name": "secret"})
    process = await start(owner, "secret")
    before = api.written()
    for path in (f"{EXECUTIONS}/{process}", f"{EXECUTIONS}/prc_1000000000000", f"{EXECUTIONS}/{made['id']}"):
        for answer in (
            await stranger.get(path),
            await stranger.post(f"{path}/cancel"),
            await stranger.post(f"{path}/retry", json={}),
        ):
            problem(answer, 404, "not_found")
            assert "secret" not in answer.text
    foreign = (await stranger.get(f"{EXECUTIONS}/{process}")).json()
    unknown = (await stranger.get(f"{EXECUTIONS}/prc_1000000000000")).json()
    assert {**foreign, "instance": None} == {**unknown, "instance": None}
    assert await executions(stranger) == []
    assert await executions(stranger, workflow_id=made["id"]) == []
    assert await executions(stranger, status="pending") == []
    assert api.written() == before


async def test_reading_and_ordering_need_their_scopes(api: Api) -> None:
    boss = await api.client()
    await publish(boss, PLAIN)
    process = await start(boss, "plain")
    reader = await api.client(rights=["workflows:read"])
    executor = await api.client(rights=["workflows:execute", "workflows:write", "tasks:act"])
    for answer in (
        await executor.get(EXECUTIONS),
        await executor.get(f"{EXECUTIONS}/{process}"),
        await reader.post(f"{EXECUTIONS}/{process}/cancel"),
        await reader.post(f"{EXECUTIONS}/{process}/retry"),
    ):
        problem(answer, 403, "forbidden")
    assert (await reader.get(f"{EXECUTIONS}/{process}")).status_code == 200


async def test_an_order_sent_twice_is_one_order(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    process = await start(client, "plain")
    headers = {"Idempotency-Key": "once"}
    first = await client.post(f"{EXECUTIONS}/{process}/cancel", json={"by": "Ann"}, headers=headers)
    assert first.status_code == 202
    again = await client.post(f"{EXECUTIONS}/{process}/cancel", json={"by": "Ann"}, headers=headers)
    assert again.json() == first.json()
    assert api.written()["inbox"] == 1
