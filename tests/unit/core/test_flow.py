"""Which steps begin, and which are skipped."""

from typing import Any

import msgspec
import pytest
from msgspec import Struct

from engine.core.commands import Cancel
from engine.core.draft import Inputs, begin
from engine.core.events import Skip
from engine.core.flow import Flow
from engine.core.model import SkipReason, State
from engine.core.shown import MAX_SHOWN
from tests.unit.core.given import (
    NOW,
    Life,
    decision,
    document,
    event,
    http,
    lived,
    plan_of,
    transform,
    types,
    wait,
)

FALSE = {"field": "input.go", "operator": "eq", "value": "never"}


def test_steps_without_order_run_in_the_order_of_the_document() -> None:
    life = lived(http("a"), http("b"))
    assert life.statuses("a", "b") == ["RUNNING", "PENDING"]
    life.succeed("a")
    assert life.statuses("a", "b") == ["COMPLETED", "RUNNING"]
    assert types(life.succeed("b")) == ["activity.completed", "process.completed"]


def test_order_rules_over_the_place_in_the_document() -> None:
    life = lived(http("b", order=20), http("a", order=10))
    assert life.statuses("a", "b") == ["RUNNING", "PENDING"]


def test_an_activity_completed_event_names_what_it_starts() -> None:
    life = lived(http("a"), http("b", depends_on=["a"]), http("c", depends_on=["a"]))
    [completed] = life.succeed("a")
    assert [start.path for start in completed.body.starts] == ["b", "c"]


def test_steps_without_dependencies_are_roots_as_soon_as_one_step_has_depends_on() -> None:
    life = lived(http("a"), http("b"), http("c", depends_on=["a", "b"]))
    assert life.statuses("a", "b", "c") == ["RUNNING", "RUNNING", "PENDING"]
    life.succeed("a")
    assert life.status("c") == "PENDING"
    life.succeed("b")
    assert life.status("c") == "RUNNING"


def test_an_ordered_step_follows_the_next_lower_order_even_where_others_have_depends_on() -> None:
    plan = plan_of(http("a", order=1), http("b", order=2), http("c", depends_on=["a"]))
    assert [edge.before for edge in plan.steps["b"].edges] == ["a"]


def test_an_empty_depends_on_makes_a_root() -> None:
    plan = plan_of(http("a", order=1), http("b", order=2, depends_on=[]), http("c", order=3))
    assert plan.roots == ("a", "b")
    assert [edge.before for edge in plan.steps["c"].edges] == ["b"]


def test_a_false_condition_skips_that_step_alone_in_a_sequence() -> None:
    life = lived(http("a", condition=FALSE), http("b"), value={"go": "on"})
    assert life.statuses("a", "b") == ["SKIPPED", "RUNNING"]
    assert life.activity("a").skip_reason == "condition"


def test_a_skip_by_a_false_condition_says_which_and_what_it_read() -> None:
    condition = {"all": [{"field": "input.amount", "operator": "gt", "value": 1000}, "has(input.vip)"]}
    life = lived(http("a", condition=condition), http("b"), value={"amount": 12})
    assert life.history[-1].body.skips == (
        Skip("a", SkipReason.CONDITION, "input.amount > 1000 && has(input.vip)", {"input.amount": 12}),
    )


def test_a_skip_for_another_reason_is_written_as_ever() -> None:
    life = lived(
        decision("d", (True, [])), http("a", condition=FALSE, depends_on=["d"]), http("b", depends_on=["a"]),
        decision("e", (False, ["c"]), depends_on=["d"]), http("c"), http("f", depends_on=["d"]), http("g", depends_on=["f"]),
        value={"go": 1},
    )  # fmt: skip
    life.mail(Cancel(by="ann"))
    skips = [skip for made in life.history for skip in msgspec.to_builtins(made.body).get("skips", ())]
    assert {skip["reason"] for skip in skips} == {"condition", "dependency", "decision", "process_ended"}
    assert {tuple(skip) for skip in skips if skip["reason"] != "condition"} == {("path", "reason")}


def test_the_release_before_reads_a_skip_that_says_why() -> None:
    life = lived(http("a", condition=FALSE), http("b"), value={"go": 1})
    told = msgspec.to_builtins(life.history[-1].body)["skips"][0]
    assert told.keys() == {"path", "reason", "when", "inputs"}
    assert msgspec.convert(told, EarlierSkip) == EarlierSkip("a", SkipReason.CONDITION)


class EarlierSkip(Struct):
    path: str
    reason: SkipReason


def added(skip: Skip) -> int:
    """Return how many bytes it takes to say why."""
    return len(msgspec.json.encode(skip)) - len(msgspec.json.encode(Skip(skip.path, skip.reason)))


@pytest.mark.parametrize("char", ["x", "é", "🦊", '"'])
@pytest.mark.parametrize("size", [3, 150, 5000])
def test_what_skips_say_of_their_conditions_is_bounded_however_many_there_are(char: str, size: int) -> None:
    fields = [f"f{place}" for place in range(20)]
    condition = " || ".join([f"input.f0 == '{char * 199}'", *(f"input.{field} == 1" for field in fields)])
    steps = [http(f"s{place}", condition=condition, depends_on=[]) for place in range(50)]
    life = lived(*steps, value=dict.fromkeys(fields, char * size))
    skips = life.history[1].body.skips
    assert len(skips) == 50
    assert all(len(skip.when or "") <= MAX_SHOWN + 1 for skip in skips)
    assert all(len(value) <= MAX_SHOWN + 1 for skip in skips for value in skip.inputs.values())
    assert max(map(added, skips)) <= 1024
    assert 2000 < sum(map(added, skips)) <= 4096


def test_a_large_value_that_decided_nothing_is_not_loaded_to_be_shown() -> None:
    condition = "input.go && steps.big.output.text == 'x'"
    life = lived(http("big"), http("next"), http("last", condition=condition), value={"go": False})
    life.succeed("big", {"text": "x" * 9000}, 9020)
    life.payloads.clear()
    [completed, _] = life.succeed("next")
    assert completed.body.skips[0].inputs == {"input.go": False}


def test_a_large_value_that_decided_is_shown_in_part() -> None:
    life = lived(http("big"), http("last", condition="steps.big.output.text == 'x'"))
    [completed, _] = life.succeed("big", {"text": "x" * 9000}, 9020)
    assert completed.body.skips[0].inputs == {"steps.big.output.text": "x" * MAX_SHOWN + "…"}


def test_what_is_shown_takes_no_fuel_from_the_decision() -> None:
    plan = plan_of(http("a", condition="string(now) == 'never'"))
    evaluated, looked = (begin(plan, State(), Inputs(NOW)) for _ in range(2))
    condition = plan.steps["a"].condition
    assert condition is not None
    condition.evaluate(evaluated.scope())
    flow = Flow(looked, {})
    flow.look(["a"])
    assert flow.skips[0].inputs == {"now": "2026-03-01T12:00:00Z"}
    assert looked.fuel.left == evaluated.fuel.left


def test_a_skip_is_passed_on_by_explicit_edges() -> None:
    life = lived(http("a", condition=FALSE), http("b", depends_on=["a"]), http("c", depends_on=["b"]), value={"go": 1})
    assert life.statuses("a", "b", "c") == ["SKIPPED"] * 3
    assert life.activity("c").skip_reason == "dependency"
    assert life.state.status == "COMPLETED"


def test_one_completed_dependency_is_enough() -> None:
    life = lived(http("a"), http("b", condition=False), http("c", depends_on=["a", "b"]))
    life.succeed("a")
    assert life.status("c") == "RUNNING"


def test_join_all_wants_all_completed() -> None:
    life = lived(http("a"), http("b", condition=False), http("c", depends_on=["a", "b"], join="all"))
    life.succeed("a")
    assert life.status("c") == "SKIPPED"


def test_join_always_runs_when_all_are_settled() -> None:
    life = lived(http("a", condition=False), http("b", depends_on=["a"], join="always"))
    assert life.statuses("a", "b") == ["SKIPPED", "RUNNING"]


def test_a_condition_that_cannot_be_evaluated_fails_its_activity() -> None:
    life = lived(http("a", condition={"field": "input.missing", "operator": "eq", "value": 1}), value={})
    assert life.status("a") == "FAILED"
    assert life.state.error is not None
    assert (life.state.error.code, life.state.error.step_id) == ("expression_failed", "a")
    assert "input.missing" in life.state.error.message
    assert "process.failed" in types(life.history)


def test_a_condition_reads_the_output_that_has_just_come() -> None:
    yes = {"field": "steps.a.output.ok", "operator": "eq", "value": True}
    life = lived(http("a"), http("b", condition=yes), http("c", condition={"not": yes}))
    life.succeed("a", {"ok": True})
    assert life.status("b") == "RUNNING"
    life.succeed("b")
    assert life.status("c") == "SKIPPED"


def big(then: Any, fallback: Any = (), **rest: Any) -> Any:
    return decision("d", ("input.big", then), fallback=list(fallback), **rest)


def test_a_decision_starts_what_it_chose_and_skips_the_rest_at_once() -> None:
    life = lived(big(["yes"], ["no"]), http("yes"), http("no"), http("end"), value={"big": True})
    assert life.statuses("yes", "no", "end") == ["RUNNING", "SKIPPED", "PENDING"]
    assert life.activity("no").skip_reason == "decision"
    life.succeed("yes")
    assert life.status("end") == "RUNNING"


def test_what_follows_a_decision_in_sequence_waits_for_the_branch_that_was_taken() -> None:
    life = lived(big(["first"], ["second"]), http("first"), http("second"), http("end"), value={"big": True})
    assert life.statuses("first", "second", "end") == ["RUNNING", "SKIPPED", "PENDING"]
    life = lived(big(["first"], ["second"]), http("first"), http("second"), http("end"), value={"big": False})
    assert life.statuses("first", "second", "end") == ["SKIPPED", "RUNNING", "PENDING"]
    life.succeed("second")
    assert life.status("end") == "RUNNING"


def test_a_decision_without_a_true_branch_and_without_fallback_skips_all_it_names() -> None:
    life = lived(decision("d", (False, ["a"])), http("a"), http("end"))
    assert life.statuses("a", "end") == ["SKIPPED", "RUNNING"]
    assert life.activity("d").output["branch"] == "fallback"


def test_a_step_in_the_taken_list_runs_though_it_is_in_others_too() -> None:
    life = lived(decision("d", (False, ["a", "b"]), (True, ["b"])), http("a"), http("b"))
    assert life.statuses("a", "b") == ["SKIPPED", "RUNNING"]


def test_a_descendant_that_was_not_chosen_is_skipped_while_others_still_run() -> None:
    life = lived(
        big(["late"], []),
        http("early", depends_on=["d"]),
        http("late", depends_on=["early"]),
        value={"big": False},
    )
    assert life.statuses("early", "late") == ["RUNNING", "SKIPPED"]


def test_skipping_a_branch_skips_what_hangs_on_it() -> None:
    life = lived(
        big(["a"], ["b"]), http("a"), http("a2", depends_on=["a"]), http("b"), http("b2", depends_on=["b"]),
        value={"big": True},
    )  # fmt: skip
    assert life.statuses("a", "a2", "b", "b2") == ["RUNNING", "PENDING", "SKIPPED", "SKIPPED"]


def test_a_step_named_by_two_decisions_runs_if_the_later_one_chooses_it() -> None:
    steps = [
        decision("first", ("input.one", ["second"]), fallback=["refuse"]),
        decision("second", ("input.two", ["accept"]), fallback=["refuse"]),
        http("accept"),
        http("refuse"),
    ]
    life = lived(*steps, value={"one": True, "two": False})
    assert life.statuses("accept", "refuse") == ["SKIPPED", "RUNNING"]
    life = lived(*steps, value={"one": True, "two": True})
    assert life.statuses("accept", "refuse") == ["RUNNING", "SKIPPED"]
    life = lived(*steps, value={"one": False, "two": True})
    assert life.statuses("second", "accept", "refuse") == ["SKIPPED", "SKIPPED", "RUNNING"]


def test_a_step_named_by_two_decisions_is_skipped_if_neither_chooses_it() -> None:
    first = decision("first", (False, ["second"]), (False, ["refuse"]), fallback=["third"])
    life = lived(first, decision("second", (True, ["refuse"])), http("refuse"), http("third"))
    assert life.statuses("second", "refuse", "third") == ["SKIPPED", "SKIPPED", "RUNNING"]
    assert life.activity("refuse").skip_reason == "decision"


def test_a_decision_records_branch_choice_and_what_it_read() -> None:
    when = {"all": [{"field": "input.amount", "operator": "gt", "value": 10}]}
    life = lived(decision("d", (False, []), (when, ["a"])), http("a"), value={"amount": 11})
    assert life.activity("d").output == {
        "branch": 1,
        "when": "input.amount > 10",
        "chosen": ["a"],
        "inputs": {"input.amount": 11},
    }


def test_large_values_that_a_decision_read_are_cut() -> None:
    when = {"field": "input.text", "operator": "eq", "value": "x"}
    life = lived(decision("d", (when, [])), value={"text": "y" * 5000})
    assert len(life.activity("d").output["inputs"]["input.text"]) < 250


def test_a_branch_that_cannot_be_evaluated_fails_the_decision() -> None:
    life = lived(decision("d", ({"field": "input.none", "operator": "gt", "value": 1}, ["a"])), http("a"), value={})
    assert life.statuses("d", "a") == ["FAILED", "SKIPPED"]
    assert life.activity("a").skip_reason == "process_ended"


def test_pure_steps_are_decided_back_to_back() -> None:
    life = Life(plan_of(transform("a"), event("b"), decision("c", (True, ["d"])), http("d")))
    assert types(life.open()) == [
        "process.started",
        "activity.completed",
        "order.placed",
        "activity.completed",
        "activity.completed",
    ]
    assert life.status("d") == "RUNNING"


def test_a_process_ends_with_its_last_step_and_its_output() -> None:
    life = lived(transform("a", {"sum": "${input.x}"}), value={"x": 3}, output={"total": "${steps.a.output.sum}"})
    assert (life.state.status, life.state.output) == ("COMPLETED", {"total": 3})


def test_an_output_that_cannot_be_made_fails_the_process() -> None:
    life = lived(http("a"), output="${steps.a.output.missing}")
    life.succeed("a", {})
    assert life.state.status == "FAILED"
    assert life.state.error is not None
    assert life.state.error.code == "expression_failed"


def test_a_process_whose_steps_are_all_skipped_completes() -> None:
    life = lived(http("a", condition=False))
    assert types(life.history) == ["process.created", "process.started", "process.completed"]


def test_bad_input_fails_the_process_before_it_starts() -> None:
    schema = {"type": "object", "required": ["id"]}
    life = lived(http("a"), input_schema=schema, value={})
    assert types(life.history) == ["process.created", "process.failed"]
    assert life.state.error is not None
    assert (life.state.error.category, life.state.error.code) == ("validation", "input_invalid")
    assert life.status("a") == "SKIPPED"


@pytest.mark.parametrize("value", [{"id": 1}, {"id": None}])
def test_good_input_starts_the_process(value: Any) -> None:
    assert lived(http("a"), input_schema={"required": ["id"]}, value=value).state.status == "IN_PROGRESS"


def test_waiting_needs_an_open_wait_and_nothing_that_runs() -> None:
    life = lived(http("a"), wait("w", signal="go", depends_on=[]))
    assert life.state.status == "IN_PROGRESS"
    [completed] = life.succeed("a")
    assert completed.body.status == "WAITING"
    assert life.state.status == "WAITING"


def test_the_document_helper_makes_valid_documents() -> None:
    assert plan_of(*document(http("a"))["steps"]).effectful("a")
