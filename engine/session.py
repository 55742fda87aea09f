"""One worker row, its connection, and every hold that lives under it.

The row is the fence and the connection is its life: when either goes, the whole session is dropped, with all holds and
effects, and the worker opens a new one under a new id. Nothing of a session outlives it.

Three loops share the link, one statement at a time: tick (heartbeat, claim, mail), flush (see flusher), rescue (watch
the others). Must not decide: holds do; nor say what to claim and when: lanes and rest do.
"""

from __future__ import annotations

import asyncio
import random
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from engine import flush, queue, rescue
from engine.claims import Claims
from engine.config import Settings
from engine.core.commands import Broken, Completed, Failed, Reported
from engine.core.compile import Plan
from engine.core.model import Activity, Category, Failure, ProcessStatus, State
from engine.db import Link
from engine.effects import Effects
from engine.fence import Fence
from engine.flusher import Flight, Flusher
from engine.hold import Hold
from engine.observe import (
    ActivityBegan,
    Called,
    FlushFailed,
    Observer,
    Rescued,
    Ticked,
    Trouble,
    WorkerChanged,
    wanted,
)
from engine.opening import Opener
from engine.queue import Claimed, Loaded, Ring, Row, Rung

# What a process of a tenant over its share still has in one hold, in time or activities, before others have their turn:
# giving back and claiming again costs some two activities.
TURN_SECONDS = 1.0
TURN_ACTIVITIES = 20


class Session:
    """A worker between registering and being fenced, cut off or drained."""

    def __init__(
        self, settings: Settings, link: Link, me: int, now: datetime, effects: Effects, observe: Observer
    ) -> None:
        self.me = me
        self.holds: dict[int, Hold] = {}
        self._settings = settings
        self._link = link
        self._effects = effects
        self._observe = observe
        self._wanted = wanted(observe)
        self._opener = Opener(link, me, observe, self._begin, self._claim_no_more)
        self._flusher = Flusher(link, me, observe, self)
        self._hurry = asyncio.Event()  # tick now: jobs are left, somebody calls, or something has changed
        self._claims = Claims(link, me, settings.worker_slots, self._hurry.set, listens=settings.lock_probe)
        self._taking = True  # false: claim no more (draining, or a newer release is at work)
        self._draining = False
        self._stop_at: float | None = None
        self._group: asyncio.TaskGroup
        self._fence = Fence(now, settings.silence_limit_seconds / 3)
        self._unopened: dict[int, int] = {}  # process → lane: claimed, not yet opened

    # -- life

    async def run(self) -> None:
        """Work until drained. Raises an ExceptionGroup (Fenced, LinkLost, …) when the session is over.

        Everything the session does runs in one task group: what goes wrong in any part ends the whole session.
        """
        try:
            await self._claims.begin()
            async with asyncio.TaskGroup() as group:
                self._group = group
                loops = [group.create_task(self._flusher.run(group)), group.create_task(self._watch())]
                await self._tick_loop()
                for task in loops:
                    task.cancel()
                self._drop_all()
        finally:
            self._drop_all()

    def drain(self) -> None:
        """Claim no more, start no more effects, give back what is quiet; what still runs may finish for a while."""
        self._draining = True
        self._taking = False
        self._stop_at = time.monotonic() + self._settings.drain_seconds
        for hold in self.holds.values():
            hold.draining = True
            self.dirty(hold)
        self._hurry.set()

    def _drop_all(self) -> None:
        for hold in self.holds.values():
            hold.close()
        self.holds.clear()

    # -- what holds ask of their desk

    def now(self) -> datetime:
        """Return the database's time: at the last tick, plus what passed since."""
        return self._fence.now()

    def jitter(self) -> float:
        """Return a number in [0, 1)."""
        return random.random()  # noqa: S311  spreads retries; guessing it gains nobody anything

    def dirty(self, hold: Hold) -> None:
        """Put the hold before the flusher, unless it is over."""
        if self.holds.get(hold.id) is hold:
            self._flusher.put(hold)

    def has_had_enough(self, hold: Hold) -> bool:
        """Tell whether it is others' turn: the hold has had its own, and its tenant holds more than its share."""
        most = self._settings.hold_activities
        if most and hold.done >= most:
            return True
        if not self._claims.lanes.over_share(hold.claimed.tenant_id):
            return False
        return hold.done >= TURN_ACTIVITIES or (self.now() - hold.since).total_seconds() > TURN_SECONDS

    def wake_at(self, due: datetime, wake: Callable[[], None]) -> asyncio.TimerHandle:
        """Call `wake` when the database's time reaches `due`."""
        delay = max(0.0, (due - self.now()).total_seconds())
        return asyncio.get_running_loop().call_later(min(delay, 86_400.0), wake)

    def fetch(self, hold: Hold, n: int) -> None:
        """Bring a value over 8 KB into the hold."""
        self._group.create_task(self._fetch(hold, n))

    async def _fetch(self, hold: Hold, n: int) -> None:
        try:
            value = await self.payload(hold, n)
        except LookupError as error:
            await self.begin_anew(hold, error)
        else:
            hold.fetched(n, value)

    async def payload(self, hold: Hold, n: int) -> Any:
        """Return a value over 8 KB. Raises LookupError where there is none."""
        return hold.payloads[n] if n in hold.payloads else await queue.payload(self._link, hold.id, n)

    def trouble(self, hold: Hold, where: str, error: Exception) -> None:
        """Report an error that is ours."""
        detail = "".join(traceback.format_exception(error))
        self._observe(Trouble(process=hold.id, level="error", where=where, message=str(error), detail=detail))

    # -- tick: heartbeat, claim, mail

    async def _tick_loop(self) -> None:
        while not (self._draining and self._drained()):
            self._hurry.clear()
            await _wait(self._hurry, await self._tick())

    async def _tick(self) -> float:
        """Tick once, if there is reason to; return how long to wait for a reason to do so again."""
        sent = time.monotonic()
        tick, pause = await self._claims.tick(self._free_slots() if self._taking else None, self.holds)
        if tick is None:
            return pause
        self.confirm_fence(sent, tick.now)
        self._ticked(time.monotonic() - sent, len(tick.claimed))
        if tick.claimed:
            for claimed in tick.claimed:
                self._unopened[claimed.process_id] = claimed.tenant_id
                self._claims.lanes.held[claimed.tenant_id] += 1
            self._group.create_task(self._open(tick.claimed, tick.loaded))
        await self._read_mail([ring.process_id for ring in tick.rung if self._is_news(ring)])
        return pause

    def _ticked(self, seconds: float, claimed: int) -> None:
        calls = sum(len(hold.effects) for hold in self.holds.values())
        held, slots = len(self.holds), self._settings.worker_slots
        told = Ticked(level="debug", duration_s=seconds, claimed=claimed, holds=held, slots=slots, calls=calls)
        self._observe(told)

    def _free_slots(self) -> int:
        return max(0, self._settings.worker_slots - len(self.holds) - len(self._unopened))

    def _drained(self) -> bool:
        late = self._stop_at is not None and time.monotonic() > self._stop_at
        return late or not (self.holds or self._unopened)

    def confirm_fence(self, sent: float, now: datetime | None = None) -> None:
        """Note that a statement begun at `sent` found our worker row: effects may start, and the clock is known."""
        if self._fence.confirm(sent, now):
            for hold in list(self.holds.values()):
                hold.woken()

    def _is_news(self, ring: Ring) -> bool:
        hold = self.holds.get(ring.process_id)
        return hold is not None and (ring.bell > hold.bell or ring.mail)

    async def _read_mail(self, ids: list[int]) -> None:
        """Read bell and mail of held processes, for those holds that are still the same when the answer comes."""
        if not ids:
            return
        asked = {id_: self.holds.get(id_) for id_ in ids}
        for rung in await queue.inbox(self._link, self.me, ids):
            hold = self.holds.get(rung.process_id)
            if hold is not None and hold is asked[rung.process_id]:
                self._receive(hold, rung)

    def _receive(self, hold: Hold, rung: Rung) -> None:
        try:
            hold.receive(rung)
        except queue.NewerOrder as error:
            self._newer(hold, str(error))

    def _newer(self, hold: Hold, why: str) -> None:
        """Somebody newer is at work: give the process back and claim no more, so that a newer worker gets it."""
        if hold.outdated:
            return
        self._taking = False
        hold.outdated = True
        self.dirty(hold)
        self._observe(WorkerChanged(process=hold.id, level="error", worker=self.me, what="outdated", detail=why))

    # -- opening holds

    async def _open(self, claimed: Sequence[Claimed], rows: Sequence[Row]) -> None:
        """Open what was claimed, beside the tick: a heartbeat must not wait for five hundred decisions."""
        try:
            await self._opener.open(claimed, rows)
        finally:
            for one in claimed:
                if self._unopened.pop(one.process_id, None) is not None:
                    self._claims.lanes.release(one.tenant_id)
            self._hurry.set()

    def _claim_no_more(self) -> None:
        self._taking = False

    def _begin(self, claimed: Claimed, loaded: Loaded, state: State, plan: Plan) -> None:
        hold = Hold(self, claimed, loaded, state, plan)
        hold.draining = self._draining
        old = self.holds.pop(hold.id, None)
        if old is not None:
            old.close()
            self._claims.lanes.release(old.claimed.tenant_id)
        self.holds[hold.id] = hold
        if self._unopened.pop(hold.id, None) is None:
            self._claims.lanes.held[claimed.tenant_id] += 1
        rung = Rung(hold.id, loaded.bell, loaded.mail)
        if state.status is ProcessStatus.CREATED and any(queue.comes_first(order) for _, order in rung.mail):
            self._receive(hold, rung)  # what is cancelled before it began must not begin
        ready = [] if hold.outdated else hold.open()  # what a newer release may have to say comes first
        self._receive(hold, rung)
        for activity in ready:
            self._start(hold, activity)
        self.dirty(hold)

    # -- flush

    async def work_in(self, flight: Flight) -> None:
        """Go on with what a flush has made durable."""
        bad = {refused.slip.process_id: refused for refused in flight.refused}
        batch = [(hold, slip) for hold, slip in flight.taken if slip is not None]
        # First all that needs no waiting: while one waits, others may be claimed anew under the same process id.
        written = [(hold, slip) for hold, slip in batch if slip.process_id not in bad]
        rung = [self._written(hold, slip, slip.process_id in flight.parked) for hold, slip in written]
        await self._read_mail([id_ for id_ in rung if id_ is not None])
        for hold, slip in batch:
            if slip.process_id in bad:
                await self._recover(hold, bad[slip.process_id])
        await self._look([hold for hold, _ in flight.taken if self.holds.get(hold.id) is hold and hold.wants_look()])

    def _written(self, hold: Hold, slip: flush.Slip, parked: bool) -> int | None:
        """Go on after a slip became durable: start what it allows, drop what it parked or gave back.

        Return the process id if its park was refused: somebody has rung since its mail was read.
        """
        if self.holds.get(hold.id) is not hold:
            return None
        events = hold.in_flight or []
        started = hold.confirm()
        for observation in hold.story.tell(events, hold.state, self._wanted):
            self._observe(observation)
        if parked or slip.give_back:
            if hold.is_durable:  # else it has decided something while this was written, which nobody will write
                self._opener.recent.keep(hold.id, hold.state, hold.size)
            self._close(hold)
            return None
        for activity in started:
            self._start(hold, activity)
        self.dirty(hold)
        return hold.id if slip.park else None

    def _close(self, hold: Hold) -> None:
        hold.close()
        if self.holds.pop(hold.id, None) is not None:
            self._claims.lanes.release(hold.claimed.tenant_id)
        if (self._claims.more and len(self.holds) <= self._settings.worker_slots * 4 // 5) or self._draining:
            self._hurry.set()

    async def _recover(self, hold: Hold, refused: flush.Refused) -> None:
        """PostgreSQL refuses what this process wants to write: reload it, and let it fail for that reason."""
        error = refused.error
        self._observe(FlushFailed(process=hold.id, level="error", processes=1, reason=f"{error.sqlstate} {error}"))
        await self.begin_anew(hold, error, poison=refused.poison)

    async def begin_anew(self, hold: Hold, error: Exception, *, poison: bool = True) -> None:
        """Begin anew from what is durable; `poison`: and fail. What is refused a second time is set aside."""
        if self.holds.get(hold.id) is not hold:
            return
        self._close(hold)
        if hold.broken:
            await self._opener.set_aside(hold.id, error)
            return
        begun = msgspec.structs.replace(hold.claimed, handed=None)  # what was handed over may have begun since
        await self._opener.open_alone(begun)
        again = self.holds.get(hold.id)
        if again is not None:
            again.broken = True
            if poison:
                again.act(Broken(_unstorable(error)))

    # -- signals

    async def _look(self, holds: list[Hold]) -> None:
        """Look for kept signals: a statement that starts after the flush that registered the waits has returned."""
        if not holds:
            return
        waits = [row for hold in holds for row in hold.open_waits()]
        served = await queue.look_for_signals(self._link, self.me, waits)
        for hold in holds:
            hold.looked()
        await self._read_mail(served)

    # -- effects

    def _start(self, hold: Hold, activity: Activity) -> None:
        """Start an effect whose decision is durable."""
        path, attempt = activity.path, activity.attempt
        if self.holds.get(hold.id) is not hold or not hold.wants(path, attempt) or path in hold.effects:
            return
        if hold.leaving:
            hold.draining = True  # for good: what is declined here begins nowhere but at the next holder
            self.dirty(hold)
            return
        kind, run = hold.plan.steps[path].type, activity.run
        if self._wanted.begins:
            self._observe(
                ActivityBegan(process=hold.id, path=path, run=run, attempt=attempt, kind=kind, effectful=True)
            )
        at_once = self._effects.at_once(hold, path)
        if at_once is not None:
            self._report(hold, activity, at_once)
            return
        task = self._group.create_task(self._effect(hold, activity, kind))
        hold.effects[path] = (attempt, task)

    async def _effect(self, hold: Hold, activity: Activity, kind: str) -> None:
        begun = time.monotonic()
        outcome = await self._effects.run(hold, activity, self.now(), self.payload, self._fence.fresh)
        if self._wanted.calls:
            word = "completed" if isinstance(outcome, Completed) else "failed"
            seconds = time.monotonic() - begun
            self._observe(Called(process=hold.id, level="debug", kind=kind, duration_s=seconds, outcome=word))
        hold.effects.pop(activity.path, None)
        self._report(hold, activity, outcome)

    def _report(self, hold: Hold, activity: Activity, outcome: Completed | Failed) -> None:
        hold.done += 1
        hold.act(Reported(activity.path, activity.attempt, outcome))
        self.dirty(hold)

    # -- rescue

    async def _watch(self) -> None:
        """Watch the other workers; look for what those who are buried have left."""
        settings = self._settings
        watch = rescue.Watch(settings.silence_limit_seconds, probe_locks=settings.lock_probe)
        async for workers, leases in rescue.buried(self._link, self.me, watch):
            self._observe(Rescued(workers=workers, leases=leases))
            self._hurry.set()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but not longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


def _unstorable(error: Exception) -> Failure:
    return Failure(
        category=Category.EXECUTION,
        code="unstorable",
        message=f"PostgreSQL refused what the process wanted to write: {str(error)[:200]}",
        advice="Look in the worker's log for the value; correct its source and retry the process.",
    )
