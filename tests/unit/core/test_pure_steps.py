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
