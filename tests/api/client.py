"""Helpers of the API's tests: clients with keys of every kind, and what a problem must look like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
from litestar import Litestar

from api.app import create_app
from engine.config import Settings
from engine.keys import make_key
from engine.observe import Observation
from tests.house import House, WorkerProcess, eventually

DEFINITIONS = "/api/v1/workflows/definitions"
PROCESSES = "/api/v1/processes"
SIGNALS = "/api/v1/signals"
TASKS = "/api/v1/tasks"

HELLO: dict[str, Any] = {
    "name": "hello",
    "input_schema": {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
    },
    "steps": [
        {"id": "greet", "name": "Say hello", "type": "transform", "config": {"mapping": {"text": "hello"}}},
        {"id": "check", "type": "manual", "config": {"title": "All right?"}},
    ],
}
PLAIN: dict[str, Any] = {
    "name": "plain",
    "steps": [{"id": "only", "type": "transform", "config": {"mapping": {"x": 1}}}],
}


class Api:
    """The application and its clients."""

    def __init__(self, house: House, app: Litestar, observed: list[Observation], stack: AsyncExitStack) -> None:
        self.house = house
        self.app = app
        self.observed = observed
        self._stack = stack

    async def client(self, scope: str = "acme_prod", rights: Sequence[str] = ("admin",)) -> httpx.AsyncClient:
        """Return a client with a new key."""
        headers = {"Authorization": f"Bearer {new_key(self.house, scope, rights)}"}
        return await self.stranger(headers)

    async def stranger(self, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
        """Return a client with these headers and nothing else."""
        transport = httpx.ASGITransport(app=self.app)  # type: ignore[arg-type]  # Litestar's own ASGI types
        client = httpx.AsyncClient(transport=transport, base_url="http://stepwell", headers=headers, timeout=30)
        return await self._stack.enter_async_context(client)

    def written(self) -> dict[str, int]:
        """Return how many rows there are of everything a caller can write."""
        tables = (
            "definition",
            "definition_version",
            "process",
            "history",
            "payload",
            "job",
            "inbox",
            "signal",
            "business_key",
            "idempotency_key",
        )
        return {table: self.house.value(f"select count(*) from stepwell.{table}") for table in tables}


def new_key(house: House, scope: str, rights: Sequence[str]) -> str:
    """Make a key as the command line does."""
    key, digest = make_key()
    tenant_id, environment_id = house.scopes[scope]
    house.owner.execute(
        "insert into stepwell.api_key (id, tenant_id, environment_id, name, hash, scopes) "
        "values (stepwell.new_id(), %s, %s, 'tester', %s, %s)",
        (tenant_id, environment_id, digest, list(rights)),
    )
    return key


@asynccontextmanager
async def serving(house: House, url: str | None = None, **settings: Any) -> AsyncIterator[Api]:
    """Run the application for the time of the block."""
    observed: list[Observation] = []
    app = create_app(Settings(database_url=url or house.dsn("house_api"), **settings), observed.append)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_alive(app))
        yield Api(house, app, observed, stack)


@asynccontextmanager
async def _alive(app: Litestar) -> AsyncIterator[None]:
    """Run the lifespan in a task of its own, as a server does: a fixture's end runs in another task than its begin."""
    started, stop = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await stop.wait()

    task = asyncio.create_task(live())
    await started.wait()
    try:
        yield
    finally:
        stop.set()
        await task


def problem(response: httpx.Response, status: int, code: str, pointer: str | None = None) -> dict[str, Any]:
    """Assert that a response is this problem, complete and without the inside; return its body."""
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["code"] == code, body
    assert body["type"] == f"urn:stepwell:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert body["advice"]
    if pointer is not None:
        assert body.get("pointer") == pointer, body
    for inside in ("Traceback", "psycopg", 'File "', "select ", "house_api"):
        assert inside not in response.text
    return body


async def publish(client: httpx.AsyncClient, document: dict[str, Any]) -> dict[str, Any]:
    """Publish a definition; return what was answered."""
    response = await client.post(DEFINITIONS, json=document)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def start(client: httpx.AsyncClient, definition: str, given: Any = None, **more: Any) -> str:
    """Start a process; return its id."""
    response = await client.post(PROCESSES, json={"definition": definition, "input": given, **more})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


async def reached(client: httpx.AsyncClient, process: str, *statuses: str) -> dict[str, Any]:
    """Wait until a process has one of these statuses; return it as shown."""
    for _ in range(600):
        shown: dict[str, Any] = (await client.get(f"{PROCESSES}/{process}")).json()
        if shown["status"] in statuses:
            return shown
        await asyncio.sleep(0.05)
    raise AssertionError(shown)


@asynccontextmanager
async def at_work(api: Api) -> AsyncIterator[WorkerProcess]:
    """Run a real worker for the time of the block, which begins when it is there."""
    with api.house.worker() as worker:
        await asyncio.to_thread(eventually, lambda: worker.log, what="the worker is there")
        yield worker
