"""Event, transform and payload handling; what goes wrong in pure steps."""

from typing import Any

import msgspec
import pytest

from engine.core.decide import PayloadNeeded
from engine.core.events import CustomerEvent, ProcessCreated
from engine.core.model import PAYLOAD_BYTES
from tests.unit.core.given import Life, decision, event, http, lived, plan_of, transform, types, wait

LARGE = "x" * 9000


def test_an_event_step_writes_an_event_of_the_customers_name_and_completes() -> None:
    life = lived(event("e", "order.placed", {"id": "${input.id}"}), value={"id": 3})
    written, completed = life.history[2:4]
    assert (written.type, written.path, written.attempt) == ("order.placed", "e", 1)
    assert isinstance(written.body, CustomerEvent)
    assert written.body.payload == {"id": 3}
    assert (completed.type, completed.body.output) == ("activity.completed", {"name": "order.placed"})


def test_a_transform_keeps_the_types_of_single_references() -> None:
    life = lived(transform("t", {"n": "${input.n}", "text": "no. ${input.n}", "list": ["${input.b}"]}),
                 value={"n": 1.5, "b": True})  # fmt: skip
    assert life.activity("t").output == {"n": 1.5, "text": "no. 1.5", "list": [True]}


def test_a_transform_that_cannot_be_evaluated_names_the_missing_path() -> None:
    life = lived(transform("t", {"x": "${input.a.b}"}), value={"a": {}})
    error = life.activity("t").error
    assert (error.category, error.code, error.step_id) == ("validation", "expression_failed", "t")
    assert "input.a.b" in error.message
    assert life.state.status == "FAILED"


def test_an_output_over_a_mebibyte_fails_the_step() -> None:
    life = lived(transform("t", {str(i): "${input}" for i in range(200)}), value="x" * 8000)
    assert life.activity("t").error.code == "output_too_large"


def test_the_output_of_a_skipped_step_is_missing_but_its_status_is_known() -> None:
    life = lived(http("a", condition=False), transform("b", {"s": "${steps.a.status}"}))
    assert life.activity("b").output == {"s": "SKIPPED"}
    life = lived(http("a", condition=False), transform("b", {"s": "${steps.a.output}"}))
    assert life.status("b") == "FAILED"


def test_expressions_see_process_and_trigger() -> None:
    mapping = {"p": "${process.id}", "k": "${process.business_key}", "t": "${trigger.type}"}
    life = Life(plan_of(transform("t", mapping)), None, business_key="B-1", trigger={"type": "api"})
    life.open()
    assert life.activity("t").output == {"k": "B-1", "p": "prc_000000000002d", "t": "api"}


def test_a_large_output_is_kept_aside_and_referred_to() -> None:
    life = lived(http("a"), http("b"))
    [completed] = life.succeed("a", LARGE, 9002)
    assert (completed.body.output, completed.body.output_ref) == (None, 1)
    assert life.payloads == {1: LARGE}
    assert (life.state.payloads, life.activity("a").output_ref) == (2, 1)


def test_a_payload_made_in_the_same_decision_can_be_read_in_it() -> None:
    life = lived(http("a"), transform("b", {"a": "${steps.a.output}"}), transform("c", {"b": "${steps.b.output.a}"}))
    life.succeed("a", LARGE, 9002)
    assert life.state.status == "COMPLETED"
    assert sorted(life.payloads) == [1, 2, 3]


def test_a_payload_that_is_not_at_hand_is_asked_for() -> None:
    life = lived(http("a"), http("b"), transform("c", {"a": "${steps.a.output}"}))
    life.succeed("a", LARGE, 9002)
    kept, life.payloads = life.payloads, {}
    with pytest.raises(PayloadNeeded) as asked:
        life.succeed("b")
    assert asked.value.number == 1
    life.payloads = kept
    life.succeed("b")
    assert life.state.status == "COMPLETED"


def asked_for(life: Life, path: str) -> tuple[int, ...]:
    """Return the numbers a worker is asked for who has no payload at hand when a call succeeds."""
    life.payloads = {}
    with pytest.raises(PayloadNeeded) as asked:
        life.succeed(path)
    return asked.value.numbers


def calls(count: int, *rest: dict[str, Any], **of_all: Any) -> Life:
    """Return a process whose calls s1 to s`count` had large outputs: payloads 1 to `count`; 0 is its input. `go` runs."""
    names = [*(f"s{number}" for number in range(1, count + 1)), "go"]
    steps = [http(name, depends_on=names[:place][-1:]) for place, name in enumerate(names)]
    plan = plan_of(*steps, *({"depends_on": ["go"], **step} for step in rest), **of_all)
    life = Life(plan, None, input_ref=0)
    life.open()
    for number in range(1, count + 1):
        life.succeed(f"s{number}", LARGE, 9002)
    return life


def test_all_payloads_that_a_step_names_are_asked_for_at_once() -> None:
    mapping = {"c": "${steps.s3.output}", "a": "${steps.s1.output}", "both": "${steps.s1.output + steps.s3.output}"}
    life = calls(3, transform("t", mapping))
    assert sorted(asked_for(life, "go")) == [1, 3]


def test_payloads_of_all_steps_that_begin_together_are_asked_for_at_once() -> None:
    """Fails where each of them has the decision made once more."""
    way: tuple[str, list[str]] = ("size(steps.s2.output) > 0 && size(steps.s3.output) > 0", [])
    life = calls(4, transform("t", {"a": "${steps.s1.output}"}), decision("d", way))
    assert sorted(asked_for(life, "go")) == [1, 2, 3]


def test_payloads_of_all_conditions_that_are_due_are_asked_for_at_once() -> None:
    steps = [http(f"c{n}", condition=f"size(steps.s{n}.output) > 0") for n in (1, 2)]
    later = http("c3", condition="size(steps.s3.output) > 0", depends_on=["c1"])
    assert sorted(asked_for(calls(3, *steps, later), "go")) == [1, 2]


def test_payloads_of_the_process_output_are_asked_for_at_once() -> None:
    life = calls(3, output=["${steps.s1.output}", "${steps.s2.output}", "${steps.s3.status}"])
    assert sorted(asked_for(life, "go")) == [1, 2]


def test_what_a_branch_that_is_not_taken_names_is_not_asked_for() -> None:
    way = ("size(steps.s1.output) > 0", ["a"])
    other = transform("b", {"x": "${steps.s2.output}", "y": "${input}"}, depends_on=["d"])
    life = calls(2, decision("d", way, fallback=["b"]), transform("a", {}, depends_on=["d"]), other)
    assert asked_for(life, "go") == (1,)


def test_only_what_is_missing_is_asked_for_and_the_one_found_missing_comes_first() -> None:
    life = calls(3, transform("t", {"x": "${steps.s3.output}", "y": "${steps.s1.output}", "z": "${steps.s2.output}"}))
    life.payloads = {3: LARGE}
    with pytest.raises(PayloadNeeded) as asked:
        life.succeed("go")
    assert (asked.value.number, asked.value.numbers) == (1, (1, 2))


def test_a_payload_that_is_not_touched_is_not_asked_for() -> None:
    life = lived(http("a"), http("b"), transform("c", {"a": "${steps.b.output}"}))
    life.succeed("a", LARGE, 9002)
    life.payloads = {}
    life.succeed("b", 1)
    assert life.state.status == "COMPLETED"


def test_a_large_input_is_payload_zero() -> None:
    life = Life(plan_of(transform("t", {"x": "${input.y}"}), input_schema={"required": ["y"]}), None, input_ref=0)
    with pytest.raises(PayloadNeeded) as asked:
        life.open()
    assert asked.value.number == 0
    life.payloads = {0: {"y": 1}}
    assert types(life.open())[-1] == "process.completed"


def test_large_payloads_and_outputs_of_events_and_processes_are_referred_to() -> None:
    life = lived(event("e", "big", "${input}"), value=LARGE, output="${input}")
    written = life.history[2].body
    assert isinstance(written, CustomerEvent)
    assert (written.payload_ref, life.state.output_ref, life.state.payloads) == (1, 2, 3)


def test_the_output_of_a_decision_stays_in_its_event() -> None:
    names = [f"s{'x' * 60}{i:03}" for i in range(99)]
    value = {f"k{i}": "y" * 190 for i in range(25)}
    when = {"all": [{"field": f"input.{key}", "operator": "eq", "value": text} for key, text in value.items()]}
    chain = [wait(name, seconds=0, depends_on=["d", *names[max(0, i - 1) : i]]) for i, name in enumerate(names)]
    life = lived(decision("d", (when, names)), *chain, value=value)
    output = life.activity("d").output
    assert output["chosen"] == names
    assert len(msgspec.json.encode(output)) > PAYLOAD_BYTES
    assert life.state.status == "COMPLETED"


@pytest.mark.parametrize("name", ["", "x" * 201, ["a"], {}])
def test_a_signal_name_that_is_no_name_fails_the_wait(name: Any) -> None:
    life = lived(wait("w", signal="${input.n}"), value={"n": name})
    assert life.activity("w").error.code == "expression_failed"


@pytest.mark.parametrize("key", ["${input.k}", "${input.?missing}", "${input.none}", ""])
def test_a_correlation_key_that_comes_to_nothing_fails_the_wait(key: str) -> None:
    life = lived(wait("w", signal="s", correlation_key=key), value={"k": "", "none": None})
    error = life.activity("w").error
    assert (error.code, error.details["pointer"]) == ("expression_failed", "/steps/0/config/correlation_key")


def test_a_correlation_key_that_is_not_written_is_none() -> None:
    assert lived(wait("w", signal="s")).activity("w").wait.correlation == ""


def test_created_events_have_their_defaults() -> None:
    assert ProcessCreated(definition_id=1, version=1).priority == 0
