import pytest

from engine.core.ids import private_id, task_id
from tests.api.client import DEFINITIONS, HELLO, PLAIN, PROCESSES, SIGNALS, TASKS, Api, problem, publish, start


@pytest.mark.parametrize("other", ["globex_prod", "acme_dev"])
async def test_another_tenant_or_environment_sees_and_touches_nothing(api: Api, other: str) -> None:
    owner = await api.client("acme_prod")
    stranger = await api.client(other)
    definition = await publish(owner, HELLO)
    process = await start(owner, "hello", {"n": 1}, business_key="secret-key")
    task = task_id(private_id("prc", process), "check")
    api.house.owner.execute(
        "insert into stepwell.task "
        "(process_id, path, run, tenant_id, environment_id, definition_id, title, created_at) "
        "select id, 'check', 1, tenant_id, environment_id, definition_id, 'secret title', now() from stepwell.process"
    )
    before = api.written()
    answers = [
        await stranger.get(f"{DEFINITIONS}/{definition['id']}"),
        await stranger.get(f"{PROCESSES}/{process}"),
        await stranger.get(f"{PROCESSES}/{process}/history"),
        await stranger.post(f"{PROCESSES}/{process}/cancel"),
        await stranger.post(f"{PROCESSES}/{process}/retry", json={}),
        await stranger.post(PROCESSES, json={"definition": definition["id"], "input": {"n": 1}}),
        await stranger.post(PROCESSES, json={"definition": "hello", "input": {"n": 1}}),
        await stranger.post(f"{PROCESSES}/bulk", json={"definition": definition["id"], "inputs": [{"n": 1}]}),
        await stranger.post(f"{TASKS}/{task}/complete", json={"by": "Eve"}),
        await stranger.post(f"{TASKS}/{task}/reject", json={"by": "Eve", "reason": "why not"}),
    ]
    for answer in answers:
        problem(answer, 404, "not_found")
        assert "secret" not in answer.text
    filtered = (
        f"{PROCESSES}?definition={definition['id']}",
        f"{TASKS}?process={process}",
        f"{PROCESSES}?business_key=secret-key",
        f"{PROCESSES}?count=true",
    )
    for path in (DEFINITIONS, PROCESSES, TASKS, *filtered):
        answer = await stranger.get(path)
        assert answer.json()["items"] == []
        assert answer.json().get("count", 0) == 0
    assert api.written() == before
    assert [t["title"] for t in (await owner.get(TASKS)).json()["items"]] == ["secret title"]


async def test_unknown_and_foreign_ids_are_answered_alike(api: Api) -> None:
    owner, stranger = await api.client("acme_prod"), await api.client("globex_prod")
    await publish(owner, PLAIN)
    process = await start(owner, "plain")
    foreign = (await stranger.get(f"{PROCESSES}/{process}")).json()
    unknown = (await stranger.get(f"{PROCESSES}/prc_1000000000000")).json()
    assert {**foreign, "instance": None} == {**unknown, "instance": None}


async def test_the_same_names_and_keys_live_side_by_side(api: Api) -> None:
    for scope in ("acme_prod", "acme_dev", "globex_prod"):
        client = await api.client(scope)
        made = await publish(client, PLAIN)
        assert (made["tenant_id"], made["environment_id"]) == tuple(scope.split("_"))
        body = {"definition": "plain", "business_key": "one"}
        response = await client.post(PROCESSES, json=body, headers={"Idempotency-Key": "same"})
        assert response.status_code == 201
        assert "idempotency-replayed" not in response.headers
        signal = await client.post(SIGNALS, json={"name": "paid", "id": "same"})
        assert signal.status_code == 202
    assert api.written()["process"] == 3
    assert api.written()["signal"] == 3


async def test_one_connection_serves_tenants_in_turn_and_carries_nothing_over(api: Api) -> None:
    clients = {scope: await api.client(scope) for scope in ("acme_prod", "globex_prod")}
    for scope, client in clients.items():
        await publish(client, {**PLAIN, "name": scope})
    for _ in range(20):
        for scope, client in clients.items():
            names = [d["name"] for d in (await client.get(DEFINITIONS)).json()["items"]]
            assert names == [scope]
