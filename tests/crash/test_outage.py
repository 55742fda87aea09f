"""PostgreSQL is stopped without a checkpoint, under load, and comes back: nothing is lost and nobody has to be restarted."""

import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from engine.core.ids import execution_id, private_id
from engine.embedded import EmbeddedServer
from engine.keys import make_key
from tests.crash.audit import Execution, assert_at_rest, assert_whole, await_all, begun
from tests.crash.outside import partner
from tests.crash.test_kill import HTTP_STEPS, onboarding
from tests.fix_servers import FAST, private_folder
from tests.house import House, WorkerProcess, eventually, load_schema
from tests.system_postgres import system_bin


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """Return a PostgreSQL of the test's own, which it may stop."""
    bin_dir = system_bin() if os.environ.get("STEPWELL_TEST_POSTGRES") == "system" else None
    with private_folder() as folder:
        made = EmbeddedServer(folder / "postgres", settings=FAST, bin_dir=bin_dir)
        try:
            made.start()
            yield made
        finally:
            made.destroy()


@contextmanager
def at_home(server: EmbeddedServer, folder: Path) -> Iterator[House]:
    """Connect to the installation on that server. Connections do not outlive a stop of it: come in anew."""
    house = House(make_conninfo(server.dsn, dbname="outage"), folder)
    try:
        yield house
    finally:
        house.close()


def install(server: EmbeddedServer) -> None:
    with psycopg.connect(server.dsn, autocommit=True) as db:
        db.execute("create database outage")
    parts = psycopg.conninfo.conninfo_to_dict(make_conninfo(server.dsn, dbname="outage"))
    load_schema(**parts)


@contextmanager
def serving_api(house: House, folder: Path) -> Iterator[httpx.Client]:
    """Run the real API program with a key of acme's; return a client of it."""
    key, hash_ = make_key()
    tenant, environment = house.scopes["acme_prod"]
    house.owner.execute(
        "insert into stepwell.api_key (id, tenant_id, environment_id, name, hash, scopes) values (1, %s, %s, 'test', %s, '{admin}')",
        (tenant, environment, hash_),
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {k: v for k, v in os.environ.items() if not k.startswith("STEPWELL_")}
    env["STEPWELL_DATABASE_URL"] = house.dsn("house_api")
    log = (folder / "api.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "stepwell", "api", "--port", str(port)], env=env, cwd=folder, stdout=log, stderr=log
    )
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}, timeout=30
        ) as client:
            eventually(lambda: answers(client, 200), what="the API is ready")
            yield client
            assert process.poll() is None
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def answers(client: httpx.Client, status: int) -> bool:
    """Tell whether readiness answers so."""
    try:
        return client.get("/health/ready").status_code == status
    except httpx.TransportError:
        return False


class Customer:
    """Starts processes by API, one after the other; asks again with the same idempotency key until it gets its id."""

    def __init__(self, client: httpx.Client, over: Callable[[], bool]) -> None:
        self.ids: list[str] = []
        self.refused: list[httpx.Response] = []
        self.failure: BaseException | None = None
        self._client, self._over = client, over
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def end(self) -> None:
        """Wait until it has noticed that it is over; each answer it had was an id of its own or a refusal."""
        self.thread.join()
        assert self.failure is None
        assert len(set(self.ids)) == len(self.ids)

    def _run(self) -> None:
        try:
            while not self._over():
                n = len(self.ids)
                response = self._client.post(
                    "/api/v1/processes",
                    json={"definition": "onboarding", "input": {"customer": f"by-api-{n}"}},
                    headers={"Idempotency-Key": f"start-{n}"},
                )
                if response.status_code == 201:
                    self.ids.append(response.json()["id"])
                else:
                    self.refused.append(response)
        except BaseException as error:
            self.failure = error


def test_postgresql_stopped_at_once_and_started_again_under_load_loses_nothing_and_needs_nobody_to_be_restarted(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    """Fails where a worker ends or hangs with its connection, goes on under its old id after a statement whose fate is
    unknown (events twice, or a state that never was), takes the outage for everybody's death without end, where the API
    answers 500 or nothing, and where an idempotency key is not kept with what it made (processes twice).
    """
    install(server)
    over = threading.Event()
    with ExitStack() as stack:
        outside = stack.enter_context(partner(tmp_path, failure_rate=0.02))
        with at_home(server, tmp_path) as house:
            house.publish(onboarding(outside.url))
            client = stack.enter_context(serving_api(house, tmp_path))
            workers = [stack.enter_context(house.worker()) for _ in range(2)]
            stack.callback(over.set)
            for worker in workers:
                worker.until("worker", what="registered")
            with house.caller() as db:
                inputs = "[" + ",".join(f'{{"customer": "c{n}"}}' for n in range(300)) + "]"
                db.execute("select stepwell.start_processes('onboarding', %s)", (inputs,))
            customer = Customer(client, over.is_set)
            eventually(lambda: len(customer.ids) > 10, what="the customer is served")
            eventually(lambda: outside.count() > 200, what="work in full swing")

        server.halt(immediate=True)
        eventually(lambda: len(customer.refused) >= 2, what="the customer is refused")
        assert client.get("/health/live").status_code == 200
        ready = client.get("/health/ready")
        eventually(lambda: all(w.seen("worker", what="connection_lost") for w in workers), what="both workers notice")
        server.resume()

        served = len(customer.ids)
        eventually(lambda: len(customer.ids) > served + 10, what="the customer is served again")
        over.set()
        customer.end()
        with at_home(server, tmp_path) as house:
            again(workers)
            await_all(house, 300 + len(customer.ids))
            starts, lost = begun(house)
            assert_whole(house)
            assert_at_rest(house)
            ids = [id_ for (id_,) in house.rows("select id from stepwell.process")]
        calls = outside.calls()

    assert_refusals_advise([*customer.refused, ready])
    assert {private_id("prc", id_) for id_ in customer.ids} <= set(ids)
    assert lost, "the stop hit nothing in flight: this run shows nothing"
    assert_calls(calls, ids, starts)


def assert_refusals_advise(refused: list[httpx.Response]) -> None:
    """Each refusal is a problem of status 503 that says what to do."""
    for response in refused:
        problem = response.json()
        assert (response.status_code, problem["status"]) == (503, 503), response.text
        assert response.headers["content-type"].startswith("application/problem+json")
        assert problem["advice"]


def assert_calls(calls: list[dict[str, Any]], ids: list[int], starts: Counter[Execution]) -> None:
    """The partner was called for each execution and no other, always with the same body, and as history says."""
    executions = {execution_id(id_, step): (id_, step) for id_ in ids for step in HTTP_STEPS}
    assert {call["idempotency_key"] for call in calls} == set(executions)
    assert len({(call["idempotency_key"], call["body_sha256"]) for call in calls}) == len(executions)
    for key, times in Counter(call["idempotency_key"] for call in calls).items():
        assert times <= starts[executions[key]], f"{executions[key]}: {times} calls, {starts[executions[key]]} begun"


def await_registrations(worker: WorkerProcess, count: int) -> None:
    """Wait until a worker has registered so often."""
    eventually(lambda: len(worker.seen("worker", what="registered")) >= count, what=f"{count} registrations")


def again(workers: list[WorkerProcess]) -> None:
    """Each worker is the same program as before, under a new id."""
    for worker in workers:
        assert worker.process.poll() is None
        await_registrations(worker, 2)
        ids = [line["worker"] for line in worker.seen("worker", what="registered")]
        assert len(set(ids)) == len(ids)


def test_a_server_that_ends_every_connection_costs_time_and_nothing_else(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    """Backends terminated one by one, again and again: each is the death of a worker row. Fails where holds are reloaded
    under the old id, or where a statement of unknown fate is sent again.
    """
    install(server)
    with partner(tmp_path) as outside, at_home(server, tmp_path) as house:
        house.publish(onboarding(outside.url))
        for _ in range(3):
            with house.caller() as db:
                inputs = "[" + ",".join(f'{{"customer": "c{n}"}}' for n in range(50)) + "]"
                db.execute("select stepwell.start_processes('onboarding', %s)", (inputs,))
        with house.worker() as one, house.worker(), house.connect("superuser") as db:
            for turn in range(1, 4):
                outside.await_calls(60 * turn)
                db.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'house_worker'")
                await_registrations(one, turn + 1)
            await_all(house, 150)
        starts, _ = begun(house)
        ids = [id_ for (id_,) in house.rows("select id from stepwell.process")]
        assert_whole(house)
        assert_at_rest(house)
    assert_calls(outside.calls(), ids, starts)
