"""The model of the protocol of holder, inbox and bell (design section 4): every action of every actor.

For: checking the protocol before and beside the engine's code. An action is a committed SQL statement, one
phase of a statement that holds locks, an answer taken by its client, something a caller does, or a fault.
Must not: import anything of the engine; it is a second, independent reading of the design.
Invariants: `successors` is a pure function, the initial world has no fault in it, and every actor other than
the worker programs lives here: callers, timers, signals, the match, net, rescuers, kill, lost connection.

Not modelled: the feed, lanes and floors (a claim takes any processes, with or without the job of a give-back),
silence clocks (any living worker may be judged dead, within a budget), heartbeats, the age of the fence at an
effect's start, quarantine, snapshots, partitions, payloads, poison and bisecting (but a hold may have to begin
anew), NOTIFY and sleep, retention, several signals or several processes waiting for one, the consumption of a
kept signal, the number of free slots, retries of effects, and the priority of jobs.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import lifecycle as life
from .answers import abandoned, end_hold, gone, orphaned
from .client import dispatch, steps
from .rules import Model
from .server import lease_to_job, run
from .world import (
    SLOTS,
    Budget,
    Hold,
    Rows,
    Start,
    Statement,
    Step,
    Worker,
    World,
    counted,
    in_slot,
    with_hold,
    with_rows,
    with_worker,
)


def initial(model: Model) -> World:
    """Return the world in which every process has just been started and every worker registered."""
    scope = model.scope
    count = len(scope.scripts)
    created = Rows(history=(("C", 0, 0, 0),))
    workers = tuple(Worker(True, i, (None,) * count) for i in range(scope.workers))
    budget = Budget(scope.kills, scope.zombies, scope.losts, scope.give_backs, scope.early_timers, scope.reloads)
    ids = tuple(range(scope.workers))
    starts: tuple[tuple[Start, ...], ...] = ((),) * count
    world = World((created,) * count, ids, workers, budget, scope.workers, scope.mails)
    return world._replace(starts=starts, losses=(0,) * count, passed=(0,) * count)


def successors(model: Model, world: World) -> Iterator[Step]:
    """Yield every next step of the world."""
    for index, worker in enumerate(world.workers):
        if worker.up:
            yield from steps(model, world, index)
            yield from rescues(model, world, index)
    yield from orphan_steps(model, world)
    yield from callers(model, world)
    yield from timers(model, world)
    yield from signals(model, world)
    yield from free_leases(model, world)
    if world.woken:  # before the first claim the workers are alike and hold nothing
        yield from kills(model, world)
        yield from losts(model, world)
        yield from reloads(model, world)


# ---- callers ----


def callers(model: Model, world: World) -> Iterator[Step]:
    """Send one mail: inbox row and job in one transaction, as a caller does."""
    for mail in world.mails:
        left = tuple(other for other in world.mails if other != mail)
        name, process = mail
        sent = world._replace(mails=left)
        if not model.rules.callers_write_mail_only:
            yield Step(("caller appends the outcome of", name, "itself"), appended(sent, name, process))
        elif model.rules.mail_and_ring_in_one_commit:
            yield Step(("caller sends mail", name, "to process", process), mailed(sent, name, process, 1))
        else:
            rung = ring(sent, process)._replace(half_sent=(*sent.half_sent, mail))
            yield Step(("caller rings process", process, "before mail", name), rung)
    for name, process in world.half_sent:
        late = world._replace(half_sent=tuple(m for m in world.half_sent if m != (name, process)))
        yield Step(("caller commits mail", name), mailed(late, name, process, 0))


def mailed(world: World, name: str, process: int, jobs: int) -> World:
    """Insert an inbox row and jobs."""
    rows = world.processes[process]
    inbox = tuple(sorted((*rows.inbox, name)))
    return with_rows(world, process, rows._replace(inbox=inbox, jobs=rows.jobs + jobs))


def ring(world: World, process: int) -> World:
    """Insert a job."""
    rows = world.processes[process]
    return with_rows(world, process, rows._replace(jobs=rows.jobs + 1))


def appended(world: World, name: str, process: int) -> World:
    """Append to history from outside: the broken caller."""
    rows = world.processes[process]
    return with_rows(world, process, rows._replace(history=life.add(rows.history, "M", name, -1)))


# ---- timers ----


def timers(model: Model, world: World) -> Iterator[Step]:
    """Let time pass, and let a timer fire: delete the row and ring; early is harmless."""
    sleeping = any(life.fold(rows.history).status == "sleeping" for rows in world.processes)
    if sleeping and not world.time:
        yield Step(("time passes",), world._replace(time=1))
    for process, rows in enumerate(world.processes):
        if not rows.timer:
            continue
        fired = ring(with_rows(world, process, rows._replace(timer=False)), process)
        if world.time:
            yield Step(("timer of process", process, "fires"), fired)
        elif world.budget.early_timers:
            budget = world.budget._replace(early_timers=world.budget.early_timers - 1)
            yield Step(("timer of process", process, "fires early"), fired._replace(budget=budget), True)


# ---- signals ----


def signals(model: Model, world: World) -> Iterator[Step]:
    """Send the signal to process 0, and match it with its wait in a later statement."""
    if not model.scope.signal:
        return
    at = world.signal
    if at == "none":
        yield from send_signal(model, world)
    elif at == "sent":
        yield from match(model, world)
    elif at == "taken":
        yield Step(("match delivers",), delivered(model, world, world.processes[0].wait))
        yield from killed_match(world, "done")
    elif at[:-1] in ("matching", "sending"):
        yield Step((at[:-1], "commits"), delivered(model, world, at[-1] == "+"))
        if at[:-1] == "matching":
            yield from killed_match(world, "sent")


def snapshot_sees_wait(world: World) -> str:
    """Return a mark for whether a snapshot taken now shows the wait."""
    return "+" if world.processes[0].wait else "-"


def send_signal(model: Model, world: World) -> Iterator[Step]:
    """Insert the signal row and its signal_job; the broken sender looks for waits before its commit."""
    if model.rules.match_follows_the_send:
        yield Step(("caller sends the signal",), world._replace(signal="sent"))
    else:
        seen = "sending" + snapshot_sees_wait(world)
        yield Step(("caller looks for waits, signal not committed",), world._replace(signal=seen))


def match(model: Model, world: World) -> Iterator[Step]:
    """Match in one statement: delete the signal_job, read the wait, insert mail and job."""
    if not model.rules.match_is_one_commit:
        yield Step(("match commits the delete of the signal_job",), world._replace(signal="taken"))
    elif model.scope.fine:
        yield Step(("match begins",), world._replace(signal="matching" + snapshot_sees_wait(world)))
    else:
        yield Step(("match",), delivered(model, world, world.processes[0].wait))


def killed_match(world: World, signal: str) -> Iterator[Step]:
    """Kill the worker that matches: an uncommitted match is rolled back."""
    if world.budget.kills:
        budget = world.budget._replace(kills=world.budget.kills - 1)
        yield Step(("match is killed",), world._replace(signal=signal, budget=budget), True)


def delivered(model: Model, world: World, wait_seen: bool) -> World:
    """Commit the match: delivery, mail and job if a wait was seen; a look may have delivered already."""
    world = world._replace(signal="done")
    if not wait_seen:
        return world
    if world.delivery and not model.rules.delivery_may_be_there:
        return world._replace(broken="the match inserts a delivery that is there: it fails for ever")
    return mailed(world._replace(delivery=True), life.SIGNAL, 0, 1)


# ---- rescue and net ----


def rescues(model: Model, world: World, index: int) -> Iterator[Step]:
    """Rescue a row that has no living owner, or, as a fault, one that has."""
    worker = world.workers[index]
    if worker.rescue is not None or not world.woken:
        return
    owned = {other.id for other in world.workers if other.up}
    for victim in world.rows:
        rescue = Statement("rescue", worker.id, victim=victim)
        if victim not in owned:
            yield from rescue_steps(model, world, index, rescue, False)
        elif victim != worker.id and world.budget.zombies:
            budget = world.budget._replace(zombies=world.budget.zombies - 1)
            yield from rescue_steps(model, world._replace(budget=budget), index, rescue, True)


def rescue_steps(model: Model, world: World, index: int, rescue: Statement, fault: bool) -> Iterator[Step]:
    """Send a rescue; one that would only skip is left out, it changes nothing."""
    for label, after, _ in dispatch(model, world, index, "rescue", rescue, "of worker id", rescue.victim):
        if label[-1] != "skips":
            yield Step(label, after, fault)


def free_leases(model: Model, world: World) -> Iterator[Step]:
    """Turn a lease whose worker row is missing into a job."""
    if not model.rules.net_runs:
        return
    for process, rows in enumerate(world.processes):
        if rows.lease is not None and rows.lease.worker not in world.rows:
            label = ("net turns the lease of process", process, "into a job")
            yield Step(label, lease_to_job(world, process))


# ---- faults ----


def kills(model: Model, world: World) -> Iterator[Step]:
    """Stop a worker for ever; what it has sent may still run, what it has not sent never comes."""
    if not world.budget.kills:
        return
    budget = world.budget._replace(kills=world.budget.kills - 1)
    for index, worker in enumerate(world.workers):
        if worker.up and sum(other.up for other in world.workers) > 1:
            left = tuple(frozen(model, statement) for statement in abandoned(worker))
            dead = Worker(False, worker.id, (None,) * len(worker.holds))
            after = with_worker(world._replace(budget=budget), index, dead)
            yield Step(("worker", index, "is killed or freezes"), orphaned(after, left), True)


def frozen(model: Model, statement: Statement) -> Statement:
    """Freeze a transaction that needs another message from its client before it can commit."""
    whole = {"flush": model.rules.flush_is_one_message, "rescue": model.rules.rescue_is_one_message}
    if statement.stage == "open" and not whole.get(statement.kind, True):
        return statement._replace(stage="frozen")
    return statement


def losts(model: Model, world: World) -> Iterator[Step]:
    """Lose a connection with a statement in flight: the death of the worker row, not of the program."""
    if not world.budget.losts:
        return
    budget = world.budget._replace(losts=world.budget.losts - 1)
    for index, worker in enumerate(world.workers):
        if worker.up and any(in_slot(worker, slot) is not None for slot in SLOTS):
            after = world._replace(budget=budget)
            dies = model.rules.lost_connection_is_a_death
            after = gone(model, after, index) if dies else reloaded(after, index)
            yield Step(("worker", index, "loses its connection"), after, True)


def reloaded(world: World, index: int) -> World:
    """Go on under the old id with the leases that are there: the broken reconnect."""
    worker = world.workers[index]
    world = orphaned(world, abandoned(worker))
    holds: list[Hold | None] = []
    for rows in world.processes:
        mine = rows.lease is not None and rows.lease.worker == worker.id
        holds.append(Hold(bell=rows.lease.bell) if mine and rows.lease is not None else None)
    return with_worker(world, index, Worker(True, worker.id, tuple(holds)))


def reloads(model: Model, world: World) -> Iterator[Step]:
    """Begin a hold anew from what is durable, because what it wanted to write was refused; its effect is lost."""
    if not world.budget.reloads:
        return
    budget = world.budget._replace(reloads=world.budget.reloads - 1)
    for index, worker in enumerate(world.workers):
        for process, hold in enumerate(worker.holds):
            if hold is None or not hold.loaded or worker.flush is not None:
                continue
            after = end_hold(model, world, index, process)._replace(budget=budget)
            after = after._replace(losses=counted(after.losses, process))
            again = with_hold(after.workers[index], process, Hold(number=hold.number))
            label = ("worker", index, "is refused and begins process", process, "anew")
            yield Step(label, with_worker(after, index, again), True)


def orphan_steps(model: Model, world: World) -> Iterator[Step]:
    """Let a statement without a client run on, or be rolled back when the server notices."""
    for statement in world.orphans:
        left = list(world.orphans)
        left.remove(statement)
        label = ("late", statement.kind, "of worker id", statement.worker)
        for verb, after, moved in run(model, world, statement):
            rest = [*left, moved] if moved.stage != "done" else left
            yield Step((*label, verb), after._replace(orphans=tuple(sorted(rest))))
        if statement.stage != "frozen":
            undone = rolled_back(world, statement)._replace(orphans=tuple(left))
            yield Step((*label, "is rolled back"), undone)


def rolled_back(world: World, statement: Statement) -> World:
    """Give an uncommitted claim's jobs back; everything else leaves no trace."""
    for process, jobs, given in zip(statement.processes, statement.jobs, statement.given, strict=False):
        rows = world.processes[process]
        back = rows._replace(jobs=rows.jobs + jobs, given=tuple(sorted((*rows.given, *given))))
        world = with_rows(world, process, back)
    return world
