import asyncio

import pytest

from tests.api.client import DEFINITIONS, HELLO, PLAIN, PROCESSES, SIGNALS, Api, problem, publish, start
from tests.house import eventually

KEY = {"Idempotency-Key": "a-key"}


async def test_the_same_request_acts_once_and_is_answered_alike(api: Api) -> None:
    client = await api.client()
    await publish(client, HELLO)
    process = await start(client, "hello", {"n": 1})
    requests = [
        (DEFINITIONS, PLAIN),
        (PROCESSES, {"definition": "hello", "input": {"n": 1, "m": 2}, "business_key": "once"}),
        (f"{PROCESSES}/bulk", {"definition": "hello", "inputs": [{"n": 1}, {"n": 2}]}),
        (SIGNALS, {"name": "paid", "data": {"n": 1}}),
        (f"{PROCESSES}/{process}/cancel", {"reason": "enough"}),
    ]
    for number, (path, body) in enumerate(requests):
        headers = {"Idempotency-Key": f"key-{number}"}
        first = await client.post(path, json=body, headers=headers)
        assert first.status_code in (201, 202), first.text
        assert "idempotency-replayed" not in first.headers
        before = api.written()
        again = await client.post(path, json=body, headers=headers)
        assert again.status_code == first.status_code
        assert again.json() == first.json()
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers.get("location") == first.headers.get("location")
        assert api.written() == before


async def test_how_a_body_is_written_does_not_matter_but_what_it_says_does(api: Api) -> None:
    client = await api.client()
    await publish(client, HELLO)
    headers = {**KEY, "Content-Type": "application/json"}
    first = await client.post(
        PROCESSES, content=b'{"definition": "hello", "input": {"n": 1, "m": 1.0}}', headers=headers
    )
    again = await client.post(
        PROCESSES, content=b'{ "input": {"m": 1.0,"n":1},"definition":"hel\\u006co"}', headers=headers
    )
    assert again.json() == first.json()
    before = api.written()
    other = {"definition": "hello", "input": {"n": 2}}
    problem(await client.post(PROCESSES, json=other, headers=KEY), 422, "idempotency_mismatch")
    path = f"{PROCESSES}/bulk"
    problem(
        await client.post(path, json={"definition": "hello", "inputs": [{"n": 1}]}, headers=KEY),
        422,
        "idempotency_mismatch",
    )
    assert api.written() == before


async def test_a_refused_request_leaves_its_key_free(api: Api) -> None:
    client = await api.client()
    await publish(client, HELLO)
    bad = {"definition": "hello", "input": {"n": "x"}}
    problem(await client.post(PROCESSES, json=bad, headers=KEY), 422, "input_invalid")
    response = await client.post(PROCESSES, json={**bad, "input": {"n": 1}}, headers=KEY)
    assert response.status_code == 201


@pytest.mark.parametrize("times", [2, 8])
async def test_duplicates_at_the_same_moment_start_one_process(api: Api, times: int) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    body = {"definition": "plain"}
    answers = await asyncio.gather(*(client.post(PROCESSES, json=body, headers=KEY) for _ in range(times)))
    assert {a.status_code for a in answers} == {201}
    assert len({a.json()["id"] for a in answers}) == 1
    assert sum("idempotency-replayed" not in a.headers for a in answers) == 1
    assert api.written()["process"] == 1


async def test_a_duplicate_waits_for_the_first_and_gives_up_after_two_seconds(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    first = api.house.connect("superuser", autocommit=False)  # a first request that has not committed yet
    first.execute(
        "insert into stepwell.idempotency_key (tenant_id, environment_id, key, fingerprint) values (%s, %s, %s, '')",
        (*api.house.scopes["acme_prod"], "http:a-key"),
    )
    body = {"definition": "plain"}
    problem(await client.post(PROCESSES, json=body, headers=KEY), 409, "idempotency_in_progress")
    waiting = asyncio.create_task(client.post(PROCESSES, json=body, headers=KEY))
    blocked = "select count(*) from pg_locks where not granted"
    await asyncio.to_thread(eventually, lambda: api.house.value(blocked), what="the duplicate waits")
    first.rollback()
    assert (await waiting).status_code == 201


async def test_keys_of_no_form_are_refused(api: Api) -> None:
    client = await api.client()
    for key in ("", "x" * 201, "a b", "\x7f"):
        response = await client.post(SIGNALS, json={"name": "paid"}, headers={"Idempotency-Key": key})
        problem(response, 422, "invalid_idempotency_key")
    response = await client.post(SIGNALS, json={"name": "paid"}, headers={"Idempotency-Key": "~" * 200})
    assert response.status_code == 202


async def test_the_id_of_a_signal_and_a_key_of_the_same_text_do_not_meet(api: Api) -> None:
    client = await api.client()
    one = await client.post(SIGNALS, json={"name": "paid", "id": "x"})
    two = await client.post(SIGNALS, json={"name": "paid", "id": "x"})
    assert one.json() == two.json()
    three = await client.post(SIGNALS, json={"name": "paid"}, headers={"Idempotency-Key": "signal:x"})
    assert three.json() != one.json()
    assert api.written()["signal"] == 2
