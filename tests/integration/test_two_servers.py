"""Two PostgreSQL servers, each with some of the tenants: each works as if it were alone, and nothing crosses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.core.ids import execution_id
from engine.embedded import EmbeddedServer
from tests.crash.audit import assert_at_rest, assert_whole, await_all, number
from tests.crash.outside import Gate, gate, post
from tests.fix_servers import FAST, private_folder
from tests.house import House, WorkerProcess, eventually, load_schema

TENANTS = ("acme", "globex")


@dataclass
class Site:
    """A tenant's server, with Stepwell in a database of it."""

    tenant: str
    server: EmbeddedServer
    house: House

    @property
    def scope(self) -> str:
        return f"{self.tenant}_prod"

    def publish(self, outside: Gate) -> None:
        """Publish `call`: a call of the tenant's own path, a wait for a signal, another call."""
        wait = {"id": "paid", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.key}"}}
        steps = [post("a", f"{outside.url}/{self.tenant}", {}), wait, post("b", f"{outside.url}/{self.tenant}-b", {})]
        self.house.publish({"name": "call", "steps": steps}, self.scope)

    def start(self, key: str, count: int) -> list[int]:
        """Start that many processes; both sites use the same keys."""
        return [number(self.house.start("call", {"key": f"{key}{n}"}, self.scope)) for n in range(count)]

    def pay(self, key: str, count: int) -> None:
        """Send the signals they wait for."""
        with self.house.caller(self.scope) as db:
            for n in range(count):
                db.execute("select stepwell.send_signal('paid', '{}', %s)", (f"{key}{n}",))


@contextmanager
def site(tenant: str, folder: Path) -> Iterator[Site]:
    """Run a server for a tenant."""
    (folder / tenant).mkdir(mode=0o711)
    server = EmbeddedServer(folder / tenant / "postgres", settings=FAST)
    try:
        superuser = server.start()
        with psycopg.connect(superuser, autocommit=True) as db:
            db.execute("create database stepwell encoding 'UTF8' template template0")
        dsn = make_conninfo(superuser, dbname="stepwell")
        load_schema(**{name: str(value) for name, value in conninfo_to_dict(dsn).items()})
        made = Site(tenant, server, House(dsn, folder / tenant))
        yield made
        made.house.close()
    finally:
        server.destroy()


@pytest.fixture(scope="module")
def sites() -> Iterator[list[Site]]:
    with private_folder() as folder, ExitStack() as stack:
        yield [stack.enter_context(site(tenant, folder)) for tenant in TENANTS]


@pytest.fixture
def outside() -> Iterator[Gate]:
    with gate() as made:
        yield made


@contextmanager
def at_work(sites: list[Site]) -> Iterator[list[WorkerProcess]]:
    """Run one worker for each site."""
    with ExitStack() as stack:
        yield [stack.enter_context(site.house.worker()) for site in sites]


def waiting(site: Site, processes: list[int]) -> bool:
    found = "select count(*) from stepwell.process where status = 'WAITING' and id = any(%s)"
    return bool(site.house.value(found, processes) == len(processes))


def processes_of(worker: WorkerProcess) -> set[str]:
    """Return the processes that a worker's log tells of."""
    return {line["process_id"] for line in list(worker.log) if "process_id" in line}


def test_tenants_on_two_servers_run_side_by_side_and_nothing_crosses(sites: list[Site], outside: Gate) -> None:
    for one in sites:
        one.publish(outside)
    with at_work(sites) as workers:
        started = [one.start("side by side ", 10) for one in sites]
        for one, ids in zip(sites, started, strict=True):
            eventually(lambda one=one, ids=ids: waiting(one, ids), what=f"{one.tenant} waits")  # type: ignore[misc]
        first, second = sites
        first.pay("side by side ", 10)
        await_all(first.house, 10)
        assert waiting(second, started[1])  # the same names and keys elsewhere mean nothing here
        second.pay("side by side ", 10)
        await_all(second.house, 10)

    for one, ids, worker in zip(sites, started, workers, strict=True):
        assert outside.per_key(f"/{one.tenant}") == {execution_id(id_, "a"): 1 for id_ in ids}
        assert outside.per_key(f"/{one.tenant}-b") == {execution_id(id_, "b"): 1 for id_ in ids}
        tenant_id, _ = one.house.scopes[one.scope]
        for table in ("process", "history", "definition"):
            assert one.house.rows(f"select distinct tenant_id from stepwell.{table}") == [(tenant_id,)]
        assert len(processes_of(worker)) == 10
        assert_whole(one.house)
        assert_at_rest(one.house)
    assert not processes_of(workers[0]) & processes_of(workers[1])


def test_one_goes_on_while_the_other_server_is_away(sites: list[Site], outside: Gate) -> None:
    away, there = sites
    for one in sites:
        one.publish(outside)
    with at_work(sites) as (cut_off, worker):
        cut_off.until("worker", what="registered")
        ids = away.start("away ", 3)
        eventually(lambda: waiting(away, ids), what="they wait")
        away.server.halt(immediate=True)
        cut_off.until("worker", what="connection_lost")

        started = there.start("away ", 3)
        eventually(lambda: waiting(there, started), what="they wait")
        there.pay("away ", 3)
        eventually(lambda: ended(there, started), what="all completed while the other is away")
        assert not worker.errors()

        away.server.resume()
        reconnect(away)
        away.pay("away ", 3)
        eventually(lambda: ended(away, ids), what="what was there before goes on, too")
    for one in sites:
        assert_whole(one.house)
        assert_at_rest(one.house)


def ended(site: Site, processes: list[int]) -> bool:
    found = "select count(*) from stepwell.process where status = 'COMPLETED' and id = any(%s)"
    return bool(site.house.value(found, processes) == len(processes))


def reconnect(site: Site) -> None:
    """Take a new connection of the owner's: the server was away."""
    site.house.close()
    site.house = House(make_conninfo(site.server.dsn, dbname="stepwell"), site.house.folder)
