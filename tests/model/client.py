"""The worker program of the model, first half: what it may send, and when.

For: the holder's side: claim, load, read rung leases, look at signals, flush, park, give back.
Must not: read committed rows, but for guards that only save statements which would find nothing.
Invariants: at most one statement per slot, so a new flush goes out only when no other one is in flight.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from . import lifecycle as life
from .answers import gone, put, start_effect, take
from .rules import Model
from .server import run
from .world import (
    SLOTS,
    Hold,
    Part,
    Statement,
    Step,
    Worker,
    World,
    in_slot,
    with_hold,
    with_slot,
    with_worker,
)

Label = tuple[str | int, ...]


def steps(model: Model, world: World, index: int) -> Iterator[Step]:
    """Yield everything a running worker, or one of its statements, may do next."""
    yield from statement_steps(model, world, index)
    yield from sends(model, world, index)
    yield from effects(model, world, index)
    if model.scope.give_backs:
        yield from turns(model, world, index)
    if world.workers[index].id not in world.rows:
        yield Step(("worker", index, "finds its row gone, registers anew"), gone(model, world, index))


def statement_steps(model: Model, world: World, index: int) -> Iterator[Step]:
    """Move each statement in flight on: at the server, or by taking its answer."""
    for slot in SLOTS:
        statement = in_slot(world.workers[index], slot)
        if statement is None:
            continue
        if statement.stage == "done":
            taken = take(model, with_slot(world, index, slot, None), index, statement)
            yield Step(("worker", index, "takes the answer of", statement.kind), taken)
            continue
        for verb, after, moved in run(model, world, statement):
            yield Step(("worker", index, statement.kind, verb), with_slot(after, index, slot, moved))


def dispatch(
    model: Model, world: World, index: int, slot: str, statement: Statement, *more: str | int
) -> Iterator[Step]:
    """Send a statement; without a wire it begins at once, or is not sent while it would have to wait."""
    label: Label = ("worker", index, "sends", statement.kind, *more)
    if model.scope.wire:
        yield Step(label, with_slot(world, index, slot, statement))
        return
    for verb, after, moved in run(model, world, statement):
        yield Step((*label, "which", verb), with_slot(after, index, slot, moved))


def sends(model: Model, world: World, index: int) -> Iterator[Step]:
    """Yield every statement the worker may send now."""
    worker = world.workers[index]
    if worker.ask is None:
        yield from claims(model, world, index)
        yield from loads(model, world, index)
        yield from looks(model, world, index)
    slot = "tick" if model.scope.ticks else "ask"
    if in_slot(worker, slot) is None:
        yield from reads(model, world, index, slot)
    if worker.flush is None:
        yield from flushes(model, world, index)


def claims(model: Model, world: World, index: int) -> Iterator[Step]:
    """Claim any choice of the processes that have jobs (guard: an empty claim changes nothing)."""
    if not world.woken and index:
        return
    ready = [p for p, rows in enumerate(world.processes) if rows.jobs or rows.given]
    for size in range(1, len(ready) + 1):
        for chosen in combinations(ready, size):
            claim = Statement("claim", world.workers[index].id, processes=chosen)
            yield from dispatch(model, world._replace(woken=True), index, "ask", claim, str(chosen))


def loads(model: Model, world: World, index: int) -> Iterator[Step]:
    """Load what is claimed and not loaded: the second statement of a claim."""
    worker = world.workers[index]
    new = tuple(p for p, hold in enumerate(worker.holds) if hold is not None and not hold.loaded)
    if new:
        yield from dispatch(model, world, index, "ask", Statement("load", worker.id, processes=new))


def reads(model: Model, world: World, index: int, slot: str) -> Iterator[Step]:
    """Read rung leases and their mail (guard: only where the bell is not the value known)."""
    worker = world.workers[index]
    rung = tuple(p for p in range(len(worker.holds)) if wants_read(model, world, worker, p))
    if rung:
        yield from dispatch(model, world, index, slot, Statement("read", worker.id, processes=rung))


def wants_read(model: Model, world: World, worker: Worker, process: int) -> bool:
    """Tell whether a lease has another bell than its hold knows, or a park of the hold was refused.

    The second matters by itself: the bell may have been read while the park that it refuses was in flight.
    """
    hold, lease = worker.holds[process], world.processes[process].lease
    if hold is None or lease is None or lease.worker != worker.id:
        return False
    return lease.bell != hold.bell or (hold.refused and model.rules.refused_park_reads_again)


def looks(model: Model, world: World, index: int) -> Iterator[Step]:
    """Look at the signals of waits, in a statement that starts after the registering flush has returned."""
    worker = world.workers[index]
    wanted = tuple(p for p, hold in enumerate(worker.holds) if hold is not None and wants_look(model, hold))
    if wanted:
        yield from dispatch(model, world, index, "ask", Statement("look", worker.id, processes=wanted))


def wants_look(model: Model, hold: Hold) -> bool:
    """Tell whether a hold waits for a signal and has not looked yet."""
    state = life.fold(hold.events)
    if hold.looked or not hold.loaded or state.status != "waiting":
        return False
    if not model.rules.hold_looks_before_parking:
        return False
    if not model.rules.every_hold_looks and state.since < hold.base:
        return False
    return state.since < hold.flushed or not model.rules.look_follows_the_flush


# ---- flush ----


def flushes(model: Model, world: World, index: int) -> Iterator[Step]:
    """Flush whatever there is of all holds in one statement, with the parks that may go with it."""
    worker = world.workers[index]
    parts = [part_of(model, worker, p, world.time) for p in range(len(worker.holds))]
    moving = tuple(part for part in parts if part is not None)
    if moving:
        yield from send_flush(model, world, index, moving)
    if model.scope.give_backs:
        yield from give_backs(model, world, index, parts)


def part_of(model: Model, worker: Worker, process: int, now: int) -> Part | None:
    """Build one process's part of a flush: its new events, and its park if it may park."""
    hold = worker.holds[process]
    if hold is None or not hold.loaded:
        return None
    release = release_of(model, hold, now)
    events = hold.events[hold.flushed :]
    if not events and not release:
        return None
    status = life.fold(hold.events).status
    timer = timer_of(model, hold, status, release)
    return Part(process, hold.flushed, events, hold.bell, release, timer, status == "waiting")


def timer_of(model: Model, hold: Hold, status: str, release: str) -> bool | None:
    """Say what the flush does to the timer: every park writes it, the end deletes it."""
    if status != "sleeping":
        return False
    registers = life.fold(hold.events).since >= hold.flushed
    if release and (model.rules.every_park_writes_the_timer or registers):
        return True
    return None


def release_of(model: Model, hold: Hold, now: int) -> str:
    """Say whether the hold parks with this flush; a refused one first reads the inbox again.

    A sleeper that is due does not park: its timer would ring at once, and the bell would count for ever.
    """
    state = life.fold(hold.events)
    if hold.refused:
        return ""
    if state.status == "ended":
        return "end"
    if state.status == "sleeping":
        return "" if now else "park"
    parks = state.status == "waiting" and state.since < hold.flushed and may_park(model, hold)
    return "park" if parks else ""


def may_park(model: Model, hold: Hold) -> bool:
    """Tell whether a hold with an open wait has looked at the signals, as far as the rules want it."""
    if hold.looked or not model.rules.hold_looks_before_parking:
        return True
    return not model.rules.every_hold_looks and life.fold(hold.events).since < hold.base


def give_backs(model: Model, world: World, index: int, parts: list[Part | None]) -> Iterator[Step]:
    """Give one process back: lease delete and job in one commit, only with no effect running."""
    for process, hold in enumerate(world.workers[index].holds):
        if hold is None or not hold.loaded or life.fold(hold.events).status == "ended":
            continue
        if hold.running and model.rules.give_back_only_when_idle:
            continue
        if not (hold.leaving or world.budget.give_backs):
            continue
        budget = world.budget._replace(give_backs=world.budget.give_backs - (not hold.leaving))
        status = life.fold(hold.events).status
        events = hold.events[hold.flushed :]
        given = Part(
            process, hold.flushed, events, hold.bell, "give", None, status == "waiting", number_of(model, hold)
        )
        others = tuple(part for part in parts if part is not None and part.process != process)
        moving = tuple(sorted((given, *others)))
        for step in send_flush(model, world._replace(budget=budget), index, moving, "give back"):
            yield step._replace(fault=not hold.leaving)  # nothing may depend on it


def number_of(model: Model, hold: Hold) -> int:
    """Return the number that a give-back writes into its job: of the last event, as long as no effect runs."""
    idle = not hold.running or not model.rules.number_means_none_runs
    return len(hold.events) if idle and model.rules.give_back_names_its_event else 0


def turns(model: Model, world: World, index: int) -> Iterator[Step]:
    """Decide that a hold has had its turn, where an answer on its way may start an effect."""
    worker = world.workers[index]
    for process, hold in enumerate(worker.holds):
        if hold is None:
            continue
        if hold.leaving and not model.rules.leaving_is_for_good:
            yield Step(("worker", index, "lets process", process, "stay"), turned(world, index, process, False))
        elif world.budget.give_backs and not hold.leaving and (not hold.loaded or worker.flush is not None):
            budget = world.budget._replace(give_backs=world.budget.give_backs - 1)
            over = turned(world._replace(budget=budget), index, process, True)
            yield Step(("process", process, "has had its turn at worker", index), over, True)


def turned(world: World, index: int, process: int, leaving: bool) -> World:
    """Put a hold back that is to leave, or not."""
    worker = world.workers[index]
    hold = worker.holds[process]
    return with_worker(world, index, with_hold(worker, process, hold and hold._replace(leaving=leaving)))


def send_flush(model: Model, world: World, index: int, parts: tuple[Part, ...], *more: str) -> Iterator[Step]:
    """Send a flush; the broken order starts its effects now instead of when it has returned."""
    if not model.rules.effect_waits_for_the_flush:
        for part in parts:
            hold = world.workers[index].holds[part.process]
            if hold is not None:
                early = hold._replace(flushed=len(hold.events))
                world = with_worker(world, index, with_hold(world.workers[index], part.process, early))
                world = start_effect(model, world, index, part.process)
                started = world.workers[index].holds[part.process]
                back = started._replace(flushed=hold.flushed) if started is not None else None
                world = with_worker(world, index, with_hold(world.workers[index], part.process, back))
    flush = Statement("flush", world.workers[index].id, parts=parts)
    what = " ".join(f"{p.process}:{''.join(e[0] for e in p.events)}+{p.release or 'hold'}" for p in parts)
    yield from dispatch(model, world, index, "flush", flush, what, *more)


# ---- effects ----


def effects(model: Model, world: World, index: int) -> Iterator[Step]:
    """End a running effect, or wake a held sleeper from the worker's own heap."""
    worker = world.workers[index]
    for process, hold in enumerate(worker.holds):
        if hold is None or not hold.loaded:
            continue
        state = life.fold(hold.events)
        if hold.running:
            ended = hold._replace(events=life.add(hold.events, "D", state.step, worker.id), running=False)
            label: Label = ("effect of process", process, "ends at worker", index)
            yield Step(label, put(model, world, index, process, ended))
        if state.status == "sleeping" and world.time:
            awake = hold._replace(events=life.add(hold.events, "U", state.step, worker.id))
            label = ("worker", index, "finds process", process, "due")
            yield Step(label, put(model, world, index, process, awake))
