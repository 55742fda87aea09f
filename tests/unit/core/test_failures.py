"""Failed attempts, retries, timeouts, and attempts lost with their worker."""

from datetime import timedelta
from typing import Any

import pytest

from engine.core.commands import Broken, Completed, Failed, Opened, Reported
from engine.core.compile import Retry
from engine.core.model import Category, Failure, next_due
from engine.core.retry import delay
from tests.unit.core.given import NOW, http, lived, manual, plan_of, transform, types, wait


def test_a_retryable_failure_waits_and_is_called_again() -> None:
    life = lived(http("a"))
    [failed] = life.fail("a", retryable=True)
    assert failed.body.retry_at == NOW + timedelta(seconds=0.75)  # half of 1 s fixed, half of the rest by jitter 0.5
    assert (life.status("a"), life.state.status) == ("PENDING", "IN_PROGRESS")
    assert next_due(life.state) == failed.body.retry_at
    assert life.after(0.7) == []
    [started] = life.after(0.1)
    assert (started.type, started.attempt, life.status("a")) == ("activity.started", 2, "RUNNING")


def test_max_attempts_counts_all_calls() -> None:
    life = lived(http("a", retry_policy={"max_attempts": 2}))
    life.fail("a", retryable=True)
    life.after(60)
    assert types(life.fail("a", retryable=True)) == ["activity.failed", "process.failed"]
    assert life.activity("a").attempt == 2


def test_a_failure_that_is_not_retryable_ends_the_process() -> None:
    life = lived(http("a"), http("b"))
    failed, ended = life.fail("a")
    assert failed.body.retry_at is None
    assert ended.body.error.step_id == "a"
    assert [(skip.path, skip.reason) for skip in ended.body.skips] == [("b", "process_ended")]
    assert life.state.status == "FAILED"


def test_what_is_open_is_cancelled_when_another_branch_fails() -> None:
    life = lived(http("a"), http("b", depends_on=[]), manual("m", depends_on=[]), http("c", depends_on=["b"]))
    life.fail("b", retryable=True)
    ended = life.fail("a")[-1]
    assert set(ended.body.cancels) == {"b", "m"}
    assert life.statuses("a", "b", "m", "c") == ["FAILED", "CANCELLED", "CANCELLED", "SKIPPED"]
    assert next_due(life.state) is None


def test_partial_results_are_kept() -> None:
    life = lived(http("a"), http("b"))
    life.succeed("a", {"id": 7})
    life.fail("b")
    assert life.activity("a").output == {"id": 7}


def test_policies_are_resolved_field_by_field() -> None:
    plan = plan_of(
        http("a", retry_policy={"max_attempts": 7}),
        http("b"),
        retry_policy={"max_attempts": 5, "initial_interval_seconds": 0.1},
    )
    assert plan.steps["a"].retry == Retry(7, 0.1, 2.0, 60.0)
    assert plan.steps["b"].retry == Retry(5, 0.1, 2.0, 60.0)
    assert plan_of(http("a")).steps["a"].retry == Retry(3, 1.0, 2.0, 60.0)


def test_a_process_with_a_call_to_be_made_again_is_not_waiting_whatever_else_waits() -> None:
    life = lived(http("a"), wait("w", signal="go", depends_on=[]), http("b", depends_on=[]))
    life.fail("a", retryable=True)
    life.succeed("b")
    assert life.state.status == "IN_PROGRESS"
    life.after(60)
    life.succeed("a")
    assert life.state.status == "WAITING"


def test_backoff_is_exponential_and_capped() -> None:
    assert [delay(Retry(), n, 1.0, None) for n in (1, 2, 3, 7, 99999)] == [1, 2, 4, 60, 60]
    assert [delay(Retry(), n, 0.0, None) for n in (1, 2)] == [0.5, 1]


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(10, 10), (0.1, 0.5), (7200, 3600), (float("inf"), 3600), (float("nan"), 0.5), (-1, 0.5)],
)
def test_retry_after_is_a_minimum_of_at_most_an_hour(asked: Any, waited: Any) -> None:
    assert delay(Retry(), 1, 0.0, asked) == waited


def test_retry_after_never_shortens_a_backoff_over_an_hour() -> None:
    assert delay(Retry(3, 10_000, 1, 10_000), 1, 1.0, 9000) == 10_000


def test_an_attempt_lost_with_its_worker_does_not_count() -> None:
    life = lived(http("a", retry_policy={"max_attempts": 1}, timeout_seconds=60))
    life.now += timedelta(seconds=30)
    [started] = life.do(Opened())
    assert (started.type, started.body.lost, started.attempt) == ("activity.started", True, 2)
    assert started.body.deadline_at == life.now + timedelta(seconds=60)
    assert life.activity("a").failures == 0
    assert life.do(Opened())[0].attempt == 3


def test_what_was_handed_over_before_it_began_is_not_lost() -> None:
    life = lived(http("a", timeout_seconds=60))
    assert life.do(Opened(handed=True)) == []
    life.now += timedelta(seconds=61)
    [failed] = life.do(Opened(handed=True))
    assert (failed.type, failed.body.error.code) == ("activity.failed", "step_timeout")


def test_opening_applies_what_is_due_and_does_not_take_a_new_attempt_for_lost() -> None:
    life = lived(http("a"))
    life.fail("a", retryable=True)
    life.now += timedelta(seconds=60)
    [started] = life.do(Opened())
    assert (started.body.lost, started.attempt) == (False, 2)


def test_opening_an_ended_process_does_nothing() -> None:
    life = lived(transform("a"))
    assert life.open() == []


def test_a_report_of_an_attempt_that_is_over_is_ignored() -> None:
    life = lived(http("a"), http("b"))
    life.do(Opened())
    assert life.do(Reported("a", 1, Completed())) == []
    assert life.do(Reported("nowhere", 1, Completed())) == []
    life.succeed("a")
    assert life.do(Reported("a", 2, Completed())) == []
    life.fail("b", retryable=True)
    assert life.do(Reported("b", 1, Completed())) == []
    life.after(60)
    life.fail("b")
    assert life.do(Reported("b", 2, Completed())) == []


def test_a_step_timeout_bounds_each_attempt_and_is_retried() -> None:
    life = lived(http("a", timeout_seconds=5))
    assert next_due(life.state) == NOW + timedelta(seconds=5)
    [failed] = life.after(5)
    assert (failed.body.error.category, failed.body.error.code) == ("timeout", "step_timeout")
    [started] = life.after(1)
    assert started.body.deadline_at == life.now + timedelta(seconds=5)


def test_a_process_timeout_ends_everything() -> None:
    life = lived(http("a"), timeout_seconds=100)
    assert next_due(life.state) == NOW + timedelta(seconds=100)
    [ended] = life.after(100)
    assert (ended.body.error.category, ended.body.error.code) == ("timeout", "process_timeout")
    assert life.status("a") == "CANCELLED"


def test_a_process_whose_time_is_up_when_it_is_loaded_makes_no_new_attempt() -> None:
    life = lived(http("a"), timeout_seconds=100)
    life.now += timedelta(seconds=200)
    assert types(life.open()) == ["process.failed"]


def test_a_wait_for_time_ends_at_its_time() -> None:
    life = lived(wait("w", seconds=90))
    assert (life.state.status, next_due(life.state)) == ("WAITING", NOW + timedelta(seconds=90))
    assert life.after(89) == []
    assert types(life.after(1)) == ["activity.completed", "process.completed"]
    assert life.activity("w").output == {"waited_until": "2026-03-01T12:01:30Z"}


def test_a_wait_until_a_moment_that_has_passed_is_over_at_once() -> None:
    life = lived(wait("w", until="2020-01-01T00:00:00+02:00"))
    assert life.activity("w").output == {"waited_until": "2019-12-31T22:00:00Z"}
    assert "activity.waiting" not in types(life.history)


def test_seconds_and_until_may_be_references() -> None:
    life = lived(wait("w", seconds="${input.s}"), wait("u", until="${input.u}", depends_on=[]),
                 value={"s": 5, "u": "2026-03-01T12:00:07Z"})  # fmt: skip
    assert [life.activity(p).due_at for p in "wu"] == [NOW + timedelta(seconds=s) for s in (5, 7)]


@pytest.mark.parametrize("seconds", ["soon", -1, None, True, 1e12, []])
def test_seconds_that_are_no_time_fail_the_wait(seconds: Any) -> None:
    life = lived(wait("w", seconds="${input.s}"), value={"s": seconds})
    assert (life.status("w"), life.activity("w").error.code) == ("FAILED", "expression_failed")


def test_a_wait_that_times_out_fails() -> None:
    life = lived(wait("w", signal="go", wait_timeout=60))
    failed, _ended = life.after(60)
    assert (failed.body.error.category, failed.body.error.code) == ("timeout", "wait_timeout")


def test_a_wait_that_times_out_may_continue() -> None:
    life = lived(wait("w", signal="go", wait_timeout=60, on_timeout="continue"), http("b"))
    life.after(60)
    assert (life.activity("w").output, life.status("b")) == ({"timed_out": True}, "RUNNING")


def test_the_smaller_of_step_and_wait_timeout_counts() -> None:
    for step, own in ((30, 60), (60, 30)):
        life = lived(wait("w", signal="go", wait_timeout=own, timeout_seconds=step))
        assert life.activity("w").deadline_at == NOW + timedelta(seconds=30)


def test_the_earlier_of_time_and_timeout_counts_even_when_both_have_passed() -> None:
    assert "timed_out" not in str(lived(wait("w", seconds=5, wait_timeout=6)).after(60)[0].body)
    late = lived(wait("w", seconds=6, wait_timeout=5)).after(60)
    assert late[0].body.error.code == "wait_timeout"


def test_due_seconds_of_a_task_only_mark_it() -> None:
    life = lived(manual("m", due_seconds=10))
    assert life.activity("m").wait.task.due_at == NOW + timedelta(seconds=10)
    assert (next_due(life.state), life.after(100)) == (None, [])


def test_a_task_ends_with_its_timeout() -> None:
    life = lived(manual("m", timeout_seconds=10))
    assert life.after(10)[0].body.error.code == "task_timeout"


def test_several_things_that_are_due_happen_in_the_order_of_their_times() -> None:
    life = lived(wait("b", seconds=2, depends_on=[]), wait("a", seconds=1, depends_on=[]))
    assert [made.path for made in life.after(10)][:2] == ["a", "b"]


def test_a_broken_process_fails_and_an_ended_one_stays() -> None:
    error = Failure(Category.EXECUTION, "poison", "PostgreSQL refused it\0")
    life = lived(http("a"))
    [ended] = life.do(Broken(error))
    assert ended.body.error.message == "PostgreSQL refused it�"
    assert life.do(Broken(error)) == []


def test_failures_are_made_fit_to_be_stored() -> None:
    life = lived(http("a"))
    error = Failure(Category.EXTERNAL, "x", "\ud800" + "m" * 10_000, None, {"body": "\0"})
    [failed, _] = life.do(Reported("a", 1, Failed(error, retryable=False)))
    assert failed.body.error.message.startswith("?mm")
    assert len(failed.body.error.message) == 2000
    assert failed.body.error.details == {"left_out": "the text contains a NUL character, which PostgreSQL cannot store"}
    assert failed.body.error.step_id == "a"


def test_time_never_falls_within_a_process() -> None:
    life = lived(http("a"), http("b"))
    life.now -= timedelta(hours=1)
    assert life.succeed("a")[0].at == NOW


def test_waiting_needs_no_attempt_in_the_future() -> None:
    life = lived(http("a"), wait("w", signal="go", depends_on=[]))
    life.fail("a", retryable=True)
    assert life.state.status == "IN_PROGRESS"
