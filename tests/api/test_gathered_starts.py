"""Starts that come at the same time are written together; each is answered for itself."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import psycopg
import pytest

from api import gathering
from api.catalogue import Catalogue
from api.database import Database
from engine.errors import NotFound, Unavailable
from engine.store.base import Scope
from tests.api.client import PROCESSES, Api, problem, publish
from tests.house import House, eventually

STRICT = {
    "name": "strict",
    "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    "steps": [{"id": "a", "type": "noop", "config": {}}],
}
LOOSE = {"name": "loose", "steps": [{"id": "a", "type": "noop", "config": {}}]}
TAKE = "insert into stepwell.idempotency_key (tenant_id, environment_id, key, fingerprint) values (%s, %s, %s, '')"


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
    with psycopg.connect(api.house.dsn("superuser")) as other:
        other.execute(TAKE, (*api.house.scopes["acme_prod"], "http:key-7"))
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


async def test_a_key_that_another_transaction_takes_meanwhile_undoes_nobody_elses_start(api: Api) -> None:
    client = await api.client()
    await publish(client, LOOSE)
    body: dict[str, object] = {"definition": "loose", "input": {}}
    waiting = "select count(*) from pg_locks where not granted"
    with psycopg.connect(api.house.dsn("superuser")) as other:
        other.execute(TAKE, (*api.house.scopes["acme_prod"], "http:key-7"))
        under_way = asyncio.create_task(_all(client, [body] * 20, [f"key-{n}" for n in range(20)]))
        await asyncio.to_thread(eventually, lambda: api.house.value(waiting), what="they wait for the key")
        other.commit()
    answers = await under_way
    problem(answers.pop(7), 422, "idempotency_mismatch")
    assert {answer.status_code for answer in answers} == {201}
    assert api.written()["process"] == 19


@pytest.mark.parametrize("before", [True, False])
async def test_requests_sent_again_keep_no_others_from_going_together(api: Api, *, before: bool) -> None:
    """Fails where only PostgreSQL's refusal tells of a key that is known or comes twice: it undoes all it came with."""
    client = await api.client()
    await publish(client, LOOSE)
    body: dict[str, object] = {"definition": "loose", "input": {}}
    if before:
        await _all(client, [body], ["the-key"])
    answers = await _all(client, [body] * 80, [None, "the-key"] * 40)
    assert {answer.status_code for answer in answers} == {201}
    assert [answer.headers.get("idempotency-replayed") for answer in answers].count("true") == 39 + before
    assert api.written()["process"] == 41
    assert _transactions(api) < 41


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


@pytest.fixture
async def starts(house: House) -> AsyncIterator[gathering.Gathered]:
    """Return what gathers the starts of one application, without requests around them."""
    database = Database(house.dsn("house_api"), 8)
    await database.open()
    yield gathering.Gathered(Catalogue(database))
    await database.close()


def wanted(house: House, definition: str) -> gathering.Start:
    values = {"priority": 0, "labels": None, "by": "tester", "reason": None, "traceparent": None}
    return gathering.Start(Scope(*house.scopes["acme_prod"], "acme", "prod"), definition, None, {}, values)


async def test_what_is_wrong_with_the_definition_is_told_at_once_and_nobody_goes_on_his_own_to_hear_it(
    house: House, starts: gathering.Gathered
) -> None:
    """Fails where each of two hundred would ask PostgreSQL again."""
    house.publish({**LOOSE, "name": "shut", "enabled": False})
    asked = [wanted(house, name) for name in ("shut", "nowhere") for _ in range(5)]
    told = await asyncio.gather(*(starts.start(one) for one in asked), return_exceptions=True)

    assert [getattr(error, "sqlstate", None) for error in told[:5]] == ["SW411"] * 5
    assert [type(error) for error in told[5:]] == [NotFound] * 5


async def test_who_has_waited_too_long_when_his_turn_comes_is_told_so_and_not_started(
    house: House, starts: gathering.Gathered, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.publish(LOOSE)
    monkeypatch.setattr(gathering, "AT_ONCE", 1)  # so that one comes after the other
    one = wanted(house, "loose")
    busy = "select count(*) from pg_locks where relation = 'stepwell.process'::regclass and not granted"
    with psycopg.connect(house.dsn("superuser")) as other:
        other.execute("lock table stepwell.process in exclusive mode")
        first = asyncio.create_task(starts.start(one))
        await asyncio.to_thread(eventually, lambda: house.value(busy), what="it waits for the table")
        late = [asyncio.create_task(starts.start(one)) for _ in range(10)]
        await asyncio.sleep(0)
        with monkeypatch.context() as impatient:
            impatient.setattr(gathering, "WAIT_S", 0.0)
            other.rollback()
            told = await asyncio.gather(*late, return_exceptions=True)
    after = await starts.start(one)

    assert [type(error) for error in told] == [Unavailable] * 10
    assert [answer and answer.status for answer in (await first, after)] == [201, 201]
    assert house.value("select count(*) from stepwell.process") == 2


async def test_a_start_that_waited_in_vain_may_be_sent_again_with_its_key(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await api.client()
    await publish(client, LOOSE)
    body: dict[str, object] = {"definition": "loose", "input": {}}
    monkeypatch.setattr(gathering, "WAIT_S", 0.0)
    [refused] = await _all(client, [body], ["the-key"])
    problem(refused, 503, "unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert (api.written()["process"], api.written()["idempotency_key"]) == (0, 0)

    monkeypatch.undo()
    [started] = await _all(client, [body], ["the-key"])
    assert (started.status_code, started.headers.get("idempotency-replayed")) == (201, None)
