"""Commands rain on processes from several sessions while workers hold, park and lose them: each has one outcome."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg

from engine.core.ids import task_id
from tests.crash.audit import assert_at_rest, assert_whole, folded, number, outcomes
from tests.crash.outside import gate, pick, post
from tests.crash.test_kill import backends
from tests.house import House, eventually

LEGS = 4


def long_way(url: str) -> dict[str, Any]:
    """Return a definition that holds, parks on signal, time and task, and holds again, several times over."""
    steps: list[dict[str, Any]] = []
    for n in range(LEGS):
        steps += [
            post(f"ask{n}", f"{url}/ask", {"leg": n, "key": "${input.key}"}),
            {"id": f"wait{n}", "type": "wait", "config": {"signal": f"leg{n}", "correlation_key": "${input.key}"}},
            {"id": f"task{n}", "type": "manual", "config": {"title": f"Leg {n}"}},
            pick(f"note{n}", leg=n),
            {"id": f"rest{n}", "type": "wait", "config": {"seconds": 0.05}},
        ]
    return {"name": "way", "steps": steps}


class Rain:
    """A session that asks for this and that, commits most of it, and remembers what it committed."""

    def __init__(self, house: House, processes: dict[str, str], seed: int, over: Callable[[], bool]) -> None:
        self.committed: list[int] = []
        self.undone: list[int] = []
        self.failure: BaseException | None = None
        self._db = house.caller(autocommit=False)
        self._processes = processes  # process id → correlation key
        self._chance = random.Random(seed)
        self._over = over
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            names = list(self._processes)
            while not self._over():
                mails = [m for _ in range(self._chance.randint(1, 4)) for m in self._ask(self._chance.choice(names))]
                if self._chance.random() < 0.2:
                    self._db.rollback()
                    self.undone += mails
                else:
                    self._db.commit()
                    self.committed += mails
        except BaseException as error:
            self.failure = error

    def _ask(self, process: str) -> list[int]:
        leg = self._chance.randrange(LEGS)
        what = self._chance.choice(["retry", "task", "task", "signal"])
        if what == "signal":
            self._db.execute("select stepwell.send_signal(%s, '{}', %s)", (f"leg{leg}", self._processes[process]))
            return []
        if what == "retry":  # of a process that has not failed: rejected, which is an outcome like any other
            return [self._mail("select stepwell.retry_process(%s)", process)]
        task = task_id(number(process), f"task{leg}")  # often not open yet, or no more
        return [self._mail("select stepwell.complete_task(%s, 'rain')", task)]

    def _mail(self, statement: str, name: str) -> int:
        row = self._db.execute(statement, (name,)).fetchone()
        assert row is not None
        return int(row[0])


def pour(house: House, count: int, url: str, *, kills: int, mails: int) -> None:
    """Let it rain on `count` processes until `mails` are committed, `kills` workers later; then end and judge."""
    house.publish(long_way(url))
    processes = {house.start("way", {"key": f"k{n}"}): f"k{n}" for n in range(count)}
    enough = threading.Event()
    rains = [Rain(house, processes, seed, enough.is_set) for seed in range(4)]
    try:
        with house.worker() as steady:
            for turn in range(kills):
                with house.worker() as doomed:
                    doomed.until("worker", what="registered")
                    share = mails * (turn + 1) // (kills + 1)
                    await_rain(rains, share)
                    doomed.kill()
            await_rain(rains, mails)
            enough.set()
            for rain in rains:
                rain.thread.join()
            assert [rain.failure for rain in rains] == [None] * 4
            finish(house, processes)
            eventually(lambda: house.value("select count(*) from stepwell.inbox") == 0, what="no mail is left")
            eventually(lambda: house.value("select count(*) from stepwell.job") == 0, what="no job is left")
            eventually(lambda: house.value("select count(*) from stepwell.lease") == 0, what="nobody holds anything")
            serving = backends(house, steady)
    finally:
        enough.set()
    judge(house, rains, serving)


def await_rain(rains: list[Rain], mails: int) -> None:
    """Wait until so many commands have been committed."""
    eventually(lambda: sum(len(r.committed) for r in rains) >= mails, what=f"{mails} commands", seconds=60)


def finish(house: House, processes: dict[str, str]) -> None:
    """Send what each process still waits for, until all have ended."""

    def done() -> bool:
        with house.caller() as db:
            for name, correlation, id_ in house.rows("select name, correlation, process_id from stepwell.wait"):
                assert number_of[correlation] == id_
                db.execute(
                    "select stepwell.send_signal(%s, '{}', %s, %s)", (name, correlation, f"{name} {correlation}")
                )
            for id_, path in house.rows("select process_id, path from stepwell.task"):
                db.execute("select stepwell.complete_task(%s, 'finish')", (task_id(id_, path),))
        return not house.rows("select from stepwell.process where status <> 'COMPLETED' limit 1")

    number_of = {key: number(process) for process, key in processes.items()}
    eventually(done, what="all have come to their end", seconds=60)


def judge(house: House, rains: list[Rain], serving: list[int]) -> None:
    """Compare what was committed with what has an outcome."""
    counted = outcomes(house)
    committed = [mail for rain in rains for mail in rain.committed]
    wrong = {mail: counted[mail] for mail in committed if counted[mail] != 1}
    assert not wrong, f"of {len(committed)} commands, outcomes other than one: {wrong}"
    assert not [mail for rain in rains for mail in rain.undone if counted[mail]], "what was rolled back was decided"
    assert Counter(counted.values()).keys() == {1}
    for id_, state in folded(house).items():
        assert len(set(state.signals)) == len(state.signals), f"process {id_} took a signal twice"
    assert_whole(house)
    # Kept signals of the rain may be left; work may not.
    assert_at_rest(house)
    with house.connect("superuser") as db:
        eventually(
            lambda: (
                db.execute("select count(*) from pg_stat_activity where pid = any(%s)", (serving,)).fetchone() == (0,)
            ),
            what="the worker's connections are closed, and with them their statistics counted",
        )
        assert db.execute("select deadlocks from pg_stat_database where datname = current_database()").fetchone() == (
            0,
        )


def test_each_command_that_rains_on_fifty_processes_has_one_outcome_though_workers_are_killed(house: House) -> None:
    """Fails where mail is decided each time a tick shows it (most commands then have two outcomes). The narrow windows,
    which rain seldom hits, are held open one by one in test_mailbox.
    """
    with gate() as outside:
        pour(house, 50, outside.url, kills=2, mails=2000)


def test_each_command_that_rains_on_a_single_process_has_one_outcome_though_workers_are_killed(house: House) -> None:
    """The same with all of it on one mailbox."""
    with gate() as outside:
        pour(house, 1, outside.url, kills=2, mails=600)


def test_cancels_that_race_with_the_end_are_accepted_once_or_rejected_and_never_lost(house: House) -> None:
    """Commands for processes that live a few milliseconds; test_mailbox shows the very window at the end."""
    house.publish({"name": "short", "steps": [pick("a", x=1), pick("b", x="${steps.a.output.x}")]})
    mails: list[int] = []
    with house.worker(), house.worker(), house.caller() as db:
        for _ in range(60):
            row = db.execute("select stepwell.start_processes('short', '[1,2,3,4,5]')").fetchone()
            assert row is not None
            mails += [_cancel(db, process) for process in row[0]]
        eventually(lambda: house.value("select count(*) from stepwell.inbox") == 0, what="no mail is left")
        eventually(lambda: house.value("select count(*) from stepwell.lease") == 0, what="nobody holds anything")

    assert outcomes(house) == dict.fromkeys(mails, 1)
    assert house.value("select count(*) from stepwell.process where status not in ('COMPLETED', 'CANCELLED')") == 0
    assert_whole(house)
    assert_at_rest(house)


def _cancel(db: psycopg.Connection[Any], process: str) -> int:
    row = db.execute("select stepwell.cancel_process(%s)", (process,)).fetchone()
    assert row is not None
    return int(row[0])
