"""One held process in memory: its state, what was decided but not yet written, its running effects.

Sole caller of decide.

Invariants:
- `state` is the fold of the durable history plus `in_flight` plus `pending`; at most one slip is in flight, also where
  it has no events: what is decided while a park is on its way waits for its answer.
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

from engine.core.commands import Broken, Command, Mail, Opened, Signal, Unreadable, Woken
from engine.core.compile import Plan
from engine.core.decide import Decision, Inputs, decide
from engine.core.events import Event
from engine.core.model import Activity, ActivityStatus, Category, Failure, State, next_due
from engine.core.scope import PayloadNeeded
from engine.flush import Slip
from engine.queue import Claimed, Loaded, Rung, read_mail
from engine.report import Story
from engine.slips import Signals, Wait, Writer, give_back

MOST_PAYLOADS = 32  # values over 8 KB kept in memory for one hold; what is needed again is loaded again
SHORT = timedelta(seconds=1)  # a wake-up nearer than this is awaited in memory: parking costs two commits


class Desk(Protocol):
    """What a hold may ask of the session it lives in."""

    def now(self) -> datetime:
        """Return the database's time."""

    def jitter(self) -> float:
        """Return a number in [0, 1)."""

    def dirty(self, hold: Hold) -> None:
        """Put the hold before the flusher."""

    def has_had_enough(self, hold: Hold) -> bool:
        """Tell whether it is others' turn: the process is to be given back."""

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
        self.size = loaded.size  # characters of JSON its state is made of
        self.done = 0  # attempts executed in this hold
        self.since = desk.now()
        self.effects: dict[str, tuple[int, asyncio.Task[None]]] = {}  # path → attempt, task
        self.in_flight: list[Event] | None = None  # events of the slip that is being written; None: there is none
        self.draining = False  # to be given back as soon as it is quiet, unless it can be parked
        self.outdated = False  # it has mail of a newer release: to be given back as soon as it is quiet
        self.closed = False  # over: late answers change nothing any more
        self.broken = False  # reloaded to fail, since PostgreSQL refused what it wanted to write
        self._desk = desk
        self._commands: deque[Command] = deque()
        self._fetching: set[int] = set()  # numbers of values that are on their way
        self._pending: list[Event] = []
        self._new_payloads: dict[int, Any] = {}
        self._decided: set[int] = set()
        self._signals: Signals = {}  # until their outcome is taken
        self._writer = Writer(claimed, state, loaded.snapshot_seq)
        self._looked: frozenset[Wait] = frozenset()  # keyed waits already looked for
        self._alarm: tuple[datetime, asyncio.TimerHandle] | None = None

    # -- deciding

    def open(self) -> list[Activity]:
        """Begin: go on from the state that was loaded, and be awake for what is due soon.

        Return what may begin at once, if it is still wanted: it was decided by who handed the process over.
        """
        handed = self.claimed.handed == self.state.seq
        ready = [a for a in self.state.activities.values() if self._is_effect(a)] if handed else []
        self.act(Opened(handed=handed))
        self._set_alarm()
        return ready

    def _is_effect(self, activity: Activity) -> bool:
        return activity.status is ActivityStatus.RUNNING and self.plan.effectful(activity.path)

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
        self._fetching.discard(n)
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
                self._fetching = set(need.numbers)
                for n in need.numbers:
                    self._desk.fetch(self, n)
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
        """Tell whether it is to be given back: then no effect starts. Its turn does not end while one runs."""
        return self.draining or self.outdated or (not self.effects and self._desk.has_had_enough(self))

    @property
    def is_durable(self) -> bool:
        """Tell whether all of its state is written."""
        return self.in_flight is None and not self._pending

    # -- writing

    def take(self) -> Slip | None:
        """Return what is to be written for this process now, None if nothing. The slip is then in flight.

        Raises UnicodeEncodeError when a decided value cannot be written at all.
        """
        if self.in_flight is not None:
            return None
        slip = self._writer.slip(self._pending, self.state, self._new_payloads, self._signals)
        events, self._pending, self._new_payloads = self._pending, [], {}
        self.size += slip.size
        self._looked &= self._writer.waits
        leaving = self.leaving
        if self._is_quiet(events, leaving=leaving):
            parkable = self._parkable()
            if self.outdated or (leaving and not parkable):
                give_back(slip, self.state.seq)
            elif parkable and not self.must_look():
                self._writer.park(slip, self.state, self.bell, next_due(self.state))
        if not (slip.events or slip.rows):
            return None
        self.in_flight = events
        return slip

    def confirm(self) -> list[Activity]:
        """Note that the slip in flight is durable; return the activities whose effects it allows to start."""
        events, self.in_flight = self.in_flight, None
        started: list[Activity] = []
        for event in events or ():
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

    def _is_quiet(self, events: list[Event], *, leaving: bool) -> bool:
        """Tell whether nothing is under way, and `events` begin nothing unless the hold is `leaving`."""
        if self.effects or self._commands or self._fetching:
            return False
        return leaving or not (events and events[-1].body.starts)

    def _parkable(self) -> bool:
        """Tell whether the state asks for nothing soon."""
        if self.state.seq == 0 or any(a.status is ActivityStatus.RUNNING for a in self.state.activities.values()):
            return False
        due = next_due(self.state)
        return due is None or due - self._desk.now() > SHORT

    def must_look(self) -> bool:
        """Tell whether kept signals must be looked for before this hold may park.

        One look per wait and hold is enough, if it starts after the flush that registered the wait has returned: every
        later signal finds the wait by itself. A wait registered by a predecessor counts as not yet looked for.
        """
        return not self._looked.issuperset(key for key in self._writer.waits if key[1])

    def wants_look(self) -> bool:
        """Tell whether a look now would be a look after the registering flush."""
        return self.in_flight is None and self.must_look()

    def looked(self) -> None:
        """Note that a look for every wait now durable has returned."""
        self._looked = self._writer.waits
        self._desk.dirty(self)

    def open_waits(self) -> list[dict[str, Any]]:
        """Return the keyed waits to look for."""
        scope = {
            "process_id": self.id,
            "tenant_id": self.claimed.tenant_id,
            "environment_id": self.claimed.environment_id,
        }
        keys = {(name, correlation) for name, correlation, _ in self._writer.waits - self._looked if correlation}
        return [{**scope, "name": name, "correlation": correlation} for name, correlation in keys]

    def close(self) -> None:
        """End the hold: stop whatever still runs for it."""
        self.closed = True
        if self._alarm is not None:
            self._alarm[1].cancel()
        for _, task in self.effects.values():
            task.cancel()
        self.effects.clear()


def _bug(error: Exception) -> Failure:
    return Failure(
        category=Category.EXECUTION,
        code="engine_fault",
        message=f"the engine could not decide: {type(error).__name__}",
        advice="Report this with the worker's log; after a release that mends it, retry the process.",
    )
