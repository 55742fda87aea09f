"""The pure core of the model: a process is a short script, its state is the fold of its history.

For: something to decide, small enough to enumerate and rich enough that a stale decision shows.
Must not: know workers, leases or statements.
Invariants: `fold` is total over the histories that the right protocol produces, and ignores mail outcomes.

Events: C created, S an effect's start was decided, D the effect is done, W wait registered, G signal
accepted, T sleep registered, U sleep over, M outcome of a mail (accepted or rejected), E end.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from .world import Event, History

SIGNAL = "g"  # the mail that a match sends
CANCEL = "x"


class State(NamedTuple):
    """The fold: current step, what it is doing, and the index of the event that made it do so."""

    step: int
    status: str  # ready, running, waiting, sleeping, ended
    since: int


_STATUS = {"C": "ready", "S": "running", "D": "ready", "W": "waiting", "G": "ready", "T": "sleeping"}
_STATUS |= {"U": "ready", "E": "ended"}
_NEXT = {"D", "G", "U"}
_ENTER = {"E": "S", "W": "W", "T": "T"}


@lru_cache(maxsize=200_000)
def fold(history: History) -> State:
    """Fold a history into a state."""
    step, status, since = 0, "ready", 0
    for index, event in enumerate(history):
        kind = event[0]
        if kind == "M":
            continue
        status, since = _STATUS[kind], index
        step += kind in _NEXT
    return State(step, status, since)


def accepted(history: History) -> bool:
    """Tell whether the signal has been accepted."""
    return any(event[0] == "G" for event in history)


def outcomes(history: History) -> list[int | str]:
    """List the mail ids whose outcome is in a history."""
    return [event[1] for event in history if event[0] == "M"]


@lru_cache(maxsize=200_000)
def advance(script: str, history: History, worker: int, stable: bool) -> History:
    """Decide what follows from a state that waits for nothing: enter the next step, or end."""
    state = fold(history)
    if state.status != "ready":
        return history
    if state.step == len(script):
        return (*history, ("E", 0, worker, 0))
    return enter(script, history, worker, stable)


def enter(script: str, history: History, worker: int, stable: bool) -> History:
    """Decide to enter the current step; an execution id is the same for every attempt."""
    step = fold(history).step
    execution = step if stable else len(history)
    event: Event = (_ENTER[script[step]], step, worker, execution)
    return (*history, event)


def add(history: History, kind: str, what: int | str, worker: int) -> History:
    """Append one event."""
    return (*history, (kind, what, worker, 0))


def mail_outcome(history: History, mail: str, worker: int, counts_once: bool) -> History:
    """Decide one mail: every mail ends as an event, accepted or rejected."""
    state = fold(history)
    history = add(history, "M", mail, worker)
    if mail == CANCEL and state.status != "ended":
        return add(history, "E", 0, worker)
    if mail == SIGNAL and state.status == "waiting" and not (counts_once and accepted(history)):
        return add(history, "G", state.step, worker)
    return history
