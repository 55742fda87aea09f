"""Expressions of a process: what they give each type of step, what they read, what is told where they fail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from engine.core.decide import PayloadNeeded
from engine.core.model import PAYLOAD_BYTES
from engine.core.request import http_request
from tests.unit.core.given import NOW, Life, decision, event, http, lived, manual, plan_of, transform, wait

MAX_FAILURE = 8000  # bytes: as much as an event keeps of its own


def test_a_condition_may_compute() -> None:
    condition = "input.lines.filter(l, l.price * l.count > 100.0).size() > 1 && !input.lines.exists(l, l.count == 0)"
    lines = [{"price": 60.5, "count": 2}, {"price": 0.5, "count": 1000}, {"price": 1.0, "count": 1}]
    assert lived(http("a", condition=condition), value={"lines": lines}).status("a") == "RUNNING"
    assert lived(http("a", condition=condition), value={"lines": lines[1:]}).status("a") == "SKIPPED"
    life = lived(http("a", condition=condition), value={"lines": [{"price": "60.5", "count": 2}]})
    assert (life.status("a"), life.activity("a").error.code) == ("FAILED", "expression_failed")


def test_a_decision_may_compute_and_says_what_it_read() -> None:
    branches = (
        ("input.total * (1.0 - input.rebate) >= 100.0", ["a"]),
        ("input.tags.exists(t, t.startsWith('vip'))", ["b"]),
    )
    steps = decision("d", *branches), transform("a"), transform("b")
    life = lived(*steps, value={"total": 120.0, "rebate": 0.1, "tags": ["x"]})
    output = life.activity("d").output
    assert (output["branch"], output["chosen"]) == (0, ["a"])
    assert output["inputs"] == {"input.total": 120.0, "input.rebate": 0.1}
    life = lived(*steps, value={"total": 90.0, "rebate": 0.0, "tags": ["x", "vip-1"]})
    output = life.activity("d").output
    assert (output["branch"], output["chosen"], output["inputs"]["input.tags"]) == (1, ["b"], ["x", "vip-1"])
    assert life.statuses("a", "b") == ["SKIPPED", "COMPLETED"]


def test_a_decision_may_read_the_time() -> None:
    life = lived(
        decision("d", ("now > timestamp('2026-01-01T00:00:00Z') && now.getFullYear() == 2026", ["a"])), transform("a")
    )
    assert life.state.status == "COMPLETED"
    assert life.activity("d").output["chosen"] == ["a"]
    assert life.activity("d").output["inputs"] == {"now": "2026-03-01T12:00:00Z"}


def test_a_decision_over_large_values_keeps_its_output_small() -> None:
    condition = "input.l.all(i, i >= 0) && " + " && ".join(f"input.o.k{i} == '{'y' * 150}'" for i in range(40))
    value = {"l": list(range(5000)), "o": {f"k{i}": "y" * 150 for i in range(40)}}
    life = lived(decision("d", (condition, [])), value=value)
    assert life.state.status == "COMPLETED"
    assert len(msgspec.json.encode(life.activity("d").output)) < PAYLOAD_BYTES


def test_a_wait_and_its_correlation_may_compute() -> None:
    waiting = wait(
        "w",
        signal="${'paid-' + input.kind.lowerAscii()}",
        correlation_key="${input.orders.map(o, string(o.id)).join('/')}",
    )
    life = lived(waiting, value={"kind": "CARD", "orders": [{"id": 7}, {"id": "x"}]})
    assert (life.activity("w").wait.signal, life.activity("w").wait.correlation) == ("paid-card", "7/x")
    assert (
        lived(wait("w", signal="s", correlation_key="${input.n * 2}"), value={"n": 21}).activity("w").wait.correlation
        == "42"
    )
    assert lived(wait("w", signal="s", correlation_key="${[1]}")).activity("w").error.code == "expression_failed"


def test_a_wait_may_compute_how_long_it_takes() -> None:
    life = lived(
        wait("w", seconds="${input.hours * 3600 + 1}"),
        wait("u", until="${now + duration('90m')}", depends_on=[]),
        value={"hours": 2},
    )
    assert [life.activity(path).due_at for path in "wu"] == [NOW + timedelta(seconds=7201), NOW + timedelta(minutes=90)]
    assert lived(wait("w", seconds="${duration('5s')}")).activity("w").error.code == "expression_failed"


def test_a_task_may_compute_its_words() -> None:
    task = manual("m", title="${size(input.lines)} lines, ${input.lines.map(l, l.price).sum()} in all", group="${input.total > 100 ? 'chiefs' : 'clerks'}",
                  assignee="${input.?owner.orValue('')}")  # fmt: skip
    made = lived(task, value={"lines": [{"price": 1.5}, {"price": 8.5}], "total": 101}).activity("m").wait.task
    assert (made.title, made.group, made.assignee) == ("2 lines, 10 in all", "chiefs", None)


def test_an_event_and_the_output_of_a_process_may_compute() -> None:
    life = lived(event("e", payload={"ids": "${input.lines.map(l, l.id)}"}), transform("t", {"n": "${size(input.lines)}"}),
                 value={"lines": [{"id": 2}, {"id": 1}]},
                 output={"sorted": "${input.lines.sortBy(l, l.id).map(l, l.id)}", "say": "${steps.t.output.n + 1} of ${process.version}", "at": "${now}",
                         "left": "${steps.x.?output.orValue('none')}".replace("steps.x", "steps.t")})  # fmt: skip
    assert life.history[2].body.payload == {"ids": [2, 1]}
    assert life.state.output == {"sorted": [1, 2], "say": "3 of 1", "at": "2026-03-01T12:00:00Z", "left": {"n": 2}}


def test_what_is_no_json_is_written_as_json() -> None:
    mapping = {
        "at": "${now}",
        "for": "${[duration('90m')]}",
        "bytes": "${b'abc'}",
        "none": "${input.?x}",
        "some": "${input.?n}",
        "text": "${now + duration('1h')}!",
    }
    output = lived(transform("t", mapping), value={"n": 10.0}).activity("t").output
    assert output == {
        "at": "2026-03-01T12:00:00Z",
        "for": ["5400s"],
        "bytes": "YWJj",
        "none": None,
        "some": 10.0,
        "text": "2026-03-01T13:00:00Z!",
    }


@pytest.mark.parametrize("source", ["${double('inf')}", "${[-double('nan')]}", "${1e308 * 1e308}"])
def test_a_number_that_json_does_not_know_fails_the_step(source: str) -> None:
    life = lived(transform("t", {"x": source}))
    assert life.activity("t").error.code.startswith("output_")
    assert life.state.status == "FAILED"


# ---- on_error


def deciding(on_error: str | None, when: Any = "input.a > 1", **rest: Any) -> Life:
    step = decision("d", (when, ["a"]), fallback=["b"])
    if on_error is not None:
        step["config"]["on_error"] = on_error
    return lived(step, transform("a", rest.pop("mapping", {})), transform("b", rest.pop("other", {})), **rest)


@pytest.mark.parametrize("on_error", [None, "fail"])
def test_a_decision_that_cannot_be_made_fails(on_error: str | None) -> None:
    life = deciding(on_error, value={"a": "x"})
    assert (life.status("d"), life.activity("d").error.code, life.state.status) == (
        "FAILED",
        "expression_failed",
        "FAILED",
    )


def test_a_decision_that_cannot_be_made_may_fall_back() -> None:
    life = deciding("fallback", value={"a": "x"})
    output = life.activity("d").output
    assert (life.state.status, life.statuses("a", "b")) == ("COMPLETED", ["SKIPPED", "COMPLETED"])
    assert (output["branch"], output["chosen"], output["inputs"]) == ("fallback", ["b"], {"input.a": "x"})
    error = output["error"]
    assert (error["code"], error["category"], error["step_id"]) == ("expression_failed", "validation", "d")
    assert (error["details"]["expression"], error["details"]["column"]) == ("input.a > 1", 9)
    assert error["details"]["pointer"] == "/steps/0/config/branches/0/when"


def test_a_decision_that_can_be_made_tells_of_no_error() -> None:
    for value in ({"a": 2}, {"a": 1}):
        assert "error" not in deciding("fallback", value=value).activity("d").output
    assert "error" not in deciding("fallback", "input.x || true", value={}).activity("d").output


def test_later_branches_are_not_tried_after_an_error() -> None:
    step = decision("d", ("false", ["a"]), ("input.x", ["a"]), ("true", ["a"]), fallback=["b"])
    step["config"]["on_error"] = "fallback"
    life = lived(step, transform("a"), transform("b"), value={})
    assert life.activity("d").output["chosen"] == ["b"]


def test_nothing_else_falls_back() -> None:
    life = deciding("fallback", value={}, other={"x": "${input.missing}"})
    assert (life.status("d"), life.status("b"), life.state.status) == ("COMPLETED", "FAILED", "FAILED")
    life = deciding("fallback", True, mapping={"x": "${input.missing}"}, value={})
    assert (life.status("d"), life.status("a"), life.status("b")) == ("COMPLETED", "FAILED", "SKIPPED")
    step = decision("d", (True, ["a"]), fallback=["b"], condition="input.missing")
    step["config"]["on_error"] = "fallback"
    life = lived(step, transform("a"), transform("b"), value={})
    assert (life.status("d"), life.state.status) == ("FAILED", "FAILED")


def test_a_value_that_is_not_at_hand_is_asked_for_and_no_reason_to_fall_back() -> None:
    step = decision("d", ("input.a > 1 || true", ["a"]), fallback=["b"])
    step["config"]["on_error"] = "fallback"
    life = Life(plan_of(step, transform("a"), transform("b")), None, input_ref=0)
    with pytest.raises(PayloadNeeded):
        life.open()
    life.payloads = {0: {"a": 2}}
    life.open()
    assert life.activity("d").output["chosen"] == ["a"]


def test_work_without_end_is_no_reason_to_fall_back() -> None:
    life = deciding(
        "fallback",
        "input.l.map(a, input.l.map(b, input.l.map(c, a + b + c))).size() > 1",
        value={"l": list(range(300))},
    )
    assert (life.status("d"), life.state.status) == ("FAILED", "FAILED")
    assert life.state.error is not None
    assert (life.state.error.step_id, "too much work" in life.state.error.message) == ("d", True)


def test_a_huge_error_of_a_decision_stays_in_its_event() -> None:
    path = ".".join(["input", *[f"k{'x' * 60}" for _ in range(100)]])
    for when in (
        f"{path} > 1",
        f"'{'y' * 7000}' + input.a == 'z'",
        {"field": "input.a", "operator": "gt", "value": "z" * 20_000},
    ):
        life = deciding("fallback", when, value={"a": 1})
        assert life.state.status == "COMPLETED"
        assert len(msgspec.json.encode(life.activity("d").output)) < 2 * PAYLOAD_BYTES


# ---- now


def test_now_is_the_time_of_the_event_that_is_decided() -> None:
    life = lived(
        http("a"),
        transform("t", {"at": "${now}", "hour": "${now.getHours('Europe/Berlin')}"}),
        transform("u", {"at": "${now}"}),
    )
    life.now += timedelta(hours=2, milliseconds=5)
    life.succeed("a")
    assert life.activity("t").output == {"at": "2026-03-01T14:00:00.005Z", "hour": 15}
    assert life.activity("u").output == {"at": "2026-03-01T14:00:00.005Z"}
    assert [made.at for made in life.history if made.path == "t"] == [life.now]


def test_now_never_falls_within_a_process() -> None:
    life = lived(http("a"), transform("t", {"at": "${now}"}))
    life.now -= timedelta(hours=1)
    life.succeed("a")
    assert life.activity("t").output == {"at": "2026-03-01T12:00:00Z"}


def test_now_is_the_same_in_every_attempt_of_a_call() -> None:
    config = {
        "url": "https://x.example/${now.getHours()}",
        "headers": {"X-At": "${now}"},
        "body": {"at": "${now}", "age": "${now - timestamp(input.at)}"},
    }
    life = lived(http("a", config=config), value={"at": "2026-03-01T11:00:00Z"})
    first = http_request(life.plan, life.state, "a", life.inputs, {})
    assert first["body"] == {"at": "2026-03-01T12:00:00Z", "age": "3600s"}
    assert (first["url"], first["headers"]) == ("https://x.example/12", {"X-At": "2026-03-01T12:00:00Z"})
    for _ in range(2):
        life.fail("a", retryable=True)
        life.after(3600)
        assert life.activity("a").status == "RUNNING"
        again = http_request(life.plan, life.state, "a", life.inputs, {})
        assert (again["body"], again["url"], again["headers"]) == (first["body"], first["url"], first["headers"])
    assert life.activity("a").attempt == 3


# ---- what is told of a failure


def test_a_failure_tells_where_in_the_definition_it_happened() -> None:
    mapping = {"a": "fine ${input.n}", "b/c": ["x ${input.n}\n and ${input.lines.map(l, l.price * 2)}"]}
    error = (
        lived(transform("s"), transform("t", mapping), value={"n": 1, "lines": [{"price": 1}, {"prize": 1}]})
        .activity("t")
        .error
    )
    assert (error.category, error.code, error.step_id) == ("validation", "expression_failed", "t")
    assert error.details == {"where": "config", "expression": mapping["b/c"][0], "pointer": "/steps/1/config/mapping/b~1c/0",
                             "path": "l.price", "line": 2, "column": 29}  # fmt: skip


@pytest.mark.parametrize(
    ("step", "where", "pointer"),
    [
        (transform("t", {"x": "${input.x}"}), "config", "/config/mapping/x"),
        (http("t", condition="input.x"), "condition", "/condition"),
        (
            http("t", condition={"any": [False, {"field": "input.x", "operator": "eq", "value": 1}]}),
            "condition",
            "/condition/any/1/field",
        ),
        (decision("t", (False, []), ("input.x", [])), "config", "/config/branches/1/when"),
        (wait("t", signal="${input.x}"), "config", "/config/signal"),
        (wait("t", signal="s", correlation_key="a${input.x}"), "config", "/config/correlation_key"),
        (wait("t", seconds="${input.x}"), "config", "/config/seconds"),
        (wait("t", until="${input.x}"), "config", "/config/until"),
        (manual("t", title="a ${input.x}"), "config", "/config/title"),
        (event("t", payload=[{"a": "${input.x}"}]), "config", "/config/payload/0/a"),
    ],
)
def test_every_failure_of_an_expression_names_its_place(step: Any, where: str, pointer: str) -> None:
    error = lived(step, value={}).activity("t").error
    assert error.code == "expression_failed"
    assert error.details["where"] == where
    assert error.details["pointer"] == f"/steps/0{pointer}"
    assert (error.details["path"], error.details["line"]) == ("input.x", 1)


def test_the_failure_of_an_output_names_its_place() -> None:
    life = lived(transform("t"), value={"a": 1}, output={"x": ["${input.a}", "${input.a.b}"]})
    error = life.state.error
    assert error is not None
    assert error.details == {
        "where": "output",
        "expression": "${input.a.b}",
        "pointer": "/output/x/1",
        "path": "input.a.b",
        "line": 1,
        "column": 11,
    }


@pytest.mark.parametrize(
    "source",
    ["'" + "y" * 7000 + "' + input.n", "input.n['" + "k" * 7000 + "']", "input" + ".kkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" * 200,
     "input.n + " + " + ".join(["input.n"] * 200) + " + 'a'", "[" + ", ".join(["input.n"] * 700) + ", input.nix]", "input.s + 1",
     "\n" * 7000 + "input.nix", "'🦊' + '" + "🦊" * 3000 + "' + input.nix"],
    ids=range(8),
)  # fmt: skip
def test_the_failure_of_a_huge_expression_stays_small(source: str) -> None:
    life = lived(transform("t", {"x": f"${{dyn({source})}}"}), value={"n": 1, "s": "x" * 100_000})
    error = life.activity("t").error
    assert error.code == "expression_failed"
    assert error.details["pointer"] == "/steps/0/config/mapping/x"
    assert error.details["line"] >= 1
    assert len(msgspec.json.encode(error)) < MAX_FAILURE


@pytest.mark.parametrize(
    ("step", "value", "field", "says"),
    [
        (wait("t", seconds="${input.v}"), "soon", "seconds", "seconds must be a number from 0 to 315360000, and this is 'soon'"),
        (wait("t", seconds="${input.v}"), -1, "seconds", "and this is -1"),
        (wait("t", until="${input.v}"), "soon", "until", "until: 'soon' is not an RFC 3339 timestamp"),
        (wait("t", until="${input.v}"), 7, "until", "until: "),
        (wait("t", signal="${input.v}"), {}, "signal", "signal must be a text, and this is an object"),
        (wait("t", signal="${input.v}"), None, "signal", "signal must be a text, and this is null"),
        (wait("t", signal="${input.v}"), "", "signal", "signal must have 1 to 200 characters, and this has 0"),
        (wait("t", signal="s", correlation_key="${input.v}"), [1], "correlation_key", "correlation_key must be a text, and this is a list"),
        (wait("t", signal="s", correlation_key="${input.v}"), "x" * 501, "correlation_key", "must have 1 to 500 characters, and this has 501"),
        (wait("t", signal="s", correlation_key="${input.v}"), "🦊" * 300, "correlation_key", "must have at most 1000 bytes"),
        (manual("t", title="${input.v}"), True, "title", "title must be a text, and this is true or false"),
        (manual("t", assignee="${input.v}"), {}, "assignee", "assignee must be a text, and this is an object"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_names_its_place_and_what_it_came_to(
    step: Any, value: Any, field: str, says: str
) -> None:
    error = lived(step, value={"v": value}).activity("t").error
    assert error.code == "expression_failed"
    assert says in error.message
    assert error.details == {
        "where": "config",
        "expression": "input.v",
        "pointer": f"/steps/0/config/{field}",
        "path": "",
        "line": 1,
        "column": 1,
    }


def test_a_process_that_asks_for_too_much_work_fails_and_tells_where() -> None:
    source = "input.l.map(a, input.l.map(b, input.l.map(c, a + b + c)))"
    life = lived(transform("s"), transform("t", {"x": f"${{{source}}}"}), value={"l": list(range(300))})
    error = life.activity("t").error
    assert (error.code, life.state.status) == ("expression_failed", "FAILED")
    assert "too much work" in error.message
    assert error.details["pointer"] == "/steps/1/config/mapping/x"


def test_several_steps_share_the_work_of_one_decision() -> None:
    source = "${input.l.map(a, input.l.map(b, a * b)).size()}"
    steps = [transform(f"t{i}", {"x": source}) for i in range(40)]
    assert lived(steps[0], value={"l": list(range(200))}).state.status == "COMPLETED"
    assert lived(*steps, value={"l": list(range(200))}).state.status == "FAILED"
