"""Callers keep their transactions open as long as they like: nobody waits for them, and what they did counts or does not."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from engine.core.ids import private_id, task_id
from tests.crash.audit import assert_at_rest, assert_whole, await_status, number, outcomes
from tests.crash.outside import pick
from tests.house import House, eventually, start

WORK = {
    "name": "work",
    "steps": [
        pick("a", n="${input.n}"),
        {"id": "b", "type": "event", "config": {"name": "done", "payload": "${steps.a.output}"}},
    ],
}
WAITING = {
    "name": "waiting",
    "steps": [{"id": "w", "type": "wait", "config": {"signal": "go", "correlation_key": "${input.key}"}}],
    "output": "${steps.w.output}",
}
TASK = {"name": "task", "steps": [{"id": "t", "type": "manual", "config": {"title": "Look at it"}}]}


class Caller:
    """A customer's transaction that has asked for everything that can be asked, and stays open."""

    def __init__(self, house: House, name: str) -> None:
        self.cancelled = house.start("waiting", {"key": f"{name}-cancel"})
        self.signalled = house.start("waiting", {"key": f"{name}-go"})
        self.task = house.start("task")
        self.db = house.caller(autocommit=False)
        self._house, self._name = house, name

    def ask(self) -> None:
        """Do it all, and neither commit nor roll back."""
        self.started = start(self.db, "work", {"n": 1}, business_key=self._name)
        asked = "select stepwell.cancel_process(%s), stepwell.complete_task(%s, 'me', '{\"n\": 1}')"
        row = self.db.execute(asked, (self.cancelled, task_id(number(self.task), "t"))).fetchone()
        assert row is not None
        self.mails = list(row)
        self.db.execute("select stepwell.send_signal('go', '{\"n\": 1}', %s)", (f"{self._name}-go",))

    def parked(self) -> bool:
        """Tell whether everybody waits and nobody holds them."""
        return all(self._house.status(p) == "WAITING" for p in (self.cancelled, self.signalled, self.task))


class Witness:
    """Who is waited for: looks as fast as it can while the block runs."""

    def __init__(self) -> None:
        self.waited_for: set[int] = set()
        self.looks = 0


@contextmanager
def witness(house: House) -> Iterator[Witness]:
    """Watch all lock waits of the database."""
    seen = Witness()
    over = threading.Event()
    db = house.connect("superuser")

    def look() -> None:
        while not over.is_set():
            for (blockers,) in db.execute(
                "select pg_blocking_pids(pid) from pg_stat_activity "
                "where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()"
            ):
                seen.waited_for.update(blockers)
            seen.looks += 1

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def test_while_callers_transactions_stay_open_a_thousand_processes_finish_a_partition_is_made_and_nobody_waits_for_them(
    house: House,
) -> None:
    """Fails where a command touches a row that a holder writes (history, process, task, lease) or locks one, where
    `ensure_partitions` uses `create … partition of`, and where the mail of a transaction is acted on before it commits.
    """
    for document in (WORK, WAITING, TASK):
        house.publish(document)
    with house.worker(), house.worker():
        undone, done = Caller(house, "undone"), Caller(house, "done")
        eventually(lambda: undone.parked() and done.parked(), what="the targets are parked")
        eventually(lambda: house.value("select count(*) from stepwell.lease") == 0, what="nobody holds them")
        with witness(house) as seen:
            undone.ask()
            done.ask()
            callers = {undone.db.info.backend_pid, done.db.info.backend_pid}

            # One month more than the workers' own upkeep makes: process, history, payload, labels.
            assert house.value("select stepwell.ensure_partitions(ahead => 4)") == 4
            with house.caller() as db:
                row = db.execute(
                    "select stepwell.start_processes('work', %s)", (json.dumps([{"n": n} for n in range(1000)]),)
                ).fetchone()
            assert row is not None
            await_status(house, row[0], "COMPLETED")
            # Mail of others to the same processes goes by, too, and the worker decides it.
            with house.caller() as db:
                retried = db.execute("select stepwell.retry_process(%s)", (done.cancelled,)).fetchone()
            assert retried is not None
            eventually(lambda: outcomes(house)[retried[0]] == 1, what="another caller's command is decided")

            assert undone.parked()
            assert done.parked()
            assert {db.info.transaction_status for db in (undone.db, done.db)} == {psycopg.pq.TransactionStatus.INTRANS}
            undone.db.rollback()
            done.db.commit()
            eventually(
                lambda: (
                    [house.status(p) for p in (done.cancelled, done.signalled, done.task, done.started)]
                    == ["CANCELLED", "COMPLETED", "COMPLETED", "COMPLETED"]
                ),
                what="what was committed is acted on",
            )
        assert seen.looks > 100
        assert not seen.waited_for & callers

    assert undone.parked()
    assert house.value("select count(*) from stepwell.process where id = %s", number(undone.started)) == 0
    assert house.value("select count(*) from stepwell.history where process_id = %s", number(undone.started)) == 0
    assert house.value("select count(*) from stepwell.business_key") == 0
    assert house.value("select count(*) from stepwell.signal where correlation = 'undone-go'") == 0
    counted = outcomes(house)
    assert [counted[mail] for mail in (*undone.mails, *done.mails)] == [0, 0, 1, 1]
    assert_whole(house)
    assert_at_rest(house, waiting=True)


@pytest.mark.parametrize("command", ["cancel_process(%s)", "retry_process(%s)"])
def test_a_command_in_an_open_transaction_does_not_stall_the_end_of_the_process_it_is_for(
    house: House, command: str
) -> None:
    """Fails where a command locks its process: the end of that very process would wait for the caller's commit."""
    house.publish(WAITING)
    with house.worker():
        process = house.start("waiting", {"key": "k"})
        eventually(lambda: house.status(process) == "WAITING", what="it waits")
        with house.caller(autocommit=False) as db:
            row: Any = db.execute(f"select stepwell.{command}", (process,)).fetchone()
            with house.caller() as other:
                other.execute("select stepwell.send_signal('go', '{}', 'k')")
            eventually(lambda: house.status(process) == "COMPLETED", what="it completes meanwhile")
            db.commit()
        eventually(lambda: outcomes(house)[row[0]] == 1, what="the late command has its outcome")

    assert house.history(process)[-1][1] == "command.rejected"
    assert private_id("prc", process) == number(process)
    assert_whole(house)
    assert_at_rest(house)


def test_a_release_from_quarantine_that_stays_open_stops_no_worker(house: House) -> None:
    """A claim writes the lease that a release is about: whoever locked it would stop every worker with one ring."""
    house.publish(WAITING)
    held, other = house.start("waiting", {"key": "held"}), house.start("waiting", {"key": "other"})
    scope = dict(zip(("tenant_id", "environment_id"), house.scopes["acme_prod"], strict=True))
    with house.worker(), house.worker(), house.connect("house_api", autocommit=False) as db:
        eventually(lambda: house.value("select count(*) from stepwell.wait") == 2, what="both wait")
        eventually(lambda: house.value("select count(*) from stepwell.lease") == 0, what="nobody holds them")
        house.owner.execute(
            "insert into stepwell.lease (process_id, worker_id, priority, lane, tenant_id, environment_id) "
            "values (stepwell.private_id('prc', %s), 0, 0, 0, %s, %s)",
            (held, *scope.values()),
        )
        for name, value in scope.items():
            db.execute("select set_config(%s, %s, true)", (f"stepwell.{name}", str(value)))
        db.execute("select stepwell.release_process(%s, 'ann', 'mended')", (held,))
        with house.caller() as caller:
            for process in (held, held, other):
                caller.execute("select stepwell.cancel_process(%s)", (process,))
        await_status(house, [other], "CANCELLED")
        assert house.status(held) == "WAITING"
        db.commit()
        await_status(house, [held], "CANCELLED")
    assert house.rows("select 1 from stepwell.release") == house.rows("select 1 from stepwell.lease") == []
