"""Orders to processes and tasks while no worker is there: they are taken, and the answer says so."""

from engine.core.ids import private_id, task_id
from tests.api.client import HELLO, PLAIN, PROCESSES, SIGNALS, TASKS, Api, problem, publish, start


async def test_an_order_is_taken_and_answered_202_while_no_worker_acts_on_it(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    process = await start(client, "plain")
    for verb in ("cancel", "retry"):
        response = await client.post(f"{PROCESSES}/{process}/{verb}", json={"by": "Ann", "reason": "enough"})
        assert response.status_code == 202
        taken = response.json()
        assert (taken["status"], taken["process_id"], taken["id"]) == ("accepted", process, process)
        [(command,)] = api.house.rows(
            "select command from stepwell.inbox where id = %s", private_id("cmd", taken["command_id"])
        )
        assert command["kind"] == verb
        assert command["by"].startswith("Ann (key_")
        assert command["reason"] == "enough"


async def test_an_order_needs_no_body_and_then_bears_the_name_of_the_key(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    process = await start(client, "plain")
    response = await client.post(f"{PROCESSES}/{process}/cancel")
    assert response.status_code == 202
    [(command,)] = api.house.rows("select command from stepwell.inbox")
    assert command["by"].startswith("tester (key_")


async def test_orders_to_nobody_are_not_found(api: Api) -> None:
    client = await api.client()
    for order in ("prc_1000000000000/cancel", "nonsense/retry", "wf_1000000000000/cancel"):
        problem(await client.post(f"{PROCESSES}/{order}"), 404, "not_found")
    for task in ("tsk_1", "tsk_000000000000000000", task_id(2**62, "check"), "tsk_" + "0" * 3000):
        problem(await client.post(f"{TASKS}/{task}/complete", json={"by": "Ann"}), 404, "not_found")


def _open_task(api: Api, process: str, path: str, **fields: object) -> str:
    """Write a task as a flush does."""
    values = {"title": "t", "assignee": None, "group": None, "due_at": None, **fields}
    api.house.owner.execute(
        "insert into stepwell.task (process_id, path, run, tenant_id, environment_id, definition_id, title, assignee, "
        '"group", due_at, created_at) select id, %(path)s, 1, tenant_id, environment_id, definition_id, %(title)s, '
        "%(assignee)s, %(group)s, %(due_at)s, now() from stepwell.process where id = %(id)s",
        {**values, "path": path, "id": private_id("prc", process)},
    )
    return task_id(private_id("prc", process), path)


async def test_tasks_are_listed_filtered_and_marked_overdue(api: Api) -> None:
    client = await api.client(rights=["tasks:act"])
    boss = await api.client()
    await publish(boss, HELLO)
    await publish(boss, PLAIN)
    one, two = await start(boss, "hello", {"n": 1}), await start(boss, "plain")
    a = _open_task(api, one, "a", assignee="ann", due_at="2020-01-01T00:00:00Z")
    b = _open_task(api, one, "b", group="sales", due_at="2999-01-01T00:00:00Z")
    c = _open_task(api, two, "c")

    async def listed(**parameters: str | int) -> list[str]:
        response = await client.get(TASKS, params=parameters)
        assert response.status_code == 200, response.text
        return [t["id"] for t in response.json()["items"]]

    assert await listed() == [a, b, c]
    assert await listed(assignee="ann") == [a]
    assert await listed(group="sales") == [b]
    assert await listed(definition="plain") == [c]
    assert await listed(process=one) == [a, b]
    first = (await client.get(TASKS, params={"limit": 2})).json()
    assert await listed(cursor=first["next_cursor"]) == [c]
    assert [t["overdue"] for t in first["items"]] == [True, False]
    problem(await client.get(TASKS, params={"cursor": "tsk_1"}), 400, "invalid_parameter", "/cursor")
    problem(await client.get(TASKS, params={"process": "prc_1"}), 400, "invalid_parameter", "/process")


async def test_completing_and_rejecting_a_task_leave_mail_in_the_name_of_a_person(api: Api) -> None:
    client = await api.client()
    await publish(client, HELLO)
    process = await start(client, "hello", {"n": 1})
    task = _open_task(api, process, "check")
    response = await client.post(f"{TASKS}/{task}/complete", json={"by": "Ann", "data": {"ok": True}})
    assert response.status_code == 202
    assert response.json()["id"] == task
    response = await client.post(f"{TASKS}/{task}/reject", json={"by": "Bob", "reason": "no"})
    assert response.status_code == 202
    done, refused = (c for (c,) in api.house.rows("select command from stepwell.inbox order by id"))
    assert done["kind"] == "complete_task"
    assert done["by"].startswith("Ann (key_")
    assert (done["path"], done["run"], done["data"]) == ("check", 1, {"ok": True})
    assert refused["by"].startswith("Bob (key_")
    assert (refused["kind"], refused["reason"]) == ("reject_task", "no")


async def test_a_signal_is_written_once_for_each_id(api: Api) -> None:
    client = await api.client()
    body = {"name": "paid", "correlation_key": "o-1", "data": {"eur": 5}, "id": "evt-1", "ttl_seconds": 60}
    first = await client.post(SIGNALS, json=body)
    assert first.status_code == 202
    assert first.json()["id"].startswith("sig_")
    assert (await client.post(SIGNALS, json=body)).json() == first.json()
    [(name, correlation, command)] = api.house.rows("select name, correlation, command from stepwell.signal")
    assert (name, correlation, command["data"]) == ("paid", "o-1", {"eur": 5})
    assert command["by"].startswith("tester (key_")
