"""The worker program of the model, second half: what it does with an answer.

For: deciding, which happens where an answer is taken because it is pure; starting the effects whose decision
is known to be committed; ending holds; and dropping everything when the worker row is gone.
Must not: read committed rows (the two places that do belong to broken variants and to an invariant).
Invariants: an answer changes only the hold it was asked for; nothing is sent from here, but for one variant.
"""

from __future__ import annotations

from . import lifecycle as life
from .rules import Model
from .world import (
    SLOTS,
    Answer,
    History,
    Hold,
    Part,
    Statement,
    Worker,
    World,
    in_slot,
    into_slot,
    with_hold,
    with_slot,
    with_worker,
)


def take(model: Model, world: World, index: int, statement: Statement) -> World:
    """Take a statement's answer; one that found no worker row means: drop everything."""
    if statement.gone:
        return gone(model, world, index)
    for answer in statement.answers:
        if statement.kind == "claim":
            world = take_claim(model, world, index, answer)
        elif answer.process not in statement.deaf:
            world = take_row(model, world, index, statement, answer)
    return world


def take_row(model: Model, world: World, index: int, statement: Statement, answer: Answer) -> World:
    """Hand one row of an answer to the hold it was asked for."""
    hold = world.workers[index].holds[answer.process]
    if hold is None:
        return world
    if statement.kind == "load":
        return take_load(model, world, index, answer)
    if not hold.loaded and statement.kind != "flush":
        return world
    if statement.kind == "read":
        return take_read(model, world, index, answer, hold)
    if statement.kind == "look":
        return take_look(model, world, index, answer, hold)
    part = next(part for part in statement.parts if part.process == answer.process)
    return take_flush(model, world, index, answer, part)


def take_claim(model: Model, world: World, index: int, answer: Answer) -> World:
    """Start a hold for an inserted lease, even if the old hold's park answer is still on its way."""
    if not answer.mine or not (answer.yes or not model.rules.own_ring_is_no_hold):
        return world
    world = end_hold(model, world, index, answer.process)
    hold = Hold(number=answer.number)
    world = with_worker(world, index, with_hold(world.workers[index], answer.process, hold))
    if model.rules.load_is_its_own_statement:
        return world
    return take_load(model, world, index, answer._replace(bell=0))


def end_hold(model: Model, world: World, index: int, process: int) -> World:
    """Drop a hold; what is still to be answered for it is not for the next hold of the same process."""
    worker = with_hold(world.workers[index], process, None)
    for slot, tagged in (
        ("tick", model.rules.answers_belong_to_their_hold),
        ("flush", model.rules.park_answer_belongs_to_its_hold),
    ):
        statement = in_slot(worker, slot)
        if statement is not None and tagged and process not in statement.deaf:
            worker = into_slot(worker, slot, statement._replace(deaf=(*statement.deaf, process)))
    return with_worker(world, index, worker)


def take_load(model: Model, world: World, index: int, answer: Answer) -> World:
    """Fold the loaded history and decide: RUNNING means lost, unless it was handed over; then what is due, then the mail.

    An effect that was handed over and is still wanted then starts at once, without a new event.
    """
    worker = world.workers[index]
    old = worker.holds[answer.process] or Hold()
    history = known_history(worker, answer)
    count = len(history)
    number = 0 if model.rules.number_is_used_up else old.number
    hold = Hold(True, history, count, count, old.bell, number=number, leaving=old.leaving)
    state = life.fold(hold.events)
    handed = old.number == count or (old.number > 0 and not model.rules.number_is_compared)
    if state.status == "running" and not handed and model.rules.running_when_loaded_is_lost:
        script, stable = model.scope.scripts[answer.process], model.rules.execution_id_is_stable
        hold = hold._replace(events=life.enter(script, hold.events, worker.id, stable))
    if state.status == "sleeping" and world.time:
        hold = hold._replace(events=life.add(hold.events, "U", state.step, worker.id))
    world = put(model, world, index, answer.process, decide_mail(model, worker, hold, answer.inbox))
    return start_effect(model, world, index, answer.process) if handed else world


def known_history(worker: Worker, answer: Answer) -> History:
    """Return what a load shows; the broken keeping adds to what the last hold believed."""
    kept = worker.kept[answer.process] if worker.kept else ()
    return kept + answer.history[len(kept) :]


def take_read(model: Model, world: World, index: int, answer: Answer, hold: Hold) -> World:
    """Decide the mail that is new to this hold, and remember the bell read with it."""
    bell = answer.bell
    if not model.rules.bell_is_read_with_the_inbox:
        lease = world.processes[answer.process].lease
        bell = lease.bell if lease is not None else bell
    hold = decide_mail(model, world.workers[index], hold, answer.inbox)
    return put(model, world, index, answer.process, hold._replace(bell=bell, refused=False))


def decide_mail(model: Model, worker: Worker, hold: Hold, inbox: tuple[str, ...]) -> Hold:
    """Decide each mail that this hold has not decided yet."""
    known = life.outcomes(hold.events[hold.base :]) if model.rules.mail_is_decided_once else []
    events = hold.events
    for mail in inbox:
        if mail not in known:
            events = life.mail_outcome(events, mail, worker.id, model.rules.signal_counts_once)
    return hold._replace(events=events)


def take_look(model: Model, world: World, index: int, answer: Answer, hold: Hold) -> World:
    """Accept a signal that came before its wait; each counts once."""
    state = life.fold(hold.events)
    if state.status != "waiting":
        return world
    hold = hold._replace(looked=True)
    if answer.yes and not (model.rules.signal_counts_once and life.accepted(hold.events)):
        hold = hold._replace(events=life.add(hold.events, "G", state.step, world.workers[index].id))
    return put(model, world, index, answer.process, hold)


def put(model: Model, world: World, index: int, process: int, hold: Hold) -> World:
    """Put a hold back after deciding what follows; a new wait has not been looked at."""
    worker = world.workers[index]
    stable = model.rules.execution_id_is_stable
    before = hold.events
    events = life.advance(model.scope.scripts[process], before, worker.id, stable)
    state = life.fold(events)
    looked = hold.looked and state.status == "waiting" and len(events) == len(before)
    running = hold.running and state.status == "running"
    hold = hold._replace(events=events, looked=looked, running=running)
    return with_worker(world, index, with_hold(worker, process, hold))


def take_flush(model: Model, world: World, index: int, answer: Answer, part: Part) -> World:
    """Learn that events are committed: end the hold if it is released, else start what was decided."""
    hold = world.workers[index].holds[part.process]
    if hold is None or answer.yes:
        after = end_hold(model, world, index, part.process)
        if hold is not None and not model.rules.kept_states_are_durable:
            after = with_kept(after, index, part.process, hold.events)
        if part.release == "give" and not model.rules.give_back_is_one_commit:
            after = late_job(after, index, part.process)
        return after
    flushed = max(hold.flushed, part.first + len(part.events))
    hold = hold._replace(flushed=flushed, refused=bool(part.release))
    world = with_worker(world, index, with_hold(world.workers[index], part.process, hold))
    return start_effect(model, world, index, part.process)


def with_kept(world: World, index: int, process: int, events: History) -> World:
    """Keep what a hold believed at its end."""
    worker = world.workers[index]
    kept = worker.kept or ((),) * len(worker.holds)
    return with_worker(world, index, worker._replace(kept=(*kept[:process], events, *kept[process + 1 :])))


def late_job(world: World, index: int, process: int) -> World:
    """Send the second commit of the broken give-back."""
    me = world.workers[index].id
    world = world._replace(half_given=tuple(w for w in world.half_given if w != me))
    return with_slot(world, index, "flush", Statement("job", me, processes=(process,)))


def start_effect(model: Model, world: World, index: int, process: int) -> World:
    """Start the effect whose decision is flushed and which does not run yet, unless the hold is leaving."""
    hold = world.workers[index].holds[process]
    if hold is None or hold.running or hold.leaving:
        return world
    state = life.fold(hold.events)
    if state.status != "running" or state.since >= hold.flushed:
        return world
    event = hold.events[state.since]
    begun = (*world.starts[process], (state.step, event[3], state.since))
    world = world._replace(starts=(*world.starts[:process], begun, *world.starts[process + 1 :]))
    if event not in world.processes[process].history:
        broken = f"effect of process {process} started, its decision is not committed"
        world = world._replace(broken=broken)
    return with_worker(world, index, with_hold(world.workers[index], process, hold._replace(running=True)))


# ---- the end of a worker id ----


def abandoned(worker: Worker) -> tuple[Statement, ...]:
    """Return the statements that go on at the server although nobody waits for their answer."""
    found = (in_slot(worker, slot) for slot in SLOTS)
    pending = (s for s in found if s is not None and s.stage != "done")
    return tuple(s for s in pending if s.kind not in ("load", "read", "look"))


def orphaned(world: World, statements: tuple[Statement, ...]) -> World:
    """Leave statements behind at the server."""
    return world._replace(orphans=tuple(sorted((*world.orphans, *statements))))


def gone(model: Model, world: World, index: int) -> World:
    """Drop everything and register a new id on a new connection."""
    worker = world.workers[index]
    world = orphaned(world, abandoned(worker))
    new = world.next_id if model.rules.worker_ids_are_fresh else worker.id
    holds = tuple(None for _ in worker.holds)
    world = with_worker(world, index, Worker(True, new, holds))
    rows = tuple(sorted({*world.rows, new}))
    return world._replace(rows=rows, next_id=max(world.next_id, new + 1))
