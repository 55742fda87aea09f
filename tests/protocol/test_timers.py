"""Time passes for parked processes: waits, retries, step and process timeouts. Days pass by the test clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.core.ids import execution_id
from tests.crash.audit import assert_at_rest, assert_whole, await_all, held_by, number
from tests.crash.outside import gate, post
from tests.house import House, eventually

DAY = 86_400


def move_clock(house: House, days: float) -> None:
    """Set the database's clock ahead of the real one."""
    with house.connect("superuser") as db:
        db.execute("update stepwell.installation set test = true, clock_offset = %s", (timedelta(days=days),))


def parked(house: House, process: str) -> bool:
    """Tell whether nobody holds the process and a timer will wake it."""
    counts = "select (select count(*) from stepwell.lease where process_id = %s), (select count(*) from stepwell.timer where process_id = %s)"
    return house.rows(counts, number(process), number(process)) == [(0, 1)]


def wait(id_: str, **config: Any) -> dict[str, Any]:
    return {"id": id_, "type": "wait", "config": config}


def test_waits_of_seconds_park_without_a_lease_and_end_when_they_are_due_and_not_before(house: House) -> None:
    """Fails where the timer is missing at the park, or where a wait ends at whatever rings."""
    house.publish(
        {"name": "nap", "steps": [wait("a", seconds=1.5), wait("b", seconds=0.1), wait("c", seconds="${input.s}")]}
    )
    with house.worker():
        process = house.start("nap", {"s": 2})
        eventually(lambda: parked(house, process), what="parked on the first wait")
        with house.caller() as db:
            db.execute("select stepwell.retry_process(%s)", (process,))
        await_all(house, 1)

    at = {
        (type_, path): at
        for type_, path, at in house.rows("select type, path, at from stepwell.history where path is not null")
    }
    for path, seconds in (("a", 1.5), ("b", 0.1), ("c", 2)):
        assert at["activity.completed", path] - at["activity.waiting", path] >= timedelta(seconds=seconds)
    assert_whole(house)
    assert_at_rest(house)


def test_a_wait_of_thirty_days_and_one_until_a_date_end_by_the_test_clock_and_survive_the_worker(house: House) -> None:
    """Fails where a timer lives in a worker's memory only, or where waits are measured by the wall clock."""
    moment = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    house.publish({"name": "month", "steps": [wait("a", seconds=30 * DAY)]})
    house.publish({"name": "date", "steps": [wait("a", until="${input.moment}")]})
    with house.worker() as first:
        processes = [house.start("month"), house.start("date", {"moment": moment})]
        eventually(lambda: all(parked(house, p) for p in processes), what="both parked")
        assert {house.status(p) for p in processes} == {"WAITING"}
        first.kill()
    with house.worker():
        move_clock(house, 29.5)
        with house.caller() as db:  # a round trip of the worker at the new time, which must change nothing
            db.execute("select stepwell.retry_process(%s), stepwell.retry_process(%s)", processes)
        eventually(
            lambda: house.value("select count(*) from stepwell.inbox") == 0, what="both were held and parked again"
        )
        eventually(lambda: all(parked(house, p) for p in processes), what="both parked again")
        assert {house.status(p) for p in processes} == {"WAITING"}
        move_clock(house, 30.5)
        await_all(house, 2)

    assert_whole(house)
    assert_at_rest(house)


def test_a_step_timeout_ends_a_call_that_hangs_and_its_late_answer_changes_nothing(house: House) -> None:
    """Fails where deadlines are looked at only when something else happens, or a late outcome is still taken."""
    with gate() as outside:
        outside.shut("/hang")
        step = post("a", f"{outside.url}/hang", {}, timeout_seconds=DAY, retry_policy={"max_attempts": 1})
        house.publish({"name": "slow", "steps": [step]})
        with house.worker() as worker:
            me = worker.until("worker", what="registered")["worker"]
            process = house.start("slow")
            eventually(lambda: outside.calls(), what="the call hangs")
            assert held_by(house, me) == [number(process)]
            move_clock(house, 1.1)
            eventually(lambda: house.status(process) == "FAILED", what="timed out")
            outside.open()
            eventually(lambda: held_by(house, me) == [], what="given up")

    events = [(type_, (data.get("error") or {}).get("category")) for _, type_, _, _, data in house.history(process)]
    assert events[-2:] == [("activity.failed", "timeout"), ("process.failed", "timeout")]
    assert_whole(house)
    assert_at_rest(house)


@pytest.mark.parametrize("kind", ["signal", "task", "seconds"])
def test_a_process_timeout_wakes_a_parked_process_and_fails_it(house: House, kind: str) -> None:
    """Fails where the process's own deadline is not in the timer that the park writes."""
    steps = {
        "signal": wait("a", signal="never", correlation_key="k"),
        "task": {"id": "a", "type": "manual", "config": {"title": "never"}},
        "seconds": wait("a", seconds=3 * DAY),
    }
    house.publish({"name": "late", "timeout_seconds": DAY, "steps": [steps[kind]]})
    with house.worker():
        process = house.start("late")
        eventually(lambda: parked(house, process), what="parked")
        move_clock(house, 1.1)
        eventually(lambda: house.status(process) == "FAILED", what="timed out")

    last = house.history(process)[-1]
    assert last[1] == "process.failed"
    assert last[4]["error"]["category"] == "timeout"
    assert_whole(house)
    assert_at_rest(house)


def test_a_wait_that_times_out_fails_or_continues_as_it_says(house: House) -> None:
    """Fails where `on_timeout` is not heeded, or where a wait's row outlives it."""
    for name in ("fail", "continue"):
        config = {"signal": "never", "correlation_key": "k", "timeout_seconds": DAY, "on_timeout": name}
        house.publish({"name": name, "steps": [wait("a", **config)], "output": "${steps.a.output}"})
    with house.worker():
        failing, going_on = house.start("fail"), house.start("continue")
        eventually(lambda: parked(house, failing) and parked(house, going_on), what="both parked")
        move_clock(house, 1.1)
        eventually(lambda: house.status(failing) == "FAILED", what="one fails")
        eventually(lambda: house.status(going_on) == "COMPLETED", what="the other goes on")

    assert house.history(failing)[-1][4]["error"]["category"] == "timeout"
    assert house.history(going_on)[-1][4]["output"] == {"timed_out": True}
    assert_whole(house)
    assert_at_rest(house)


def test_a_retry_that_backs_off_for_hours_is_parked_in_progress_and_repeats_the_call_with_the_same_identity(
    house: House,
) -> None:
    """Fails where backoff keeps a lease, shows as WAITING, is lost with the worker, or makes a new execution id."""
    with gate() as outside:
        outside.answers["/shaky"] = lambda n: (503, {}) if n <= 2 else (200, {"n": n})
        policy = {
            "max_attempts": 3,
            "initial_interval_seconds": 3600,
            "max_interval_seconds": 2 * DAY,
            "backoff_coefficient": 2,
        }
        house.publish({"name": "shaky", "steps": [post("a", f"{outside.url}/shaky", {"x": 1}, retry_policy=policy)]})
        with house.worker() as first:
            process = house.start("shaky")
            eventually(lambda: parked(house, process), what="parked after the first failure")
            assert house.status(process) == "IN_PROGRESS"
            first.kill()
        with house.worker():
            move_clock(house, 1)
            eventually(lambda: len(outside.calls()) == 2, what="second call")
            eventually(lambda: parked(house, process), what="parked after the second failure")
            move_clock(house, 2)
            await_all(house, 1)

    assert outside.per_key("/shaky") == {execution_id(number(process), "a"): 3}
    assert len({call.raw for call in outside.calls()}) == 1
    failures = [row[4] for row in house.history(process) if row[1] == "activity.failed"]
    assert len(failures) == 2
    assert all(failure["retry_at"] for failure in failures)
    assert house.value("select count(*) from stepwell.history where (data ->> 'lost')::boolean") == 0
    assert_whole(house)
    assert_at_rest(house)


def test_timers_that_fire_early_late_or_twice_do_no_harm(house: House) -> None:
    """Fails where a fired timer is believed: the holder decides what is due, by its state."""
    house.publish({"name": "day", "steps": [wait("a", seconds=DAY)]})
    with house.worker():
        process = house.start("day")
        eventually(lambda: parked(house, process), what="parked")
        for _ in range(3):
            with house.connect("superuser") as db:
                db.execute("update stepwell.timer set due_at = now() - interval '1 hour'")
                db.execute(
                    "insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id) "
                    "select 0, 0, stepwell.new_id(), id, tenant_id, environment_id from stepwell.process"
                )
            eventually(
                lambda: house.value("select bool_and(due_at > now()) from stepwell.timer") and parked(house, process),
                what="parked again on its true time",
            )
            assert house.status(process) == "WAITING"
        move_clock(house, 1.1)
        await_all(house, 1)

    assert [row[1] for row in house.history(process)].count("activity.completed") == 1
    assert_whole(house)
    assert_at_rest(house)
