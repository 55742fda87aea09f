"""Resuming an activity that waits, with an output of the caller's; a real worker decides."""

import asyncio
from typing import Any

import httpx
import pytest

from engine.core.ids import execution_id, private_id
from tests.api.client import PROCESSES, TASKS, Api, at_work, problem, publish, reached, start

TWO: dict[str, Any] = {
    "name": "two",
    "steps": [
        {"id": "paid", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.order}"}},
        {"id": "check", "type": "manual", "config": {"title": "All right?"}},
        {"id": "after", "type": "transform", "config": {"mapping": {"seen": "${steps.paid.output}"}}},
    ],
    "output": {"paid": "${steps.after.output.seen}", "check": "${steps.check.output}"},
}


def path_of(process: str, activity: str) -> str:
    return f"{PROCESSES}/{process}/activities/{activity}/resume"


async def current(client: httpx.AsyncClient, process: str, step: str) -> dict[str, Any]:
    """Wait until a step is what the process waits for; return its activity."""
    for _ in range(600):
        shown = (await client.get(f"{PROCESSES}/{process}")).json()
        if shown["current_activity"] == step and shown["status"] == "WAITING":
            return next(a for a in shown["activities"] if a["step_id"] == step)
        await asyncio.sleep(0.05)
    raise AssertionError(shown)


def rejected(response: httpx.Response, code: str) -> None:
    body = problem(response, 409, "command_rejected")
    assert body["details"]["code"] == code
    assert body["details"]["command_id"].startswith("cmd_")


async def test_a_wait_is_resumed_by_its_step_and_a_task_by_its_execution(api: Api) -> None:
    client = await api.client()
    await publish(client, TWO)
    async with at_work(api):
        process = await start(client, "two", {"order": "o-1"})
        await current(client, process, "paid")
        body = {"output": {"eur": 5}, "by": "Ann", "reason": "paid in cash"}
        done = await client.post(path_of(process, "paid"), json=body)
        assert done.status_code == 200, done.text
        assert (done.json()["status"], done.json()["process_id"], done.json()["id"]) == ("COMPLETED", process, "paid")

        waiting = await current(client, process, "check")
        assert waiting["id"] == execution_id(private_id("prc", process), "check")
        done = await client.post(path_of(process, waiting["id"]), json={"output": [None, 1.5, "x"]})
        assert done.status_code == 200, done.text
        assert done.json()["id"] == waiting["id"]
        ended = await reached(client, process, "COMPLETED")
    assert ended["output"] == {"paid": {"eur": 5}, "check": [None, 1.5, "x"]}
    assert (await client.get(TASKS)).json()["items"] == []
    assert api.house.value("select count(*) from stepwell.wait") == 0
    said = {path: data for _, kind, path, _, data in api.house.history(process) if kind == "activity.completed"}
    assert said["paid"]["by"].startswith("Ann (key_")
    assert said["paid"]["reason"] == "paid in cash"
    assert said["check"]["by"].startswith("tester (key_")


@pytest.mark.parametrize(("body", "output"), [(None, {}), ({}, {}), ({"output": None}, None), ({"output": 0}, 0)])
async def test_the_output_is_what_was_sent_and_an_empty_object_without(api: Api, body: Any, output: Any) -> None:
    client = await api.client()
    await publish(client, {"name": "one", "steps": [{"id": "w", "type": "wait", "config": {"signal": "x"}}]})
    async with at_work(api):
        process = await start(client, "one", {})
        await reached(client, process, "WAITING")
        answer = await client.post(path_of(process, "w"), **({} if body is None else {"json": body}))
        assert answer.status_code == 200, answer.text
        shown = await reached(client, process, "COMPLETED")
    assert shown["activities"][0]["output"] == output


async def test_what_does_not_wait_is_not_resumed(api: Api) -> None:
    client = await api.client()
    await publish(client, TWO)
    async with at_work(api):
        process = await start(client, "two", {"order": "o-1"})
        await current(client, process, "paid")
        number = private_id("prc", process)
        for activity in ("check", "nobody", execution_id(number, "paid", 2), execution_id(number, "after"), "a b"):
            rejected(await client.post(path_of(process, activity), json={"output": 1}), "not_waiting")
        assert (await client.post(path_of(process, "paid"))).status_code == 200
        await current(client, process, "check")
        rejected(await client.post(path_of(process, "paid")), "not_waiting")
        assert (await client.post(f"{PROCESSES}/{process}/cancel")).status_code == 200
        rejected(await client.post(path_of(process, "check")), "process_ended")


async def test_resuming_twice_with_one_key_resumes_once(api: Api) -> None:
    client = await api.client()
    await publish(client, TWO)
    async with at_work(api):
        process = await start(client, "two", {"order": "o-1"})
        await current(client, process, "paid")
        key = {"Idempotency-Key": "once"}
        first = await client.post(path_of(process, "paid"), json={"output": 1}, headers=key)
        again = await client.post(path_of(process, "paid"), json={"output": 1}, headers=key)
        assert (again.status_code, again.json()) == (200, first.json())
        assert again.headers["idempotency-replayed"] == "true"
        other = await client.post(path_of(process, "paid"), json={"output": 2}, headers=key)
        problem(other, 422, "idempotency_mismatch")


async def test_an_output_is_checked_like_any_value_before_anything_is_written(api: Api) -> None:
    client = await api.client()
    await publish(client, TWO)
    process = await start(client, "two", {"order": "o-1"})
    before = api.written()
    path = path_of(process, "paid")
    deep: Any = 0
    for _ in range(66):
        deep = [deep]
    problem(await client.post(path, json={"output": "x" * (1 << 20)}), 413, "too_large", "/output")
    problem(await client.post(path, json={"output": {"a": deep}}), 422, "too_deep")
    problem(await client.post(path, content=b'{"output": "\\u0000"}'), 422, "nul_character", "/output")
    problem(await client.post(path, json={"outputs": 1}), 422, "invalid_input", "/outputs")
    problem(await client.post(path, json={"by": ""}), 422, "invalid_input", "/by")
    assert api.written() == before


async def test_while_no_worker_acts_the_order_is_taken_and_answered_202(api: Api) -> None:
    client = await api.client()
    await publish(client, TWO)
    process = await start(client, "two", {"order": "o-1"})
    taken = await client.post(path_of(process, "paid"), json={"output": {"a": 1}})
    assert (taken.status_code, taken.json()["status"], taken.json()["id"]) == (202, "accepted", "paid")
    [(command,)] = api.house.rows("select command from stepwell.inbox")
    assert (command["kind"], command["path"], command["output"]) == ("resume", "paid", {"a": 1})


async def test_what_is_not_there_or_not_ones_own_is_not_found(api: Api) -> None:
    client = await api.client()
    await publish(client, TWO)
    process, other = [await start(client, "two", {"order": "o"}) for _ in range(2)]
    before = api.written()
    own = execution_id(private_id("prc", process), "paid")
    answers = [
        await client.post(path_of("prc_1000000000000", "paid")),
        await client.post(path_of("nonsense", "paid")),
        await client.post(path_of(other, own)),  # an execution of another process
        await client.post(path_of(process, "a%00b")),
        await client.post(path_of(process, "x" * 801)),
        await client.post(path_of(process, "")),
    ]
    for scope in ("acme_dev", "globex_prod"):
        stranger = await api.client(scope)
        answers += [await stranger.post(path_of(process, activity), json={"output": 1}) for activity in ("paid", own)]
    for answer in answers:
        problem(answer, 404, "not_found")
    weak = await api.client(rights=["workflows:read", "workflows:write", "tasks:act"])
    problem(await weak.post(path_of(process, "paid")), 403, "forbidden")
    assert api.written() == before
