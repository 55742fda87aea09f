"""The examples of the API's reference are real: each request of them is made, each answer compared.

`STEPWELL_TEST_RECORD=1` writes api/examples.json anew instead. What differs from run to run (ids, times) is compared by
its form only.
"""

from __future__ import annotations

import json
import os
import re
from html import escape
from typing import Any

import httpx
import psycopg

from api.document import examples
from api.surface import Field, curl
from tests.docs.made.api import described
from tests.docs.pages import path_of
from tests.docs.reader import Reader
from tests.house import eventually

ORDER: dict[str, Any] = {
    "name": "order",
    "description": "Waits for the payment, then somebody packs it.",
    "input_schema": {
        "type": "object",
        "required": ["order", "amount"],
        "properties": {"order": {"type": "string"}, "amount": {"type": "number"}},
    },
    "steps": [
        {
            "id": "payment",
            "type": "wait",
            "config": {"signal": "payment.received", "correlation_key": "${input.order}"},
        },
        {"id": "pack", "type": "manual", "config": {"title": "Pack order ${input.order}", "group": "warehouse"}},
        {"id": "done", "type": "transform", "config": {"mapping": {"order": "${input.order}"}}},
    ],
    "output": "${steps.done.output}",
}
FRAGILE: dict[str, Any] = {
    "name": "invoice",
    "steps": [{"id": "total", "type": "transform", "config": {"mapping": {"total": "${input.amount}"}}}],
}
LONG = 3000  # characters of an answer; beyond it the example shows the beginnings of its lists and objects

_ID = re.compile(r"\b([a-z]{2,3})_[0-9a-z]{13,}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


class Player:
    """Makes the requests of the examples and keeps what was asked and answered, by operation."""

    def __init__(self, url: str, key: str) -> None:
        self.client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        self.known = {operation.id: operation for operation in described().operations}
        self.played: dict[str, dict[str, Any]] = {}

    def ask(self, operation: str, body: Any = None, *, keep: bool = True, **parameters: Any) -> Any:
        """Make a request; return the answer. `keep`: it is the example of its operation."""
        said = self.known[operation]
        given = {name.replace("__", "-"): value for name, value in parameters.items()}
        response = self.client.request(
            said.method,
            said.path.format(**_placed("path", given, said.parameters)),
            params=_placed("query", given, said.parameters),
            headers=_placed("header", given, said.parameters),
            json=body,
        )
        assert response.status_code < 400, response.text
        (answer,) = [one for one in said.answers if one.status == response.status_code]
        assert set(answer.headers) - {"Idempotency-Replayed"} <= set(map(str.title, response.headers)), operation
        read = response.json() if "json" in response.headers["content-type"] else response.text
        if keep:
            sent = {} if body is None else {"body": body, "type": "application/json"}
            self.played[operation] = {
                "parameters": given, **sent, "status": response.status_code, "answer": _brief(read)
            }  # fmt: skip
        return read

    def until(self, process: str, status: str) -> Any:
        """Wait until a process has this status; return it."""
        return eventually(
            lambda: (found := self.ask("get_process", keep=False, process_id=process))["status"] == status and found,
            what=f"{process} becomes {status}",
        )


def _placed(place: str, given: dict[str, Any], known: tuple[Field, ...]) -> dict[str, str]:
    names = {one.name for one in known if one.place == place}
    return {name: json.dumps(v) if isinstance(v, bool) else str(v) for name, v in given.items() if name in names}


def _brief(value: Any, depth: int = 0) -> Any:
    """Return a long answer with the beginnings of what is deep in it."""
    if depth == 0 and len(json.dumps(value)) <= LONG:
        return value
    if isinstance(value, str):
        return value if depth else "\n".join([*value.splitlines()[:12], "…"])
    if isinstance(value, list):
        return [_brief(one, depth + 1) for one in value[:2]] + (["…"] if len(value) > 2 else [])
    if isinstance(value, dict):
        kept = {name: _brief(one, depth + 1) for name, one in list(value.items())[: 4 if depth else 20]}
        return "…" if depth > 2 else kept | ({"…": "…"} if len(kept) < len(value) else {})
    return value


def play(player: Player, db: psycopg.Connection[Any]) -> None:
    """Make every request once, in an order in which each finds what it needs."""
    definitions(player)
    processes(player, db)
    executions(player)
    player.ask("live")
    player.ask("ready")


def definitions(player: Player) -> None:
    """Publish, change, look."""
    ask = player.ask
    definition = ask("publish_definition", ORDER, Idempotency__Key="order-1")["id"]
    ask("publish_version", {**ORDER, "description": "Somebody packs it once it is paid."}, definition_id=definition)
    ask("validate_definition", {**ORDER, "steps": [{**ORDER["steps"][2], "type": "transfrom"}]})
    ask("disable_definition", {"by": "ines", "reason": "the warehouse moves"}, definition_id=definition)
    ask("enable_definition", {"by": "ines"}, definition_id=definition)
    ask("list_definitions", limit=20, enabled=True)
    ask("get_definition", definition_id=definition, version=1)
    ask("get_definition_schema")
    ask("list_step_types")
    other = ask("publish_definition", {**ORDER, "name": "old order"}, keep=False)["id"]
    ask("delete_definition", definition_id=other, force=True, by="ines", reason="nobody uses it")


def processes(player: Player, db: psycopg.Connection[Any]) -> None:
    """Start, look, and everything that can be asked of a process and a task."""
    ask = player.ask
    order = {"order": "A-18", "amount": 250}
    start = {"definition": "order", "input": order, "business_key": "A-18", "labels": {"region": "eu"}}
    process = ask("start_process", start, Idempotency__Key="order-A-18")["id"]
    player.until(process, "WAITING")
    signal = {"name": "payment.received", "correlation_key": "A-18", "data": {"amount": 250}, "id": "payment-4711"}
    ask("send_signal", signal)
    task = eventually(lambda: ask("list_tasks", group="warehouse")["items"], what="a task")[0]["id"]
    ask("get_process", process_id=process)
    ask("get_task", task=task)
    ask("claim_task", {"by": "ines"}, task=task)
    ask("reassign_task", {"to": "omar", "by": "ines", "reason": "my shift ends"}, task=task)
    ask("complete_task", {"by": "omar", "data": {"parcel": 7}}, task=task)
    player.until(process, "COMPLETED")
    ask("get_process_history", process_id=process, limit=5)

    others = [{"order": f"A-{number}", "amount": number} for number in (19, 20)]
    second, third = ask("start_processes", {"definition": "order", "inputs": others, "priority": 10})["ids"]
    player.until(second, "WAITING")
    player.until(third, "WAITING")
    ask("list_processes", status="WAITING", definition="order", limit=2, count=True)
    paid = {"output": {"amount": 19}, "by": "ines", "reason": "paid in cash"}
    ask("resume_activity", paid, process_id=second, activity="payment")
    task = eventually(lambda: ask("list_tasks", keep=False)["items"], what="another task")[0]["id"]
    ask("reject_task", {"by": "ines", "reason": "out of stock"}, task=task)
    player.until(second, "COMPLETED")
    set_aside(db, third)
    ask("release_process", {"by": "ines", "reason": "the fault was mended"}, process_id=third)
    player.until(third, "WAITING")
    ask("cancel_process", {"by": "ines", "reason": "the customer changed their mind"}, process_id=third)

    ask("publish_definition", FRAGILE, keep=False)
    broken = ask("start_process", {"definition": "invoice"}, keep=False)["id"]
    player.until(broken, "FAILED")
    ask("retry_process", {"by": "ines", "reason": "the data was mended"}, process_id=broken)
    player.until(broken, "FAILED")
    failed = {"definition": "invoice", "error_code": "expression_failed", "limit": 100}
    ask("retry_processes", {**failed, "by": "ines", "reason": "mended again"})


def executions(player: Player) -> None:
    """Do the same in the words of executions."""
    ask = player.ask
    definition = ask("list_definitions", keep=False, name="order")["items"][0]["id"]
    order = {"order": "A-30", "amount": 30}
    made = ask("trigger_definition", {"trigger_data": order, "by": "ines"}, definition_id=definition)["execution_id"]
    player.until(made, "WAITING")
    ask("get_execution", execution_id=made)
    ask("list_executions", workflow_id=definition, status="running", limit=1)
    ask("cancel_execution", {"by": "ines"}, execution_id=made)
    broken = ask("start_process", {"definition": "invoice"}, keep=False)["id"]
    player.until(broken, "FAILED")
    ask("retry_execution", {"by": "ines"}, execution_id=broken)


def set_aside(db: psycopg.Connection[Any], process: str) -> None:
    """Put a parked process into quarantine, as its fifth loss would."""
    scoped = "select id, {}, tenant_id, environment_id from stepwell.process where id = stepwell.private_id('prc', %s)"
    lease = "insert into stepwell.lease (process_id, worker_id, priority, lane, tenant_id, environment_id) "
    loss = "insert into stepwell.loss (process_id, losses, quarantined_at, tenant_id, environment_id) "
    db.execute(lease + scoped.format("0, 0, 0"), (process,))
    db.execute(loss + scoped.format("5, now()"), (process,))


def form(value: Any) -> Any:
    """Return an answer without what differs from run to run."""
    if isinstance(value, dict):
        return {name: form(one) for name, one in value.items()}
    if isinstance(value, list):
        return [form(one) for one in value]
    if isinstance(value, str):
        return _TIME.sub("time", _ID.sub(r"\1_…", value))
    return value


def test_every_example_of_the_reference_is_answered_as_it_says(newcomer: Reader) -> None:
    player = Player(newcomer.environment["STEPWELL_URL"], newcomer.environment["STEPWELL_API_KEY"])
    with player.client, psycopg.connect(newcomer.superuser, autocommit=True) as db:
        play(player, db)
        page = httpx.get(f"{newcomer.environment['STEPWELL_URL']}/docs").text

    if os.environ.get("STEPWELL_TEST_RECORD"):
        text = json.dumps(player.played, indent=1, ensure_ascii=False, sort_keys=False)
        path_of("api/examples.json").write_text(text + "\n", "utf-8")
        examples.cache_clear()
    recorded = examples()
    assert set(recorded) == set(player.played) == set(player.known)
    assert escape(curl(player.known["start_process"])) in page
    for operation, example in player.played.items():
        assert form(example) == form(recorded[operation]), operation
