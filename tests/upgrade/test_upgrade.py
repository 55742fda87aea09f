"""The previous release's database is migrated while its workers and API run on: nothing is lost, and all goes on."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.core.ids import execution_id
from engine.errors import SchemaError
from engine.migrate import migrate, schema_status
from tests.backup.feed import epochs
from tests.backup.lives import Lives, send
from tests.backup.sites import house_on, server
from tests.crash.audit import begun, number
from tests.crash.outside import Gate, gate
from tests.fix_servers import private_folder
from tests.house import House, WorkerProcess, eventually, start
from tests.upgrade import previous

PACE = 0.02  # seconds between two starts of one caller
STEPS = ("charge", "ship", "slow", "flaky")
LONG: dict[str, Any] = {  # has a snapshot by the time it waits
    "name": "long",
    "steps": [
        *({"id": f"s{n}", "type": "transform", "config": {"mapping": {"n": n}}} for n in range(70)),
        {"id": "paid", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.key}"}},
    ],
}
LABELLED = "select stepwell.start_process(%s, %s, labels => %s, traceparent => %s)"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the previous release's code."""
    return previous.unpack(tmp_path_factory.mktemp("previous"))


@pytest.fixture
def house(release: Path, tmp_path: Path) -> Iterator[House]:
    """Return an installation that the previous release has made, on a server of its own."""
    with private_folder() as folder, server(folder / "postgres") as on:
        previous.install(on, release)
        with house_on(on, tmp_path) as made:
            yield made


def test_a_database_full_of_life_is_migrated_while_old_programs_run_and_nothing_is_lost(
    house: House, release: Path
) -> None:
    """Fails where the migration waits for a caller's transaction and makes others wait; where for a moment a function is
    missing, or fits only half of the schema; where a function that the previous release calls has another signature or
    answers otherwise; where old workers act on what only new ones understand, or write a snapshot that new ones take for
    whole although it lacks what they know.
    """
    old = {"PYTHONPATH": str(release), "STEPWELL_DRAIN_SECONDS": "1"}
    lives = Lives()
    with gate() as outside, ExitStack() as stack:
        workers = [stack.enter_context(house.worker(**old)) for _ in range(2)]
        old_api = stack.enter_context(previous.api(house, **old))
        lives.begin(house, outside)
        house.publish(LONG)
        with callers(house, old_api) as started:
            migrate_beside_an_open_transaction(house)
            assert schema_status(house.owner).current
            await_more(started)
            newer = asked_of_new_functions(house)
            eventually(lambda: all(house.status(p) == "WAITING" for p in newer), what="old workers take what is new")

            workers += [stack.enter_context(house.worker()) for _ in range(2)]
            with previous.api(house) as new_api, callers(house, new_api) as more:
                await_more(more)
                resumed = order_what_old_workers_cannot_read(house, lives, workers[:2])
                await_more(started)
        for worker in workers[:2]:
            assert worker.process.poll() is None
            worker.end()
        finish(house, lives, outside, len(newer))

    outcomes = [type_ for _, type_, *_ in house.history(resumed) if type_ == "activity.completed"]
    assert len(outcomes) == 3
    everything = {*started, *more, *newer, *(p for kind in lives.started.values() for p in kind)}
    assert {number(p) for p in everything} <= {id_ for (id_,) in house.rows("select id from stepwell.process")}
    assert_called_as_history_says(house, outside)


@contextmanager
def callers(house: House, client: httpx.Client) -> Iterator[list[str]]:
    """Start short ones by SQL and by API for the time of the block; each call must succeed."""
    over = threading.Event()
    made: list[str] = []
    failures: list[BaseException] = []

    def by_sql(n: int) -> None:
        made.append(start(db, "quick", {"key": f"by-sql-{n}"}, by="a caller"))

    def by_api(n: int) -> None:
        body = {"definition": "quick", "input": {"key": f"by-api-{n}"}}
        answer = client.post("/api/v1/processes", json=body, headers={"Idempotency-Key": f"{id(made)}-{n}"})
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
        assert client.get(f"/api/v1/processes/{made[-1]}").status_code == 200

    def go(call: Callable[[int], None]) -> None:
        n = 0
        try:
            while not over.wait(PACE):
                call(n)
                n += 1
        except BaseException as error:
            failures.append(error)

    with house.caller() as db:
        threads = [threading.Thread(target=go, args=(call,)) for call in (by_sql, by_api)]
        for thread in threads:
            thread.start()
        try:
            await_more(made)
            yield made
        finally:
            over.set()
            for thread in threads:
                thread.join()
    assert failures == []


def await_more(made: list[str]) -> None:
    """Wait for some more starts."""
    now = len(made)
    eventually(lambda: len(made) > now + 20, what="more starts")


def migrate_beside_an_open_transaction(house: House) -> None:
    """Migrate; a transaction that was open before ends only after the migration has told that it waits for it."""
    caller = house.caller(autocommit=False)
    start(caller, "quick", {"key": "open"})
    with previous.migrating(house) as told:
        eventually(
            lambda: f"waiting for session {caller.info.backend_pid} " in told(), what="it tells for whom it waits"
        )
        assert schema_status(house.owner).pending
        caller.commit()
    assert "building the index audit_in_feed_order; writers go on" in told()  # not in the transaction: it may be large


def asked_of_new_functions(house: House) -> list[str]:
    """Start some with what the previous release does not know, while only its workers run."""
    with house.caller() as db:
        rows = [
            db.execute(
                LABELLED, ("long", json.dumps({"key": f"long-{n}"}), json.dumps({"team": "a"}), TRACE)
            ).fetchone()
            for n in range(3)
        ]
    return [row[0] for row in rows if row is not None]


def order_what_old_workers_cannot_read(house: House, lives: Lives, old: list[WorkerProcess]) -> str:
    """Send orders of a new kind until an old worker has met one; return the process they are for."""
    process = lives.started["signalled"][0]
    with house.caller() as db:

        def look() -> bool:
            db.execute("select stepwell.resume_activity(%s, 'paid', by => 'tester')", (process,))
            return any(worker.seen("worker", what="outdated") for worker in old)

        eventually(look, what="an old one has met one")
    return process


def finish(house: House, lives: Lives, outside: Gate, newer: int) -> None:
    """Let everything happen that is waited for; all must complete, and be as its history says."""
    with house.caller() as db:
        for n in range(newer):
            send(db, f"long-{n}")
    lives.resume(house, outside)


def assert_called_as_history_says(house: House, outside: Gate) -> None:
    """Every call that should have been made was; each no more often than history has it begun; always with one body."""
    starts, _ = begun(house)
    steps = {(id_, path): times for (id_, path), times in starts.items() if path in STEPS}
    calls = Counter(call.key for call in outside.calls())
    executions = {execution_id(id_, path): times for (id_, path), times in steps.items()}
    assert set(calls) == set(executions)
    assert {key: times for key, times in calls.items() if times > executions[key]} == {}
    assert len({(call.key, call.raw) for call in outside.calls()}) == len(calls)


def test_a_migration_that_cannot_be_applied_leaves_the_previous_release_at_work(house: House, release: Path) -> None:
    """Fails where what came before the fault stays: functions of one release on the schema of another."""
    house.publish({"name": "plain", "steps": LONG["steps"][:1]})
    house.owner.execute("create table stepwell.place (in_the_way integer)")
    before = schema_status(house.owner)
    assert before.pending[0] == "0007_search"

    with pytest.raises(SchemaError, match="0008_place failed, and nothing was changed"):
        migrate(house.owner)

    assert schema_status(house.owner) == before
    with house.worker(PYTHONPATH=str(release)):
        process = house.start("plain")
        eventually(lambda: house.status(process) == "COMPLETED", what="the previous release's worker completes it")


def test_a_database_that_was_restored_before_it_knew_of_places_begins_in_a_higher_epoch(house: House) -> None:
    """Fails where the first epoch is taken over although history is numbered by transactions of another server."""
    house.publish({"name": "plain", "steps": LONG["steps"][:1]})
    house.start("plain")
    with house.connect("superuser") as db:
        db.execute("update stepwell.history set tx = (tx::text::bigint + 1000000)::text::xid8")

    migrate(house.owner)
    house.start("plain")

    assert epochs(house) == [1, 2]


def test_a_migrated_database_that_was_not_restored_stays_in_its_epoch(house: House) -> None:
    """Fails where the migration itself is taken for a move."""
    house.publish({"name": "plain", "steps": LONG["steps"][:1]})
    house.start("plain")

    migrate(house.owner)
    house.start("plain")

    assert epochs(house) == [1]
