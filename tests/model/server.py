"""The database side of the model: what a statement does to committed rows, and whom it waits for.

For: each statement of the protocol as one or two atomic actions: begin (snapshot, locks) and commit.
In a coarse scope both happen at once; in a fine scope others may run in between, against the locks.
Must not: read of a worker's memory more than the statement carries, nor what only the invariants read.
Invariants: a statement that must wait simply has no next action; a commit changes all its rows at once.
"""

from __future__ import annotations

from .jobs import numbers_left, takings, told, without
from .lifecycle import SIGNAL, outcomes
from .rules import Model
from .world import Answer, History, Lease, Part, Rows, Statement, World, counted, statements, with_rows

Outcome = list[tuple[str, World, Statement]]


def run(model: Model, world: World, statement: Statement) -> Outcome:
    """Return the next actions of a statement at the server: (verb, world after it, statement after it)."""
    kind = statement.kind
    if kind == "rescue":
        return run_rescue(model, world, statement)
    if kind == "claim":
        return run_locking(model, world, statement)
    if kind == "flush":
        return run_locking(model, world, statement)
    return [("runs", *read(model, world, statement))]


def key_shared(model: Model, world: World, worker: int) -> bool:
    """Tell whether a statement in flight holds a key-share lock on a worker row."""
    return any(other.worker == worker and shares_key(model, other) for other in statements(world))


def shares_key(model: Model, statement: Statement) -> bool:
    """Tell whether a statement has locked the worker row it runs under."""
    if statement.kind == "rescue":
        return not model.rules.rescuer_leaves_its_own_row and statement.stage in ("own", "open")
    if statement.stage not in ("open", "frozen"):
        return False
    return statement.kind == "claim" or (statement.kind == "flush" and model.rules.flush_locks_its_fence)


def being_deleted(world: World, worker: int) -> bool:
    """Tell whether a rescue in flight has deleted a worker row and not committed."""
    for other in statements(world):
        if other.kind == "rescue" and other.victim == worker and other.stage in ("open", "frozen"):
            return True
    return False


def lease_locked(world: World, process: int, mine: Statement) -> bool:
    """Tell whether another statement in flight has locked a lease row."""
    return any(process in other.locked and other is not mine for other in statements(world))


def is_fenced(model: Model, statement: Statement) -> bool:
    """Tell whether the rules make this statement look at its worker row."""
    if statement.kind == "claim":
        return model.rules.claim_is_fenced
    return model.rules.flush_is_fenced


# ---- claim, first statement, and flush: statements that lock their fence ----


def run_locking(model: Model, world: World, statement: Statement) -> Outcome:
    """Begin or go on with a claim or a flush."""
    if statement.stage == "sent":
        return begin(model, world, statement)
    if statement.stage == "open":
        return finish(model, world, statement)
    return []


def begin(model: Model, world: World, statement: Statement) -> Outcome:
    """Take the snapshot and the fence; without the row do nothing and say so."""
    me, rules = statement.worker, model.rules
    if is_fenced(model, statement):
        if me not in world.rows:
            return [fence_gone(model, world, statement)]
        locks = statement.kind == "claim" or rules.flush_locks_its_fence
        if locks and being_deleted(world, me):
            return []
    opened = statement._replace(stage="open")
    if statement.kind == "claim":
        return [
            (verb + told(taken), after, moved)
            for taken in takings(world, opened)
            for verb, after, moved in go_on(model, *take_jobs(model, world, taken))
        ]
    return go_on(model, world, opened)


def go_on(model: Model, world: World, opened: Statement) -> Outcome:
    """Let a statement that holds its locks wait for the others, or commit at once."""
    rules = model.rules
    if model.scope.fine or model.scope.locks or not rules.flush_is_one_message:
        return [("begins", world, opened)]
    return finish(model, world, opened)


def fence_gone(model: Model, world: World, statement: Statement) -> tuple[str, World, Statement]:
    """Answer that the worker row is missing; a half-fenced claim has deleted its jobs all the same."""
    if statement.kind == "claim" and not model.rules.claim_fence_covers_the_jobs:
        world, _ = take_jobs(model, world, takings(world, statement)[0])
    return "finds no worker row", world, statement._replace(stage="done", gone=True)


def take_jobs(model: Model, world: World, claim: Statement) -> tuple[World, Statement]:
    """Delete the chosen jobs."""
    taken, jobs = claim.processes, claim.jobs
    views: tuple[Answer, ...] = ()
    if not model.rules.load_is_its_own_statement:
        views = tuple(view(world, p) for p in taken)
    for process, count, given in zip(taken, jobs, claim.given, strict=True):
        rows = world.processes[process]
        left = rows._replace(jobs=rows.jobs - count, given=without(rows.given, given))
        world = with_rows(world, process, left)
    if max(jobs, default=0) > 1 and not model.rules.claim_groups_jobs:
        world = world._replace(broken="on conflict do update cannot affect row a second time: the claim fails")
    return world, claim._replace(answers=views)


def lock_order(model: Model, statement: Statement) -> tuple[int, ...]:
    """List the leases a statement locks, in its order."""
    if statement.kind == "claim":
        return statement.processes
    wanted = tuple(part.process for part in statement.parts if part.release)
    return wanted if model.rules.flush_orders_its_leases else wanted[::-1]


def finish(model: Model, world: World, statement: Statement) -> Outcome:
    """Lock the next lease, or all that is left and commit."""
    order = lock_order(model, statement)
    left = order[len(statement.locked) :]
    if left and lease_locked(world, left[0], statement):
        return []
    if len(left) > 1 and model.scope.locks:
        return [("locks a lease", world, statement._replace(locked=(*statement.locked, left[0])))]
    commit = commit_claim if statement.kind == "claim" else commit_flush
    after, done = commit(model, world, statement._replace(locked=()))
    return [("commits", after, done)]


def commit_claim(model: Model, world: World, claim: Statement) -> tuple[World, Statement]:
    """Upsert the leases: a free process becomes mine, a held one is rung."""
    answers = []
    views = {answer.process: answer for answer in claim.answers}
    for process, given in zip(claim.processes, claim.given, strict=True):
        rows = world.processes[process]
        lease, inserted = upserted(model, rows.lease, claim.worker)
        number = max(given, default=0) if inserted else 0
        if not model.rules.number_stays_out_of_the_lease:
            lease = lease._replace(number=max(number, lease.number))
        if inserted and numbers_left(world, claim, process):
            world = world._replace(passed=counted(world.passed, process))
        world = with_rows(world, process, rows._replace(lease=lease))
        seen = views.get(process, Answer(process))
        answers.append(seen._replace(yes=inserted, mine=lease.worker == claim.worker, number=number))
    return world, claim._replace(stage="done", jobs=(), given=(), answers=tuple(answers))


def upserted(model: Model, lease: Lease | None, me: int) -> tuple[Lease, bool]:
    """Return the lease after the upsert, and whether it was inserted."""
    if lease is None or not model.rules.claim_leaves_the_owner:
        return Lease(me, 0), True
    if not model.rules.ring_is_counted:
        return lease, False
    return lease._replace(bell=lease.bell + 1), False


def commit_flush(model: Model, world: World, flush: Statement) -> tuple[World, Statement]:
    """Write the events and the queue changes of all parts at once."""
    answers = []
    for part in flush.parts:
        rows = world.processes[part.process]
        rows, broken = with_events(model, rows, part)
        rows = rows._replace(inbox=inbox_after(model, rows.inbox, part), wait=part.wait)
        if part.timer is not None:
            rows = rows._replace(timer=part.timer)
        released = may_release(model, rows.lease, part, flush.worker)
        if released:
            rows = given_back(model, rows, part)
        if released and part.release == "give" and not model.rules.give_back_is_one_commit:
            world = world._replace(half_given=(*world.half_given, flush.worker))
        world = with_rows(world, part.process, rows)
        world = world._replace(broken=world.broken or broken)
        if any(event[0] == "G" for event in part.events):
            world = with_delivery(model, world, by_mail=accepted_from_mail(part))
        answers.append(Answer(part.process, yes=released))
    return world, flush._replace(stage="done", answers=tuple(answers), parts=flush.parts)


def accepted_from_mail(part: Part) -> bool:
    """Tell whether the signal was accepted from its mail, whose match has written the delivery."""
    return SIGNAL in outcomes(part.events)


def with_delivery(model: Model, world: World, by_mail: bool) -> World:
    """Insert the delivery of a signal found by looking; the match may have been there first, or be at it."""
    there = world.delivery or world.signal == "matching+"
    if there and not by_mail and not model.rules.delivery_may_be_there:
        broken = "the flush and the match insert the same delivery: the whole batch aborts"
        return world._replace(broken=broken)
    return world._replace(delivery=True)


def with_events(model: Model, rows: Rows, part: Part) -> tuple[Rows, str]:
    """Insert events by (process, seq); a foreign row at one of these seqs is a bug of the protocol."""
    there = len(rows.history)
    if not part.events:
        return rows, ""
    if there < part.first:
        return rows, f"history of process {part.process} has a gap before seq {part.first}"
    if there > part.first and model.rules.history_is_inserted_plainly:
        return rows, f"(process {part.process}, seq {part.first}) written twice: two writers at once"
    fitting = part.events[there - part.first :]
    if there > part.first and fitting:
        return rows, f"seq {there} of process {part.process} was decided from a state that never was"
    return rows._replace(history=rows.history + fitting), ""


def inbox_after(model: Model, inbox: tuple[str, ...], part: Part) -> tuple[str, ...]:
    """Delete the inbox rows whose outcome is written."""
    done = [str(mail) for mail in outcomes(part.events)]
    if not done:
        return inbox
    if not model.rules.inbox_is_deleted_by_id:
        return tuple(mail for mail in inbox if mail > max(done))
    return tuple(mail for mail in inbox if mail not in done)


def may_release(model: Model, lease: Lease | None, part: Part, me: int) -> bool:
    """Tell whether the lease delete of a part hits."""
    if not part.release or lease is None or lease.worker != me:
        return False
    if part.release == "give":
        return True
    checks = model.rules.end_checks_the_bell if part.release == "end" else model.rules.park_checks_the_bell
    return lease.bell == part.bell or not checks


def given_back(model: Model, rows: Rows, part: Part) -> Rows:
    """Delete the lease; a give-back inserts its job with it, which names the last event."""
    rows = rows._replace(lease=None)
    if part.release != "give" or not model.rules.give_back_is_one_commit:
        return rows
    if part.number:
        return rows._replace(given=tuple(sorted((*rows.given, part.number))))
    return rows._replace(jobs=rows.jobs + 1)


# ---- reading statements ----


def view(world: World, process: int) -> Answer:
    """Read what a snapshot shows of a process."""
    rows = world.processes[process]
    bell = rows.lease.bell if rows.lease else 0
    return Answer(process, bell=bell, history=rows.history, inbox=rows.inbox)


def read(model: Model, world: World, statement: Statement) -> tuple[World, Statement]:
    """Run a load, a reading of rung leases and their mail, a look at signals, or a late job insert."""
    if statement.kind == "job":
        for process in statement.processes:
            rows = world.processes[process]
            world = with_rows(world, process, rows._replace(jobs=rows.jobs + 1))
        return world, statement._replace(stage="done")
    if statement.kind == "look":
        there = world.signal not in ("none", "sending+", "sending-")
        answers = tuple(Answer(p, yes=there) for p in statement.processes)
        return world, statement._replace(stage="done", answers=answers)
    answers = tuple(view(world, p) for p in statement.processes)
    if statement.kind == "read":  # history is not read again
        empty: History = ()
        answers = tuple(answer._replace(history=empty) for answer in answers)
    if not model.rules.inbox_is_deleted_by_the_flush:
        for process in statement.processes:
            world = with_rows(world, process, world.processes[process]._replace(inbox=()))
    return world, statement._replace(stage="done", answers=answers)


# ---- rescue ----


def run_rescue(model: Model, world: World, rescue: Statement) -> Outcome:
    """Begin or commit a rescue: the row first, then in a new snapshot its leases."""
    if rescue.stage == "sent" and not model.rules.rescuer_leaves_its_own_row:
        if being_deleted(world, rescue.worker):
            return []
        return [("locks its own row", world, rescue._replace(stage="own"))]
    if rescue.stage in ("sent", "own"):
        return begin_rescue(model, world, rescue)
    if rescue.stage in ("open", "waiting"):
        return commit_rescue(model, world, rescue)
    return []


def begin_rescue(model: Model, world: World, rescue: Statement) -> Outcome:
    """Delete the victim's row (not yet committed): wait for its fence, skip if another is at it."""
    rules, victim = model.rules, rescue.victim
    if victim not in world.rows or being_deleted(world, victim):
        return [("skips", world, rescue._replace(stage="done"))]
    blocked = key_shared(model, world, victim)
    if not rules.rescue_deletes_the_row_first or (blocked and not rules.rescue_takes_a_new_snapshot):
        seen = leased_by(world, victim)
        return [("sees the leases, waits for the row", world, rescue._replace(stage="waiting", processes=seen))]
    if blocked:
        return []
    if not rules.rescue_is_one_transaction:
        world = without_row(world, victim)
        return [("commits the delete of the row", world, rescue._replace(stage="open"))]
    opened = rescue._replace(stage="open")
    if model.scope.fine_rescue:
        return [("deletes the row", world, opened)]
    return commit_rescue(model, world, opened)


def leased_by(world: World, worker: int) -> tuple[int, ...]:
    """List the processes leased by a worker."""
    rows = enumerate(world.processes)
    return tuple(p for p, row in rows if row.lease is not None and row.lease.worker == worker)


def without_row(world: World, worker: int) -> World:
    """Delete a worker row."""
    return world._replace(rows=tuple(row for row in world.rows if row != worker))


def commit_rescue(model: Model, world: World, rescue: Statement) -> Outcome:
    """Turn the victim's leases into jobs and commit."""
    blocked = key_shared(model, world, rescue.victim) or being_deleted(world, rescue.victim)
    if rescue.stage == "waiting" and blocked:
        return []
    seen = rescue.processes if rescue.stage == "waiting" else leased_by(world, rescue.victim)
    if any(lease_locked(world, process, rescue) for process in seen):
        return []
    world = without_row(world, rescue.victim)
    for process in seen:
        lease = world.processes[process].lease
        if lease is not None and lease.worker == rescue.victim:
            world = lease_to_job(world, process)
    return [("commits", world, rescue._replace(stage="done"))]


def lease_to_job(world: World, process: int) -> World:
    """Take a lease away and ring: the process wants a worker again, and one loss is counted."""
    rows = world.processes[process]
    if rows.lease is not None and rows.lease.number:
        rows = rows._replace(lease=None, given=tuple(sorted((*rows.given, rows.lease.number))))
    else:
        rows = rows._replace(lease=None, jobs=rows.jobs + 1)
    return with_rows(world, process, rows)._replace(losses=counted(world.losses, process))
