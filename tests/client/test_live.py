"""Every method of the client against a real API with a real worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from api.wire import ExecutionStatus
from engine.core.model import ActivityStatus, ProcessStatus
from engine.errors import BadInput, BusinessKeyTaken, CommandRejected, Conflict, DefinitionDisabled, NotFound
from stepwell.client import AsyncClient, Client
from stepwell.connection import Connection
from tests.cli.test_up import kept, up
from tests.client.test_operations import OPERATIONS
from tests.docs.pages import blocks
from tests.fix_servers import private_folder
from tests.house import eventually

ASKING = {
    "name": "asking",
    "input_schema": {"type": "object", "required": ["n"]},
    "steps": [
        {"id": "ask", "type": "manual", "config": {"title": "Well?", "group": "desk", "on_reject": "fail"}},
        {"id": "word", "type": "wait", "config": {"signal": "word.given", "correlation_key": "${input.n}"}},
    ],
    "output": "${steps.word.output}",
}
FAILING = {"name": "failing", "steps": [{"id": "call", "type": "http", "config": {"url": "http://192.0.2.1/"}}]}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Noting(Client):
    """A client that notes which of its operations were used."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(url, key)
        self.used: set[str] = set()

    def __getattribute__(self, name: str) -> Any:
        if name in OPERATIONS:
            object.__getattribute__(self, "used").add(name)
        return object.__getattribute__(self, name)


@pytest.fixture(scope="module")
def running() -> Iterator[Connection]:
    """Return where one `up` runs."""
    with private_folder() as folder, up(folder, "--workers", "1"):
        yield kept(folder)


@pytest.fixture
def client(running: Connection) -> Iterator[Noting]:
    """Return a client with an admin key."""
    assert running.url is not None
    with Noting(running.url, running.key) as made:
        yield made


def settled(client: Client, process_id: str, status: ProcessStatus) -> Any:
    def look() -> Any:
        found = client.get_process(process_id)
        return found if found.status == status else None

    return eventually(look, what=f"{process_id} is {status}")


def task_of(client: Client, process_id: str) -> str:
    (found,) = eventually(lambda: client.list_tasks(process=process_id, group="desk").items, what="its task")
    return found.id


def test_every_operation_works_on_a_running_installation(client: Noting, running: Connection) -> None:
    flows: list[Callable[[Client], None]] = [
        health_and_reference,
        definitions,
        starting_and_finding,
        tasks_and_signals,
        failures,
        executions,
        lambda client: quarantine(client, running.owner_url),
        deleting,
    ]
    client.publish_definition(ASKING)
    client.publish_definition(FAILING)
    for flow in flows:
        flow(client)

    assert client.used == set(OPERATIONS)


def health_and_reference(client: Client) -> None:
    assert (client.live().status, client.ready().status) == ("ok", "ok")
    assert {"http", "wait", "manual"} <= {item.type for item in client.list_step_types().items}
    assert client.get_definition_schema()["title"]


def definitions(client: Client) -> None:
    first = client.publish_definition({**ASKING, "name": "changing"}, idempotency_key="publish-once")
    again = client.publish_definition({**ASKING, "name": "changing"}, idempotency_key="publish-once")
    second = client.publish_version(first.id, {**FAILING, "name": "changed"})
    good, bad = client.validate_definition(ASKING), client.validate_definition({"name": "x", "steps": []})

    assert (again.id, again.version) == (first.id, 1)
    assert (second.id, second.version, second.name) == (first.id, 2, "changed")
    assert client.get_definition(first.id, version=1).document["steps"] == ASKING["steps"]
    assert (good.valid, good.steps) == (True, ["ask", "word"])
    assert not bad.valid
    assert bad.findings
    assert [one.id for one in client.list_definitions(name="changed", enabled=True, limit=1).items] == [first.id]
    assert not client.disable_definition(first.id, by="ines", reason="a freeze").enabled
    with pytest.raises(DefinitionDisabled):
        client.start_process("changed")
    assert client.enable_definition(first.id).enabled


def seen_in_history(client: Client, process_id: str) -> list[int]:
    """Return the numbers of its events as soon as a worker has started it."""

    def look() -> list[int]:
        read = client.every(client.get_process_history, process_id, limit=2, payloads=True)
        found = [event.seq for event in read]
        return found if len(found) > 1 else []

    return eventually(look, what=f"{process_id} has begun")


def starting_and_finding(client: Client) -> None:
    labels = {"region": "at", "note": "a,b:c\\d"}
    one = client.start_process(
        "asking", {"n": "1"}, business_key="B-1", labels=labels, priority=-1, traceparent=TRACE, by="ines", reason="why"
    )
    bulk = client.start_processes("asking", [{"n": n} for n in "234"], labels={"region": "de"})
    now = datetime.now(UTC)

    with pytest.raises(BusinessKeyTaken) as taken:
        client.start_process("asking", {"n": "1"}, business_key="B-1")
    assert taken.value.details["process_id"] == one.id
    with pytest.raises(BadInput) as wrong:
        client.start_process("asking", {})
    assert wrong.value.pointer is not None
    assert [item.id for item in client.list_processes(label=labels, business_key="B-1").items] == [one.id]
    found = client.every(client.list_processes, label={"region": "de"}, limit=1, created_after=now - timedelta(hours=1))
    assert [item.id for item in found] == bulk.ids[::-1]
    assert client.list_processes(definition="asking", count=True, created_before=now + timedelta(hours=1)).count == 4
    assert seen_in_history(client, one.id)[:2] == [1, 2]
    assert client.cancel_process(one.id, by="ines", reason="no more").status == ProcessStatus.CANCELLED
    with pytest.raises(CommandRejected):
        client.cancel_process(one.id)
    with pytest.raises(NotFound):
        client.get_process("prc_0000000000000")


def tasks_and_signals(client: Client) -> None:
    agreed, refused = client.start_processes("asking", [{"n": "yes"}, {"n": "no"}]).ids
    task = task_of(client, agreed)

    assert client.get_task(task).title == "Well?"
    client.claim_task(task, by="ines")
    with pytest.raises(CommandRejected) as claimed:
        client.claim_task(task, by="otto")
    assert claimed.value.details["code"] == "task_claimed"
    client.reassign_task(task, to=None, by="ines", reason="on leave")
    assert client.complete_task(task, by="otto", data={"fine": True}).status == ActivityStatus.COMPLETED
    client.send_signal("word.given", correlation_key="yes", data={"word": 1}, ttl_seconds=60, id="word-1")
    assert settled(client, agreed, ProcessStatus.COMPLETED).output == {"word": 1}
    client.reject_task(task_of(client, refused), by="ines", reason="not today")
    settled(client, refused, ProcessStatus.FAILED)
    resumed = client.start_process("asking", {"n": "r"})
    task_of(client, resumed.id)
    client.resume_activity(resumed.id, "ask", output={"by": "hand"}, by="ines")
    settled(client, resumed.id, ProcessStatus.WAITING)


def failed_again(client: Client, process_id: str) -> None:
    """Wait until a process has failed twice: before its retry is read it has failed as well."""

    def look() -> bool:
        return [event.type for event in client.every(client.get_process_history, process_id)].count(
            "process.failed"
        ) == 2

    eventually(look, what=f"{process_id} has failed again")


def failures(client: Client) -> None:
    ids = client.start_processes("failing", [{}, {}]).ids
    for process_id in ids:
        settled(client, process_id, ProcessStatus.FAILED)
    found = client.list_processes(failed_step="call", error_code="address_forbidden", status=ProcessStatus.FAILED)

    assert {item.id for item in found.items} == set(ids)
    assert client.retry_process(ids[0], by="ines").id == ids[0]
    failed_again(client, ids[0])
    some = client.retry_processes(ids=[ids[1], "prc_0000000000000"], reason="mended")
    assert ([one.process_id for one in some.accepted], [one.code for one in some.refused]) == ([ids[1]], ["not_found"])
    failed_again(client, ids[1])
    hour = timedelta(hours=1)
    all_ = client.retry_processes(definition="failing", created_after=datetime.now(UTC) - hour, limit=10)
    assert {one.process_id for one in all_.accepted} == set(ids)


def executions(client: Client) -> None:
    (definition,) = client.list_definitions(name="asking").items
    made = client.trigger_definition(definition.id, trigger_data={"n": "t"}, by="ines")
    failed = client.start_process("failing")
    settled(client, failed.id, ProcessStatus.FAILED)

    assert made.status == ExecutionStatus.PENDING
    assert client.get_execution(made.execution_id).trigger_type == "manual"
    listed = client.list_executions(workflow_id="failing", status=ExecutionStatus.FAILED, limit=1, offset=0)
    assert [one.id for one in listed.items] == [failed.id]
    client.retry_execution(failed.id, reason="again")
    assert client.cancel_execution(made.execution_id).id == made.execution_id


def quarantine(client: Client, owner_url: str) -> None:
    process = client.start_process("asking", {"n": "q"})
    settled(client, process.id, ProcessStatus.WAITING)
    hold = (
        "insert into stepwell.{} select id, {}, tenant_id, environment_id from stepwell.process "
        "where id = stepwell.private_id('prc', %s)"
    )
    with psycopg.connect(owner_url) as owner:
        lease = "lease (process_id, worker_id, priority, lane, tenant_id, environment_id)"
        owner.execute(hold.format(lease, "0, 0, 0"), [process.id])
        loss = "loss (process_id, losses, quarantined_at, tenant_id, environment_id)"
        owner.execute(hold.format(loss, "5, now()"), [process.id])

    assert [one.id for one in client.list_processes(quarantined=True).items] == [process.id]
    assert client.release_process(process.id, by="ines", reason="looked at").id == process.id
    with pytest.raises(Conflict) as not_held:
        client.release_process(process.id)
    assert not_held.value.code == "not_quarantined"


def deleting(client: Client) -> None:
    (definition,) = client.list_definitions(name="asking").items

    with pytest.raises(Conflict) as used:
        client.delete_definition(definition.id)
    assert used.value.code == "definition_in_use"
    gone = client.delete_definition(definition.id, force=True, by="ines", reason="the end")
    assert gone.cancelled == used.value.details["running"]
    with pytest.raises(NotFound):
        client.get_definition(definition.id)


async def test_the_client_with_await_does_the_same(running: Connection) -> None:
    assert running.url is not None
    async with AsyncClient(running.url, running.key) as client:
        await client.publish_definition({**ASKING, "name": "awaited"})
        made = await asyncio.gather(*(client.start_process("awaited", {"n": str(n)}) for n in range(20)))
        listed = [one.id async for one in client.every(client.list_processes, definition="awaited", limit=7)]
        done = await client.cancel_process(made[0].id)
        with pytest.raises(NotFound):
            await client.get_process("prc_0000000000000")

    assert sorted(listed) == sorted(one.id for one in made)
    assert done.status == ProcessStatus.CANCELLED


def test_the_example_of_the_page_runs_as_it_stands(
    running: Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = blocks("docs/client.md", "python", "run")
    monkeypatch.setenv("STEPWELL_URL", running.url or "")
    monkeypatch.setenv("STEPWELL_API_KEY", running.key)

    exec(compile(example.text, "docs/client.md", "exec"), {})  # noqa: S102  it is ours

    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("business_key_taken prc_")
    assert told[1] == "COMPLETED"
    assert told[-1].split()[1:] == ["process.completed", "None"]
