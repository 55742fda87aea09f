from datetime import UTC, datetime, timedelta
from typing import Any

from engine.core.ids import private_id
from tests.api.client import HELLO, PLAIN, PROCESSES, Api, problem, publish, start


async def test_starting_answers_with_the_process_and_writes_row_history_and_job_together(api: Api) -> None:
    client = await api.client()
    definition = await publish(client, HELLO)
    response = await client.post(
        PROCESSES,
        json={
            "definition": "hello",
            "input": {"n": 1},
            "business_key": "o-1",
            "priority": 5,
            "by": "Ann",
            "reason": "why",
        },
    )
    assert response.status_code == 201
    made = response.json()
    assert response.headers["location"] == f"{PROCESSES}/{made['id']}"
    assert made["status"] == "CREATED"
    assert made["type"] == "hello"
    assert made["definition_id"] == definition["id"]
    assert (made["version"], made["business_key"], made["priority"]) == (1, "o-1", 5)
    [(_, kind, _, _, data)] = api.house.history(made["id"])
    assert kind == "process.created"
    assert data["by"].startswith("Ann (key_")
    assert data["reason"] == "why"
    assert api.written()["job"] == 1


async def test_a_definition_is_named_by_id_too_and_by_version(api: Api) -> None:
    client = await api.client()
    made = await publish(client, PLAIN)
    await publish(client, PLAIN)
    first = await start(client, made["id"], version=1)
    latest = await start(client, "plain")
    assert (await client.get(f"{PROCESSES}/{first}")).json()["version"] == 1
    assert (await client.get(f"{PROCESSES}/{latest}")).json()["version"] == 2
    body = {"definition": "plain", "version": 3}
    problem(await client.post(PROCESSES, json=body), 404, "not_found", "/version")
    problem(await client.post(PROCESSES, json={"definition": "nobody"}), 404, "not_found", "/definition")
    problem(await client.post(PROCESSES, json={"definition": "wf_xyz"}), 404, "not_found", "/definition")


async def test_input_is_checked_before_anything_is_written(api: Api) -> None:
    client = await api.client()
    await publish(client, HELLO)
    before = api.written()
    body = {"definition": "hello", "input": {"n": "one"}}
    problem(await client.post(PROCESSES, json=body), 422, "input_invalid", "/input/n")
    problem(await client.post(PROCESSES, json={"definition": "hello"}), 422, "input_invalid", "/input")
    many = {"definition": "hello", "inputs": [{"n": 1}, {"n": 2}, {"n": None}]}
    problem(await client.post(f"{PROCESSES}/bulk", json=many), 422, "input_invalid", "/inputs/2/n")
    assert api.written() == before


async def test_a_disabled_definition_starts_nothing(api: Api) -> None:
    client = await api.client()
    await publish(client, {**PLAIN, "enabled": False})
    problem(await client.post(PROCESSES, json={"definition": "plain"}), 409, "definition_disabled", "/definition")


async def test_a_business_key_is_taken_while_its_process_runs(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    running = await start(client, "plain", business_key="o-1")
    before = api.written()
    response = await client.post(PROCESSES, json={"definition": "plain", "business_key": "o-1"})
    body = problem(response, 409, "business_key_taken", "/business_key")
    assert body["details"] == {"process_id": running}
    assert api.written() == before


async def test_ten_thousand_start_in_one_request(api: Api) -> None:
    client = await api.client()
    await publish(client, HELLO)
    body = {"definition": "hello", "inputs": [{"n": n} for n in range(10_000)], "priority": 3}
    response = await client.post(f"{PROCESSES}/bulk", json=body)
    assert response.status_code == 201, response.text
    ids = response.json()["ids"]
    assert len(set(ids)) == 10_000
    assert ids == sorted(ids)
    assert api.written()["job"] == 10_000
    assert (await client.get(f"{PROCESSES}/{ids[17]}")).json()["input"] == {"n": 17}
    too_many = {"definition": "hello", "inputs": [{"n": 1}] * 10_001}
    problem(await client.post(f"{PROCESSES}/bulk", json=too_many), 422, "invalid_input", "/inputs")
    problem(await client.post(f"{PROCESSES}/bulk", json={**too_many, "inputs": []}), 422, "invalid_input", "/inputs")


async def test_a_new_process_shows_every_step_as_pending(api: Api) -> None:
    client = await api.client()
    await publish(client, HELLO)
    made = await start(client, "hello", {"n": 1})
    shown = (await client.get(f"{PROCESSES}/{made}")).json()
    assert shown["type"] == "hello"
    assert shown["input"] == {"n": 1}
    assert shown["status"] == "CREATED"
    assert (shown["current_activity"], shown["current_activities"]) == (None, [])
    assert (shown["output"], shown["error"]) == (None, None)
    assert [(a["step_id"], a["status"], a["type"], a["name"]) for a in shown["activities"]] == [
        ("greet", "PENDING", "transform", "Say hello"),
        ("check", "PENDING", "manual", None),
    ]
    assert all(a["id"].startswith("exe_") for a in shown["activities"])


def _append(api: Api, process: str, events: list[tuple[str, str | None, dict[str, Any]]]) -> None:
    """Write rows of history as a flush leaves them: what a reading makes of them is what is tested."""
    for kind, path, data in events:
        api.house.owner.execute(
            "insert into stepwell.history "
            "(process_id, seq, tenant_id, environment_id, v, feed_epoch, at, type, path, attempt, data) "
            "select process_id, max(seq) + 1, tenant_id, environment_id, 1, 1, now(), %s, %s, 1, %s "
            "from stepwell.history where process_id = %s group by process_id, tenant_id, environment_id",
            (kind, path, as_jsonb(data), private_id("prc", process)),
        )


def as_jsonb(value: Any) -> Any:
    from psycopg.types.json import Jsonb

    return Jsonb(value)


async def test_what_a_process_is_doing_is_told_by_its_history(api: Api) -> None:
    client = await api.client()
    await publish(client, HELLO)
    made = await start(client, "hello", {"n": 1})
    _append(
        api,
        made,
        [
            ("process.started", None, {"status": "IN_PROGRESS", "starts": [{"path": "greet"}]}),
            ("activity.completed", "greet", {"output": {"text": "hello"}, "starts": [{"path": "check"}]}),
            ("task.created", "check", {"status": "WAITING", "wait": {"kind": "task", "task": {"title": "All right?"}}}),
        ],
    )
    shown = (await client.get(f"{PROCESSES}/{made}")).json()
    assert shown["status"] == "WAITING"
    assert shown["current_activity"] == "check"
    greet, check = shown["activities"]
    assert (greet["status"], greet["output"], greet["attempt"]) == ("COMPLETED", {"text": "hello"}, 1)
    assert greet["ended_at"]
    assert (check["status"], check["wait"]["task"]["title"]) == ("WAITING", "All right?")
    assert check["task_id"].startswith("tsk_")


async def test_values_over_8_kb_are_shown_in_full_and_in_history_on_request(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    big = {"text": "x" * 20_000}
    made = await start(client, "plain", big)
    assert (await client.get(f"{PROCESSES}/{made}")).json()["input"] == big
    short = (await client.get(f"{PROCESSES}/{made}/history")).json()["items"][0]
    assert short["data"]["input_ref"] == 0
    assert "input" not in short["data"]
    full = (await client.get(f"{PROCESSES}/{made}/history", params={"payloads": "true"})).json()["items"][0]
    assert full["data"]["input"] == big
    assert "input_ref" not in full["data"]


async def test_history_is_read_in_pages_in_order(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    made = await start(client, "plain")
    _append(api, made, [("order.seen", "only", {"payload": {"n": n}}) for n in range(4)])
    seen: list[int] = []
    parameters: dict[str, str | int] = {"limit": 2}
    while True:
        page = (await client.get(f"{PROCESSES}/{made}/history", params=parameters)).json()
        seen += [item["seq"] for item in page["items"]]
        if "next_cursor" not in page:
            break
        parameters["cursor"] = page["next_cursor"]
    assert seen == [1, 2, 3, 4, 5]
    assert set(page["items"][0]) == {"seq", "at", "type", "v", "path", "attempt", "data"}
    assert page["items"][0]["at"].endswith("Z")


async def _listed(client: Any, **parameters: Any) -> list[str]:
    response = await client.get(PROCESSES, params=parameters)
    assert response.status_code == 200, response.text
    return [item["id"] for item in response.json()["items"]]


async def test_the_list_is_filtered_paged_and_counted(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    await publish(client, HELLO)
    a, b = await start(client, "plain", business_key="k-a"), await start(client, "plain")
    c = await start(client, "hello", {"n": 1})
    assert await _listed(client) == [c, b, a]
    assert await _listed(client, definition="plain") == [b, a]
    assert await _listed(client, definition="nobody") == []
    assert await _listed(client, business_key="k-a") == [a]
    assert await _listed(client, status="CREATED", limit=1) == [c]
    assert await _listed(client, status="FAILED") == []
    page = (await client.get(PROCESSES, params={"limit": 2, "count": "true"})).json()
    assert page["count"] == 3
    assert await _listed(client, cursor=page["next_cursor"]) == [a]
    soon, early = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(hours=1)
    assert await _listed(client, created_after=soon.isoformat()) == []
    assert await _listed(client, created_after=early.isoformat(), created_before=soon.isoformat()) == [c, b, a]
    assert await _listed(client, created_before=early.isoformat()) == []


async def test_parameters_that_mean_nothing_are_refused_by_name(api: Api) -> None:
    client = await api.client()
    for parameters, pointer in (
        ({"stauts": "FAILED"}, "/stauts"),
        ({"status": "BROKEN"}, "/status"),
        ({"limit": "201"}, "/limit"),
        ({"limit": "0"}, "/limit"),
        ({"limit": "many"}, "/limit"),
        ({"count": "perhaps"}, "/count"),
        ({"created_after": "yesterday"}, "/created_after"),
        ({"definition": "a\0b"}, "/definition"),
    ):
        response = await client.get(PROCESSES, params=parameters)
        problem(response, 400, "invalid_parameter", pointer)
    problem(await client.get(f"{PROCESSES}?limit=1&limit=2"), 400, "invalid_parameter", "/limit")
    problem(await client.get(PROCESSES, params={"cursor": "prc_1"}), 400, "invalid_parameter", "/cursor")
    naive = {"created_after": "2026-01-01T00:00:00"}
    problem(await client.get(PROCESSES, params=naive), 400, "invalid_parameter", "/created_after")


async def test_the_bytes_of_a_url_are_never_too_strange(api: Api) -> None:
    client = await api.client()
    for path in ("/prc_%00", "/%ff%fe", "/prc_0000000000000", "/prc_zzzzzzzzzzzzz", "/prc_1/history", "/%ed%a0%80"):
        assert (await client.get(PROCESSES + path)).status_code == 404
    for query in ("definition=%ff", "business_key=%ed%a0%80", "cursor=%00", "definition=" + "x" * 5000, "limit=1e9"):
        assert (await client.get(f"{PROCESSES}?{query}")).status_code in (200, 400, 422)
