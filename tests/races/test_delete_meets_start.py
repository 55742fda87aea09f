"""A definition is deleted while processes of it are started: exactly one of the two wins, and what lost has left nothing.

Transactions of both sides are held open in both orders. No worker runs: what is started stays as it was committed.
"""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.api.client import DEFINITIONS, PLAIN, PROCESSES, problem, serving
from tests.house import House, eventually, start

Connection = psycopg.Connection[Any]


@pytest.fixture
def apart() -> Iterator[ThreadPoolExecutor]:
    """Return threads for those who wait."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


def api_transaction(house: House, scope: str = "acme_prod") -> Connection:
    """Return a connection of the API's login with a request's transaction open."""
    db = house.connect("house_api", autocommit=False)
    tenant_id, environment_id = house.scopes[scope]
    db.execute("select set_config('stepwell.tenant_id', %s, true)", (str(tenant_id),))
    db.execute("select set_config('stepwell.environment_id', %s, true)", (str(environment_id),))
    return db


def delete(db: Connection, definition: str, *, force: bool = False) -> int:
    row = db.execute(
        "select stepwell.delete_definition(stepwell.private_id('wf', %s), %s, 'me')", (definition, force)
    ).fetchone()
    assert row is not None
    return int(row[0])


def publish(db: Connection, document: dict[str, Any]) -> int:
    row = db.execute("select stepwell.publish_definition(%s, 'me')", (json.dumps(document),)).fetchone()
    assert row is not None
    return int(row[0])


def waiting(house: House, *, behind: Connection) -> Callable[[], bool]:
    """Return a look that tells whether somebody waits for a connection's transaction."""
    watcher = house.connect("superuser")
    pid = behind.info.backend_pid
    look = "select exists (select from pg_stat_activity where %s = any(pg_blocking_pids(pid)))"
    return lambda: bool(watcher.execute(look, (pid,)).fetchone() == (True,))


def written(house: House) -> list[int]:
    return [house.value(f"select count(*) from stepwell.{table}") for table in ("process", "history", "job", "inbox")]


def refused(future: "Future[Any]", state: str) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as error:
        future.result(30)
    assert error.value.sqlstate == state, error.value
    return error.value


# -- a start is open, a delete comes


@pytest.mark.parametrize("force", [False, True])
async def test_a_delete_does_not_pass_a_start_that_may_still_commit(house: House, *, force: bool) -> None:
    made = house.publish(PLAIN)
    async with serving(house) as api:
        client, stranger = await api.client(), await api.client("globex_prod")
        path, query = f"{DEFINITIONS}/{made}", {"force": force}
        with house.caller(autocommit=False) as db:
            process = start(db, "plain")
            problem(await client.delete(path, params=query), 409, "definition_busy")
            problem(await stranger.delete(path, params=query), 404, "not_found")  # and waits for nobody's lock
            assert (await client.get(path)).status_code == 200
            db.commit()
            answer = await client.delete(path, params=query)
            if not force:
                assert problem(answer, 409, "definition_in_use")["details"] == {"running": 1}
                return
            assert answer.json() == {"id": made, "cancelled": 1}
            [(told,)] = house.rows("select stepwell.public_id('prc', process_id) from stepwell.inbox")
            assert told == process


async def test_a_start_that_is_rolled_back_stands_in_no_ones_way(house: House) -> None:
    made = house.publish(PLAIN)
    async with serving(house) as api:
        client = await api.client()
        with house.caller(autocommit=False) as db:
            start(db, "plain")
            db.rollback()
            assert (await client.delete(f"{DEFINITIONS}/{made}")).json() == {"id": made, "cancelled": 0}
            with pytest.raises(psycopg.Error) as late:
                start(db, "plain")
    assert late.value.sqlstate == "SW404"
    assert written(house) == [0, 0, 0, 0]


def test_a_delete_that_waited_sees_the_process_that_was_committed_meanwhile(
    house: House, apart: ThreadPoolExecutor
) -> None:
    """Fails where the delete counts in a snapshot that is older than its lock."""
    made = house.publish(PLAIN)
    for force, outcome in ((False, "SW414"), (True, 2)):
        with house.caller(autocommit=False) as db, api_transaction(house) as other:
            start(db, "plain")
            deleting = apart.submit(delete, other, made, force=force)
            eventually(waiting(house, behind=db), what="the delete waits for the caller")
            db.commit()
            if isinstance(outcome, int):
                assert deleting.result(30) == outcome
            else:
                refused(deleting, outcome)
                other.rollback()
    assert house.value("select count(*) from stepwell.inbox") == 2


# -- a delete is open, a start comes


@pytest.mark.parametrize("named", ["by name", "by id"])
@pytest.mark.parametrize("commits", [True, False], ids=["deleted", "not deleted"])
def test_a_start_waits_for_an_open_delete_and_then_is_refused_or_goes_through(
    house: House, apart: ThreadPoolExecutor, *, commits: bool, named: str
) -> None:
    made = house.publish(PLAIN)
    with house.caller() as db, api_transaction(house) as deleting:
        delete(deleting, made)
        starting = apart.submit(start, db, "plain" if named == "by name" else made)
        eventually(waiting(house, behind=deleting), what="the start waits for the delete")
        if commits:
            deleting.commit()
            refused(starting, "SW404")
            assert written(house) == [0, 0, 0, 0]
        else:
            deleting.rollback()
            assert starting.result(30).startswith("prc_")
            assert written(house) == [1, 1, 1, 0]


async def test_a_start_through_the_api_gives_up_after_two_seconds_behind_an_open_delete(house: House) -> None:
    made = house.publish(PLAIN)
    async with serving(house) as api:
        client = await api.client()
        with api_transaction(house) as deleting:
            delete(deleting, made)
            for path, body in (
                (PROCESSES, {"definition": "plain"}),
                (f"{PROCESSES}/bulk", {"definition": made, "inputs": [{}]}),
                (f"{DEFINITIONS}/{made}/trigger", {}),
            ):
                problem(await client.post(path, json=body), 409, "definition_busy")
            deleting.commit()
            problem(await client.post(PROCESSES, json={"definition": made}), 404, "not_found")
    assert written(house) == [0, 0, 0, 0]


def test_a_start_by_name_that_waited_does_not_slip_under_a_new_definition_of_that_name(
    house: House, apart: ThreadPoolExecutor
) -> None:
    """Fails where the start looks the name up again after its wait: the lock it holds is that of the old definition."""
    made = house.publish(PLAIN)
    house.publish(PLAIN)
    with house.caller() as db, api_transaction(house) as deleting:
        delete(deleting, made)
        publish(deleting, PLAIN)
        starting = apart.submit(start, db, "plain")
        eventually(waiting(house, behind=deleting), what="the start waits for the delete")
        deleting.commit()
        assert "no version" not in str(refused(starting, "SW404"))
        assert written(house) == [0, 0, 0, 0]
        assert start(db, "plain").startswith("prc_")


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_caller_with_an_old_snapshot_does_not_start_what_was_deleted_since(house: House, level: str) -> None:
    """Fails where the start believes what its transaction saw before it had the lock."""
    made = house.publish(PLAIN)
    with house.caller(autocommit=False) as db, api_transaction(house) as deleting:
        db.execute(f"set transaction isolation level {level}")
        db.execute("select count(*) from stepwell.definition")
        delete(deleting, made)
        deleting.commit()
        with pytest.raises(psycopg.Error) as late:
            start(db, "plain")
        db.rollback()
        assert late.value.sqlstate == "40001"
        assert written(house) == [0, 0, 0, 0]


# -- a delete and other changes


def test_of_two_deletes_at_once_one_deletes(house: House, apart: ThreadPoolExecutor) -> None:
    made = house.publish(PLAIN)
    house.start("plain")
    with api_transaction(house) as first, api_transaction(house) as second:
        assert delete(first, made, force=True) == 1
        deleting = apart.submit(delete, second, made, force=True)
        eventually(waiting(house, behind=first), what="the second waits for the first")
        first.commit()
        refused(deleting, "SW404")
    assert house.value("select count(*) from stepwell.inbox") == 1
    assert house.value("select count(*) from stepwell.audit where action = 'definition.deleted'") == 1


def test_what_waited_for_a_delete_changes_nothing_but_a_publish_of_the_name_makes_a_new_definition(
    house: House, apart: ThreadPoolExecutor
) -> None:
    made = house.publish(PLAIN)
    number = f"stepwell.private_id('wf', '{made}')"
    document = json.dumps(PLAIN)
    changes = (
        f"stepwell.publish_version({number}, '{document}', 'me')",
        f"stepwell.enable_definition({number}, false, 'me')",
    )
    with api_transaction(house) as deleting, api_transaction(house) as one, api_transaction(house) as two:
        publishing_db = api_transaction(house)
        delete(deleting, made)
        waiters = [apart.submit(db.execute, f"select {call}") for db, call in zip((one, two), changes, strict=True)]
        publishing = apart.submit(publish, publishing_db, PLAIN)
        behind = waiting(house, behind=deleting)
        eventually(behind, what="they wait for the delete")
        watcher = house.connect("superuser")
        count = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        eventually(lambda: watcher.execute(count).fetchone() == (3,), what="all three wait")
        deleting.commit()
        for waiter in waiters:
            refused(waiter, "SW404")
        new = publishing.result(30)
        publishing_db.commit()
    assert house.rows("select id, latest_version from stepwell.definition where deleted_at is null") == [(new, 1)]
    assert house.value(f"select latest_version from stepwell.definition where id = {number}") == 1


def test_an_open_publish_keeps_a_delete_waiting_and_then_the_new_version_goes_too(
    house: House, apart: ThreadPoolExecutor
) -> None:
    made = house.publish(PLAIN)
    with api_transaction(house) as publishing, api_transaction(house) as deleting:
        publish(publishing, PLAIN)
        gone = apart.submit(delete, deleting, made)
        eventually(waiting(house, behind=publishing), what="the delete waits for the publish")
        publishing.commit()
        assert gone.result(30) == 0
        deleting.commit()
    assert house.rows("select latest_version, deleted_at is null from stepwell.definition") == [(2, False)]


# -- all at once


@pytest.mark.parametrize("force", [False, True])
def test_in_a_storm_of_starts_none_is_left_running_under_a_deleted_definition(
    house: House, apart: ThreadPoolExecutor, *, force: bool
) -> None:
    callers = [house.caller() for _ in range(4)]
    deleter = house.connect("house_api", autocommit=False)
    outcomes: set[str] = set()
    for _ in range(25):
        made = house.publish(PLAIN)
        line_up = threading.Barrier(len(callers) + 1)
        starting = [apart.submit(_start_until_refused, db, made, line_up) for db in callers]
        line_up.wait(30)
        outcome = _delete_once(house, deleter, made, force=force)
        if outcome is None:  # it lost: everything goes on, until it is deleted in the end
            outcome, lost = _delete_once(house, deleter, made, force=True), True
        else:
            lost = False
        outcomes.add("lost" if lost else "won")
        started = [process for future in starting for process in future.result(30)]
        mails = "select count(*) from stepwell.inbox where process_id = stepwell.private_id('prc', %s)"
        assert [house.value(mails, process) for process in started] == [1] * len(started)
        assert outcome == len(started)
        if not force and not lost:
            assert started == []
    assert outcomes <= ({"won"} if force else {"won", "lost"})


def _start_until_refused(db: Connection, definition: str, line_up: threading.Barrier) -> list[str]:
    started = []
    line_up.wait(30)
    while True:
        try:
            started.append(start(db, definition))
        except psycopg.Error as error:
            if error.sqlstate == "SW404":
                return started
            if error.sqlstate != "55P03":
                raise


def _delete_once(house: House, db: Connection, definition: str, *, force: bool) -> int | None:
    """Delete; return how many were sent a cancel, None where running processes forbid it."""
    tenant_id, environment_id = house.scopes["acme_prod"]
    while True:
        db.execute("select set_config('stepwell.tenant_id', %s, true)", (str(tenant_id),))
        db.execute("select set_config('stepwell.environment_id', %s, true)", (str(environment_id),))
        try:
            sent = delete(db, definition, force=force)
        except psycopg.Error as error:
            db.rollback()
            if error.sqlstate == "SW414":
                return None
            if error.sqlstate != "55P03":
                raise
        else:
            db.commit()
            return sent
