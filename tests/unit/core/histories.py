"""Recorded histories: lives of processes as this and earlier releases wrote them.

    python -m tests.unit.core.histories        records those scenarios that have no file yet

A file is never written again: old histories must fold alike under every release. A new kind of event gets a new
scenario.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from engine.core.commands import (
    AssignTask,
    Broken,
    Cancel,
    CompleteTask,
    Opened,
    RejectTask,
    Resume,
    Retry,
    Signal,
)
from engine.core.events import Event, encode_body
from engine.core.model import Category, Failure, State
from tests.unit.core.given import Life, decision, event, http, lived, manual, plan_of, transform, wait

FOLDER = Path(__file__).parents[2] / "histories"


def approved() -> Life:
    """Everything goes well: all six types, a signal, a task, both branches of a decision seen."""
    life = lived(
        http("reserve"),
        decision("large", ({"field": "input.amount", "operator": "gt", "value": 100}, ["approve"]), fallback=["small"]),
        manual("approve", form={"required": ["ok"]}, group="approvers", due_seconds=60, timeout_seconds=900),
        transform("small", {"rule": "small"}),
        wait("payment", signal="paid", correlation_key="${input.id}", wait_timeout=600),
        event("shipped", "order.shipped", {"id": "${input.id}"}),
        wait("pause", seconds=30),
        value={"id": "o-1", "amount": 250.5},
        output={"by": "${steps.approve.output.by}"},
        timeout_seconds=86_400,
    )
    life.succeed("reserve", {"status": 201, "headers": {}, "body": {"id": 9}}, 60)
    life.mail(CompleteTask(path="approve", by="ann", data={}), 101)
    life.mail(CompleteTask(path="approve", by="ann", reason="known customer", data={"ok": True}), 102)
    life.mail(Signal(signal_id=7, name="paid", correlation="o-1", data={"sum": 250.5}), 103)
    life.mail(Signal(signal_id=7, name="paid", correlation="o-1", data={"sum": 250.5}), 104)
    life.after(30)
    return life


def retried() -> Life:
    """Attempts fail, time out and are lost; the process fails, is retried and completes."""
    life = lived(
        http("a", timeout_seconds=10, retry_policy={"max_attempts": 2}),
        http("b", depends_on=[]),
        wait("w", signal="go", depends_on=[]),
        http("c", depends_on=["a", "b"], join="all"),
        http("never", condition=False, depends_on=[]),
        http("behind", depends_on=["never"]),
    )
    life.now = life.now.replace(second=3)
    life.do(Opened())
    life.fail("b", retryable=True)
    life.after(11)
    life.after(60)
    life.fail("a", retryable=True)
    life.mail(Retry(by="ops", reason="partner is back"), 201)
    for path in ("a", "b", "c"):
        life.succeed(path, {"n": 1})
    life.mail(Signal(signal_id=1, name="go"), 202)
    return life


def rejected() -> Life:
    """A rejected task fails the process; nothing comes after."""
    life = lived(manual("m", on_reject="fail"), http("b"))
    life.mail(RejectTask(path="m", by="bo", reason="no budget"), 301)
    life.mail(Cancel(by="bo"), 302)
    return life


def cancelled() -> Life:
    """Cancelled with a call, a pause before a retry and a wait open."""
    life = lived(http("a"), http("b", depends_on=[]), wait("w", seconds=99, depends_on=[]), http("c", depends_on=["a"]))
    life.fail("b", retryable=True)
    life.mail(Cancel(by="ops", reason="duplicate"), 401)
    return life


def large_values() -> Life:
    """Values over 8 KB are referred to."""
    steps = [http("a"), event("e", "big.one", "${steps.a.output}"), transform("t", {"all": "${input}"})]
    created = {"input_ref": 0, "business_key": "B-7", "trigger": {"type": "api"}}
    life = Life(plan_of(*steps, output="${input}"), None, **created)
    life.payloads = {0: "i" * 9000}
    life.open()
    life.succeed("a", "x" * 9000, 9002)
    return life


def bad_input() -> Life:
    """The input does not satisfy the schema; retrying does not help."""
    life = lived(http("a"), input_schema={"required": ["id"]}, value={})
    life.mail(Retry(by="ops"), 501)
    return life


def broken() -> Life:
    """PostgreSQL refused a value of it."""
    life = lived(http("a"))
    life.do(Broken(Failure(Category.EXECUTION, "unstorable", "a value could not be stored", None, {"pointer": "/x"})))
    return life


def handed_over() -> Life:
    """A task changes hands; a wait and a task are ended by an operator."""
    steps = [manual("m", group="clerks"), wait("w", signal="go"), manual("n"), http("last")]
    life = Life(plan_of(*steps), {"id": 1}, labels={"region": "eu"}, traceparent=f"00-{'4b' * 16}-{'00f0' * 4}-01")
    life.open()
    life.mail(AssignTask(path="m", by="ann", to="ann", claim=True), 601)
    life.mail(AssignTask(path="m", by="bo", to="bo", claim=True), 602)
    life.mail(AssignTask(path="m", by="boss", to="bo", reason="ann is away"), 603)
    life.mail(AssignTask(path="m", by="bo", to=None), 604)
    life.mail(CompleteTask(path="m", by="cy", data={"ok": True}), 605)
    life.mail(Resume(path="w", by="ops", reason="the message was lost", output={"sum": 5}), 606)
    life.mail(Resume(path="w", by="ops"), 607)
    life.mail(Resume(path="n", run=1, by="ops", output="waved through"), 608)
    return life


def reasons() -> Life:
    """A condition is false; a decision takes a branch, another its fallback since it cannot be evaluated."""
    life = lived(
        transform("score", {"score": "${input.score}"}),
        http("large", condition="input.amount > 1000 && input.vip"),
        decision("route", ("input.amount > 9000", ["a"]), ("steps.score.output.score >= 60", ["b"]), fallback=["a"]),
        http("a"),
        http("b"),
        unsure("limit", ("input.limit < 3", []), fallback=[]),
        value={"score": 71, "amount": 12, "limit": None, "vip": True},
    )
    life.succeed("b")
    return life


def unsure(step_id: str, *branches: tuple[Any, list[str]], **rest: Any) -> dict[str, Any]:
    """Return a decision that falls back where a condition cannot be evaluated."""
    step = decision(step_id, *branches, **rest)
    step["config"]["on_error"] = "fallback"
    return step


SCENARIOS: tuple[Callable[[], Life], ...] = (
    approved, retried, rejected, cancelled, large_values, bad_input, broken, handed_over, reasons,
)  # fmt: skip


def rows(history: list[Event]) -> list[dict[str, Any]]:
    """Return history rows as the table holds them."""
    return [
        {
            "seq": made.seq,
            "at": made.at,
            "type": made.type,
            "v": made.v,
            "path": made.path,
            "attempt": made.attempt,
            "data": msgspec.Raw(encode_body(made.body)),
        }
        for made in history
    ]


def recorded(life: Life) -> bytes:
    """Return the text of a file."""
    state: State = life.state
    return msgspec.json.format(msgspec.json.encode({"events": rows(life.history), "state": state}), indent=1)


if __name__ == "__main__":
    for scenario in SCENARIOS:
        file = FOLDER / f"{scenario.__name__}.json"
        if not file.exists():
            file.write_bytes(recorded(scenario()) + b"\n")
