"""Definitions after they were published: the next version, switched off and on, triggered by hand, deleted."""

import asyncio
from functools import partial
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from engine.core.ids import private_id
from tests.api.client import (
    DEFINITIONS,
    HELLO,
    PLAIN,
    PROCESSES,
    SIGNALS,
    TASKS,
    Api,
    at_work,
    problem,
    publish,
    reached,
    start,
)

EXECUTIONS = "/api/v1/workflows/executions"
WAITING: dict[str, Any] = {
    "name": "waiting",
    "steps": [
        {"id": "ask", "type": "manual", "config": {"title": "All right?", "on_reject": "fail"}},
        {"id": "paid", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.key}"}},
    ],
}


def at(definition: dict[str, Any], verb: str = "") -> str:
    return f"{DEFINITIONS}/{definition['id']}{verb and '/'}{verb}"


def audited(api: Api) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = api.house.rows(
        "select action, subject, actor, reason, data from stepwell.audit where action like 'definition.%' order by id"
    )
    return found


# -- the next version


async def test_the_next_version_keeps_the_id_may_have_another_name_and_leaves_the_old_one_readable(api: Api) -> None:
    client = await api.client()
    first = await publish(client, PLAIN)
    process = await start(client, "plain")
    again = {**PLAIN, "name": "plainer", "description": "again"}
    response = await client.put(at(first), json=again)
    assert response.status_code == 200, response.text
    second = response.json()
    assert (second["id"], second["version"], second["name"], second["document"]) == (first["id"], 2, "plainer", again)
    assert (await client.get(at(first), params={"version": 1})).json()["document"] == PLAIN
    shown = (await client.get(f"{PROCESSES}/{process}")).json()
    assert (shown["type"], shown["version"]) == ("plainer", 1)
    assert await start(client, "plainer")
    problem(await client.post(PROCESSES, json={"definition": "plain"}), 404, "not_found")
    assert (await publish(client, PLAIN))["id"] != first["id"]
    assert [row[0] for row in audited(api)] == ["definition.published"] * 3
    assert audited(api)[1][4] == {"name": "plainer", "version": 2}


async def test_the_next_version_may_be_yaml_and_is_checked_like_the_first(api: Api) -> None:
    client = await api.client()
    made = await publish(client, PLAIN)
    response = await client.put(at(made), content=yaml.safe_dump(HELLO), headers={"Content-Type": "application/yaml"})
    assert response.json()["document"] == HELLO
    before = api.written()
    refused = problem(await client.put(at(made), json={**PLAIN, "steps": []}), 422, "invalid_definition")
    assert refused["findings"]
    problem(await client.put(at(made), json={**PLAIN, "name": "a\x01b"}), 422, "invalid_definition", "/name")
    problem(await client.put(at(made), json={**PLAIN, "version": 2}), 422, "declared_mismatch", "/version")
    problem(await client.put(at(made)), 400, "unreadable_body")
    assert api.written() == before
    assert (await client.put(at(made), json={**PLAIN, "version": 3, "id": made["id"]})).json()["version"] == 3


async def test_a_name_that_another_definition_has_is_refused_and_nothing_is_written(api: Api) -> None:
    client = await api.client()
    await publish(client, HELLO)
    made = await publish(client, PLAIN)
    before = api.written()
    problem(await client.put(at(made), json={**PLAIN, "name": "hello"}), 409, "name_taken", "/name")
    assert api.written() == before
    assert (await client.get(at(made))).json()["version"] == 1


async def test_the_same_change_sent_twice_is_made_once(api: Api) -> None:
    client = await api.client()
    made = await publish(client, PLAIN)
    for number, (method, path, body) in enumerate(
        [
            ("PUT", at(made), {**PLAIN, "description": "again"}),
            ("POST", at(made, "disable"), {"reason": "holidays"}),
            ("POST", at(made, "enable"), None),
            ("POST", at(made, "trigger"), {"trigger_data": {"n": 1}}),
            ("DELETE", f"{at(made)}?force=true", None),
        ]
    ):
        headers = {"Idempotency-Key": f"key-{number}"}
        first = await client.request(method, path, json=body, headers=headers)
        assert first.status_code in (200, 202), first.text
        before = api.written(), audited(api)
        again = await client.request(method, path, json=body, headers=headers)
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers.get("location") == first.headers.get("location")
        assert (api.written(), audited(api)) == before
    problem(
        await client.request("DELETE", f"{at(made)}?force=false", headers={"Idempotency-Key": "key-4"}),
        422,
        "idempotency_mismatch",
    )


# -- off and on


async def test_a_disabled_definition_starts_nothing_by_any_way_until_it_is_enabled(api: Api) -> None:
    client = await api.client()
    made = await publish(client, PLAIN)
    running = await start(client, "plain")
    off = await client.post(at(made, "disable"), json={"by": "Ann", "reason": "holidays"})
    assert (off.status_code, off.json()["enabled"], off.json()["version"]) == (200, False, 1)
    starts = [
        partial(client.post, PROCESSES, json={"definition": "plain"}),
        partial(client.post, f"{PROCESSES}/bulk", json={"definition": made["id"], "inputs": [{}]}),
        partial(client.post, at(made, "trigger"), json={}),
    ]
    before = api.written()
    for attempt in starts:
        problem(await attempt(), 409, "definition_disabled")
    with pytest.raises(psycopg.Error) as refused:
        api.house.start("plain")
    assert refused.value.sqlstate == "SW411"
    assert api.written() == before
    assert (await client.get(f"{PROCESSES}/{running}")).json()["status"] == "CREATED"
    on = await client.post(at(made, "enable"))
    assert (on.status_code, on.json()["enabled"]) == (200, True)
    for attempt in starts:
        assert (await attempt()).status_code in (201, 202)


async def test_each_switch_is_audited_and_one_that_changes_nothing_is_not(api: Api) -> None:
    client = await api.client()
    made = await publish(client, PLAIN)
    for verb in ("enable", "disable", "disable", "enable", "enable"):
        response = await client.post(at(made, verb), json={"by": "Ann", "reason": f"to {verb}"})
        assert response.json()["enabled"] == (verb == "enable")
    rows = audited(api)[1:]
    assert [row[0] for row in rows] == ["definition.disabled", "definition.enabled"]
    for row, verb in zip(rows, ("disable", "enable"), strict=True):
        assert row[1] == made["id"]
        assert row[2].startswith("Ann (key_")
        assert (row[3], row[4]) == (f"to {verb}", {"name": "plain"})


async def test_publishing_switches_to_what_the_document_says_and_that_is_on_unless_it_says_off(api: Api) -> None:
    client = await api.client()
    made = await publish(client, {**PLAIN, "enabled": False})
    assert made["enabled"] is False
    assert (await client.put(at(made), json=PLAIN)).json()["enabled"] is True
    assert (await client.put(at(made), json={**PLAIN, "enabled": False})).json()["enabled"] is False
    assert (await publish(client, PLAIN))["enabled"] is True


# -- by hand


async def test_a_trigger_starts_a_process_of_the_latest_version_and_says_where_it_is(api: Api) -> None:
    client = await api.client(rights=["workflows:execute", "workflows:read"])
    boss = await api.client()
    made = await publish(boss, HELLO)
    await boss.put(at(made), json={**HELLO, "description": "again"})
    response = await client.post(at(made, "trigger"), json={"trigger_data": {"n": 1}, "by": "Ann", "reason": "to see"})
    assert response.status_code == 202
    process = response.json()["execution_id"]
    assert response.json() == {"execution_id": process, "status": "pending"}
    assert response.headers["location"] == f"{EXECUTIONS}/{process}"
    assert (await client.get(response.headers["location"])).json()["id"] == process
    shown = (await client.get(f"{PROCESSES}/{process}")).json()
    assert (shown["definition_id"], shown["version"], shown["input"]) == (made["id"], 2, {"n": 1})
    [(_, _, _, _, data)] = api.house.history(process)
    assert data["trigger"] == {"type": "manual"}
    assert (data["by"].split(" (key_")[0], data["reason"]) == ("Ann", "to see")


async def test_trigger_data_that_the_definition_does_not_take_is_refused_and_starts_nothing(api: Api) -> None:
    client = await api.client()
    made = await publish(client, HELLO)
    before = api.written()
    problem(await client.post(at(made, "trigger")), 422, "input_invalid")
    bad = {"trigger_data": {"n": "x"}}
    problem(await client.post(at(made, "trigger"), json=bad), 422, "input_invalid", "/trigger_data/n")
    large = {"trigger_data": {"n": 1, "x": "x" * (1 << 20)}}
    problem(await client.post(at(made, "trigger"), json=large), 413, "too_large")
    problem(await client.post(at(made, "trigger"), json={"input": {}}), 422, "invalid_input", "/input")
    assert api.written() == before


# -- deleted


async def test_a_definition_with_running_processes_is_not_deleted_and_the_refusal_counts_them(api: Api) -> None:
    client = await api.client()
    made = await publish(client, PLAIN)
    await publish(client, HELLO)
    await start(client, "hello", {"n": 1})
    states = {
        "CREATED": True,
        "IN_PROGRESS": True,
        "WAITING": True,
        "COMPLETED": False,
        "FAILED": False,
        "CANCELLED": False,
    }
    for status, runs in states.items():
        process = await start(client, "plain")
        _put(api, process, status, ended=not runs)
    refused = problem(await client.delete(at(made)), 409, "definition_in_use")
    assert refused["details"] == {"running": 3}
    assert (await client.get(at(made))).status_code == 200
    inputs: list[dict[str, Any]] = [{}] * 1000
    await client.post(f"{PROCESSES}/bulk", json={"definition": "plain", "inputs": inputs})
    assert problem(await client.delete(at(made)), 409, "definition_in_use")["details"] == {"running": 1000}
    assert [row[0] for row in audited(api)] == ["definition.published"] * 2


def _put(api: Api, process: str, status: str, *, ended: bool) -> None:
    """Write a status as a flush does."""
    api.house.owner.execute(
        "update stepwell.process set status = %s, ended_at = case when %s then now() end where id = %s",
        (status, ended, private_id("prc", process)),
    )


async def test_a_deleted_definition_is_gone_and_what_it_left_behind_is_still_to_be_read(api: Api) -> None:
    client = await api.client()
    made = await publish(client, PLAIN)
    process = await start(client, "plain")
    _put(api, process, "COMPLETED", ended=True)
    response = await client.delete(at(made), params={"by": "Ann", "reason": "replaced"})
    assert (response.status_code, response.json()) == (200, {"id": made["id"], "cancelled": 0})
    assert audited(api)[-1][:4] == ("definition.deleted", made["id"], audited(api)[-1][2], "replaced")
    assert audited(api)[-1][2].startswith("Ann (key_")

    before = api.written()
    gone = [
        await client.get(at(made)),
        await client.get(at(made), params={"version": 1}),
        await client.put(at(made), json=PLAIN),
        await client.delete(at(made)),
        await client.delete(at(made), params={"force": True}),
        await client.post(at(made, "enable")),
        await client.post(at(made, "disable")),
        await client.post(at(made, "trigger")),
        await client.post(PROCESSES, json={"definition": made["id"]}),
        await client.post(PROCESSES, json={"definition": "plain"}),
        await client.post(f"{PROCESSES}/bulk", json={"definition": "plain", "inputs": [{}]}),
    ]
    for answer in gone:
        problem(answer, 404, "not_found")
    assert api.written() == before
    assert (await client.get(DEFINITIONS)).json()["items"] == []

    assert (await client.get(f"{PROCESSES}/{process}")).json()["type"] == "plain"
    assert (await client.get(f"{PROCESSES}/{process}/history")).json()["items"]
    assert (await client.get(f"{EXECUTIONS}/{process}")).json()["workflow_name"] == "plain"
    for path in (
        PROCESSES,
        f"{PROCESSES}?definition={made['id']}",
        EXECUTIONS,
        f"{EXECUTIONS}?workflow_id={made['id']}",
    ):
        assert [item["id"] for item in (await client.get(path)).json()["items"]] == [process], path
    # A name is what lives under it.
    assert (await client.get(f"{PROCESSES}?definition=plain")).json()["items"] == []


async def test_the_name_of_a_deleted_definition_is_free_for_another(api: Api) -> None:
    client = await api.client()
    old = await publish(client, PLAIN)
    await client.delete(at(old))
    new = await publish(client, PLAIN)
    assert (new["version"], new["id"] == old["id"]) == (1, False)
    process = await start(client, "plain")
    assert (await client.get(f"{PROCESSES}/{process}")).json()["definition_id"] == new["id"]
    problem(await client.get(at(old)), 404, "not_found")
    assert (await client.delete(at(new), params={"force": True})).json()["cancelled"] == 1


async def test_force_sends_every_running_process_of_it_what_a_cancel_sends_and_no_other(api: Api) -> None:
    client = await api.client()
    made = await publish(client, PLAIN)
    await publish(client, HELLO)
    other = await start(client, "hello", {"n": 1})
    ended = await start(client, "plain")
    _put(api, ended, "FAILED", ended=True)
    running = [await start(client, "plain", priority=n) for n in range(3)]
    api.house.owner.execute("delete from stepwell.job")

    await client.post(f"{PROCESSES}/{other}/cancel", json={"by": "Ann", "reason": "enough"})
    [single] = _mail(api)
    response = await client.delete(at(made), params={"force": True, "by": "Ann", "reason": "enough"})
    assert response.json() == {"id": made["id"], "cancelled": 3}
    sent = [row for row in _mail(api) if row[0] != single[0]]
    assert sorted(row[0] for row in sent) == [private_id("prc", p) for p in running]
    assert {tuple(row[1].items()) for row in sent} == {tuple(single[1].items())}
    assert sorted(row[2] for row in sent) == [0, 1, 2]  # each job at its process's own priority
    assert len({row[3] for row in sent}) == 3
    assert audited(api)[-1][4] == {"name": "plain", "cancelled": 3}


def _mail(api: Api) -> list[tuple[Any, ...]]:
    """Return (process, command, priority and id of the job) of all mail; a job bears its mail's id."""
    return api.house.rows(
        "select i.process_id, i.command, j.priority, j.id from stepwell.inbox i join stepwell.job j "
        "using (process_id, id, tenant_id, environment_id) order by i.id"
    )


async def test_a_cancel_by_force_says_why_even_if_nobody_did(api: Api) -> None:
    client = await api.client()
    made = await publish(client, PLAIN)
    await start(client, "plain")
    await client.delete(at(made), params={"force": True})
    [(command,)] = api.house.rows("select command from stepwell.inbox")
    assert command["reason"] == "the definition was deleted"
    assert command["by"].startswith("tester (key_")


async def test_processes_end_cancelled_when_their_definition_is_deleted_by_force(api: Api) -> None:
    client = await api.client()
    made = await publish(client, WAITING)
    processes = [await start(client, "waiting", {"key": f"k{n}"}) for n in range(5)]
    async with at_work(api):
        for process in processes:
            await reached(client, process, "WAITING")
        assert (await client.delete(at(made), params={"force": True})).json()["cancelled"] == 5
        for process in processes:
            await reached(client, process, "CANCELLED")
    assert api.house.value("select count(*) from stepwell.task") == 0


async def test_a_failed_process_of_a_deleted_definition_is_retried_and_goes_on_to_its_end(api: Api) -> None:
    client = await api.client()
    made = await publish(client, WAITING)
    process = await start(client, "waiting", {"key": "k"}, business_key="b")
    async with at_work(api):
        task = await _task(client)
        await client.post(f"{TASKS}/{task}/reject", json={"by": "Ann", "reason": "no"})
        await reached(client, process, "FAILED")
        assert (await client.delete(at(made))).json() == {"id": made["id"], "cancelled": 0}

        assert (await client.post(f"{PROCESSES}/{process}/retry")).status_code in (200, 202)
        task = await _task(client)
        assert (await client.get(TASKS)).json()["items"][0]["definition"] == "waiting"
        assert (await client.post(f"{TASKS}/{task}/complete", json={"by": "Ann"})).status_code in (200, 202)
        await client.post(SIGNALS, json={"name": "paid", "correlation_key": "k"})
        await reached(client, process, "COMPLETED")


async def _task(client: httpx.AsyncClient) -> str:
    for _ in range(600):
        items = (await client.get(TASKS)).json()["items"]
        if items:
            return str(items[0]["id"])
        await asyncio.sleep(0.05)
    raise AssertionError("no task")


# -- lists


async def test_a_list_may_be_entered_further_down_and_a_cursor_needs_no_offset(api: Api) -> None:
    client = await api.client()
    for number in range(5):
        await publish(client, {**PLAIN, "name": f"d{number}"})

    async def names(**parameters: str | int) -> list[str]:
        response = await client.get(DEFINITIONS, params=parameters)
        assert response.status_code == 200, response.text
        return [item["name"] for item in response.json()["items"]]

    assert await names(offset=0, limit=2) == ["d4", "d3"]
    assert await names(offset=2, limit=2) == ["d2", "d1"]
    assert await names(offset=4) == ["d0"]
    assert await names(offset=10_000) == []
    first = (await client.get(DEFINITIONS, params={"offset": 1, "limit": 2})).json()
    assert await names(cursor=first["next_cursor"], limit=2) == ["d1", "d0"]
    both = await client.get(DEFINITIONS, params={"offset": 0, "cursor": first["next_cursor"]})
    problem(both, 400, "invalid_parameter", "/offset")
    for offset in ("-1", "10001", "x", "9" * 30):
        problem(await client.get(DEFINITIONS, params={"offset": offset}), 400, "invalid_parameter", "/offset")


# -- who may


@pytest.mark.parametrize("other", ["globex_prod", "acme_dev"])
async def test_another_tenant_or_environment_changes_nothing(api: Api, other: str) -> None:
    owner, stranger = await api.client(), await api.client(other)
    made = await publish(owner, {**PLAIN, "name": "secret"})
    await start(owner, "secret")
    before = api.written(), audited(api)
    for path in (at(made), f"{DEFINITIONS}/wf_1000000000000", f"{DEFINITIONS}/nonsense"):
        for answer in (
            await stranger.put(path, json=PLAIN),
            await stranger.delete(path),
            await stranger.delete(path, params={"force": True}),
            await stranger.post(f"{path}/enable"),
            await stranger.post(f"{path}/disable", json={}),
            await stranger.post(f"{path}/trigger", json={}),
        ):
            problem(answer, 404, "not_found")
            assert "secret" not in answer.text
    foreign = (await stranger.delete(at(made))).json()
    unknown = (await stranger.delete(f"{DEFINITIONS}/wf_1000000000000")).json()
    assert {**foreign, "instance": None} == {**unknown, "instance": None}
    assert (api.written(), audited(api)) == before


async def test_a_definition_named_like_the_id_of_another_is_not_taken_for_it(api: Api) -> None:
    owner, stranger = await api.client(), await api.client("globex_prod")
    made = await publish(owner, PLAIN)
    await publish(stranger, {**PLAIN, "name": made["id"]})
    for answer in (
        await stranger.delete(at(made)),
        await stranger.post(at(made, "disable")),
        await stranger.put(at(made), json=PLAIN),
        await stranger.post(at(made, "trigger")),
    ):
        problem(answer, 404, "not_found")
    assert len((await stranger.get(DEFINITIONS)).json()["items"]) == 1
    await owner.delete(at(made))
    await publish(owner, {**PLAIN, "name": made["id"]})
    problem(await owner.post(at(made, "trigger")), 404, "not_found")
    problem(await owner.delete(at(made)), 404, "not_found")


async def test_changes_need_the_scope_to_write_and_a_trigger_the_one_to_execute(api: Api) -> None:
    made = await publish(await api.client(), PLAIN)
    executes = await api.client(rights=["workflows:read", "workflows:execute", "tasks:act"])
    writes = await api.client(rights=["workflows:read", "workflows:write", "tasks:act"])
    before = api.written()
    for answer in (
        await executes.put(at(made), json=PLAIN),
        await executes.delete(at(made)),
        await executes.post(at(made, "enable")),
        await executes.post(at(made, "disable")),
        await writes.post(at(made, "trigger")),
    ):
        problem(answer, 403, "forbidden")
    assert api.written() == before


async def test_what_a_change_does_not_know_is_refused(api: Api) -> None:
    client = await api.client()
    made = await publish(client, PLAIN)
    before = api.written()
    problem(await client.delete(at(made), params={"forced": True}), 400, "invalid_parameter", "/forced")
    problem(await client.delete(at(made), params={"force": "maybe"}), 400, "invalid_parameter", "/force")
    problem(await client.delete(at(made), params={"by": ""}), 400, "invalid_parameter", "/by")
    problem(await client.delete(at(made), params={"reason": "x" * 2001}), 400, "invalid_parameter", "/reason")
    problem(await client.post(at(made, "disable"), json={"why": "x"}), 422, "invalid_input", "/why")
    problem(await client.post(at(made, "disable"), json={"reason": ""}), 422, "invalid_input", "/reason")
    assert api.written() == before
