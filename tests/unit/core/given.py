"""Helpers for tests of the core: small definitions, and the life of one process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from engine.core.commands import Command, Completed, Failed, Mail, Opened, Orders, Reported, Woken
from engine.core.compile import Plan, compile_definition
from engine.core.decide import Inputs, decide
from engine.core.definition import parse_definition
from engine.core.events import Event, ProcessCreated
from engine.core.evolve import evolve
from engine.core.model import Category, Failure, State

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROCESS = 77


def http(step_id: str, **rest: Any) -> dict[str, Any]:
    config = rest.pop("config", {"url": "https://partner.example/call"})
    return {"id": step_id, "type": "http", "config": config, **rest}


def transform(step_id: str, mapping: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
    return {"id": step_id, "type": "transform", "config": {"mapping": mapping or {}}, **rest}


def decision(step_id: str, *branches: tuple[Any, list[str]], **rest: Any) -> dict[str, Any]:
    config: dict[str, Any] = {"branches": [{"when": when, "then": then} for when, then in branches]}
    if "fallback" in rest:
        config["fallback"] = rest.pop("fallback")
    return {"id": step_id, "type": "decision", "config": config, **rest}


def wait(step_id: str, **rest: Any) -> dict[str, Any]:
    fields = ("signal", "correlation_key", "seconds", "until", "on_timeout", "wait_timeout")
    config = {name: rest.pop(name) for name in fields if name in rest}
    if "wait_timeout" in config:
        config["timeout_seconds"] = config.pop("wait_timeout")
    return {"id": step_id, "type": "wait", "config": config, **rest}


def manual(step_id: str, **rest: Any) -> dict[str, Any]:
    fields = ("assignee", "group", "form", "due_seconds", "on_reject")
    config = {"title": rest.pop("title", "Approve"), **{f: rest.pop(f) for f in fields if f in rest}}
    return {"id": step_id, "type": "manual", "config": config, **rest}


def event(step_id: str, name: str = "order.placed", payload: Any = None, **rest: Any) -> dict[str, Any]:
    return {"id": step_id, "type": "event", "config": {"name": name, "payload": payload}, **rest}


def document(*steps: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"name": "test", "steps": list(steps), **rest}


def plan_of(*steps: dict[str, Any], **rest: Any) -> Plan:
    return compile_definition(parse_definition(document(*steps, **rest)))


class Life:
    """One process from its creation on. `do` decides a command and keeps what happened."""

    def __init__(self, plan: Plan, value: Any = None, **created: Any) -> None:
        self.plan = plan
        self.now = NOW
        self.jitter = 0.5
        self.payloads: dict[int, Any] = {}
        self.history: list[Any] = []  # events; what is in a body depends on its type
        self.state: Any = State()
        self._keep(Event(1, NOW, "process.created", ProcessCreated(definition_id=5, version=1, input=value, **created)))

    def _keep(self, made: Event) -> None:
        self.history.append(made)
        self.state = evolve(self.state, made)

    @property
    def inputs(self) -> Inputs:
        return Inputs(now=self.now, jitter=self.jitter, payloads=self.payloads, process_id=PROCESS)

    def do(self, command: Command) -> list[Any]:
        decided = decide(self.plan, self.state, command, self.inputs)
        for made in decided.events:
            self._keep(made)
        self.payloads.update(decided.payloads)
        assert decided.state == self.state
        return list(decided.events)

    def open(self) -> list[Any]:
        return self.do(Opened())

    def succeed(self, path: str, output: Any = None, size: int = 10) -> list[Any]:
        return self.do(Reported(path, self.activity(path).attempt, Completed(output, size)))

    def fail(self, path: str, *, retryable: bool = False, **rest: Any) -> list[Any]:
        failed = Failed(Failure(Category.EXTERNAL, "http_500", "it broke"), retryable, **rest)
        return self.do(Reported(path, self.activity(path).attempt, failed))

    def mail(self, order: Orders, mail_id: int = 1) -> list[Any]:
        return self.do(Mail(mail_id, order))

    def after(self, seconds: float) -> list[Any]:
        self.now += timedelta(seconds=seconds)
        return self.do(Woken())

    def activity(self, path: str) -> Any:
        return self.state.activities[path]

    def status(self, path: str) -> str:
        found = self.state.activities.get(path)
        return found.status if found else "PENDING"

    def statuses(self, *paths: str) -> list[str]:
        return [self.status(path) for path in paths]


def lived(*steps: dict[str, Any], value: Any = None, **rest: Any) -> Life:
    """Return a process that has been opened."""
    life = Life(plan_of(*steps, **rest), value)
    life.open()
    return life


def types(events: list[Event]) -> list[str]:
    return [made.type for made in events]
