"""What must hold in every state, and what must be true once nothing is left to do.

For: saying in one place what the protocol promises. `fault_in` is asked of every state, `unfinished` of every
state in which nothing but a fault could still happen, and it names what was left lying.
Must not: change a world, or depend on which rules are switched off.
"""

from __future__ import annotations

from .lifecycle import accepted, fold, outcomes
from .world import History, Hold, Rows, Worker, World, statements


def fault_in(world: World) -> str:
    """Return what is wrong in a state, or nothing."""
    if world.broken:
        return world.broken
    for process, rows in enumerate(world.processes):
        wrong = wrong_history(rows) or wrong_effects(world, process) or wrong_holds(world, process)
        wrong = wrong or wrong_losses(world, process)
        if wrong:
            return f"process {process}: {wrong}"
    return ""


def wrong_history(rows: Rows) -> str:
    """Check one outcome per mail, none for unread mail, one acceptance per signal, nothing after the end."""
    done = outcomes(rows.history)
    kinds = [event[0] for event in rows.history]
    if len(done) != len(set(done)):
        return "a mail has two outcomes"
    if any(mail in done for mail in rows.inbox):
        return "a mail with an outcome is still in the inbox"
    if kinds.count("G") > 1:
        return "a signal is counted twice"
    if "E" in kinds and any(kind != "M" for kind in kinds[kinds.index("E") + 1 :]):
        return "something happened after the end"
    return ""


def wrong_effects(world: World, process: int) -> str:
    """Check that an effect starts again only after its lease was taken away, in a new attempt, and under the same id."""
    starts = world.starts[process]
    if len(starts) < 2:
        return ""
    attempts = [attempt for _, _, attempt in starts]
    if len(attempts) != len(set(attempts)):
        return "an attempt that had begun began again"
    for step in {start[0] for start in starts}:
        ids = [execution for at, execution, _ in starts if at == step]
        if len(ids) > 1 + world.losses[process]:
            return "an effect was started twice without a rescue"
        if len(set(ids)) > 1:
            return "two attempts of one activity have different execution ids"
    return ""


def wrong_losses(world: World, process: int) -> str:
    """Check that an attempt counts as lost only after a rescue, or where a claim left the job of a give-back behind."""
    allowed = 1 + world.losses[process] + world.passed[process]
    steps = [event[1] for event in world.processes[process].history if event[0] == "S"]
    return "an attempt counts as lost that nobody lost" if any(steps.count(s) > allowed for s in steps) else ""


def wrong_holds(world: World, process: int) -> str:
    """Check that a hold whose worker row is there has the lease, and believes what is committed."""
    rows = world.processes[process]
    writers = 0
    for worker in world.workers:
        hold = worker.holds[process]
        if hold is None or worker.id not in world.rows or is_released(worker, process):
            continue
        writers += 1
        if rows.lease is None or rows.lease.worker != worker.id:
            return "a hold that may write has no lease"
        if not agrees(hold, rows.history):
            return "a hold believes in events that are not committed"
    return "two holds may write" if writers > 1 else ""


def is_released(worker: Worker, process: int) -> bool:
    """Tell whether the answer that ends this hold is on its way."""
    flush = worker.flush
    if flush is None or flush.stage != "done" or process in flush.deaf:
        return False
    return flush.gone or any(answer.process == process and answer.yes for answer in flush.answers)


def agrees(hold: Hold, history: History) -> bool:
    """Tell whether the confirmed part of a hold is a beginning of the committed history."""
    return not hold.loaded or hold.events[: hold.flushed] == history[: hold.flushed]


def unfinished(world: World) -> str:
    """Return what was left lying, or nothing if everything that was asked has been done."""
    if world.mails or world.half_sent:
        return "a caller cannot send its mail"
    for statement in statements(world):
        if statement.stage != "done":
            return f"a {statement.kind} of worker id {statement.worker} waits for ever"
    for process, rows in enumerate(world.processes):
        left = left_lying(world, rows)
        if left:
            return f"process {process}: {left}"
    return ""


def left_lying(world: World, rows: Rows) -> str:
    """Name what one process still wants although nobody will come."""
    if rows.lease is not None:
        return "its lease is stranded"
    if rows.inbox:
        return "it is parked with unread mail"
    if rows.jobs or rows.given:
        return "its job is never claimed"
    return lost(world, rows)


def lost(world: World, rows: Rows) -> str:
    """Name what a process nobody holds and nobody rings for would still have to do."""
    status = fold(rows.history).status
    if status in ("ready", "running"):
        return f"it is lost: {status}, and nobody holds it"
    if status == "sleeping":
        return "it sleeps, and no timer will wake it"
    if status == "waiting" and world.signal != "none" and not accepted(rows.history):
        return "its wait never met the signal"
    return ""


def unanswered(world: World, sent: tuple[str, ...], process: int) -> str:
    """Check that every mail sent to a process ended as an event."""
    done = outcomes(world.processes[process].history)
    missing = [mail for mail in sent if mail not in done]
    return f"process {process}: mail {missing[0]} has no outcome" if missing else ""
