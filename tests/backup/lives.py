"""Processes in every state that a backup can meet them in, and what must have become of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from engine.core.ids import execution_id, task_id
from tests.crash.audit import assert_at_rest, assert_whole, await_all, number, statuses
from tests.crash.outside import Gate, post
from tests.house import House, eventually, start

SIGNALLED = {"id": "paid", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.key}"}}
KINDS = ("signalled", "kept", "approved", "napping", "retrying", "in_flight")
EACH = 5
CALLS = ("charge", "ship", "slow", "flaky")


def publish(house: House, url: str) -> None:
    """Publish one definition of each kind; all end with a call."""
    charge, ship, slow, flaky = (post(id_, f"{url}/{id_}", {"of": "${input.key}"}) for id_ in CALLS)
    again = {"max_attempts": 50, "initial_interval_seconds": 1, "max_interval_seconds": 2}
    steps = {
        "signalled": [charge, SIGNALLED, ship],
        "kept": [slow, SIGNALLED, ship],  # its signal comes before the wait
        "approved": [charge, {"id": "ask", "type": "manual", "config": {"title": "All right?"}}, ship],
        "napping": [charge, {"id": "nap", "type": "wait", "config": {"seconds": 4}}, ship],
        "retrying": [{**flaky, "retry_policy": again}, ship],
        "in_flight": [slow, ship],
        "quick": [charge, ship],
    }
    for name, its in steps.items():
        house.publish({"name": name, "steps": its})


@dataclass
class Lives:
    """What was started, by kind."""

    started: dict[str, list[str]] = field(default_factory=dict)

    def begin(self, house: House, gate: Gate) -> None:
        """Start some of each kind; wait until each is where its kind says."""
        gate.shut("/slow")
        gate.answers["/flaky"] = lambda _: (503, {"why": "not yet"})
        publish(house, gate.url)
        with house.caller() as db:
            for kind in KINDS:
                self.started[kind] = [start(db, kind, {"key": f"{kind}-{n}"}) for n in range(EACH)]
            for n in range(EACH):
                send(db, f"kept-{n}")
        gate.await_calls("/slow", 2 * EACH)
        gate.await_calls("/flaky", EACH)
        waiting = [p for kind in ("signalled", "approved", "napping") for p in self.started[kind]]
        eventually(lambda: all(house.status(p) == "WAITING" for p in waiting), what="those that wait do")

    @contextmanager
    def traffic(self, house: House) -> Iterator[list[str]]:
        """Start short ones, one after the other, for the time of the block."""
        over = threading.Event()
        made: list[str] = []

        def go() -> None:
            with house.caller() as db:
                while not over.is_set():
                    made.append(start(db, "quick", {"key": f"quick-{len(made)}"}))

        thread = threading.Thread(target=go)
        thread.start()
        try:
            eventually(lambda: len(made) > 20, what="traffic")
            yield made
        finally:
            over.set()
            thread.join()

    def resume(self, house: House, gate: Gate) -> None:
        """Let everything happen that they wait for; wait until all processes there are have completed."""
        gate.answers.clear()
        gate.open()
        with house.caller() as db:
            for n in range(EACH):
                send(db, f"signalled-{n}")
            for id_, path, run in db.execute("select process_id, path, run from stepwell.task").fetchall():
                db.execute("select stepwell.complete_task(%s, 'tester')", (task_id(id_, path, run),))
        await_all(house, sum(statuses(house).values()))
        assert_whole(house)
        assert_at_rest(house)


def send(db: psycopg.Connection[Any], key: str) -> None:
    """Send the signal that one process waits for, or will wait for."""
    db.execute("select stepwell.send_signal('paid', correlation_key => %s)", (key,))


def goes_on(house: House, lives: Lives, gate: Gate) -> None:
    """Run a worker on what was restored; see all of it to its end, and nothing done twice that was over by then."""
    over = ended(house)
    seen = len(gate.calls())
    there = set(house.rows("select id from stepwell.process"))
    assert {(number(p),) for processes in lives.started.values() for p in processes} <= there
    with house.worker():
        lives.resume(house, gate)
        new = house.start("quick", {"key": "new"})
        eventually(lambda: house.status(new) == "COMPLETED", what="a new one completes")

    assert number(new) > max(id_ for (id_,) in there)
    again = gate.calls()[seen:]
    assert {call.key for call in again} & over == set()
    hung = {execution_id(number(p), "slow") for kind in ("kept", "in_flight") for p in lives.started[kind]}
    assert {key: count for key, count in gate.per_key("/slow").items() if key in hung} == dict.fromkeys(hung, 2)
    sent: dict[str, set[bytes]] = {}
    for call in gate.calls():
        sent.setdefault(call.key, set()).add(call.raw)
    assert {key for key, variants in sent.items() if len(variants) > 1} == set()


def ended(house: House) -> set[str]:
    """Return the execution ids of the calls that history shows as completed."""
    rows = house.rows("select process_id, path from stepwell.history where type = 'activity.completed'")
    return {execution_id(id_, path) for id_, path in rows}
