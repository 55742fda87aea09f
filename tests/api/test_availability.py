"""PostgreSQL comes and goes; a real server in front of it."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from engine.embedded import EmbeddedServer
from tests.api.client import PLAIN, PROCESSES, Api, new_key, problem, publish, serving, start
from tests.fix_servers import FAST, private_folder
from tests.house import House, eventually, load_schema


@pytest.fixture
def mortal() -> Iterator[EmbeddedServer]:
    """Return a server of the test's own, which it may stop."""
    with private_folder() as folder:
        server = EmbeddedServer(folder / "postgres", settings=FAST)
        yield server
        server.destroy()


@pytest.fixture
async def mortal_api(mortal: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Api]:
    dsn = mortal.start()
    load_schema(**parts_of(dsn))
    house = House(dsn, tmp_path)
    try:
        async with serving(house) as api:
            yield api
    finally:
        house.close()


def parts_of(dsn: str) -> dict[str, str]:
    from psycopg.conninfo import conninfo_to_dict

    return {k: str(v) for k, v in conninfo_to_dict(dsn).items() if v is not None}


async def test_while_postgresql_is_away_requests_get_503_with_advice_and_then_all_is_well(
    mortal: EmbeddedServer, mortal_api: Api
) -> None:
    client = await mortal_api.client()
    await publish(client, PLAIN)
    process = await start(client, "plain")
    mortal.stop()
    began = time.monotonic()
    answers = [
        await client.get(f"{PROCESSES}/{process}"),
        await client.post(PROCESSES, json={"definition": "plain"}),
        await client.get("/health/ready"),
    ]
    assert time.monotonic() - began < 10
    for answer in answers:
        body = problem(answer, 503, "unavailable")
        assert "Try again" in body["advice"]
        assert int(answer.headers["retry-after"]) > 0
    assert (await client.get("/health/live")).status_code == 200
    mortal.start()
    await _answers(client, f"{PROCESSES}/{process}")
    await start(client, "plain")


async def test_a_restart_breaks_pooled_connections_but_no_more(mortal: EmbeddedServer, mortal_api: Api) -> None:
    client = await mortal_api.client()
    await publish(client, PLAIN)
    await asyncio.gather(*(start(client, "plain") for _ in range(20)))  # fills the pool
    mortal.stop()
    mortal.start()
    await _answers(client, PROCESSES)
    answers = await asyncio.gather(*(client.get(PROCESSES) for _ in range(20)))
    assert {a.status_code for a in answers} == {200}


async def _answers(client: httpx.AsyncClient, path: str) -> None:
    deadline = time.monotonic() + 20
    while (status := (await client.get(path)).status_code) != 200:
        assert status == 503
        assert time.monotonic() < deadline, "PostgreSQL is back, but not for the API"


async def test_the_program_starts_while_postgresql_is_away(house: House) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = house.dsn("house_api").replace(f"port={house.owner.info.port}", f"port={port}")
    async with serving(house, url) as api:
        client = await api.client()
        assert (await client.get("/health/live")).status_code == 200
        problem(await client.get("/health/ready"), 503, "unavailable")
        problem(await client.get(PROCESSES), 503, "unavailable")


async def test_ready_says_so_when_the_schema_may_not_be_used(api: Api) -> None:
    assert (await (await api.stranger()).get("/health/ready")).json() == {"status": "ok"}
    api.house.owner.execute("revoke usage on schema stepwell from stepwell_api")
    problem(await (await api.stranger()).get("/health/ready"), 503, "unavailable")


SERVE = """
import sys, uvicorn
from api.app import create_app
from engine.config import Settings
uvicorn.run(create_app(Settings(database_url=sys.argv[1])), port=int(sys.argv[2]), loop="uvloop", http="httptools",
            lifespan="on", log_level="warning")
"""


def test_a_real_server_serves_and_hangs_up_on_bodies_without_end(house: House) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-c", SERVE, house.dsn("house_api"), str(port)])
    try:
        url = f"http://127.0.0.1:{port}"
        headers = {"Authorization": f"Bearer {new_key(house, 'acme_prod', ['admin'])}"}
        with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
            eventually(lambda: _ready(client), what="the server is ready")
            response = client.post("/api/v1/workflows/definitions", json=PLAIN)
            assert response.status_code == 201, response.text
            response = client.post(PROCESSES, json={"definition": "plain"})
            assert response.status_code == 201
            assert client.get(response.headers["location"]).json()["status"] == "CREATED"
            assert client.get("/openapi.json").json()["openapi"].startswith("3.1")
        assert b" 413 " in _endless(port, headers["Authorization"])
    finally:
        server.terminate()
        server.wait(10)


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def _endless(port: int, key: str) -> bytes:
    """Send chunks until the server has had enough; return the first line of its answer."""
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        wire.sendall(
            b"POST /api/v1/processes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: application/json\r\nAuthorization: " + key.encode() + b"\r\n\r\n"
        )
        try:
            for _ in range(64):
                wire.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return wire.recv(100)
