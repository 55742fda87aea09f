"""Host names: one that is never answered costs one thread and no other call anything."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from engine.core.commands import Completed, Failed
from engine.executors import names
from engine.executors.http import HttpExecutor, HttpRequest
from engine.executors.names import Names, NameUnresolved
from tests.partners.raw import RawPartner, always, reply


class Dead:
    """A system resolver that does not answer for `.dead` names until `release` is set."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.release = threading.Event()
        self._real = socket.getaddrinfo

    def __call__(self, host: str, *args: object, **more: object) -> object:
        self.asked[host] += 1
        if host.endswith(".dead"):
            self.release.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return self._real(host, *args, **more)  # type: ignore[arg-type]


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dead]:
    made = Dead()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    yield made
    made.release.set()


def call(url: str) -> HttpRequest:
    return HttpRequest.from_config({"url": url, "timeout_seconds": 20}, "exe_1")


async def test_sixty_names_that_are_never_answered_do_not_hold_up_another_call(dead: Dead) -> None:
    executor = HttpExecutor(allowed_networks=(ipaddress.ip_network("127.0.0.0/8"),), concurrency=100)
    await executor.start()
    lost = [asyncio.create_task(executor.run(call(f"http://n{n}.dead/"))) for n in range(60)]
    async with RawPartner(always(reply())) as partner:
        async with asyncio.timeout(4):
            outcome = await executor.run(call(f"http://localhost:{partner.port}/"))
    assert isinstance(outcome, Completed), outcome
    for task in lost:
        task.cancel()
    await asyncio.gather(*lost, return_exceptions=True)
    await executor.close()


async def test_a_name_that_takes_too_long_is_tried_again(dead: Dead, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names.Names.__init__, "__defaults__", (names.THREADS, 0.05))
    executor = HttpExecutor()
    await executor.start()
    outcome = await executor.run(call("http://slow.dead/"))
    await executor.close()
    assert isinstance(outcome, Failed)
    assert (outcome.error.category, outcome.error.code, outcome.retryable) == ("external", "connect_failed", True)
    assert "could not be resolved in time" in outcome.error.message


async def test_one_dead_name_costs_one_thread_however_often_it_is_asked_for(dead: Dead) -> None:
    resolver = Names(threads=2, seconds=0.05)
    for _ in range(3):
        found = await asyncio.gather(*(resolver.resolve("one.dead", port) for port in range(5)), return_exceptions=True)
        assert {type(one) for one in found} == {NameUnresolved}
    assert dead.asked["one.dead"] == 1
    resolver._seconds = 30  # an honest name gets the time that a busy machine needs
    assert (await resolver.resolve("localhost", 80))[0]["port"] == 80


async def test_lookups_that_hang_are_daemons_and_end_with_the_program(dead: Dead) -> None:
    resolver = Names(seconds=0.05)
    with pytest.raises(NameUnresolved):
        await resolver.resolve("one.dead")
    hanging = [thread for thread in threading.enumerate() if thread.name == "stepwell name lookup"]
    assert hanging
    assert all(thread.daemon for thread in hanging)


async def test_with_every_thread_taken_a_caller_waits_no_longer_than_its_time(dead: Dead) -> None:
    resolver = Names(threads=1, seconds=0.05)
    with pytest.raises(NameUnresolved):
        await resolver.resolve("one.dead")
    with pytest.raises(NameUnresolved):
        await resolver.resolve("localhost")
    assert dead.asked["localhost"] == 0
