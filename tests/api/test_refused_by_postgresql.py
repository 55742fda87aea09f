"""PostgreSQL is there, but gives a transaction up: the answer says so, and what helps. Nothing of it was done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.observe import Trouble
from tests.api.client import PLAIN, PROCESSES, Api, problem, publish
from tests.house import House


@contextmanager
def given_up(house: House, sqlstate: str) -> Iterator[None]:
    """Let the server end every transaction that starts a process, in words as its own are."""
    house.owner.execute(
        "create function stepwell.give_up() returns trigger language plpgsql as $$ begin "
        f"raise exception 'deadlock detected' using errcode = '{sqlstate}', "
        "detail = 'Process 71 waits for ShareLock', hint = 'See server log for query details.'; end $$"
    )
    house.owner.execute("create trigger give_up before insert on stepwell.job execute function stepwell.give_up()")
    try:
        yield
    finally:
        house.owner.execute("drop function stepwell.give_up cascade")


@pytest.mark.parametrize(
    ("sqlstate", "status", "code", "advice", "reported"),
    [
        ("40P01", 409, "try_again", "same request", False),  # deadlock_detected
        ("40001", 409, "try_again", "same request", False),  # serialization_failure
        ("57014", 503, "too_slow", "less", True),  # query_canceled: statement_timeout
    ],
)
async def test_a_transaction_that_was_given_up_is_told_as_that_and_not_as_an_outage(
    api: Api, sqlstate: str, status: int, code: str, advice: str, reported: bool
) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    before = api.written()
    headers = {"Idempotency-Key": "one"}
    with given_up(api.house, sqlstate):
        answer = await client.post(PROCESSES, json={"definition": "plain"}, headers=headers)
    told = problem(answer, status, code)

    assert advice in told["advice"]
    assert ("Retry-After" in answer.headers) == (status == 503)
    for inside in ("ShareLock", "deadlock detected", "server log"):
        assert inside not in answer.text
    assert any(isinstance(seen, Trouble) for seen in api.observed) == reported
    assert api.written() == before
    assert (await client.post(PROCESSES, json={"definition": "plain"}, headers=headers)).status_code == 201
