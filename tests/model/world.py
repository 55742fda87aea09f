"""The state of the model: committed rows, worker programs and statements in flight, as plain tuples.

For: one hashable value per state of the world, and small functions that put one changed piece back.
Must not: know any rule of the protocol.
Invariants: everything here is a tuple of tuples, numbers and short strings; equal worlds are equal values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

# (kind, step or mail id, deciding worker, execution id); kinds are listed in lifecycle.py.
Event = tuple[str, int | str, int, int]
History = tuple[Event, ...]
Mail = tuple[str, int]
Start = tuple[int, int, int]  # step, execution id, and which event decided this attempt


class Lease(NamedTuple):
    """A worker's hold on a process, as committed."""

    worker: int
    bell: int
    number: int = 0  # broken claim only: what the job it was made of said


class Rows(NamedTuple):
    """The committed rows of one process. A job taken by an open claim is not counted in `jobs` or `given`.

    `given` are the jobs of give-backs, each as the number of the last event when it was written.
    """

    history: History
    jobs: int = 1
    given: tuple[int, ...] = ()
    lease: Lease | None = None
    inbox: tuple[str, ...] = ()
    timer: bool = False
    wait: bool = False


class Hold(NamedTuple):
    """What a worker has in memory for one held process.

    `events[:base]` came with the load, `events[:flushed]` are known to be committed, `bell` is the value
    read with or before the inbox, `refused` says that a park failed and the inbox must be read again. `number`
    is what the claim was told: if the loaded history ends with that event, what is RUNNING has not begun.
    """

    loaded: bool = False
    events: History = ()
    base: int = 0
    flushed: int = 0
    bell: int = 0
    running: bool = False
    looked: bool = False
    refused: bool = False
    number: int = 0
    leaving: bool = False  # it starts no effect any more and is given back as soon as none runs


class Part(NamedTuple):
    """One process's share of a flush: events from `first` on, and what becomes of lease and timer."""

    process: int
    first: int
    events: History
    bell: int
    release: str  # "", park, end, give
    timer: bool | None  # None leaves the row as it is
    wait: bool
    number: int = 0  # give: of the last event, if no effect runs


class Answer(NamedTuple):
    """One row of a statement's result; which fields count depends on the kind of statement."""

    process: int
    yes: bool = False  # claim: inserted; flush: released; look: a signal is there
    mine: bool = False  # claim: the lease names me
    bell: int = 0
    history: History = ()
    inbox: tuple[str, ...] = ()
    number: int = 0  # claim: the highest of the jobs it took


class Statement(NamedTuple):
    """A statement between being sent and being answered, with the locks it holds meanwhile.

    Stages: sent (not begun), own and waiting (broken rescues only), open (locks held, not committed),
    done (committed, answer on its way), frozen (open, and its client will never send the commit).
    """

    kind: str  # claim, load, read, look, flush, job, rescue
    worker: int  # the id under whose row it runs
    stage: str = "sent"
    processes: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()
    jobs: tuple[int, ...] = ()  # open claim: how many jobs of each of `processes` it has deleted
    given: tuple[tuple[int, ...], ...] = ()  # the same for the jobs of give-backs
    locked: tuple[int, ...] = ()  # processes whose lease row it has locked
    deaf: tuple[int, ...] = ()  # processes whose hold has ended since: the answer is not for the next one
    victim: int = -1
    answers: tuple[Answer, ...] = ()
    gone: bool = False  # the fence found no worker row


SLOTS = ("ask", "tick", "flush", "rescue")


class Worker(NamedTuple):
    """One worker program: what it believes, and its statements in flight (one per slot at most)."""

    up: bool
    id: int
    holds: tuple[Hold | None, ...]
    ask: Statement | None = None
    tick: Statement | None = None
    flush: Statement | None = None
    rescue: Statement | None = None
    kept: tuple[History, ...] = ()  # broken keeping only: what its last hold of each process believed


class Budget(NamedTuple):
    """Faults that may still happen."""

    kills: int
    zombies: int
    losts: int
    give_backs: int
    early_timers: int
    reloads: int = 0


class World(NamedTuple):
    """One state. `starts`, `losses` and `passed` only exist for the invariants: no actor reads them."""

    processes: tuple[Rows, ...]
    rows: tuple[int, ...]  # committed worker rows
    workers: tuple[Worker, ...]
    budget: Budget
    next_id: int
    mails: tuple[Mail, ...]  # not sent yet
    orphans: tuple[Statement, ...] = ()  # in flight, nobody waits for the answer
    signal: str = "none"  # none, sending?, sent, taken, matching?, done; ? is + or -: a wait was seen
    delivery: bool = False  # the row (signal, process 0) in signal_delivery
    time: int = 0
    half_sent: tuple[Mail, ...] = ()  # broken callers only: the ring is out, the mail is not
    half_given: tuple[int, ...] = ()  # broken give-back only: lease gone, job still to come
    woken: bool = False  # the first claim is made by worker 0: the two are alike
    starts: tuple[tuple[Start, ...], ...] = ()  # per process: each effect that has begun
    losses: tuple[int, ...] = ()  # per process: leases taken away by rescue or net, and holds begun anew
    passed: tuple[int, ...] = ()  # per process: claims that left the job of a give-back behind
    broken: str = ""  # what a transition found wrong


class Step(NamedTuple):
    """A transition: what happened, to whom, the world after it, and whether it was a fault."""

    label: tuple[str | int, ...]
    world: World
    fault: bool = False


def with_rows(world: World, process: int, rows: Rows) -> World:
    """Put the rows of one process back."""
    all_rows = world.processes
    return world._replace(processes=(*all_rows[:process], rows, *all_rows[process + 1 :]))


def counted(counts: tuple[int, ...], process: int) -> tuple[int, ...]:
    """Add one to the count of a process."""
    return (*counts[:process], counts[process] + 1, *counts[process + 1 :])


def with_worker(world: World, index: int, worker: Worker) -> World:
    """Put one worker back."""
    workers = world.workers
    return world._replace(workers=(*workers[:index], worker, *workers[index + 1 :]))


def with_hold(worker: Worker, process: int, hold: Hold | None) -> Worker:
    """Put one hold back."""
    holds = worker.holds
    return worker._replace(holds=(*holds[:process], hold, *holds[process + 1 :]))


def in_slot(worker: Worker, slot: str) -> Statement | None:
    """Return the statement in flight in a slot."""
    statement: Statement | None = getattr(worker, slot)
    return statement


def into_slot(worker: Worker, slot: str, statement: Statement | None) -> Worker:
    """Put a statement into a slot of a worker, or empty it."""
    if slot == "ask":
        return worker._replace(ask=statement)
    if slot == "tick":
        return worker._replace(tick=statement)
    if slot == "flush":
        return worker._replace(flush=statement)
    return worker._replace(rescue=statement)


def with_slot(world: World, index: int, slot: str, statement: Statement | None) -> World:
    """Put a statement into a worker's slot, or empty it."""
    return with_worker(world, index, into_slot(world.workers[index], slot, statement))


def statements(world: World) -> Iterator[Statement]:
    """Yield everything in flight."""
    for worker in world.workers:
        for statement in (worker.ask, worker.tick, worker.flush, worker.rescue):
            if statement is not None:
                yield statement
    yield from world.orphans
