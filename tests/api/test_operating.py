"""Operators: many failed processes are retried at once; a process is let out of the quarantine. Real workers decide."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from engine.core.ids import private_id
from tests.api.client import PLAIN, PROCESSES, Api, at_work, problem, publish, reached, start
from tests.house import eventually

RETRY = f"{PROCESSES}/retry"
ABSENT = "prc_1000000000000"


def failing(name: str, step: str = "break") -> dict[str, Any]:
    return {"name": name, "steps": [{"id": step, "type": "transform", "config": {"mapping": {"x": "${input.no}"}}}]}


async def failed(client: httpx.AsyncClient, definition: str, count: int = 1, **more: Any) -> list[str]:
    """Start processes that fail; return them, oldest first."""
    made = [await start(client, definition, {}, **more) for _ in range(count)]
    for process in made:
        await reached(client, process, "FAILED")
    return made


async def retry(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    response = await client.post(RETRY, json=body)
    assert response.status_code == 202, response.text
    answer: dict[str, Any] = response.json()
    return answer


def asked(answer: dict[str, Any]) -> list[str]:
    return [sent["process_id"] for sent in answer["accepted"]]


def retried(api: Api, process: str) -> list[dict[str, Any]]:
    return [data for _, kind, _, _, data in api.house.history(process) if kind == "process.retried"]


async def test_many_failed_processes_are_retried_and_each_other_one_is_told_why_not(api: Api) -> None:
    client, stranger = await api.client(), await api.client("globex_prod")
    for who in (client, stranger):
        await publish(who, failing("failing"))
    await publish(client, PLAIN)
    async with at_work(api):
        first, second = await failed(client, "failing", 2)
        [foreign] = await failed(stranger, "failing")
        [keyed] = await failed(client, "failing", business_key="o-1")
        done = await start(client, "plain")
        await reached(client, done, "COMPLETED")
    running = await start(client, "failing", {}, business_key="o-1")  # nobody works on it
    wanted = [second, ABSENT, foreign, "nonsense", first, done, running, keyed, first, "prc_1'; --"]
    answer = await retry(client, ids=wanted, by="Ann", reason="mended")
    assert asked(answer) == [second, first]
    assert {sent["command_id"][:4] for sent in answer["accepted"]} == {"cmd_"}
    assert [(no["process_id"], no["code"]) for no in answer["refused"]] == [
        (ABSENT, "not_found"),
        (foreign, "not_found"),
        ("nonsense", "not_found"),
        (done, "not_failed"),
        (running, "not_failed"),
        (keyed, "business_key_taken"),
        ("prc_1'; --", "not_found"),
    ]
    assert all(no["detail"] for no in answer["refused"])
    assert "secret" not in str(answer)
    mails = api.house.rows("select process_id, command from stepwell.inbox order by process_id")
    assert [number for number, _ in mails] == sorted(private_id("prc", p) for p in (first, second))
    assert {mail["kind"] for _, mail in mails} == {"retry"}
    async with at_work(api):
        for process in (first, second):
            await asyncio.to_thread(eventually, lambda p=process: retried(api, p), what="the retry")
    [data] = retried(api, first)
    assert data["by"].startswith("Ann (key_")
    assert data["reason"] == "mended"
    assert retried(api, keyed) == []


async def test_the_failed_processes_that_match_all_filters_are_retried_newest_first(api: Api) -> None:
    client = await api.client()
    for document in (failing("one"), failing("two"), failing("three", "other")):
        await publish(client, document)
    async with at_work(api):
        ones = await failed(client, "one", 3)
        twos = await failed(client, "two", 2)
        threes = await failed(client, "three")
    await start(client, "one", {})  # nobody works on it: it has not failed
    before = api.written()
    created = (await client.get(f"{PROCESSES}/{ones[1]}")).json()["created_at"]
    for nothing in (
        {"failed_step": "nobody"},
        {"definition": "nobody"},
        {"error_code": "expression_failed", "definition": "three", "failed_step": "break"},
        {"created_before": "2020-01-01T00:00:00Z"},
        {"created_after": "2999-01-01T01:00:00+01:00"},
    ):
        assert asked(await retry(client, **nothing)) == []
    assert api.written() == before
    matches: tuple[tuple[dict[str, Any], list[str]], ...] = (
        ({"definition": "one", "limit": 2}, [ones[2], ones[1]]),
        ({"definition": "one", "created_before": created}, [ones[0]]),
        ({"failed_step": "other"}, threes),
        ({"error_code": "expression_failed", "definition": "two"}, twos[::-1]),
        ({"error_code": "expression_failed", "created_after": created}, [*threes, *twos[::-1], *ones[:0:-1]]),
    )
    for body, expected in matches:
        answer = await retry(client, **body)
        assert asked(answer) == expected
        assert answer["refused"] == []


async def test_a_bulk_retry_sent_twice_with_one_key_retries_once(api: Api) -> None:
    client = await api.client()
    await publish(client, failing("failing"))
    async with at_work(api):
        made = await failed(client, "failing", 2)
    for body in ({"ids": [*made, ABSENT]}, {"definition": "failing"}):
        key = {"Idempotency-Key": str(body)[:20].replace(" ", "")}
        before = api.written()["inbox"]
        first = await client.post(RETRY, json=body, headers=key)
        again = await client.post(RETRY, json=body, headers=key)
        assert (first.status_code, again.status_code) == (202, 202)
        assert again.json() == first.json()
        assert again.headers["idempotency-replayed"] == "true"
        assert api.written()["inbox"] == before + 2
        problem(await client.post(RETRY, json={**body, "by": "Bob"}, headers=key), 422, "idempotency_mismatch")


async def test_a_bulk_retry_says_exactly_which_processes_are_meant(api: Api) -> None:
    client = await api.client()
    before = api.written()
    for body, pointer in (
        ({}, None),
        ({"limit": 5}, None),
        ({"by": "Ann", "reason": "all"}, None),
        ({"ids": []}, "/ids"),
        ({"ids": [ABSENT] * 1001}, "/ids"),
        ({"ids": ["x" * 101]}, "/ids/0"),
        ({"ids": [1]}, "/ids/0"),
        ({"ids": [ABSENT], "definition": "x"}, "/definition"),
        ({"ids": [ABSENT], "limit": 1}, "/limit"),
        ({"failed_step": "x", "limit": 1001}, "/limit"),
        ({"failed_step": "x", "limit": 0}, "/limit"),
        ({"failed_step": ""}, "/failed_step"),
        ({"error_code": "x" * 201}, "/error_code"),
        ({"created_after": "2026-01-01T00:00:00"}, "/created_after"),
        ({"created_before": "9999-12-31T23:59:59-23:59"}, "/created_before"),
        ({"status": "FAILED"}, "/status"),
    ):
        problem(await client.post(RETRY, json=body), 422, "invalid_input", pointer)
    answer = await retry(client, ids=[f"prc_{n:013}" for n in range(1000)])
    assert {no["code"] for no in answer["refused"]} == {"not_found"}
    assert len(answer["refused"]) == 1000
    weak = await api.client(rights=["workflows:read", "workflows:write", "tasks:act"])
    problem(await weak.post(RETRY, json={"ids": [ABSENT]}), 403, "forbidden")
    assert api.written() == before


async def test_a_failed_process_of_another_tenant_is_never_among_those_that_match(api: Api) -> None:
    owner = await api.client()
    await publish(owner, failing("failing"))
    async with at_work(api):
        await failed(owner, "failing")
    for scope in ("acme_dev", "globex_prod"):
        stranger = await api.client(scope)
        await publish(stranger, failing("failing"))
        for body in ({"definition": "failing"}, {"error_code": "expression_failed"}, {"failed_step": "break"}):
            assert await retry(stranger, **body) == {"accepted": [], "refused": []}
    assert api.written()["inbox"] == 0


@asynccontextmanager
async def set_aside(api: Api, client: httpx.AsyncClient, definition: str = "plain") -> AsyncIterator[str]:
    """Let a worker set a process aside of which PostgreSQL takes nothing; yield it once that is mended."""
    with api.house.connect("superuser") as db:
        db.execute(
            "create function public.refuse() returns trigger language plpgsql as $$ begin "
            "raise exception 'refused by the test' using errcode = '22P02'; end $$"
        )
        db.execute(
            "create trigger refuse before insert on stepwell.history for each row when (new.seq > 1) "
            "execute function public.refuse()"
        )
        async with at_work(api):
            process = await start(client, definition)
            await asyncio.to_thread(eventually, lambda: leases(api) == [(0,)], what="it is set aside")
        db.execute("drop trigger refuse on stepwell.history")
    yield process


def leases(api: Api) -> list[tuple[Any, ...]]:
    return api.house.rows("select worker_id from stepwell.lease")


async def quarantined(client: httpx.AsyncClient, **filters: Any) -> list[str]:
    response = await client.get(PROCESSES, params={"quarantined": "true", **filters})
    assert response.status_code == 200, response.text
    return [item["id"] for item in response.json()["items"]]


async def test_a_process_that_is_set_aside_is_found_let_go_and_goes_on(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    bystander = await start(client, "plain")
    await publish(client, {**PLAIN, "name": "other"})
    async with at_work(api):
        await reached(client, bystander, "COMPLETED")
    async with set_aside(api, client) as process:
        assert await quarantined(client) == [process]
        everything = await client.get(PROCESSES, params={"quarantined": "false"})
        assert [item["id"] for item in everything.json()["items"]] == [process, bystander]
        assert await quarantined(client, definition="plain", status="CREATED") == [process]
        assert await quarantined(client, definition="other") == []
        counted = (await client.get(PROCESSES, params={"quarantined": "true", "count": "true"})).json()
        assert counted["count"] == 1
        async with at_work(api):
            assert leases(api) == [(0,)]  # no worker frees it by itself
            freed = await client.post(f"{PROCESSES}/{process}/release", json={"by": "Ann", "reason": "mended"})
            assert freed.status_code == 200, freed.text
            assert freed.json()["id"] == process
            await reached(client, process, "COMPLETED")
    assert await quarantined(client) == []
    assert api.house.value("select count(*) from stepwell.loss") == 0
    [(actor, subject, reason)] = api.house.rows(
        "select actor, subject, reason from stepwell.audit where action = 'process.released'"
    )
    assert (subject, reason) == (process, "mended")
    assert actor.startswith("Ann (key_")


async def test_a_process_is_let_out_once(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    async with set_aside(api, client) as process:
        path, key = f"{PROCESSES}/{process}/release", {"Idempotency-Key": "out"}
        first = await client.post(path, headers=key)
        again = await client.post(path, headers=key)
        assert (first.status_code, again.status_code) == (200, 200)
        assert again.json() == first.json()
        problem(await client.post(path), 409, "not_quarantined")
    assert api.house.value("select count(*) from stepwell.release") == 1
    assert api.house.value("select count(*) from stepwell.audit where action = 'process.released'") == 1


async def test_only_an_admin_lets_out_and_only_what_is_set_aside_in_the_own_scope(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    idle = await start(client, "plain")
    problem(await client.post(f"{PROCESSES}/{idle}/release"), 409, "not_quarantined")
    problem(await client.post(f"{PROCESSES}/{ABSENT}/release"), 404, "not_found")
    problem(await client.post(f"{PROCESSES}/nonsense/release"), 404, "not_found")
    async with at_work(api):
        await reached(client, idle, "COMPLETED")
    async with set_aside(api, client) as process:
        for scope in ("acme_dev", "globex_prod"):
            stranger = await api.client(scope)
            assert await quarantined(stranger) == []
            problem(await stranger.post(f"{PROCESSES}/{process}/release"), 404, "not_found")
        weak = await api.client(rights=["workflows:read", "workflows:write", "workflows:execute", "tasks:act"])
        assert await quarantined(weak) == [process]
        problem(await weak.post(f"{PROCESSES}/{process}/release"), 403, "forbidden")
        assert leases(api) == [(0,)]


async def test_a_process_that_a_worker_holds_is_not_let_go(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    process = await start(client, "plain")
    api.house.owner.execute(
        "insert into stepwell.lease (process_id, worker_id, priority, lane, tenant_id, environment_id) "
        "select id, 7, 0, 0, tenant_id, environment_id from stepwell.process"
    )
    problem(await client.post(f"{PROCESSES}/{process}/release"), 409, "not_quarantined")
    assert leases(api) == [(7,)]
