"""What PostgreSQL refuses of one process is that process's affair: its neighbours in the batch go on."""

import pytest

from engine.core.ids import execution_id
from tests.crash.audit import assert_at_rest, assert_whole, await_status, number
from tests.crash.outside import gate, pick, post
from tests.house import House, WorkerProcess, eventually


def refuse(house: House, process: str, condition: str, sqlstate: str) -> None:
    """Let PostgreSQL refuse history rows of one process, as it would a value it cannot take."""
    with house.connect("superuser") as db:
        db.execute(
            f"""
            create function public.refuse() returns trigger language plpgsql as $$
            begin
              if new.process_id = {number(process)} and ({condition}) then
                raise exception 'invalid value of the test' using errcode = '{sqlstate}';
              end if;
              return new;
            end $$;
            create trigger refuse before insert on stepwell.history for each row execute function public.refuse();
            """
        )


def neighbours_of_one(house: House, count: int = 40) -> tuple[str, list[str]]:
    """Start processes of which one is to be poisoned; return it and the others."""
    started = [house.start("pair", {"n": n}) for n in range(count)]
    return started.pop(count // 2), started


def publish(house: House, url: str) -> None:
    steps = [
        pick("a", n="${input.n}"),
        post("b", f"{url}/b", "${steps.a.output}"),
        pick("c", n="${steps.b.output.body}"),
    ]
    house.publish({"name": "pair", "steps": steps})


def complaints(worker: WorkerProcess, process: str) -> str:
    """Return what the log says of a process, errors only."""
    return " ".join(str(line) for line in worker.errors() if line.get("process_id") == process)


@pytest.mark.parametrize("sqlstate", ["22P02", "22003", "54000"])
def test_a_value_postgresql_refuses_fails_its_own_process_with_a_clear_error_and_its_neighbours_complete(
    house: House, sqlstate: str
) -> None:
    """Fails without bisection (nobody in the batch gets on), and where the poisoned one is tried again for ever."""
    with gate() as outside:
        publish(house, outside.url)
        poisoned, others = neighbours_of_one(house)
        refuse(house, poisoned, "new.type = 'activity.completed' and new.path = 'b'", sqlstate)
        with house.worker() as worker:
            await_status(house, others, "COMPLETED")
            eventually(lambda: house.status(poisoned) == "FAILED", what="the poisoned one fails")
            said = complaints(worker, poisoned)
            assert not [line for line in worker.seen("flush.failed") if line["process_id"] != poisoned]

    error = next(data["error"] for _, type_, _, _, data in house.history(poisoned) if type_ == "process.failed")
    assert error["category"] == "execution"
    assert "invalid value of the test" in error["message"]
    assert error["advice"]
    assert sqlstate in said
    assert "flush.failed" in said
    assert outside.per_key("/b")[execution_id(number(poisoned), "b")] == 1
    assert set(outside.per_key("/b").values()) == {1}
    assert_whole(house)
    assert_at_rest(house)


def test_a_process_of_which_nothing_can_be_written_is_quarantined_and_the_log_says_so(house: House) -> None:
    """Fails where a refused failure is tried for ever, ends the session, or is dropped without a word."""
    with gate() as outside:
        publish(house, outside.url)
        poisoned, others = neighbours_of_one(house)
        refuse(house, poisoned, "new.seq > 2", "22P02")
        with house.worker() as worker:
            await_status(house, others, "COMPLETED")
            eventually(
                lambda: house.rows("select worker_id from stepwell.lease") == [(0,)],
                what="the poisoned one is set aside",
            )
            eventually(lambda: worker.seen("error", process_id=poisoned, where="quarantine"), what="the log says so")
            assert len(worker.seen("worker", what="registered")) == 1

    assert house.rows("select process_id, quarantined_at is not null from stepwell.loss") == [(number(poisoned), True)]
    assert len(house.history(poisoned)) == 1  # its first flush was refused as a whole
    assert_whole(house)


def test_a_key_violation_reloads_that_process_alone_which_goes_on_from_what_is_there(house: House) -> None:
    """Somebody else has written the row this worker was about to write: a bug by definition. Fails where the batch is
    given up, where `on conflict do nothing` hides it (later rows would be decided from a state that never was), or where
    the process fails instead of being read again.
    """
    with gate() as outside:
        outside.shut("/b")
        publish(house, outside.url)
        struck, others = neighbours_of_one(house, 20)
        with house.worker() as worker:
            eventually(lambda: len(outside.calls("/b")) == 20, what="all calls hang")
            with house.connect("superuser") as db:
                db.execute(
                    "insert into stepwell.history (process_id, seq, tenant_id, environment_id, v, feed_epoch, at, type, data) "
                    "select process_id, max(seq) + 1, min(tenant_id), min(environment_id), 1, 1, max(at), 'command.rejected', "
                    '\'{"kind": "retry", "code": "not_failed", "message": "of another writer"}\' '
                    "from stepwell.history where process_id = %s group by process_id",
                    (number(struck),),
                )
            outside.open()
            await_status(house, others, "COMPLETED")
            eventually(lambda: house.status(struck) == "COMPLETED", what="the struck one completes as well")
            assert [line["process_id"] for line in worker.seen("flush.failed")] == [struck]
            assert len(worker.seen("worker", what="registered")) == 1

    assert [type_ for _, type_, _, _, _ in house.history(struck)].count("command.rejected") == 1
    calls = outside.per_key("/b")
    assert {key for key, times in calls.items() if times > 1} <= {execution_id(number(struck), "b")}
    assert_whole(house)
    assert_at_rest(house)


def test_answers_that_jsonb_cannot_hold_fail_their_own_activity_at_the_door(house: House) -> None:
    """NUL, a lone surrogate, a number out of range, too deep: in a batch with good ones. Fails without the check at the
    door (the activity would take its process, or the batch, along).
    """
    bad = {
        "/nul": '{"x": "\\u0000"}',
        "/surrogate": '{"x": "\\ud800"}',
        "/huge": '{"x": 1e200000}',
        "/deep": "[" * 2000 + "]" * 2000,
    }
    with gate() as outside:
        for path, text in bad.items():
            outside.raw_answers[path] = text.encode()
        for path in ("/good", *bad):
            step = post("ask", outside.url + path, {}, retry_policy={"max_attempts": 1})
            house.publish({"name": path[1:], "steps": [step, pick("after", x=1)]})
        with house.worker() as worker:
            processes = {path: [house.start(path[1:]) for _ in range(5)] for path in ("/good", *bad)}
            for path, started in processes.items():
                await_status(house, started, "COMPLETED" if path == "/good" else "FAILED")
            assert not worker.seen("flush.failed")

    for path in bad:
        failed = [row for row in house.history(processes[path][0]) if row[1] == "activity.failed"]
        assert len(failed) == 1, path
        assert failed[0][4]["error"]["step_id"] in ("ask", None)
    assert_whole(house)
    assert_at_rest(house)
