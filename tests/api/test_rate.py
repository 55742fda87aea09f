"""How often a key may ask, and what somebody without one can cost the others."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from api.auth import LOOKUPS
from api.rate import RateLimit
from engine.errors import RateLimited
from engine.keys import make_key
from tests.api.client import DEFINITIONS, PLAIN, PROCESSES, SIGNALS, Api, new_key, problem, publish, serving
from tests.house import House, eventually


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.25

    def __call__(self) -> float:
        return self.now


def taken(limit: RateLimit, key: int, tries: int = 10_000) -> int:
    """Return how many requests pass at this moment."""
    for count in range(tries):
        try:
            limit.take(key)
        except RateLimited:
            return count
    return tries


def wait(limit: RateLimit, key: int) -> int:
    """Return the seconds that the refusal names."""
    with pytest.raises(RateLimited) as refused:
        limit.take(key)
    return refused.value.retry_after_s


RATES = list(itertools.product((0.001, 0.3, 1.0, 3.0, 7.0, 999.0), (1, 2, 100)))


@pytest.mark.parametrize(("per_second", "burst"), RATES)
def test_a_burst_passes_at_once_and_then_as_many_as_the_rate_says(per_second: float, burst: int) -> None:
    clock = Clock()
    limit = RateLimit(per_second, burst, clock)
    assert taken(limit, 1) == burst
    passed = 0
    for _ in range(200):
        clock.now += 0.5 / per_second
        passed += taken(limit, 1)
    assert passed == 100
    clock.now += 2 * burst / per_second
    assert taken(limit, 1) == burst  # and no more, however long it was quiet


@pytest.mark.parametrize(("per_second", "burst"), RATES)
def test_whoever_waits_as_long_as_was_said_is_let_in(per_second: float, burst: int) -> None:
    clock = Clock()
    limit = RateLimit(per_second, burst, clock)
    for _ in range(20):
        taken(limit, 1)
        seconds = wait(limit, 1)
        assert seconds >= 1
        assert seconds - 1 < 1 / per_second + 1e-3
        clock.now += seconds
        limit.take(1)


def test_refused_requests_cost_nothing_and_other_keys_do_not_feel_them() -> None:
    clock = Clock()
    limit = RateLimit(1.0, 3, clock)
    assert taken(limit, 1) == 3
    assert [wait(limit, 1) for _ in range(50)] == [1] * 50
    assert taken(limit, 2) == 3
    clock.now += 1
    assert taken(limit, 1) == 1


def test_without_a_rate_nothing_is_limited_and_nothing_is_kept() -> None:
    limit = RateLimit(0.0, 1, Clock())
    assert taken(limit, 1) == 10_000
    assert len(limit) == 0


def test_buckets_that_are_full_again_are_forgotten() -> None:
    clock = Clock()
    limit = RateLimit(10.0, 10, clock)
    for key in range(20_000):
        clock.now += 0.001
        limit.take(key)
        limit.take(-1 - key % 300)
    assert len(limit) < 1000


def test_there_are_never_more_buckets_than_are_allowed_and_the_quietest_goes_first() -> None:
    clock = Clock()
    limit = RateLimit(0.001, 2, clock, most=100)
    assert taken(limit, -1) == 2
    for key in range(1000):
        limit.take(key)
        wait(limit, -1) if key < 99 else None
        assert len(limit) <= 100
    assert taken(limit, 999) == 1
    assert taken(limit, -1) == 2  # its bucket was given up for others


@pytest.fixture
async def strict(house: House) -> AsyncIterator[Api]:
    """Return an API that lets three requests of a key pass, and then one in a thousand seconds."""
    async with serving(house, rate_limit_per_second=0.001, rate_burst=3) as made:
        yield made


async def test_a_key_that_asks_too_often_is_told_when_to_come_again(strict: Api) -> None:
    client, other = await strict.client(), await strict.client()
    for _ in range(3):
        assert (await client.get(PROCESSES)).status_code == 200
    refused = await client.get(PROCESSES)
    body = problem(refused, 429, "rate_limited")
    assert 900 <= int(refused.headers["retry-after"]) <= 1000
    assert body["details"] == {"retry_after_seconds": int(refused.headers["retry-after"])}
    assert [o.code for o in strict.observed][-1] == "rate_limited"  # type: ignore[attr-defined]
    assert (await other.get(PROCESSES)).status_code == 200
    for _ in range(5):
        assert (await client.get("/health/ready")).status_code == 200


async def test_nothing_of_a_refused_request_is_done_and_later_it_is_done_once(strict: Api) -> None:
    clock = Clock()
    strict.app.state.rate_limit = RateLimit(1.0, 2, clock)
    client = await strict.client()
    await publish(client, PLAIN)
    before = strict.written()
    body, key = {"definition": "plain"}, {"Idempotency-Key": "one"}
    await client.get(PROCESSES)
    problem(await client.post(PROCESSES, json=body, headers=key), 429, "rate_limited")
    problem(await client.post(SIGNALS, content=b"[" * 100), 429, "rate_limited")  # before the body is looked at
    assert strict.written() == before
    clock.now += 1
    made = await client.post(PROCESSES, json=body, headers=key)
    assert (made.status_code, "idempotency-replayed" in made.headers) == (201, False)
    assert strict.written()["process"] == 1


async def test_there_is_no_way_round_by_writing_the_request_in_another_way(strict: Api) -> None:
    key = new_key(strict.house, "acme_prod", ["workflows:read"])
    ways = [f"Bearer {key}", f"bearer {key}", f"BEARER   {key}", f"bEaReR {key}  "]
    clients = [await strict.stranger({"authorization": way}) for way in ways]
    assert (await clients[0].get(PROCESSES)).status_code == 200
    problem(await clients[1].post(PROCESSES, json={}), 403, "forbidden")  # what is forbidden counts as well
    assert (await clients[2].options(PROCESSES)).status_code == 204
    for client in clients:
        for path in (PROCESSES, DEFINITIONS, f"{PROCESSES}?limit=1", f"{PROCESSES}/"):
            problem(await client.get(path, headers={"X-Forwarded-For": "192.0.2.7"}), 429, "rate_limited")


async def test_who_is_not_known_is_told_that_and_takes_nothing_from_those_who_are(strict: Api) -> None:
    client = await strict.client()
    unknown, _ = make_key()
    for headers in ({}, {"Authorization": f"Bearer {unknown}"}, {"Authorization": "Bearer x"}):
        stranger = await strict.stranger(headers)
        for _ in range(5):
            problem(await stranger.get(PROCESSES), 401, "unauthenticated")
    assert len(strict.app.state.rate_limit) == 0
    assert (await client.get(PROCESSES)).status_code == 200


async def test_every_route_says_that_it_may_refuse_and_when_to_come_again(strict: Api) -> None:
    paths = (await (await strict.stranger()).get("/openapi.json")).json()["paths"]
    operations = [o for path, methods in paths.items() if path.startswith("/api/") for o in methods.values()]
    assert len(operations) > 10
    for operation in operations:
        refusal = operation["responses"]["429"]
        assert set(refusal["content"]) == {"application/problem+json"}
        assert refusal["headers"]["Retry-After"]["schema"] == {"type": "integer", "minimum": 1}


async def test_a_flood_of_unknown_keys_leaves_connections_to_those_who_are_known(api: Api) -> None:
    """Fails where each lookup may take a connection: the flood then has them all."""
    known = await api.client()
    assert (await known.get(PROCESSES)).status_code == 200
    strangers = [await api.stranger({"Authorization": f"Bearer {make_key()[0]}"}) for _ in range(30)]
    waiting = "select count(*) from pg_locks where relation = 'stepwell.api_key'::regclass and not granted"
    with api.house.connect("superuser", autocommit=False) as blocker:
        blocker.execute("lock table stepwell.api_key in access exclusive mode")
        flood = [asyncio.create_task(client.get(PROCESSES)) for client in strangers]
        await asyncio.to_thread(eventually, lambda: api.house.value(waiting) == LOOKUPS, what="the flood is there")
        assert (await known.get(PROCESSES)).status_code == 200
        assert api.house.value(waiting) == LOOKUPS
    for response in await asyncio.gather(*flood):
        problem(response, 401, "unauthenticated")
