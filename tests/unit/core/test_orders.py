"""Mail: each order ends as exactly one event that carries its id."""

from typing import Any

import pytest

from engine.core.commands import AssignTask, Broken, Cancel, CompleteTask, RejectTask, Resume, Retry, Signal
from engine.core.model import Category, Failure
from tests.unit.core.given import Life, http, lived, manual, plan_of, transform, types, wait

FORM = {"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}}


def rejection(events: Any) -> Any:
    [only] = events
    assert only.type == "command.rejected"
    return only.body.code


def test_cancel_ends_the_process_and_keeps_who_and_why() -> None:
    life = lived(http("a"), http("b"))
    [ended] = life.mail(Cancel(by="ann", reason="wrong order"), 9)
    assert (ended.type, ended.body.command, ended.body.by, ended.body.reason) == (
        "process.cancelled", 9, "ann", "wrong order",
    )  # fmt: skip
    assert life.statuses("a", "b") == ["CANCELLED", "SKIPPED"]


def test_a_process_can_be_cancelled_before_it_begins() -> None:
    life = Life(plan_of(http("a")))
    assert types(life.mail(Cancel())) == ["process.cancelled"]
    assert life.open() == []


def test_an_ended_process_cannot_be_cancelled() -> None:
    life = lived(transform("a"))
    assert rejection(life.mail(Cancel())) == "process_ended"


def test_only_a_failed_process_is_retried() -> None:
    life = lived(http("a"))
    assert rejection(life.mail(Retry())) == "not_failed"
    life.mail(Cancel())
    assert rejection(life.mail(Retry())) == "not_failed"


def test_a_retry_takes_up_what_failed_was_cancelled_or_skipped_by_the_end() -> None:
    life = lived(
        http("done", depends_on=[]), http("bad", depends_on=["done"]), http("open", depends_on=["done"]),
        http("later", depends_on=["bad"]), http("no", condition=False, depends_on=["done"]), timeout_seconds=500,
    )  # fmt: skip
    life.succeed("done")
    life.fail("bad")
    life.now = life.now.replace(hour=18)
    [retried] = life.mail(Retry(by="ann"), 4)
    assert set(retried.body.resets) == {"bad", "open", "later"}
    assert [(s.path, s.attempt) for s in retried.body.starts] == [("bad", 2), ("open", 2)]
    assert (life.state.status, life.state.error, life.state.ended_at) == ("IN_PROGRESS", None, None)
    assert life.statuses("done", "no", "later") == ["COMPLETED", "SKIPPED", "PENDING"]
    assert (life.activity("bad").failures, life.activity("bad").run) == (0, 1)
    assert (life.state.deadline_at - life.now).total_seconds() == 500


def test_a_retry_grants_a_new_budget_of_attempts() -> None:
    life = lived(http("a", retry_policy={"max_attempts": 2}))
    life.fail("a", retryable=True)
    life.after(60)
    life.fail("a", retryable=True)
    life.mail(Retry())
    assert life.fail("a", retryable=True)[0].body.retry_at is not None
    assert life.activity("a").attempt == 3


def test_a_retry_of_bad_input_fails_again() -> None:
    life = lived(http("a"), input_schema={"required": ["x"]}, value={})
    assert types(life.mail(Retry(), 3)) == ["process.retried", "process.failed"]
    assert life.status("a") == "SKIPPED"


def test_a_process_broken_before_it_began_begins_when_retried() -> None:
    life = Life(plan_of(http("a"), wait("w", signal="go")))
    life.do(Broken(Failure(Category.EXECUTION, "poison", "x")))
    assert types(life.mail(Retry())) == ["process.retried"]
    assert life.status("a") == "RUNNING"
    assert life.state.started_at is not None


def test_a_retry_after_a_bad_output_makes_the_output_again() -> None:
    life = lived(transform("a"), output="${input.missing}", value={})
    assert life.state.status == "FAILED"
    assert types(life.mail(Retry())) == ["process.retried", "process.failed"]


def test_what_fails_again_after_a_retry_is_skipped_again() -> None:
    life = lived(http("a"), http("b"))
    life.fail("a")
    life.mail(Retry())
    life.fail("a")
    assert life.statuses("a", "b") == ["FAILED", "SKIPPED"]
    assert life.activity("b").skip_reason == "process_ended"


def task(**rest: Any) -> Any:
    return lived(manual("m", title="Order ${input.n}", **rest), http("next"), value={"n": 7})


def test_a_task_shows_its_filled_in_texts() -> None:
    life = task(assignee="${input.n}", group="ops", form=FORM)
    [made] = [e for e in life.history if e.type == "task.created"]
    shown = made.body.wait.task
    assert (shown.title, shown.assignee, shown.group, shown.form) == ("Order 7", "7", "ops", FORM)
    assert life.state.status == "WAITING"


def test_a_completed_task_gives_its_data_and_goes_on() -> None:
    life = task(form=FORM)
    [completed] = life.mail(CompleteTask(path="m", by="bo", data={"ok": True}), 5)
    assert (completed.body.command, completed.body.by) == (5, "bo")
    assert completed.body.output == {"outcome": "completed", "by": "bo", "data": {"ok": True}}
    assert life.status("next") == "RUNNING"


def test_data_that_does_not_suit_the_form_leaves_the_task_open() -> None:
    life = task(form=FORM)
    [rejected] = life.mail(CompleteTask(path="m", by="bo", data={"ok": "yes"}), 5)
    assert (rejected.body.code, rejected.body.pointer, rejected.body.command) == ("form_invalid", "/ok", 5)
    assert life.status("m") == "WAITING"


def test_a_task_needs_a_person() -> None:
    assert rejection(task().mail(CompleteTask(path="m"))) == "by_missing"
    assert rejection(task().mail(RejectTask(path="m", by=""))) == "by_missing"


@pytest.mark.parametrize("order", [CompleteTask(path="next", by="x"), CompleteTask(path="m", run=2, by="x"),
                                   RejectTask(path="ghost", by="x")])  # fmt: skip
def test_only_an_open_task_of_the_same_run_is_ended(order: Any) -> None:
    assert rejection(task().mail(order)) == "task_not_open"


def test_a_task_of_an_ended_process_is_closed() -> None:
    life = task()
    life.mail(Cancel())
    assert rejection(life.mail(CompleteTask(path="m", by="x"))) == "process_ended"


def test_a_rejected_task_completes_so_that_decisions_can_branch_on_it() -> None:
    life = task()
    life.mail(RejectTask(path="m", by="bo", reason="no budget"))
    assert life.activity("m").output == {"outcome": "rejected", "by": "bo", "reason": "no budget"}
    assert life.status("next") == "RUNNING"


def test_a_rejected_task_may_fail_the_process() -> None:
    life = task(on_reject="fail")
    failed, ended = life.mail(RejectTask(path="m", by="bo", reason="no"), 6)
    assert (failed.body.command, ended.body.command) == (6, None)
    assert (failed.body.error.category, failed.body.error.code) == ("execution", "task_rejected")
    assert failed.body.retry_at is None


def signal(n: Any = 1, name: Any = "paid", correlation: Any = "", data: Any = None) -> Any:
    return Signal(signal_id=n, name=name, correlation=correlation, data=data)


def test_a_signal_completes_every_wait_open_for_it() -> None:
    life = lived(
        wait("a", signal="paid"),
        wait("b", signal="paid", depends_on=[]),
        wait("c", signal="x", depends_on=[]),
    )
    first, second = life.mail(signal(data={"sum": 3}), 8)
    assert ((first.path, first.body.command), (second.path, second.body.command)) == (("a", 8), ("b", None))
    assert life.activity("a").output == life.activity("b").output == {"sum": 3}
    assert life.status("c") == "WAITING"
    assert life.state.signals == (1,)


def test_a_signal_does_not_complete_the_wait_it_leads_to() -> None:
    life = lived(wait("a", signal="paid"), wait("b", signal="paid"))
    life.mail(signal())
    assert life.statuses("a", "b") == ["COMPLETED", "WAITING"]
    assert rejection(life.mail(signal())) == "duplicate_signal"
    life.mail(signal(2))
    assert life.state.status == "COMPLETED"


def test_name_and_correlation_must_match() -> None:
    life = lived(wait("a", signal="paid", correlation_key="${input.id}"), value={"id": 42})
    assert rejection(life.mail(signal())) == "no_matching_wait"
    assert rejection(life.mail(signal(name="other", correlation="42"))) == "no_matching_wait"
    assert rejection(life.mail(signal(correlation="43"))) == "no_matching_wait"
    assert life.state.signals == ()
    life.mail(signal(correlation="42"))
    assert life.state.status == "COMPLETED"


def test_a_signal_before_the_process_begins_or_after_it_ended_is_rejected() -> None:
    life = Life(plan_of(wait("a", signal="paid")))
    assert rejection(life.mail(signal())) == "no_matching_wait"
    life.open()
    life.mail(Cancel())
    assert rejection(life.mail(signal())) == "no_matching_wait"


def test_data_that_cannot_be_stored_is_rejected() -> None:
    life = lived(wait("a", signal="paid"), manual("m", depends_on=[]))
    assert rejection(life.mail(signal(data="x" * (1 << 20)))) == "data_too_large"
    assert rejection(life.mail(CompleteTask(path="m", by="x", data=["\0"]))) == "data_nul_character"


def test_a_claimed_task_is_nobody_elses_to_claim_but_may_be_reassigned() -> None:
    life = task(group="ops")
    [claimed] = life.mail(AssignTask(path="m", by="ann (key)", to="ann", claim=True), 3)
    assert (claimed.type, claimed.path, claimed.body.assignee, claimed.body.command) == ("task.assigned", "m", "ann", 3)
    assert rejection(life.mail(AssignTask(path="m", by="bo", to="bo", claim=True))) == "task_claimed"
    assert types(life.mail(AssignTask(path="m", by="ann", to="ann", claim=True))) == ["task.assigned"]
    life.mail(AssignTask(path="m", by="boss", to="bo"))
    assert life.activity("m").wait.task.assignee == "bo"
    life.mail(AssignTask(path="m", by="bo", to=None))
    assert life.activity("m").wait.task.assignee is None
    assert (life.status("m"), life.state.status) == ("WAITING", "WAITING")


@pytest.mark.parametrize(
    "order", [AssignTask(path="next", by="a", to="b"), AssignTask(path="m", run=2, by="a", to="b")]
)
def test_only_an_open_task_of_the_same_run_changes_hands(order: Any) -> None:
    assert rejection(task().mail(order)) == "task_not_open"


def test_an_operator_ends_a_wait_with_an_output_of_his_own() -> None:
    life = lived(wait("w", signal="go"), http("b"))
    [ended] = life.mail(Resume(path="w", by="ops", reason="lost", output={"sum": 5}), 8)
    assert (ended.type, ended.body.output, ended.body.command, ended.body.by, ended.body.reason) == (
        "activity.completed", {"sum": 5}, 8, "ops", "lost",
    )  # fmt: skip
    assert life.statuses("w", "b") == ["COMPLETED", "RUNNING"]
    assert rejection(life.mail(Signal(signal_id=1, name="go"))) == "no_matching_wait"


def test_an_operator_ends_a_time_wait_and_a_task() -> None:
    life = lived(wait("w", seconds=99), manual("m", form=FORM))
    life.mail(Resume(path="w"))
    life.mail(Resume(path="m", run=1, output="waved through"))
    assert (life.state.status, life.activity("m").output) == ("COMPLETED", "waved through")
    assert rejection(life.mail(Resume(path="m"))) == "process_ended"


@pytest.mark.parametrize(
    "order", [Resume(path="a"), Resume(path="w", run=2), Resume(path="none"), Resume(path="later")]
)
def test_only_what_waits_is_resumed(order: Any) -> None:
    life = lived(http("a"), wait("w", signal="go", depends_on=[]), http("later", depends_on=["w"]))
    assert rejection(life.mail(order)) == "not_waiting"


def test_an_output_that_cannot_be_stored_leaves_the_wait_open() -> None:
    life = lived(wait("w", signal="go"))
    assert rejection(life.mail(Resume(path="w", output="\0"))).startswith("data_")
    assert life.status("w") == "WAITING"
