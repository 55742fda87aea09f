"""Reading definitions: defaults, and every fault with its place."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.definition import parse_definition
from engine.errors import InvalidDefinition
from tests.unit.core.given import decision, document, event, http, manual, transform, wait

LEAF = {"field": "input.n", "operator": "eq", "value": 1}


def faults(value: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidDefinition) as fault:
        parse_definition(value)
    assert fault.value.findings
    assert all(finding.message for finding in fault.value.findings)
    return [(finding.pointer, finding.code) for finding in fault.value.findings]


def test_defaults_are_filled_in() -> None:
    found = parse_definition({"name": "n", "steps": [http("a", config={"url": "https://x.example"})]})
    assert (found.enabled, found.description, found.trigger, found.timeout_seconds) == (True, None, None, None)
    [step] = found.steps
    assert (step.join, step.depends_on, step.order, step.condition) == ("any", None, None, None)
    config: Any = step.config
    assert (config.method, config.timeout_seconds, config.max_response_bytes) == ("GET", 30, 1 << 20)


def test_the_shape_of_the_design_is_valid_as_it_stands() -> None:
    policy = {"max_attempts": 3, "initial_interval_seconds": 1, "backoff_coefficient": 2.0, "max_interval_seconds": 60}
    found = parse_definition({
        "name": "n", "description": "d", "enabled": False, "retry_policy": policy, "timeout_seconds": 60,
        "trigger": {"type": "event", "event_name": "x", "conditions": [LEAF, "trigger.type == 'event' && now > timestamp(input.t)"],
                    "schedule": "0 9 * * *"},
        "steps": [{"id": "a", "order": 1, "type": "transform", "name": "A", "config": {"mapping": {}},
                   "condition": LEAF,
                   "retry_policy": policy, "depends_on": [], "timeout_seconds": 5}],
        "input_schema": {"type": "object"}, "output": {"x": "${input.n}"}, "metadata": {"any": ["thing"]},
    })  # fmt: skip
    assert found.retry_policy is not None
    assert found.retry_policy.max_attempts == 3
    assert found.metadata == {"any": ["thing"]}


def test_null_counts_as_absent() -> None:
    step = http("a", depends_on=None, condition=None, timeout_seconds=None)
    found = parse_definition(document(step, description=None, trigger=None, timeout_seconds=None))
    assert found.steps[0].depends_on is None


def test_what_the_engine_adds_to_a_document_is_tolerated_and_kept_aside() -> None:
    extra = {"id": "wf_1", "tenant_id": "t", "environment_id": "e", "version": 3, "status": "published",
             "created_at": "x", "created_by": "y"}  # fmt: skip
    assert parse_definition(document(http("a"), **extra)).declared == extra
    assert faults(document(http("a"), updated_at="x")) == [("/updated_at", "unknown_field")]


def test_an_unknown_field_comes_with_a_suggestion() -> None:
    with pytest.raises(InvalidDefinition) as fault:
        parse_definition(document(http("a", retry_polcy={}, config={"url": "http://a", "methd": "GET"})))
    advice = {finding.pointer: finding.advice for finding in fault.value.findings}
    assert advice == {
        "/steps/0/retry_polcy": "Did you mean 'retry_policy'?",
        "/steps/0/config/methd": "Did you mean 'method'?",
    }


def test_all_faults_are_found_at_once() -> None:
    found = faults({
        "name": " ", "trigger": {"type": "event"}, "output": "${steps.x.output}",
        "steps": [http("a", depends_on=["b"], config={"url": "ftp://x"}), http("a"), http("1x"), 7, wait("w")],
    })  # fmt: skip
    assert {
        ("/name", "wrong_form"), ("/steps/0/depends_on/0", "unknown_step"), ("/steps/0/config/url", "url_invalid"),
        ("/steps/1/id", "duplicate_id"), ("/steps/2/id", "wrong_form"), ("/steps/3", "wrong_type"),
        ("/steps/4/config", "wait_unclear"), ("/trigger", "missing_field"), ("/output", "unknown_step"),
    } == set(found)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ("", "wrong_type")),
        ([], ("", "wrong_type")),
        ({}, ("", "missing_field")),
        ({"name": "x", "steps": []}, ("/steps", "wrong_count")),
        ({"name": "x", "steps": {}}, ("/steps", "wrong_type")),
        (document(*[http(f"s{i}") for i in range(101)]), ("/steps", "wrong_count")),
        (document(http("a"), name="x" * 201), ("/name", "wrong_length")),
        (document(http("a"), enabled="yes"), ("/enabled", "wrong_type")),
        (document(http("a"), timeout_seconds=0), ("/timeout_seconds", "out_of_range")),
        (document(http("a"), timeout_seconds=True), ("/timeout_seconds", "wrong_type")),
        (document(http("a"), metadata="x" * 70_000), ("/metadata", "too_large")),
        (document(http("a"), description="\0"), ("/description", "nul_character")),
        (document(http("a"), metadata="x" * (1 << 20)), ("/metadata", "too_large")),
        (document(http("a" * 65)), ("/steps/0/id", "wrong_length")),
        (document(http("a b")), ("/steps/0/id", "wrong_form")),
        (document(http("a\n")), ("/steps/0/id", "wrong_form")),
        (document({"id": "a", "type": "htp", "config": {}}), ("/steps/0/type", "unknown_value")),
        (document({"id": "a", "type": "http"}), ("/steps/0", "missing_field")),
        (document(http("a", join="some")), ("/steps/0/join", "unknown_value")),
        (document(http("a", order=1.5)), ("/steps/0/order", "wrong_type")),
        (document(http("a", timeout_seconds=-1)), ("/steps/0/timeout_seconds", "out_of_range")),
        (document(http("a", retry_policy={"max_attempts": 0})), ("/steps/0/retry_policy/max_attempts", "out_of_range")),
        (document(http("a", retry_policy={"max_attempts": 101})),
         ("/steps/0/retry_policy/max_attempts", "out_of_range")),
        (document(http("a", retry_policy={"backoff_coefficient": 0.5})),
         ("/steps/0/retry_policy/backoff_coefficient", "out_of_range")),
        (document(http("a", retry_policy={"max_interval_seconds": -1})),
         ("/steps/0/retry_policy/max_interval_seconds", "out_of_range")),
        # links
        (document(http("a", depends_on=["a"])), ("/steps/0/depends_on/0", "self_reference")),
        (document(http("a"), http("b", depends_on=["x"])), ("/steps/1/depends_on/0", "unknown_step")),
        (document(http("a"), http("b", depends_on=["a", "a"])), ("/steps/1/depends_on/1", "duplicate")),
        (document(http("a", order=1), http("b", order=1)), ("/steps/1/order", "duplicate_order")),
        (document(http("a", order=1), http("b")), ("/steps/1", "order_missing")),
        (document(http("a", order=2), http("b", order=1, depends_on=["a"])), ("/steps/1/depends_on", "against_order")),
        (document(http("a"), decision("d", (True, ["a"]))), ("/steps/0", "against_order")),
        (document(decision("d", (True, ["x"]))), ("/steps/0/config/branches/0/then/0", "unknown_step")),
        (document(decision("d", (True, ["d"]))), ("/steps/0/config/branches/0/then/0", "self_reference")),
        (document(decision("d", fallback=["a"]), http("a", depends_on=[])),
         ("/steps/0/config/fallback/0", "target_not_dependent")),
        # expressions
        (document(transform("a", {"x": "${steps.b.output}"}), transform("b")),
         ("/steps/0/config/mapping/x", "not_an_ancestor")),
        (document(transform("a", {"x": "${steps.a.output}"})), ("/steps/0/config/mapping/x", "not_an_ancestor")),
        (document(transform("a", {"x": "${steps.nix.output}"})), ("/steps/0/config/mapping/x", "unknown_step")),
        (document(transform("a", {"x": [1, "${1 + size(steps.nix.output)}"]})), ("/steps/0/config/mapping/x/1", "unknown_step")),
        (document(transform("a", {"x": "${has(steps.nix.output)}"})), ("/steps/0/config/mapping/x", "unknown_step")),
        (document(transform("a", {"x": "${steps.nix.?output}"})), ("/steps/0/config/mapping/x", "unknown_step")),
        (document(transform("a", {"x": "${input.l.map(l, steps.b.output)}"}), transform("b")),
         ("/steps/0/config/mapping/x", "not_an_ancestor")),
        (document(transform("a", {"x": {"y": "${input."}})), ("/steps/0/config/mapping/x/y", "expression_invalid")),
        (document(http("a", condition="input.a > ")), ("/steps/0/condition", "expression_invalid")),
        (document(http("a", condition="input.a + 1")), ("/steps/0/condition", "expression_invalid")),
        (document(http("a", condition="'yes'")), ("/steps/0/condition", "expression_invalid")),
        (document(http("a", condition="inputs.a > 1")), ("/steps/0/condition", "expression_invalid")),
        (document(http("a", condition="input.a.sum(1) > 1")), ("/steps/0/condition", "expression_invalid")),
        (document(http("a", condition={"all": [True, {"not": "input.a >"}]})), ("/steps/0/condition/all/1/not", "expression_invalid")),
        (document(decision("d", ("size(input.a)", []))), ("/steps/0/config/branches/0/when", "expression_invalid")),
        (document(decision("d", (True, []), fallback=[]), output="${steps.d.output.branch +}"), ("/output", "expression_invalid")),
        (document(wait("w", signal="a", correlation_key="${input.}")), ("/steps/0/config/correlation_key", "expression_invalid")),
        (document(wait("w", seconds="${'a' * 2}")), ("/steps/0/config/seconds", "expression_invalid")),
        (document(manual("m", title="Check ${input.a")), ("/steps/0/config/title", "expression_invalid")),
        (document(event("e", payload={"a": ["${}"]})), ("/steps/0/config/payload/a/0", "expression_invalid")),
        (document(http("a", config={"url": "https://x.example/${input.a +}"})), ("/steps/0/config/url", "expression_invalid")),
        (document({**decision("d"), "config": {"on_error": "ignore"}}), ("/steps/0/config/on_error", "unknown_value")),
        (document(http("a", condition={"field": "steps.b.output", "operator": "exists"}), http("b")),
         ("/steps/0/condition", "not_an_ancestor")),
        (document(http("a", condition=7)), ("/steps/0/condition", "wrong_type")),
        (document(decision("d", ({"all": [{**LEAF, "operator": "like"}]}, []))),
         ("/steps/0/config/branches/0/when/all/0/operator", "expression_invalid")),
        (document(decision("d", ("steps.x.output", []))), ("/steps/0/config/branches/0/when", "unknown_step")),
        (document(transform("a", {"x": "${secrets.A}"})), ("/steps/0/config/mapping/x", "expression_invalid")),
        (document(http("a", condition="secrets.A")), ("/steps/0/condition", "expression_invalid")),
        (document(http("a", condition="secrets.A == 'x'")), ("/steps/0/condition", "expression_invalid")),
        (document(http("a", condition={"field": "secrets.A", "operator": "exists"})), ("/steps/0/condition", "expression_invalid")),
        (document(decision("d", ("has(secrets.A)", []))), ("/steps/0/config/branches/0/when", "expression_invalid")),
        (document(wait("w", signal="${secrets.A}")), ("/steps/0/config/signal", "expression_invalid")),
        (document(manual("m", title="${[1].map(x, secrets.A)[0]}")), ("/steps/0/config/title", "expression_invalid")),
        (document(event("e", payload="${secrets['A']}")), ("/steps/0/config/payload", "expression_invalid")),
        (document(http("a"), output="${secrets.A}"), ("/output", "expression_invalid")),
        # http
        (document(http("a", config={"url": "https://u:p@x.example"})), ("/steps/0/config/url", "literal_secret")),
        (document(http("a", config={"url": "/path"})), ("/steps/0/config/url", "url_invalid")),
        (document(http("a", config={"url": "http://a", "method": "get"})), ("/steps/0/config/method", "unknown_value")),
        (document(http("a", config={"url": "http://a", "expect_status": []})),
         ("/steps/0/config/expect_status", "wrong_count")),
        (document(http("a", config={"url": "http://a", "expect_status": 99})),
         ("/steps/0/config/expect_status", "out_of_range")),
        (document(http("a", config={"url": "http://a", "max_response_bytes": 11 << 20})),
         ("/steps/0/config/max_response_bytes", "out_of_range")),
        (document(http("a", config={"url": "http://a", "query": {"x": {}}})),
         ("/steps/0/config/query/x", "wrong_type")),
        (document(http("a", config={"url": "http://a", "headers": {"A b": "x"}})),
         ("/steps/0/config/headers/A b", "header_invalid")),
        (document(http("a", config={"url": "http://a", "headers": {"A": "x\n"}})),
         ("/steps/0/config/headers/A", "header_invalid")),
        (document(http("a", config={"url": "http://a", "headers": {"Idempotency-Key": "x"}})),
         ("/steps/0/config/headers/Idempotency-Key", "header_reserved")),
        # event, wait, manual
        (document(event("a", "process.done")), ("/steps/0/config/name", "reserved_name")),
        (document(event("a", "${input.n}")), ("/steps/0/config/name", "wrong_form")),
        (document(wait("w", signal="a", seconds=1)), ("/steps/0/config", "wait_unclear")),
        (document(wait("w", seconds=1, correlation_key="x")), ("/steps/0/config/correlation_key", "wait_unclear")),
        (document(wait("w", seconds=-1)), ("/steps/0/config/seconds", "out_of_range")),
        (document(wait("w", seconds="soon")), ("/steps/0/config/seconds", "wrong_type")),
        (document(wait("w", until="tomorrow")), ("/steps/0/config/until", "timestamp_invalid")),
        (document(wait("w", signal="a", on_timeout="stop")), ("/steps/0/config/on_timeout", "unknown_value")),
        (document(manual("m", title=" ")), ("/steps/0/config/title", "wrong_form")),
        (document(manual("m", on_reject="no")), ("/steps/0/config/on_reject", "unknown_value")),
        (document(manual("m", form={"type": "objekt"})), ("/steps/0/config/form/type", "schema_invalid")),
        # trigger
        (document(http("a"), trigger={"type": "cron"}), ("/trigger/type", "unknown_value")),
        (document(http("a"), trigger={"type": "scheduled"}), ("/trigger", "missing_field")),
        (document(http("a"), trigger={"type": "scheduled", "schedule": "61 * * * *"}),
         ("/trigger/schedule", "cron_invalid")),
        (document(http("a"), trigger={"type": "scheduled", "schedule": "x" * 150}),
         ("/trigger/schedule", "cron_invalid")),
        (document(http("a"), trigger={"type": "scheduled", "schedule": {"cron": "0 9 * * *", "timezone": "Mars"}}),
         ("/trigger/schedule/timezone", "timezone_unknown")),
        (document(http("a"), trigger={"type": "scheduled", "schedule": {"cron": "0 9 * * *", "timezone": "../../etc"}}),
         ("/trigger/schedule/timezone", "timezone_unknown")),
        (document(http("a"), trigger={"type": "event", "event_name": "x", "conditions": [{"field": 1}]}),
         ("/trigger/conditions/0/field", "expression_invalid")),
        (document(http("a"), trigger={"type": "event", "event_name": "x", "conditions": LEAF}),
         ("/trigger/conditions", "wrong_type")),
        (document(http("a"), trigger={"type": "event", "event_name": "x", "conditions": "input.a > 1"}),
         ("/trigger/conditions", "wrong_type")),
        (document(http("a"), trigger={"type": "event", "event_name": "x", "conditions": [["input.a"]]}),
         ("/trigger/conditions/0", "wrong_type")),
        (document(http("a"), trigger={"type": "event", "event_name": "x", "conditions": [True] * 101}),
         ("/trigger/conditions", "wrong_count")),
        *((document(http("a"), trigger={"type": "event", "event_name": "x", "conditions": [True, source]}),
           ("/trigger/conditions/1", "expression_invalid"))
          for source in ("steps.a.output", "process.id == 'x'", "secrets.A == ''", "input.a +", "1 + 1")),
        # schemas
        (document(http("a"), input_schema=[]), ("/input_schema", "wrong_type")),
        (document(http("a"), input_schema={"properties": {"x": {"type": 7}}}),
         ("/input_schema/properties/x/type", "schema_invalid")),
    ],
)  # fmt: skip
def test_every_fault_has_its_place_and_code(value: Any, expected: Any) -> None:
    assert expected in faults(value)


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ({"$ref": "https://evil.example/schema"}, "remote_reference"),
        ({"$ref": "file:///etc/passwd"}, "remote_reference"),
        ({"properties": {"a": {"$ref": "other.json"}}}, "remote_reference"),
        ({"$id": "https://x.example", "$ref": "#/$defs/a", "$defs": {"a": {}}}, "remote_reference"),
        ({"$dynamicRef": "#x"}, "remote_reference"),
        ({"$schema": "https://evil.example/dialect"}, "schema_invalid"),
        ({"$ref": "#/$defs/none"}, "schema_invalid"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "recursive_schema"),
        ({"pattern": "(?=a)b"}, "schema_invalid"),
        ({"pattern": r"(a)\1"}, "schema_invalid"),
        ({"pattern": "((a{1000}){1000}){1000}"}, "schema_invalid"),
        ({"pattern": "a" * 1001}, "schema_invalid"),
        ({"enum": list(range(6000))}, "schema_too_large"),
        ({"allOf": [{"allOf": [{"$ref": "#/$defs/a0"}] * 2}], "$defs": {
            **{f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(30)}, "a30": {}}},
         "schema_too_large"),
    ],
)  # fmt: skip
def test_hostile_schemas_are_refused(schema: Any, code: Any) -> None:
    assert faults(document(http("a"), input_schema=schema))[0][1] == code
    [(pointer, found), *_] = faults(document(manual("m", form=schema)))
    assert found == code
    assert pointer.startswith("/steps/0/config/form")


def test_a_schema_with_definitions_and_a_hard_pattern_works_in_linear_time() -> None:
    from engine.core.schemas import Validator, Violation

    validator = Validator({"$defs": {"p": {"type": "string", "pattern": "^(a+)+$"}}, "$ref": "#/$defs/p"})
    validator.check("a" * 50_000)
    with pytest.raises(Violation):
        validator.check("a" * 50_000 + "!")


@pytest.mark.parametrize("header", ["Authorization", "authorization", "Cookie"])
@pytest.mark.parametrize("value", ["Bearer abc", "abc", "Bearer ${input.token}", "Bearer abc${secrets.A}", "x=1",
                                   "Basic ${secrets.A}x", "a=b; c=${secrets.A}", "Basic ${base64.encode('user:password')}",
                                   "Bearer ${'abc'}", "Basic ${base64.encode(input.user + ':' + input.password)}",
                                   "${'Bearer '}${secrets.A}", "Bearer ${input.a}${secrets.A}"])  # fmt: skip
def test_literal_credentials_are_refused(header: Any, value: Any) -> None:
    config = {"url": "http://a", "headers": {header: value}}
    assert (f"/steps/0/config/headers/{header}", "literal_secret") in faults(document(http("a", config=config)))


@pytest.mark.parametrize(
    ("header", "value"),
    [("Authorization", "${secrets.TOKEN}"), ("Authorization", "Bearer ${secrets.TOKEN}"), ("Cookie", "${secrets.C}"),
     ("Cookie", "session=${secrets.C}"), ("cookie", "a=${secrets.A}; b=${secrets.B}"), ("X-Trace", "literal"),
     ("Authorization", "Basic ${base64.encode(secrets.USER + ':' + secrets.PASS)}"), ("Authorization", "${'Bearer ' + secrets.TOKEN}"),
     ("Authorization", "Bearer ${\n secrets.TOKEN // comment }\n}"), ("Cookie", "a=${hash.sha256(secrets.A)}; b=${secrets['B']}"),
     ("X-Signature", "${hash.sha256(secrets.KEY + input.body)}")],
)  # fmt: skip
def test_credentials_by_reference_are_allowed(header: Any, value: Any) -> None:
    parse_definition(document(http("a", config={"url": "http://a", "headers": {header: value}})))


def test_a_cycle_is_named() -> None:
    with pytest.raises(InvalidDefinition) as fault:
        parse_definition(
            document(http("a", depends_on=["c"]), http("b", depends_on=["a"]), http("c", depends_on=["b"]))
        )
    [finding] = fault.value.findings
    assert finding.code == "cycle"
    assert "a → b → c → a" in finding.message


def test_fifty_steps_side_by_side_are_allowed_and_one_more_is_not() -> None:
    parse_definition(document(*[http(f"s{i}", depends_on=[]) for i in range(50)]))
    assert faults(document(*[http(f"s{i}", depends_on=[]) for i in range(51)])) == [("/steps", "too_parallel")]


def test_a_hundred_steps_one_after_the_other_are_allowed() -> None:
    assert len(parse_definition(document(*[http(f"s{i}") for i in range(100)])).steps) == 100


def test_a_decision_may_name_its_descendants() -> None:
    parse_definition(document(decision("d", (True, ["b"])), http("a", depends_on=["d"]), http("b", depends_on=["a"])))


def test_the_output_may_refer_to_any_step() -> None:
    parse_definition(document(http("a"), http("b", depends_on=[]), output=["${steps.a.output}", "${steps.b.status}"]))


def test_cron_with_a_time_zone_is_allowed() -> None:
    schedule = {"cron": "30 9 * * 1-5", "timezone": "Europe/Berlin"}
    found = parse_definition(document(http("a"), trigger={"type": "scheduled", "schedule": schedule}))
    assert found.trigger is not None
    assert found.trigger.schedule is not None
    assert found.trigger.schedule.timezone == "Europe/Berlin"
