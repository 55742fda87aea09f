"""Starts that come at the same time are written together; each is answered for itself."""

import asyncio
from collections import Counter

import httpx
import psycopg

from tests.api.client import PROCESSES, Api, problem, publish

STRICT = {
    "name": "strict",
    "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    "steps": [{"id": "a", "type": "noop", "config": {}}],
}
LOOSE = {"name": "loose", "steps": [{"id": "a", "type": "noop", "config": {}}]}


async def _all(
    client: httpx.AsyncClient, bodies: list[dict[str, object]], keys: list[str | None]
) -> list[httpx.Response]:
    return await asyncio.gather(
        *(
            client.post(PROCESSES, json=body, headers={"Idempotency-Key": key} if key else {})
            for body, key in zip(bodies, keys, strict=True)
        )
    )


def _transactions(api: Api) -> int:
    with psycopg.connect(api.house.dsn("superuser"), autocommit=True) as db:
        row = db.execute("select count(distinct xmin::text) from stepwell.process").fetchone()
    assert row is not None
    return int(row[0])


async def test_starts_that_come_together_are_written_together_and_keep_what_is_theirs(api: Api) -> None:
    client = await api.client()
    await publish(client, LOOSE)
    bodies: list[dict[str, object]] = [
        {"definition": "loose", "input": {"n": n}, "labels": {"half": str(n % 2)}, "priority": n % 3} for n in range(60)
    ]
    answers = await _all(client, bodies, [None] * 60)
    assert {answer.status_code for answer in answers} == {201}
    made = [answer.json() for answer in answers]
    assert len({process["id"] for process in made}) == 60
    for n, process in enumerate(made):
        assert (process["labels"], process["priority"]) == ({"half": str(n % 2)}, n % 3)
        there = (await client.get(f"{PROCESSES}/{process['id']}")).json()
        assert there["input"] == {"n": n}
        assert {name: there[name] for name in process} == process
    assert _transactions(api) < 60


async def test_an_input_that_is_refused_fails_alone(api: Api) -> None:
    client = await api.client()
    await publish(client, STRICT)
    bodies: list[dict[str, object]] = [
        {"definition": "strict", "input": {"n": n if n % 5 else "five"}} for n in range(40)
    ]
    answers = await _all(client, bodies, [None] * 40)
    for n, answer in enumerate(answers):
        if n % 5:
            assert answer.status_code == 201
        else:
            assert problem(answer, 422, "input_invalid")["pointer"] == "/input/n"


async def test_a_key_that_another_transaction_holds_keeps_nobody_else_from_starting(api: Api) -> None:
    client = await api.client()
    await publish(client, LOOSE)
    body: dict[str, object] = {"definition": "loose", "input": {}}
    scope = api.house.scopes["acme_prod"]
    with psycopg.connect(api.house.dsn("superuser")) as other:
        other.execute(
            "insert into stepwell.idempotency_key (tenant_id, environment_id, key, fingerprint) values (%s, %s, %s, '')",
            (*scope, "http:key-7"),
        )
        answers = await _all(client, [body] * 20, [f"key-{n}" for n in range(20)])
        other.rollback()
    for n, answer in enumerate(answers):
        if n == 7:
            problem(answer, 409, "idempotency_in_progress")
        else:
            assert answer.status_code == 201, answer.text
    again = await _all(client, [body] * 20, [f"key-{n}" for n in range(20)])
    assert [answer.headers.get("idempotency-replayed") for answer in again] == ["true"] * 7 + [None] + ["true"] * 12
    assert [a.json()["id"] for n, a in enumerate(again) if n != 7] == [
        a.json()["id"] for n, a in enumerate(answers) if n != 7
    ]


async def test_one_key_sent_many_times_at_once_starts_one_process(api: Api) -> None:
    client = await api.client()
    await publish(client, LOOSE)
    body: dict[str, object] = {"definition": "loose", "input": {"n": 1}}
    answers = await _all(client, [body] * 30, ["the-key"] * 30)
    assert Counter(answer.status_code for answer in answers) == {201: 30}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.headers.get("idempotency-replayed") for answer in answers].count(None) == 1


async def test_the_same_key_with_another_body_at_once_is_a_mismatch_for_one(api: Api) -> None:
    client = await api.client()
    await publish(client, LOOSE)
    bodies: list[dict[str, object]] = [{"definition": "loose", "input": {"n": n}} for n in (1, 2)]
    answers = await _all(client, bodies, ["one", "one"])
    assert sorted(answer.status_code for answer in answers) == [201, 422]


async def test_a_definition_that_is_not_there_refuses_each_request(api: Api) -> None:
    client = await api.client()
    answers = await _all(client, [{"definition": "nowhere"}] * 10, [None] * 10)
    for answer in answers:
        problem(answer, 404, "not_found")
