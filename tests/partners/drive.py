"""Runs a process through the core with real http calls, but no database: its clock jumps to what is due."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.core.commands import (
    Command,
    CompleteTask,
    Mail,
    Opened,
    Orders,
    RejectTask,
    Reported,
    Signal,
    Woken,
)
from engine.core.compile import Plan
from engine.core.decide import Inputs, decide
from engine.core.events import Event, ProcessCreated
from engine.core.evolve import evolve
from engine.core.ids import execution_id
from engine.core.model import TERMINAL, Activity, ActivityStatus, State, next_due
from engine.core.request import http_request
from engine.executors.http import HttpExecutor, HttpRequest

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


class Drive:
    """One process on its way; `row` says what people and systems outside do."""

    def __init__(self, plan: Plan, process_id: int, row: Row, services_url: str) -> None:
        self.plan = plan
        self.id = process_id
        self.row = row
        self.now = BEGIN
        self.payloads: dict[int, Any] = {}
        given = {**row["input"], "services_url": services_url}
        created = ProcessCreated(definition_id=1, version=1, input=given)
        self.state = evolve(State(), Event(seq=1, at=BEGIN, type="process.created", body=created))

    async def run(self, executor: HttpExecutor) -> State:
        """Drive it to its end."""
        self._decide(Opened())
        while self.state.status not in TERMINAL:
            running = self._in(ActivityStatus.RUNNING)
            if running:
                reports = await asyncio.gather(*(self._attempt(executor, each) for each in running))
                for report in reports:
                    self._decide(report)
            elif (order := self._outside()) is not None:
                self._decide(Mail(1, order))
            else:
                due = next_due(self.state)
                assert due is not None
                self.now = max(self.now, due) + timedelta(milliseconds=1)
                self._decide(Woken())
        return self.state

    def _in(self, status: ActivityStatus) -> list[Activity]:
        return [a for a in self.state.activities.values() if a.status is status]

    def _decide(self, command: Command) -> None:
        decision = decide(self.plan, self.state, command, self._inputs())
        self.state = decision.state
        self.payloads.update(decision.payloads)

    def _inputs(self) -> Inputs:
        return Inputs(now=self.now, payloads=self.payloads, process_id=self.id)

    async def _attempt(self, executor: HttpExecutor, activity: Activity) -> Reported:
        config = http_request(self.plan, self.state, activity.path, self._inputs(), {})
        key = execution_id(self.id, activity.path, activity.run)
        outcome = await executor.run(HttpRequest.from_config(config, key))
        return Reported(activity.path, activity.attempt, outcome)

    def _outside(self) -> Orders | None:
        """Return what somebody outside does about the first activity that waits for them."""
        for activity in self._in(ActivityStatus.WAITING):
            wait = activity.wait
            if wait is not None and wait.kind == "signal":
                assert wait.correlation == self.row["input"]["order_id"]
                return Signal(signal_id=1, name=str(wait.signal), correlation=wait.correlation, data={"paid": True})
            if wait is not None and wait.kind == "task":
                return self._answer(activity.path)
        return None

    def _answer(self, path: str) -> Orders:
        if self.row["approver_says"] == "reject":
            return RejectTask(path=path, by="ines", reason=self.row["approver_reason"])
        return CompleteTask(path=path, by="ines", data={"reference": "A-17"})
