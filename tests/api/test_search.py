"""Finding processes: labels, what they failed with, when they ended; and the trace that set them off."""

from typing import Any

import httpx
import pytest

from tests.api.client import DEFINITIONS, HELLO, PLAIN, PROCESSES, Api, at_work, problem, publish, reached, start

BREAK: dict[str, Any] = {
    "name": "break",
    "steps": [
        {"id": "ok", "type": "transform", "config": {"mapping": {"x": 1}}},
        {"id": "bad", "type": "transform", "config": {"mapping": {"x": "${input.no}"}}},
    ],
}
CALL: dict[str, Any] = {
    "name": "call",
    "steps": [{"id": "call", "type": "http", "config": {"url": "http://192.0.2.1/"}}],
}


async def found(client: httpx.AsyncClient, **filters: Any) -> list[str]:
    """Return the ids that a search finds, and check that their number is told alike."""
    response = await client.get(PROCESSES, params={**filters, "count": "true"})
    assert response.status_code == 200, response.text
    ids = [item["id"] for item in response.json()["items"]]
    assert response.json()["count"] == len(ids)
    return ids


async def test_labels_are_kept_shown_and_searched_for(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    await publish(client, HELLO)
    a = await start(client, "plain", labels={"region": "eu", "team": "sales"})
    b = await start(client, "plain", labels={"region": "us", "team": "sales"})
    c = await start(client, "hello", {"n": 1}, labels={"region": "eu"})
    many = {"definition": "plain", "inputs": [1, 2], "labels": {"batch": "7"}}
    bulk = (await client.post(f"{PROCESSES}/bulk", json=many)).json()["ids"]
    bare = await start(client, "plain")

    assert await found(client, label="region:eu") == [c, a]
    assert await found(client, label="team:sales") == [b, a]
    assert await found(client, label="region:eu,team:sales") == [a]
    assert await found(client, label="team:sales,region:eu", definition="plain") == [a]
    assert await found(client, label="region:eu", definition="hello") == [c]
    assert await found(client, label="region:eu,region:us") == []
    assert await found(client, label="region:eu,region:eu") == [c, a]
    assert await found(client, label="batch:7") == bulk[::-1]
    assert await found(client, label="batch:7", status="FAILED") == []
    assert await found(client, label="region:e") == []
    assert await found(client, label="REGION:eu") == []
    assert (await client.get(f"{PROCESSES}/{a}")).json()["labels"] == {"region": "eu", "team": "sales"}
    assert (await client.get(f"{PROCESSES}/{bare}")).json()["labels"] == {}
    assert [p["labels"] for p in (await client.get(PROCESSES)).json()["items"]][:3] == [
        {},
        {"batch": "7"},
        {"batch": "7"},
    ]
    for scope in ("acme_dev", "globex_prod"):
        assert await found(await api.client(scope), label="region:eu") == []


async def test_pages_of_a_search_follow_each_other(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    made = [await start(client, "plain", labels={"k": str(n % 2), "all": "x"}) for n in range(7)]
    seen: list[str] = []
    cursor = None
    while True:
        query: dict[str, str | int] = {"label": "all:x,k:0", "limit": 2, **({"cursor": cursor} if cursor else {})}
        answer = (await client.get(PROCESSES, params=query)).json()
        seen += [item["id"] for item in answer["items"]]
        cursor = answer.get("next_cursor")
        if cursor is None:
            break
    assert seen == made[::-2]


@pytest.mark.parametrize("value", ["a,b", "a:b", "\\", "\\,", "a b", "%", "'; --", "Größe 数", "x" * 200, ",,,"])
async def test_any_value_a_label_can_have_can_be_searched_for(api: Api, value: str) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    made = await start(client, "plain", labels={"a.b-c_D": value, "one": "1"})
    await start(client, "plain", labels={"a.b-c_D": value + "x" if len(value) < 200 else "y"})
    escaped = value.replace("\\", "\\\\").replace(",", "\\,")
    assert await found(client, label=f"a.b-c_D:{escaped}") == [made]
    assert await found(client, label=f"one:1,a.b-c_D:{escaped}") == [made]


@pytest.mark.parametrize(
    "label",
    [
        "",
        "a",
        "a:",
        ":b",
        "a:b,",
        ",a:b",
        "a:b,,c:d",
        "a b:c",
        "ä:b",
        "a:b\\",
        "a:\\x",
        "a:1,b:2,c:3,d:4,e:5",
        "x" * 64 + ":a",
    ],
)
async def test_a_label_that_cannot_be_read_is_refused_with_how_to_write_it(api: Api, label: str) -> None:
    client = await api.client()
    body = problem(await client.get(PROCESSES, params={"label": label}), 400, "invalid_parameter", "/label")
    assert "label=name:value" in body["advice"]


BAD_LABELS: list[tuple[Any, str]] = [
    ({"a b": "x"}, "/labels"),
    ({"": "x"}, "/labels"),
    ({"a\n": "x"}, "/labels"),
    ({"a" * 64: "x"}, "/labels"),
    ({"a": ""}, "/labels"),
    ({"a": "x" * 201}, "/labels"),
    ({"a": "x\n"}, "/labels"),
    ({"a": "x\u202ey"}, "/labels"),
    ({"a": 1}, "/labels"),
    ({"a": None}, "/labels"),
    ({str(n): "x" for n in range(17)}, "/labels"),
    ([["a", "b"]], "/labels"),
    ("a:b", "/labels"),
]


@pytest.mark.parametrize(("labels", "pointer"), BAD_LABELS)
async def test_labels_that_could_not_be_searched_for_are_refused(api: Api, labels: Any, pointer: str) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    before = api.written()
    body = {"definition": "plain", "labels": labels}
    problem(await client.post(PROCESSES, json=body), 422, "invalid_input", pointer)
    many = {"definition": "plain", "inputs": [1], "labels": labels}
    problem(await client.post(f"{PROCESSES}/bulk", json=many), 422, "invalid_input", pointer)
    assert api.written() == before


async def test_failed_processes_are_found_by_error_step_and_end(api: Api) -> None:
    client = await api.client()
    for document in (BREAK, CALL, PLAIN):
        await publish(client, document)
    async with at_work(api):
        good = await start(client, "plain", labels={"x": "1"})
        bad = await start(client, "break", {}, labels={"x": "1"})
        call = await start(client, "call", {}, labels={"x": "2"})
        shown = {p: await reached(client, p, "FAILED", "COMPLETED") for p in (good, bad, call)}
    assert [(shown[p]["error_code"], shown[p]["failed_step"]) for p in (good, bad, call)] == [
        (None, None),
        ("expression_failed", "bad"),
        ("address_forbidden", "call"),
    ]
    listed = {p["id"]: p for p in (await client.get(PROCESSES)).json()["items"]}
    for process, view in shown.items():
        assert listed[process] == {name: view[name] for name in listed[process]}
    ended = shown[bad]["ended_at"]
    later = [p for p in (call, bad, good) if shown[p]["ended_at"] >= ended]
    assert await found(client, error_code="expression_failed") == [bad]
    assert await found(client, failed_step="call") == [call]
    assert await found(client, failed_step="ok") == []
    assert await found(client, error_code="address_forbidden", failed_step="call", status="FAILED") == [call]
    assert await found(client, error_code="address_forbidden", failed_step="bad") == []
    assert await found(client, error_code="expression_failed", label="x:1", definition="break") == [bad]
    assert await found(client, error_code="expression_failed", label="x:2") == []
    assert await found(client, ended_after=ended) == later
    assert sorted(await found(client, ended_before=ended) + later) == sorted((good, bad, call))
    assert await found(client, ended_after=ended, ended_before=ended) == []
    assert await found(client, ended_after="2020-01-01T00:00:00Z", error_code="expression_failed") == [bad]


async def test_what_a_process_failed_with_is_gone_once_it_is_retried_and_goes_on(api: Api) -> None:
    client = await api.client()
    document = {
        "name": "later",
        "steps": [
            {"id": "wait", "type": "manual", "config": {"title": "?", "on_reject": "fail"}},
            {"id": "end", "type": "transform", "config": {"mapping": {}}},
        ],
    }
    await publish(client, document)
    async with at_work(api):
        process = await start(client, "later", {})
        task = (await reached(client, process, "WAITING"))["activities"][0]["task_id"]
        await client.post(f"/api/v1/tasks/{task}/reject", json={"by": "Ann", "reason": "no"})
        failed = await reached(client, process, "FAILED")
        assert (failed["error_code"], failed["failed_step"]) == ("task_rejected", "wait")
        assert await found(client, error_code="task_rejected") == [process]
        assert (await client.post(f"{PROCESSES}/{process}/retry")).status_code == 200
        shown = await reached(client, process, "WAITING")
        assert (shown["error_code"], shown["failed_step"]) == (None, None)
        assert await found(client, error_code="task_rejected") == []
        assert await found(client, failed_step="wait") == []
        assert await found(client, ended_after="2020-01-01T00:00:00Z") == []


GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_the_trace_that_set_a_process_off_is_kept_with_it(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    headers = {"TraceParent": GOOD, "tracestate": "x=1"}
    one = (await client.post(PROCESSES, json={"definition": "plain"}, headers=headers)).json()["id"]
    many = {"definition": "plain", "inputs": [1, 2]}
    others = (await client.post(f"{PROCESSES}/bulk", json=many, headers=headers)).json()["ids"]
    [definition] = (await client.get(DEFINITIONS)).json()["items"]
    triggered = await client.post(f"{DEFINITIONS}/{definition['id']}/trigger", headers=headers)
    for process in (one, *others, triggered.json()["execution_id"]):
        [(_, _, _, _, data)] = api.house.history(process)
        assert data["traceparent"] == GOOD


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "x",
        GOOD.upper(),
        GOOD + "-00",
        GOOD[:-1],
        GOOD + "\t0",
        "ff" + GOOD[2:],
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "x" * 5000,
    ],
)
async def test_a_trace_context_that_is_none_is_ignored(api: Api, header: str | None) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    headers = {} if header is None else {"traceparent": header}
    made = await client.post(PROCESSES, json={"definition": "plain"}, headers=headers)
    assert made.status_code == 201, made.text
    [(_, _, _, _, data)] = api.house.history(made.json()["id"])
    assert "traceparent" not in data


async def test_of_two_trace_contexts_neither_is_believed(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    headers = [("traceparent", GOOD), ("traceparent", GOOD)]
    made = await client.post(PROCESSES, json={"definition": "plain"}, headers=headers)
    [(_, _, _, _, data)] = api.house.history(made.json()["id"])
    assert "traceparent" not in data
