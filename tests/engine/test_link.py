"""The worker's connection between two statements: what comes then is noticed without a third."""

import asyncio
from collections.abc import AsyncIterator

import pytest

import sql
from engine.db import Link, LinkLost
from tests.house import House

PID = "select pg_backend_pid()"


class Listening:
    """A link that listens, and how often it has called."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.calls = 0
        self._called = asyncio.Event()

    def hear(self) -> None:
        self.calls += 1
        self._called.set()

    async def called(self) -> None:
        """Wait for the next call. Fails where none comes."""
        await asyncio.wait_for(self._called.wait(), 30)
        self._called.clear()


async def listen(house: House) -> Listening:
    """Open a link that listens, as a worker's does."""
    made = Listening(Link(house.dsn("house_worker"), "test"))
    await made.link.open()
    await made.link.listen(sql.query("worker.listen"), made.hear)
    return made


@pytest.fixture
async def listening(house: House) -> AsyncIterator[Listening]:
    made = await listen(house)
    yield made
    await made.link.close()


async def turns_of_the_loop() -> None:
    """Let the loop look at its sockets several times."""
    for _ in range(10):
        await asyncio.sleep(0)


async def lose(house: House, listening: Listening) -> None:
    """Let the server end the connection while no statement is under way, and wait until that is noticed."""
    house.connect("superuser").execute("select pg_terminate_backend(%s)", await listening.link.only(PID, {}))
    await listening.called()


async def test_a_connection_that_the_server_ends_is_noticed_before_the_next_statement(
    house: House, listening: Listening
) -> None:
    """Fails where nobody reads the socket between statements."""
    await lose(house, listening)
    with pytest.raises(LinkLost):
        await listening.link.only(PID, {})
    await turns_of_the_loop()

    assert listening.calls == 1


async def test_the_number_of_a_lost_connections_socket_is_free_for_the_next(house: House, listening: Listening) -> None:
    """Fails where the loop is left with a reader for it: the next socket gets that number, and cannot be read."""
    await lose(house, listening)
    after = await listen(house)
    house.owner.execute("notify stepwell_job")
    await after.called()
    await after.link.close()

    assert (listening.calls, after.calls) == (1, 1)


async def test_a_call_is_heard_between_statements_and_during_one(house: House, listening: Listening) -> None:
    """Fails where the socket is not read again after a statement, and where what came with its answer is lost."""
    for _ in range(2):
        house.owner.execute("notify stepwell_job")
        await listening.called()
        await listening.link.only("select pg_notify('stepwell_job', '')::text", {})
        await listening.called()
    await turns_of_the_loop()

    assert listening.calls == 4
