"""Reading, claiming and reassigning one task; a real worker decides."""

from typing import Any

import httpx

from engine.core.ids import parse_task_id, private_id, task_id
from tests.api.client import PROCESSES, TASKS, Api, at_work, problem, publish, reached, start

FORM = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
REVIEW: dict[str, Any] = {
    "name": "review",
    "steps": [{"id": "check", "type": "manual", "config": {"title": "All right?", "group": "sales", "form": FORM}}],
}


async def opened(client: httpx.AsyncClient) -> tuple[str, str]:
    """Start a review and wait until its task is open; return process and task."""
    process = await start(client, "review", {})
    shown = await reached(client, process, "WAITING")
    return process, shown["activities"][0]["task_id"]


async def order(client: httpx.AsyncClient, task: str, verb: str, **body: Any) -> httpx.Response:
    return await client.post(f"{TASKS}/{task}/{verb}", json=body)


async def assignee(client: httpx.AsyncClient, task: str) -> Any:
    response = await client.get(f"{TASKS}/{task}")
    assert response.status_code == 200, response.text
    return response.json()["assignee"]


async def listed(client: httpx.AsyncClient, **filters: str) -> list[str]:
    return [item["id"] for item in (await client.get(TASKS, params=filters)).json()["items"]]


async def test_a_task_is_read_as_long_as_it_is_open(api: Api) -> None:
    client, reader = await api.client(), await api.client(rights=["workflows:read"])
    await publish(client, REVIEW)
    async with at_work(api):
        process, task = await opened(client)
        shown = (await reader.get(f"{TASKS}/{task}")).json()
        assert shown == (await client.get(TASKS)).json()["items"][0]
        assert (shown["id"], shown["process_id"], shown["form"]) == (task, process, FORM)
        number, path, run = parse_task_id(task)
        problem(await client.get(f"{TASKS}/{task_id(number, path, run + 1)}"), 404, "not_found")
        assert (await order(client, task, "complete", by="Ann", data={"ok": True})).status_code == 200
        problem(await client.get(f"{TASKS}/{task}"), 404, "not_found")


async def test_whoever_claims_a_task_has_it_and_nobody_else_can_claim_it(api: Api) -> None:
    client = await api.client()
    await publish(client, REVIEW)
    async with at_work(api):
        process, task = await opened(client)
        assert await assignee(client, task) is None
        claimed = await order(client, task, "claim", by="Ann", reason="mine")
        assert claimed.status_code == 200, claimed.text
        assert (claimed.json()["status"], claimed.json()["id"]) == ("WAITING", task)
        assert await assignee(client, task) == "Ann"
        assert await listed(client, assignee="Ann") == [task]
        assert await listed(client, group="sales") == [task]

        refused = await order(client, task, "claim", by="Bob")
        assert problem(refused, 409, "command_rejected")["details"]["code"] == "task_claimed"
        assert "Ann" in refused.json()["detail"]
        assert await assignee(client, task) == "Ann"
        assert (await order(client, task, "claim", by="Ann")).status_code == 200  # she has it already

        assigned = [data for _, kind, _, _, data in api.house.history(process) if kind == "task.assigned"]
        assert assigned[0]["assignee"] == "Ann"
        assert assigned[0]["reason"] == "mine"
        assert assigned[0]["by"].startswith("Ann (key_")


async def test_a_task_is_put_into_other_hands_and_back_to_its_group(api: Api) -> None:
    client = await api.client()
    await publish(client, REVIEW)
    async with at_work(api):
        process, task = await opened(client)
        await order(client, task, "claim", by="Ann")
        moved = await order(client, task, "reassign", to="Bob", by="Eve", reason="Ann is ill")
        assert moved.status_code == 200, moved.text
        assert await assignee(client, task) == "Bob"
        assert await listed(client, assignee="Ann") == []
        refused = await order(client, task, "claim", by="Ann")
        assert problem(refused, 409, "command_rejected")["details"]["code"] == "task_claimed"
        assert (await order(client, task, "reassign", to=None, by="Bob")).status_code == 200
        assert await assignee(client, task) is None
        assert await listed(client, group="sales") == [task]
        assert (await order(client, task, "claim", by="Ann")).status_code == 200
        shown = (await client.get(f"{PROCESSES}/{process}")).json()
        assert shown["activities"][0]["wait"]["task"]["assignee"] == "Ann"
        # Whose it is says who should do it, not who may: the form is what the data must satisfy.
        assert (await order(client, task, "complete", by="Zoe", data={"ok": True})).status_code == 200
        for verb, body in (("claim", {}), ("reassign", {"to": "Bob"})):
            late = await order(client, task, verb, by="Ann", **body)
            assert problem(late, 409, "command_rejected")["details"]["code"] in ("process_ended", "task_not_open")


async def test_an_assignment_outlives_the_worker_that_wrote_it(api: Api) -> None:
    client = await api.client()
    await publish(client, REVIEW)
    async with at_work(api):
        _, task = await opened(client)
        await order(client, task, "claim", by="Ann")
    async with at_work(api):
        refused = await order(client, task, "claim", by="Bob")
        assert problem(refused, 409, "command_rejected")["details"]["code"] == "task_claimed"
        assert await assignee(client, task) == "Ann"


async def test_an_order_about_a_task_is_checked_before_it_is_sent(api: Api) -> None:
    client = await api.client()
    await publish(client, REVIEW)
    process = await start(client, "review", {})
    task = task_id(private_id("prc", process), "check")
    before = api.written()
    for verb, body, pointer in (
        ("claim", {}, "/by"),
        ("claim", {"by": ""}, "/by"),
        ("claim", {"by": "Ann", "to": "Bob"}, "/to"),
        ("reassign", {"by": "Ann"}, "/to"),
        ("reassign", {"to": "Bob"}, "/by"),
        ("reassign", {"by": "Ann", "to": ""}, "/to"),
        ("reassign", {"by": "Ann", "to": "B\u202eob"}, "/to"),
        ("reassign", {"by": "Ann", "to": "Bob\n"}, "/to"),
        ("reassign", {"by": "Ann", "to": "x" * 201}, "/to"),
        ("reassign", {"by": "Ann", "to": 1}, "/to"),
    ):
        problem(await order(client, task, verb, **body), 422, "invalid_input", pointer)
    assert api.written() == before


async def test_while_no_worker_acts_the_order_is_taken_and_answered_202(api: Api) -> None:
    client = await api.client()
    await publish(client, REVIEW)
    process = await start(client, "review", {})
    task = task_id(private_id("prc", process), "check")
    for verb, body in (("claim", {"by": "Ann"}), ("reassign", {"by": "Ann", "to": "Bob"})):
        key = {"Idempotency-Key": verb}
        taken = await client.post(f"{TASKS}/{task}/{verb}", json=body, headers=key)
        assert (taken.status_code, taken.json()["status"], taken.json()["id"]) == (202, "accepted", task)
        again = await client.post(f"{TASKS}/{task}/{verb}", json=body, headers=key)
        assert again.json() == taken.json()
    mails = [command for (command,) in api.house.rows("select command from stepwell.inbox order by id")]
    assert [(mail["kind"], mail["to"], mail["claim"]) for mail in mails] == [
        ("assign_task", "Ann", True),
        ("assign_task", "Bob", False),
    ]


async def test_what_is_not_there_or_not_ones_own_is_not_found(api: Api) -> None:
    client = await api.client()
    await publish(client, REVIEW)
    async with at_work(api):
        _, task = await opened(client)
    before = api.written()
    asked = [(client, t) for t in ("tsk_1", "tsk_" + "0" * 18, task_id(2**62, "check"), "tsk_" + "0" * 3000, "x")]
    asked += [(await api.client(scope), task) for scope in ("acme_dev", "globex_prod")]
    for who, what in asked:
        problem(await who.get(f"{TASKS}/{what}"), 404, "not_found")
        problem(await order(who, what, "claim", by="Eve"), 404, "not_found")
        problem(await order(who, what, "reassign", by="Eve", to="Eve"), 404, "not_found")
    weak = await api.client(rights=["workflows:read", "workflows:write", "workflows:execute"])
    problem(await order(weak, task, "claim", by="Eve"), 403, "forbidden")
    problem(await order(weak, task, "reassign", by="Eve", to="Eve"), 403, "forbidden")
    assert api.written() == before
    assert await assignee(client, task) is None
