"""An idle worker sleeps, and is woken by whoever has something for it; and everything works where nobody can wake it."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable
from typing import Any, Self

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sql import query
from tests.house import House, eventually, start

QUICK = {"name": "quick", "steps": [{"id": "a", "type": "transform", "config": {"mapping": {"x": 1}}}]}
WAITER = {"name": "waiter", "steps": [{"id": "w", "type": "wait", "config": {"signal": "paid"}}]}

Caller = psycopg.Connection[Any]


def note_sleep(house: House) -> None:
    """Keep a note, in order, of each time a worker's row says that it goes to sleep or wakes."""
    with house.connect("superuser") as db:
        db.execute(
            """
            create table public.noted_sleep (n serial, asleep boolean);
            create function public.note_sleep() returns trigger language plpgsql security definer as
            $$ begin insert into public.noted_sleep (asleep) values (new.asleep); return new; end $$;
            create trigger noted after update on stepwell.worker for each row
            when (old.asleep is distinct from new.asleep) execute function public.note_sleep();
            grant select on public.noted_sleep to house_owner;
            """
        )


def noted(house: House) -> list[bool]:
    return [asleep for (asleep,) in house.rows("select asleep from public.noted_sleep order by n")]


def all_sleep(house: House) -> bool:
    return bool(house.value("select coalesce(bool_and(asleep), false) from stepwell.worker"))


def completed(house: House, process: str) -> bool:
    return house.status(process) == "COMPLETED"


def channel() -> str:
    """Return the name under which workers listen."""
    found = re.search(r"^listen (\w+)$", query("worker.listen"), re.MULTILINE)
    assert found is not None
    return found[1]


class Wire:
    """A way to PostgreSQL that keeps what goes there: nothing else tells whether somebody else's session listens."""

    def __init__(self, dsn: str) -> None:
        parts = conninfo_to_dict(dsn)
        self._to = (str(parts["host"]), int(str(parts["port"])))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.dsn = make_conninfo(dsn, host="127.0.0.1", port=self._listener.getsockname()[1])
        self.sent = bytearray()
        self._ends: list[socket.socket] = []
        self._door = threading.Thread(target=self._accept, daemon=True)
        self._door.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._listener)
        self._door.join()  # nobody comes in any more
        for end in self._ends:
            _end(end)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                self._ends.append(near)
                far = socket.create_connection(self._to)
                self._ends.append(far)
                threading.Thread(target=self._pass, args=(near, far, self.sent), daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near, bytearray()), daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket, kept: bytearray) -> None:
        with contextlib.suppress(OSError):  # one of them is gone
            while data := source.recv(65_536):
                kept += data
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is over already
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def heard(house: House, name: str, act: Callable[[], object]) -> int:
    """Return how many notifications came of an act: those that come before one of our own that follows it."""
    with house.connect("superuser") as ear, house.connect("superuser") as mouth:
        ear.execute(f"listen {name}")
        act()
        mouth.execute("select pg_notify(%s, 'the end')", (name,))
        for count, notice in enumerate(ear.notifies(timeout=30)):
            if notice.payload == "the end":
                return count
    raise AssertionError("not even our own notification came")


def start_many(db: Caller, count: int) -> None:
    db.execute("select stepwell.start_processes('quick', %s)", (json.dumps([{}] * count),))


def test_a_worker_with_nothing_to_do_sleeps_and_one_with_much_to_do_does_not(house: House) -> None:
    """One start need not take it out of its sleep, but to run that start it must not wait for more."""
    house.publish(QUICK)
    note_sleep(house)
    with house.worker(), house.caller() as db:
        eventually(lambda: all_sleep(house), what="the worker sleeps")
        process = start(db, "quick")
        eventually(lambda: completed(house, process), what="completed")
        before = len(noted(house))

        def woken() -> bool:
            for _ in range(50):
                start(db, "quick")
            return False in noted(house)[before:]

        eventually(woken, what="it is awake while there is much to do")
        eventually(lambda: all_sleep(house), what="it sleeps again")

    assert noted(house)[-1] is True


def test_a_sleeping_worker_is_notified_once_however_many_are_started(house: House) -> None:
    """Fails where nobody is told, or where each of a thousand starts tells."""
    house.publish(QUICK)

    def act() -> None:
        with house.caller(autocommit=False) as db:
            for _ in range(3):
                start_many(db, 50)

    with house.worker():
        eventually(lambda: all_sleep(house), what="the worker sleeps")
        told = heard(house, channel(), act)
        eventually(lambda: completed_all(house, 150), what="all completed")

    assert told == 1


def completed_all(house: House, count: int) -> bool:
    return bool(house.value("select count(*) = %s from stepwell.process where status = 'COMPLETED'", count))


def test_nobody_is_notified_while_nobody_sleeps(house: House) -> None:
    """A notification in a commit takes a lock of the whole database: it must not be part of every start."""
    house.publish(QUICK)

    assert heard(house, channel(), lambda: house.start("quick")) == 0


def test_a_start_that_is_committed_late_wakes_at_its_commit(house: House) -> None:
    house.publish(QUICK)
    with house.worker(), house.caller(autocommit=False) as db:
        eventually(lambda: all_sleep(house), what="the worker sleeps")
        process = start(db, "quick")
        eventually(lambda: all_sleep(house), what="the worker sleeps while nothing is committed")
        db.commit()
        eventually(lambda: completed(house, process), what="completed")


def test_mail_and_signals_reach_parked_processes_of_a_sleeping_worker(house: House) -> None:
    house.publish(WAITER)
    with house.worker() as worker:
        one, two = house.start("waiter"), house.start("waiter")
        for process in (one, two):
            eventually(lambda id_=process: house.status(id_) == "WAITING", what="waits")  # type: ignore[misc]
        eventually(lambda: all_sleep(house), what="the worker sleeps")
        with house.caller() as db:
            db.execute("select stepwell.cancel_process(%s)", (one,))
        eventually(lambda: house.status(one) == "CANCELLED", what="cancelled")
        eventually(lambda: all_sleep(house), what="the worker sleeps again")
        with house.caller() as db:
            db.execute("select stepwell.send_signal('paid', '{}')")
        eventually(lambda: completed(house, two), what="completed")
        assert not worker.errors()


@pytest.mark.parametrize("can_be_woken", [True, False])
def test_everything_works_where_nobody_can_be_woken_and_then_nobody_says_that_he_sleeps(
    house: House, can_be_woken: bool
) -> None:
    """As behind a transaction-mode pooler. Fails where a worker's session listens all the same, and where callers notify
    one that cannot hear it.
    """
    house.publish(QUICK)
    note_sleep(house)
    settings = {} if can_be_woken else {"STEPWELL_LOCK_PROBE": "false"}
    with Wire(house.dsn("house_worker")) as wire, house.worker(STEPWELL_DATABASE_URL=wire.dsn, **settings) as worker:
        worker.until("worker", what="registered")
        with house.caller() as db:
            start_many(db, 200)
        eventually(lambda: completed_all(house, 200), what="all completed")
        late = house.start("quick")
        eventually(lambda: completed(house, late), what="a later one too")
        if can_be_woken:
            eventually(lambda: all_sleep(house), what="the worker sleeps")
        assert not worker.errors()

    listens = f"listen {channel()}".encode() in wire.sent.lower()
    assert (listens, True in noted(house)) == (can_be_woken, can_be_woken)
