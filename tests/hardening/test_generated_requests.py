"""Every operation of the API under generated requests, valid and broken, with a worker at work.

Nothing may answer 5xx, a status or header that the OpenAPI document does not name, or a body that is not of its schema.
Before that, each operation is called as it is meant to be, so that every 2xx it names is seen at least once.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from engine.core.ids import private_id, task_id
from tests.api.client import new_key
from tests.cli.program import COMMAND, environment
from tests.house import House, WorkerProcess, eventually

EXAMPLES = 200  # of each operation
SEED = 20261121
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
V1 = "/api/v1"

ASK = {"id": "ask", "type": "manual", "config": {"title": "Look", "group": "clerks"}}
WAIT = {"id": "paid", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.key}"}}
BAD = {"id": "bad", "type": "transform", "config": {"mapping": {"x": "${input.missing}"}}}
DOCUMENTS = {"asking": [ASK], "waiting": [WAIT], "failing": [BAD]}


class Town:
    """An installation with processes in every state, and the ids of everything in it."""

    def __init__(self, house: House, client: httpx.Client) -> None:
        self.house = house
        self.client = client
        self.definitions = {
            name: self.post("/workflows/definitions", {"name": name, "steps": steps})["id"]
            for name, steps in DOCUMENTS.items()
        }

    def post(self, path: str, body: Any) -> Any:
        answer = self.client.post(V1 + path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def started(self, name: str, count: int, status: str) -> list[str]:
        """Start processes and wait until they are what they come to."""
        ids = self.post("/processes/bulk", {"definition": name, "inputs": [{"key": f"k{n}"} for n in range(count)]})
        for process in ids["ids"]:
            eventually(lambda one=process: self.house.status(one) == status, what=f"{name} is {status}")  # type: ignore[misc]
        return list(ids["ids"])

    def process(self, name: str, status: str) -> str:
        return self.started(name, 1, status)[0]

    def task(self) -> str:
        return task_id(private_id("prc", self.process("asking", "WAITING")), "ask")

    def definition(self) -> str:
        """Publish a definition of which nothing runs."""
        name = f"idle-{os.urandom(4).hex()}"
        return str(self.post("/workflows/definitions", {"name": name, "steps": [ASK]})["id"])

    def quarantined(self) -> str:
        """Set a parked process aside, as rescue does."""
        process = self.process("waiting", "WAITING")
        held = "select 1 from stepwell.lease where process_id = stepwell.private_id('prc', %s)"
        eventually(lambda: not self.house.rows(held, process), what="the process is parked")
        self.house.owner.execute(
            "insert into stepwell.lease (process_id, worker_id, priority, lane, tenant_id, environment_id) "
            "select id, 0, 0, 0, tenant_id, environment_id from stepwell.process where id = stepwell.private_id('prc', %s)",
            (process,),
        )
        return process


Request = tuple[str, str, Any]  # method, path, body
CALLS: dict[str, Callable[[Town], Request]] = {
    "publish_definition": lambda _: ("POST", "/workflows/definitions", {"name": "new", "steps": [ASK]}),
    "list_definitions": lambda _: ("GET", "/workflows/definitions", None),
    "get_definition": lambda t: ("GET", f"/workflows/definitions/{t.definitions['asking']}", None),
    "get_definition_schema": lambda _: ("GET", "/workflows/definitions/schema", None),
    "validate_definition": lambda _: ("POST", "/workflows/definitions/validate", {"name": "new", "steps": [ASK]}),
    "publish_version": lambda t: (
        "PUT", f"/workflows/definitions/{t.definition()}", {"name": f"n{os.urandom(4).hex()}", "steps": [WAIT]},
    ),
    "delete_definition": lambda t: ("DELETE", f"/workflows/definitions/{t.definition()}", None),
    "enable_definition": lambda t: ("POST", f"/workflows/definitions/{t.definition()}/enable", {}),
    "disable_definition": lambda t: ("POST", f"/workflows/definitions/{t.definition()}/disable", {"by": "ann"}),
    "trigger_definition": lambda t: (
        "POST", f"/workflows/definitions/{t.definitions['asking']}/trigger", {"trigger_data": {"n": 1}},
    ),
    "list_step_types": lambda _: ("GET", "/step-types", None),
    "list_executions": lambda _: ("GET", "/workflows/executions", None),
    "get_execution": lambda t: ("GET", f"/workflows/executions/{t.process('asking', 'WAITING')}", None),
    "cancel_execution": lambda t: ("POST", f"/workflows/executions/{t.process('asking', 'WAITING')}/cancel", {}),
    "retry_execution": lambda t: ("POST", f"/workflows/executions/{t.process('failing', 'FAILED')}/retry", {}),
    "start_process": lambda _: ("POST", "/processes", {"definition": "asking", "labels": {"a": "b"}}),
    "start_processes": lambda _: ("POST", "/processes/bulk", {"definition": "asking", "inputs": [{}, {}]}),
    "list_processes": lambda _: ("GET", "/processes?count=true", None),
    "get_process": lambda t: ("GET", f"/processes/{t.process('asking', 'WAITING')}", None),
    "get_process_history": lambda t: ("GET", f"/processes/{t.process('asking', 'WAITING')}/history", None),
    "cancel_process": lambda t: ("POST", f"/processes/{t.process('asking', 'WAITING')}/cancel", {"reason": "x"}),
    "retry_process": lambda t: ("POST", f"/processes/{t.process('failing', 'FAILED')}/retry", None),
    "retry_processes": lambda t: ("POST", "/processes/retry", {"ids": [t.process("failing", "FAILED")]}),
    "release_process": lambda t: ("POST", f"/processes/{t.quarantined()}/release", {}),
    "resume_activity": lambda t: (
        "POST", f"/processes/{t.process('waiting', 'WAITING')}/activities/paid/resume", {"output": 1},
    ),
    "send_signal": lambda _: ("POST", "/signals", {"name": "paid", "correlation_key": "x"}),
    "list_tasks": lambda _: ("GET", "/tasks", None),
    "get_task": lambda t: ("GET", f"/tasks/{t.task()}", None),
    "claim_task": lambda t: ("POST", f"/tasks/{t.task()}/claim", {"by": "ann"}),
    "reassign_task": lambda t: ("POST", f"/tasks/{t.task()}/reassign", {"by": "ann", "to": "bo"}),
    "complete_task": lambda t: ("POST", f"/tasks/{t.task()}/complete", {"by": "ann"}),
    "reject_task": lambda t: ("POST", f"/tasks/{t.task()}/reject", {"by": "ann", "reason": "no"}),
    "live": lambda _: ("GET", "/health/live", None),
    "ready": lambda _: ("GET", "/health/ready", None),
}  # fmt: skip


@contextmanager
def served(house: House) -> Iterator[str]:
    """Run the API as a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    env = environment(STEPWELL_DATABASE_URL=house.dsn("house_api"))
    with subprocess.Popen([*COMMAND, "api", "--port", str(port)], cwd=house.folder, env=env) as program:
        try:
            eventually(lambda: ready(url), what="the API is ready")
            yield url
        finally:
            program.terminate()


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").is_success
    except httpx.TransportError:
        return False


def tell(failures: list[str], where: str, error: Exception) -> None:
    texts = [str(part) for part in error.exceptions] if isinstance(error, FailureGroup) else [repr(error)]
    failures.append(f"{where}: {'; '.join(texts)}"[:1500])


@pytest.mark.timeout(900)
@pytest.mark.parametrize("half", [0, 1], ids=["one half of the operations", "the other half"])
def test_no_request_finds_an_answer_that_is_not_documented(house: House, half: int) -> None:
    with house.worker() as worker, served(house) as url:
        headers = {"Authorization": f"Bearer {new_key(house, 'acme_prod', ['admin'])}"}
        with httpx.Client(base_url=url, headers=headers, timeout=30) as client, requests.Session() as session:
            session.headers.update(headers)
            town = Town(house, client)
            schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
            operations = {one.definition.raw["operationId"]: one for one in map(unwrapped, schema.get_all_operations())}
            assert set(operations) == set(CALLS)
            failures = every_success(town, operations, worker) if half == 0 else []
            for operation in list(operations.values())[half::2]:
                pools = ids_of(town) if "{" in operation.path else {}
                fuzz(operation, url, session, pools, failures)
    assert failures == []
    assert [line for line in worker.errors() if line.get("event") == "error"] == []


def unwrapped(result: Any) -> APIOperation[Any, Any, Any, Any]:
    """Return an operation of the document, which must be readable."""
    operation: APIOperation[Any, Any, Any, Any] = result.ok()
    return operation


def every_success(
    town: Town, operations: dict[str, APIOperation[Any, Any, Any, Any]], worker: WorkerProcess
) -> list[str]:
    """Call each operation as it is meant; those that may be accepted only, again while the worker stands still."""
    failures: list[str] = []
    expected = {
        name: {int(status) for status in one.definition.raw["responses"] if status.startswith("2")}
        for name, one in operations.items()
    }
    calls = {name: call(town) for name, call in CALLS.items()}
    seen = {name: {send(town, operations[name], calls[name], failures)} for name in calls}
    late = {name: CALLS[name](town) for name, statuses in expected.items() if statuses == {200, 202}}
    worker.send(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(len(late)) as threads:
            for name, status in threads.map(lambda n: (n, send(town, operations[n], late[n], failures)), late):
                seen[name].add(status)
    finally:
        worker.send(signal.SIGCONT)
    return failures + [
        f"{name}: seen {seen[name]}, named {expected[name]}" for name in seen if seen[name] != expected[name]
    ]


def send(town: Town, operation: APIOperation[Any, Any, Any, Any], request: Request, failures: list[str]) -> int:
    method, path, body = request
    answer = town.client.request(method, path if path.startswith("/health") else V1 + path, json=body)
    try:
        operation.validate_response(answer)
    except Exception as error:
        tell(failures, f"{method} {path}", error)
    return answer.status_code


def ids_of(town: Town) -> dict[str, list[str]]:
    """Return what path parameters can really name: new things for each operation, since it may use them up."""
    processes = [*town.started("asking", 4, "WAITING"), town.process("failing", "FAILED")]
    tasks = [task_id(private_id("prc", process), "ask") for process in processes[:4]]
    return {
        "definition_id": [town.definition() for _ in range(3)],
        "process_id": processes,
        "execution_id": processes,
        "task": tasks,
        "activity": ["ask", "bad"],
    }


def fuzz(
    operation: APIOperation[Any, Any, Any, Any],
    url: str,
    session: requests.Session,
    pools: dict[str, list[str]],
    failures: list[str],
) -> None:
    """Send generated requests, half of them broken by intent; some name things that exist."""
    cases = operation.as_strategy(GenerationMode.POSITIVE) | operation.as_strategy(GenerationMode.NEGATIVE)
    real = 2 if operation.method.upper() == "GET" else 10  # one in so many; a command waits for a tick

    @hypothesis.seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, number=st.integers(0, 10_000))
    def one(case: Case[Any], number: int) -> None:
        if number % real == 0:
            for name in case.path_parameters or {}:
                if name in pools:
                    case.path_parameters[name] = pools[name][number % len(pools[name])]
        answer = case.call(base_url=url, session=session, timeout=30)
        case.validate_response(answer, checks=CHECKS)

    try:
        one()
    except Exception as error:
        tell(failures, operation.label, error)
