"""One held process in memory: its state, what was decided but not yet written, its running effects.

Sole caller of decide.

Invariants:
- `state` is the fold of the durable history plus `in_flight` plus `pending`; at most one slip is in flight.
- An effect starts only after the flush that decided it was confirmed (the session starts what `confirm` returns).
- Each mail is decided once in a hold, however often a late answer shows it again.
- A hold gives its lease up only when it is quiet, and only with the bell value read together with its mail.
It does no I/O: it asks its desk (the session) for time, values and wake-ups.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from engine.core.commands import Broken, Command, Mail, Opened, Signal, Unreadable, Woken
from engine.core.compile import Plan
from engine.core.decide import Decision, Inputs, decide
from engine.core.events import ActivityWaiting, Body, CommandRejected, Event, TaskAssigned, TaskCreated
from engine.core.model import TERMINAL, Activity, ActivityStatus, Category, Failure, State, Task, next_due
from engine.core.scope import PayloadNeeded
from engine.core.snapshot import snapshot_of
from engine.flush import Slip, event_row
from engine.queue import Claimed, Loaded, Rung, read_mail
from engine.report import Story

MOST_PAYLOADS = 32  # values over 8 KB kept in memory for one hold; what is needed again is loaded again
SHORT = timedelta(seconds=1)  # a wake-up nearer than this is awaited in memory: parking costs two commits
SNAPSHOT_AT_PARK = 64  # events since the last snapshot (design section 3)
SNAPSHOT_IN_FLUSH = 256

_encode = msgspec.json.Encoder().encode


class Desk(Protocol):
    """What a hold may ask of the session it lives in."""

    def now(self) -> datetime:
        """Return the database's time."""

    def jitter(self) -> float:
        """Return a number in [0, 1)."""

    def dirty(self, hold: Hold) -> None:
        """Put the hold before the flusher."""

    def fetch(self, hold: Hold, n: int) -> None:
        """Load payload `n`, then call `hold.fetched`."""

    def wake_at(self, due: datetime, wake: Callable[[], None]) -> asyncio.TimerHandle:
        """Call `wake` when it is `due`."""

    def trouble(self, hold: Hold, where: str, error: Exception) -> None:
        """Report an error that is ours."""


class Hold:
    """A process this worker holds."""

    def __init__(self, desk: Desk, claimed: Claimed, loaded: Loaded, state: State, plan: Plan) -> None:
        self.id = claimed.process_id
        self.claimed = claimed
        self.plan = plan
        self.state = state
        self.bell = loaded.bell
        self.losses = loaded.losses
        self.story = Story(claimed, plan, state)  # what its durable events tell those who watch
        self.payloads: dict[int, Any] = {}
        self.effects: dict[str, tuple[int, asyncio.Task[None]]] = {}  # path → attempt, task
        self.in_flight: list[Event] = []
        self.draining = False  # to be given back as soon as it is quiet, unless it can be parked
        self.outdated = False  # it has mail of a newer release: to be given back as soon as it is quiet
        self.closed = False  # over: late answers change nothing any more
        self.broken = False  # reloaded to fail, since PostgreSQL refused what it wanted to write
        self._desk = desk
        self._commands: deque[Command] = deque()
        self._fetching = False
        self._pending: list[Event] = []
        self._new_payloads: dict[int, Any] = {}
        self._decided: set[int] = set()
        self._signals: dict[int, dict[str, Any]] = {}  # mail id → row of the signal, until its outcome is taken
        self._durable_status = state.status
        self._durable_waits = _waits(state)
        self._durable_tasks = _tasks(state)
        self._snapshot_seq = loaded.snapshot_seq
        self._looked: frozenset[tuple[str, str, str]] = frozenset()  # keyed waits already looked for
        self._alarm: tuple[datetime, asyncio.TimerHandle] | None = None

    # -- deciding

    def open(self) -> None:
        """Begin: go on from the state that was loaded, and be awake for what is due soon."""
        self.act(Opened())
        self._set_alarm()

    def act(self, command: Command) -> None:
        """Decide a command, in the order they come; the events wait for the next flush."""
        if not self.closed:
            self._commands.append(command)
            self._pump()

    def receive(self, rung: Rung) -> None:
        """Take in mail and the bell value read with it. Raises NewerOrder for a kind this release does not know."""
        self.bell = max(self.bell, rung.bell)
        self._desk.dirty(self)
        for id_, order in rung.mail:
            if id_ not in self._decided:
                mail = read_mail(id_, order)
                self._decided.add(id_)
                if isinstance(mail.order, Signal):
                    self._signals[id_] = {"signal_id": mail.order.signal_id, "command": order}
                self.act(mail)

    def fetched(self, n: int, value: Any) -> None:
        """Take in a value over 8 KB that `decide` asked for."""
        self.payloads[n] = value
        self._fetching = False
        self._pump()
        while len(self.payloads) > MOST_PAYLOADS and not self._fetching:  # else what is asked for again would be gone
            del self.payloads[next(iter(self.payloads))]
        self._set_alarm()
        self._desk.dirty(self)

    def _pump(self) -> None:
        while self._commands and not self._fetching:
            try:
                decision = self._decide(self._commands[0])
            except PayloadNeeded as need:
                self._fetching = True
                self._desk.fetch(self, need.number)
                return
            self._commands.popleft()
            self._apply(decision)

    def _decide(self, command: Command) -> Decision:
        inputs = Inputs(now=self._desk.now(), jitter=self._desk.jitter(), payloads=self.payloads, process_id=self.id)
        try:
            return decide(self.plan, self.state, command, inputs)
        except PayloadNeeded:
            raise
        except Exception as error:  # noqa: BLE001  a bug of ours: this process fails, its neighbours go on
            self._desk.trouble(self, "decide", error)
            bug = _bug(error)
            mail = command.id if isinstance(command, Mail) else None
            instead = Broken(bug) if mail is None else Mail(mail, Unreadable(why=bug.message))
            return decide(self.plan, self.state, instead, inputs)

    def _apply(self, decision: Decision) -> None:
        if not decision.events:
            return
        self.state = decision.state
        self._pending += decision.events
        self.payloads.update(decision.payloads)
        self._new_payloads.update(decision.payloads)
        self._cancel_unwanted_effects()
        self._set_alarm()
        self._desk.dirty(self)

    def _cancel_unwanted_effects(self) -> None:
        """Stop effects whose activity has moved on: timed out, cancelled, ended with the process."""
        for path, (attempt, task) in list(self.effects.items()):
            if not self.wants(path, attempt):
                del self.effects[path]
                task.cancel()

    def wants(self, path: str, attempt: int) -> bool:
        """Tell whether this attempt is still the one to run."""
        activity = self.state.activities.get(path)
        return activity is not None and activity.status is ActivityStatus.RUNNING and activity.attempt == attempt

    def _set_alarm(self) -> None:
        """Keep one wake-up, at the state's next due time; none while a value is awaited, it could not be acted on."""
        due = None if self.closed or self._fetching else next_due(self.state)
        if self._alarm is not None:
            if self._alarm[0] == due:
                return
            self._alarm[1].cancel()
        self._alarm = None if due is None else (due, self._desk.wake_at(due, self._wake))

    def _wake(self) -> None:
        self._alarm = None
        self.woken()

    def woken(self) -> None:
        """Time has passed (or the clock was moved): decide what is due."""
        if not self._fetching:
            self.act(Woken())
            self._set_alarm()

    @property
    def leaving(self) -> bool:
        """Tell whether it is to be given back: then no further effect starts."""
        return self.draining or self.outdated

    # -- writing

    def take(self) -> Slip | None:
        """Return what is to be written for this process now, None if nothing. The slip is then in flight.

        Raises UnicodeEncodeError when a decided value cannot be written at all.
        """
        if self.in_flight:
            return None
        slip = Slip(self.id, self.claimed.tenant_id, self.claimed.environment_id)
        if self._pending:
            self._take_events(slip)
        quiet = self._quiet()
        if quiet and (self.outdated or (self.draining and not self._parkable())):
            slip.give_back = True
        elif quiet and self._parkable() and not self.must_look():
            self._take_park(slip)
        return slip if slip.events or slip.park or slip.give_back else None

    def _take_events(self, slip: Slip) -> None:
        scope = (self.id, self.claimed.tenant_id, self.claimed.environment_id)
        slip.events = [event_row(*scope, event) for event in self._pending]
        slip.payloads = {n: msgspec.Raw(_encode(value)) for n, value in self._new_payloads.items()}
        for event in self._pending:
            if event.body.command is not None:
                slip.mail.append(event.body.command)
                signal = self._signals.pop(event.body.command, None)
                if signal is not None and _unused(event.body):
                    slip.undeliveries.append(signal)
        self._take_waits(slip)
        # A retry that fails at once ends where it began, and yet it has ended anew.
        ended = any(event.body.status in TERMINAL for event in self._pending)
        if ended or self.state.status is not self._durable_status:
            self._take_status(slip)
        if self.state.seq - self._snapshot_seq >= SNAPSHOT_IN_FLUSH:
            self._take_snapshot(slip)
        self.in_flight, self._pending, self._new_payloads = self._pending, [], {}

    def _take_waits(self, slip: Slip) -> None:
        opened = any(isinstance(event.body, ActivityWaiting | TaskCreated) for event in self._pending)
        if not (opened or self._durable_waits or self._durable_tasks):
            return
        waits, tasks = _waits(self.state), _tasks(self.state)
        slip.waits = [_wait_row(key) for key in waits - self._durable_waits]
        slip.unwaits = [_wait_row(key) for key in self._durable_waits - waits]
        slip.tasks = [self._task_row(path) for path in tasks - self._durable_tasks]
        slip.untasks = [{"path": path} for path in self._durable_tasks - tasks]
        slip.assignments = [self._assignment(path) for path in self._assigned() & tasks & self._durable_tasks]
        self._durable_waits, self._durable_tasks = waits, tasks
        self._looked &= waits

    def _assigned(self) -> set[str]:
        return {event.path for event in self._pending if event.path and isinstance(event.body, TaskAssigned)}

    def _assignment(self, path: str) -> dict[str, Any]:
        task = _task_of(self.state.activities[path])
        return {"path": path, "assignee": task.assignee if task else None}

    def _task_row(self, path: str) -> dict[str, Any]:
        activity = self.state.activities[path]
        task = _task_of(activity)
        assert task is not None  # noqa: S101  `path` comes from _tasks
        return {
            "path": path,
            "run": activity.run,
            "definition_id": self.state.definition_id,
            "title": task.title,
            "assignee": task.assignee,
            "group": task.group,
            "form": task.form,
            "due_at": task.due_at,
            "created_at": self.state.last_at,
        }

    def _take_status(self, slip: Slip) -> None:
        state = self.state
        slip.status = {"status": state.status, "started_at": state.started_at, "ended_at": state.ended_at}
        if state.error is not None:
            slip.status |= {"error_code": state.error.code, "failed_step": state.error.step_id}
        if state.status in TERMINAL and state.business_key is not None:
            slip.ended = {"definition_id": state.definition_id, "business_key": state.business_key}
        self._durable_status = state.status

    def _take_snapshot(self, slip: Slip) -> None:
        slip.snapshot = snapshot_of(self.state)
        slip.snapshot_seq = self._snapshot_seq = self.state.seq

    def _take_park(self, slip: Slip) -> None:
        slip.park = True
        slip.park_bell = self.bell
        slip.park_due = next_due(self.state)
        if self.state.seq - self._snapshot_seq >= SNAPSHOT_AT_PARK and self.state.status not in TERMINAL:
            self._take_snapshot(slip)

    def confirm(self) -> list[Activity]:
        """Note that the slip in flight is durable; return the activities whose effects it allows to start."""
        events, self.in_flight = self.in_flight, []
        started: list[Activity] = []
        for event in events:
            starts = [(start.path, start.attempt) for start in event.body.starts]
            if event.type == "activity.started" and event.path is not None and event.attempt is not None:
                starts.append((event.path, event.attempt))
            started += [
                self.state.activities[path]
                for path, attempt in starts
                if self.wants(path, attempt) and self.plan.effectful(path)
            ]
        return started

    # -- parking

    def _quiet(self) -> bool:
        """Nothing runs, nothing is to be decided."""
        if self.effects or self._commands or self._fetching:
            return False
        return self.leaving or all(a.status is not ActivityStatus.RUNNING for a in self.state.activities.values())

    def _parkable(self) -> bool:
        """Tell whether the state asks for nothing soon."""
        if any(a.status is ActivityStatus.RUNNING for a in self.state.activities.values()):
            return False
        if self.state.seq == 0:
            return False
        due = next_due(self.state)
        return due is None or due - self._desk.now() > SHORT

    def must_look(self) -> bool:
        """Tell whether kept signals must be looked for before this hold may park.

        One look per wait and hold is enough, if it starts after the flush that registered the wait has returned: every
        later signal finds the wait by itself. A wait registered by a predecessor counts as not yet looked for.
        """
        return not self._looked.issuperset(key for key in self._durable_waits if key[1])

    def wants_look(self) -> bool:
        """Tell whether a look now would be a look after the registering flush."""
        return not self.in_flight and self.must_look()

    def looked(self) -> None:
        """Note that a look for every wait now durable has returned."""
        self._looked = self._durable_waits
        self._desk.dirty(self)

    def open_waits(self) -> list[dict[str, Any]]:
        """Return the keyed waits to look for."""
        scope = {
            "process_id": self.id,
            "tenant_id": self.claimed.tenant_id,
            "environment_id": self.claimed.environment_id,
        }
        keys = {(name, correlation) for name, correlation, _ in self._durable_waits - self._looked if correlation}
        return [{**scope, "name": name, "correlation": correlation} for name, correlation in keys]

    def close(self) -> None:
        """End the hold: stop whatever still runs for it."""
        self.closed = True
        if self._alarm is not None:
            self._alarm[1].cancel()
        for _, task in self.effects.values():
            task.cancel()
        self.effects.clear()


def _waits(state: State) -> frozenset[tuple[str, str, str]]:
    """Return (name, correlation, path) of every open signal wait."""
    return frozenset(
        (a.wait.signal, a.wait.correlation, a.path)
        for a in state.activities.values()
        if a.status is ActivityStatus.WAITING and a.wait is not None and a.wait.signal is not None
    )


def _tasks(state: State) -> frozenset[str]:
    """Return the path of every open task."""
    return frozenset(a.path for a in state.activities.values() if _task_of(a) is not None)


def _task_of(activity: Activity) -> Task | None:
    """Return the open task of an activity."""
    waiting = activity.status is ActivityStatus.WAITING and activity.wait is not None
    return activity.wait.task if waiting and activity.wait is not None else None


def _unused(body: Body) -> bool:
    """Tell whether a signal was refused for want of a wait: it may serve another one."""
    return isinstance(body, CommandRejected) and body.code == "no_matching_wait"


def _wait_row(key: tuple[str, str, str]) -> dict[str, Any]:
    name, correlation, path = key
    return {"name": name, "correlation": correlation, "path": path}


def _bug(error: Exception) -> Failure:
    return Failure(
        category=Category.EXECUTION,
        code="engine_fault",
        message=f"the engine could not decide: {type(error).__name__}",
        advice="Report this with the worker's log; after a release that mends it, retry the process.",
    )
