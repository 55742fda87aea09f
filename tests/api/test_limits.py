"""What one caller may cost the others: time, memory, answers without end."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from psycopg.types.json import Jsonb

from api import bodies, limits
from api.bodies import decode_json, too_many
from api.limits import Bytes, Places, Turns, UnderWay
from engine.core.ids import private_id
from engine.errors import RateLimited, TooLarge, Unavailable, UnreadableBody
from engine.store.access import Key
from engine.store.base import Scope
from engine.store.history import MAX_PAYLOADS
from tests.api.client import DEFINITIONS, PLAIN, PROCESSES, SIGNALS, Api, new_key, problem, publish, start
from tests.house import eventually

JSON = {"Content-Type": "application/json"}
SCOPE = Scope(1, 1, "t", "e")


async def test_a_body_that_never_ends_is_given_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    client = await api.client()

    async def dripping() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    response = await client.post(PROCESSES, content=dripping(), headers=JSON)
    problem(response, 408, "body_too_slow")
    assert response.headers["connection"] == "close"  # what comes of it later is not the next request


@pytest.mark.parametrize("unit", [b"{},", b"1,", b"[" * 60 + b"]" * 60 + b",", b'"",', b'{"a":1},'])
async def test_a_body_of_too_many_values_is_refused_before_it_becomes_values(api: Api, unit: bytes) -> None:
    client = await api.client()
    many = unit * (bodies.MAX_VALUES // max(unit.count(b",") + unit.count(b"[") + unit.count(b"{"), 1) + 10)
    body = b'{"definition": "plain", "input": [' + many + b"1]}"
    response = await client.post(PROCESSES, content=body, headers=JSON)
    problem(response, 413, "too_large")
    assert "values" in response.json()["detail"]


def test_separators_within_texts_are_no_values() -> None:
    raw = json.dumps(["a,[{" * 1000, '\\",' * 1000, "end"]).encode()
    assert not too_many(raw, 10)
    assert too_many(b"[" + b"1," * 20 + b"1]", 10)
    assert decode_json(json.dumps("," * (bodies.MAX_VALUES + 10)).encode()) == "," * (bodies.MAX_VALUES + 10)


@pytest.mark.timeout(20)
def test_a_text_that_is_never_closed_is_read_once_and_not_once_for_each_of_its_quotes() -> None:
    for raw in (b"[" * 100 + b'"\\' * 4_000_000, b"," * 1_000_001 + b'"\\' * 4_000_000):
        with pytest.raises((TooLarge, UnreadableBody)):
            decode_json(raw)


async def test_large_bodies_are_held_two_at_a_time_until_they_are_answered() -> None:
    places, scopes = Places(2), [dict[str, Any]() for _ in range(3)]
    for scope in scopes[:2]:
        await places.take(scope)
    third = asyncio.create_task(places.take(scopes[2]))
    await asyncio.sleep(0)
    assert not third.done()
    places.give_back({})  # a request without a place
    await asyncio.sleep(0)
    assert not third.done()
    places.give_back(scopes[0])
    await third


async def test_a_place_is_given_back_whatever_became_of_the_request(api: Api) -> None:
    client = await api.client()
    body = b'{"definition": "plain", "input": "' + b"x" * (2 << 20) + b'"}'
    for broken in (body, body[:-1], b"[" + body):
        for _ in range(3):
            assert (await client.post(PROCESSES, content=broken, headers=JSON)).status_code in (400, 413)


async def _large(api: Api, key: str, send: Any) -> None:
    """Post a large body as a server would; `send` takes the answer."""
    body = b'{"definition": "plain", "no": "' + b"x" * (2 << 20) + b'"}'

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"host", b"x"), (b"content-type", b"application/json"), (b"authorization", b"Bearer " + key.encode())]
    scope: Any = {"type": "http", "method": "POST", "path": PROCESSES, "raw_path": PROCESSES.encode(), "root_path": ""}
    scope |= {
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "query_string": b"",
        "extensions": {},
    }
    scope |= {"server": ("x", 80), "client": ("x", 1), "headers": headers, "state": {}}
    await api.app(scope, receive, send)


async def test_an_answer_that_is_read_slowly_keeps_nobody_from_a_place(api: Api) -> None:
    key, read, begun = new_key(api.house, "acme_prod", ["admin"]), asyncio.Event(), asyncio.Semaphore(0)

    async def slow(message: Any) -> None:
        begun.release()
        await read.wait()

    stuck = [asyncio.create_task(_large(api, key, slow)) for _ in range(2)]
    for _ in stuck:
        await begun.acquire()
    client = await api.client()
    large = {"definition": "plain", "no": "x" * (2 << 20)}
    problem(await client.post(PROCESSES, json=large, timeout=10), 422, "invalid_input")
    read.set()
    await asyncio.gather(*stuck)


async def test_who_waits_for_a_place_in_vain_is_told_to_come_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PLACE_WAIT_S", 0.05)
    client, places = await api.client(), [dict[str, Any]() for _ in range(2)]
    for scope in places:
        await api.app.state.body_places.take(scope)
    yaml = {"Content-Type": "application/yaml"}
    json_body = b'{"definition": "plain", "input": "' + b"x" * (2 << 20) + b'"}'
    yaml_body = b"- [x]\n" * (70_000 // 6)  # small for JSON
    for path, body, headers in ((PROCESSES, json_body, JSON), (DEFINITIONS, yaml_body, yaml)):
        response = await client.post(path, content=body, headers=headers)
        problem(response, 503, "unavailable")
        assert int(response.headers["retry-after"]) > 0
    problem(await client.post(PROCESSES, json={"no": "x" * 70_000}), 422, "invalid_input")
    api.app.state.body_places.give_back(places[0])
    problem(await client.post(DEFINITIONS, content=yaml_body, headers=yaml), 422, "invalid_definition")


async def test_bodies_take_so_many_bytes_in_all_and_of_one_key_half_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BYTES_WAIT_S", 0.05)
    held = Bytes(100)
    one, other, third = [{"user": Key(n, "k", SCOPE, frozenset())} for n in range(3)]
    await held.take(one, 30)
    await held.take(one, 20)
    with pytest.raises(Unavailable):
        await held.take(one, 1)
    await held.take(other, 45)
    with pytest.raises(Unavailable):
        await held.take(third, 10)
    monkeypatch.setattr(limits, "BYTES_WAIT_S", 30.0)
    waiting = asyncio.create_task(held.take(third, 10))
    await asyncio.sleep(0)
    held.give_back(one)
    held.give_back(one)  # twice is once
    await waiting
    await held.take(one, 45)


async def test_a_body_for_which_there_are_no_bytes_left_is_refused_and_small_ones_pass(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BYTES_WAIT_S", 0.05)
    client = await api.client()
    await publish(client, PLAIN)
    api.app.state.body_bytes = Bytes(400_000)
    problem(await client.post(PROCESSES, json={"no": "x" * 300_000}), 503, "unavailable")
    for _ in range(5):  # each gives back what it took
        await start(client, "plain", "x" * 200_000)
    other = {"user": Key(0, "k", SCOPE, frozenset())}
    await api.app.state.body_bytes.take(other, 200_000)
    await start(client, "plain", "x" * 60_000)


async def test_one_key_has_so_many_requests_at_work_and_no_more() -> None:
    at_work, scopes = UnderWay(8), [dict[str, Any]() for _ in range(2)]
    for scope in scopes:
        at_work.begin(scope, 1)
    with pytest.raises(RateLimited):
        at_work.begin({}, 1)
    at_work.begin({}, 2)
    at_work.end(scopes[0])
    at_work.end(scopes[0])
    at_work.begin({}, 1)
    with pytest.raises(RateLimited):
        at_work.begin({}, 1)


async def test_turns_are_counted_for_each_and_had_in_order() -> None:
    turns, had = Turns(1), list[int]()

    async def have(n: int) -> None:
        async with turns.turn(1, 30):
            had.append(n)

    async with turns.turn(1, 0.05), turns.turn(2, 0.05):
        with pytest.raises(Unavailable):
            async with turns.turn(1, 0.05):
                had.append(-1)
        waiting = [asyncio.create_task(have(n)) for n in range(3)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert had == [0, 1, 2]


async def test_locks_that_one_environment_waits_for_keep_no_other_waiting(api: Api) -> None:
    one, other = await api.client(), await api.client("globex_prod")
    await publish(one, PLAIN)
    holder = api.house.caller("acme_prod", autocommit=False)
    holder.execute("select stepwell.start_process('plain', '{}', business_key => 'k')")
    starts = [asyncio.create_task(start_with(one, "k")) for _ in range(40)]
    waiting = "select count(*) from pg_locks where not granted"
    await asyncio.to_thread(eventually, lambda: api.house.value(waiting) >= 5, what="they wait for the lock")
    assert (await other.get(PROCESSES)).status_code == 200
    assert not any(task.done() for task in starts)
    holder.rollback()
    assert {answer.status_code for answer in await asyncio.gather(*starts)} <= {201, 409}


async def start_with(client: httpx.AsyncClient, business_key: str) -> httpx.Response:
    return await client.post(PROCESSES, json={"definition": "plain", "business_key": business_key})


async def test_what_only_postgresql_finds_too_large_is_answered_like_what_we_find(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    value = [1] * 400_000  # 0.8 MB as we write it, 1.2 MB as jsonb does
    for path, body, pointer in (
        (PROCESSES, {"definition": "plain", "input": value}, "/input"),
        (f"{PROCESSES}/bulk", {"definition": "plain", "inputs": [1, value]}, "/inputs/1"),
        (SIGNALS, {"name": "paid", "data": value, "correlation_key": "k"}, "/data"),
    ):
        problem(await client.post(path, json=body), 413, "too_large", pointer)
    assert api.written()["process"] == 0


async def _large_outputs(api: Api, client: httpx.AsyncClient, count: int) -> str:
    """Write a process whose `count` steps each left a value of 1 MB."""
    steps = [{"id": f"s{n}", "type": "transform", "config": {"mapping": {}}} for n in range(count)]
    await publish(client, {"name": "many", "steps": steps})
    made = await start(client, "many", {})
    number = private_id("prc", made)
    execute = api.house.owner.execute
    for n in range(count):
        execute(
            "insert into stepwell.payload (process_id, n, tenant_id, environment_id, body) "
            "select id, %s, tenant_id, environment_id, %s from stepwell.process where id = %s",
            (n, Jsonb("x" * 1_000_000), number),
        )
        execute(
            "insert into stepwell.history "
            "(process_id, seq, tenant_id, environment_id, v, feed_epoch, at, type, path, attempt, data) "
            "select process_id, max(seq) + 1, tenant_id, environment_id, 1, 1, now(), 'activity.completed', %s, 1, %s "
            "from stepwell.history where process_id = %s group by process_id, tenant_id, environment_id",
            (f"s{n}", Jsonb({"output_ref": n}), number),
        )
    return made


async def test_an_answer_holds_eight_mebibytes_of_large_values_and_names_the_others(api: Api) -> None:
    client = await api.client()
    made = await _large_outputs(api, client, 12)
    response = await client.get(f"{PROCESSES}/{made}")
    assert len(response.content) < MAX_PAYLOADS + (1 << 20)
    shown = response.json()["activities"]
    assert [a["output_ref"] for a in shown] == [None] * 8 + [8, 9, 10, 11]
    assert [a["output"] is None for a in shown] == [False] * 8 + [True] * 4
    history = (await client.get(f"{PROCESSES}/{made}/history?payloads=true&limit=1000")).json()["items"]
    left = [event["seq"] for event in history if "output_ref" in event["data"]]
    assert len(left) == 4
    one = f"{PROCESSES}/{made}/history?payloads=true&limit=1&cursor={left[-1] - 1}"
    assert len((await client.get(one)).json()["items"][0]["data"]["output"]) == 1_000_000


async def test_probes_that_find_all_well_are_logged_for_debugging_only(api: Api) -> None:
    client = await api.stranger()
    for path in ("/health/live", "/health/ready", "/health/live?x=1", "/nowhere"):
        await client.get(path)
    assert [o.level for o in api.observed] == ["debug", "debug", "info", "info"]
