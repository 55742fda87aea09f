"""Strategies: random definitions of all six types, and random commands for the lives of their processes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from engine.core.commands import (
    AssignTask,
    Broken,
    Cancel,
    Command,
    Completed,
    CompleteTask,
    Failed,
    Mail,
    Opened,
    RejectTask,
    Reported,
    Resume,
    Retry,
    Signal,
    Unreadable,
    Woken,
)
from engine.core.model import Category, Failure

scalars = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=12)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
SIGNALS = ("go", "stop")
KEYS = ("", "k1")
FORM = {"type": "object", "required": ["ok"]}

_conditions = st.sampled_from(
    [
        True,
        False,
        {"field": "input.flag", "operator": "eq", "value": True},
        {"not": {"field": "input.flag", "operator": "exists"}},
        {"any": [{"field": "input.n", "operator": "gt", "value": 3}, "input.flag"]},
    ]
)
_faulty = st.sampled_from([{"field": "input.missing", "operator": "eq", "value": 1}, "input.n"])
_seconds = st.sampled_from([0, 1, 5, 30])
_timeouts = st.none() | st.sampled_from([1, 10, 100])


_TASK = {"form": st.just(FORM), "due_seconds": st.just(5), "on_reject": st.sampled_from(["fail", "continue"])}


@st.composite
def _config(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    match kind:
        case "http":
            return {"url": "https://partner.example/${input.n}", "body": {"n": "${input}"}}
        case "event":
            return {"name": "thing.done", "payload": draw(st.sampled_from([None, "${input.n}", {"a": "${input}"}]))}
        case "transform":
            reference = draw(st.sampled_from(["${input.n}", "n is ${input.n}", "${process.id}", "${input}"]))
            return {"mapping": {"value": reference if draw(st.integers(0, 19)) else "${input.missing}"}}
        case "manual":
            rest = draw(st.fixed_dictionaries({}, optional=_TASK))
            return {"title": "Task ${input.n}", **rest}
        case "wait":
            return draw(_wait_config())
    return {}


@st.composite
def _wait_config(draw: st.DrawFn) -> dict[str, Any]:
    config: dict[str, Any] = draw(
        st.one_of(
            st.fixed_dictionaries({"signal": st.sampled_from(SIGNALS), "correlation_key": st.sampled_from(KEYS)}),
            st.fixed_dictionaries({"seconds": _seconds}),
            st.just({"until": "2026-03-01T12:00:20Z"}),
        )
    )
    timeout = draw(_timeouts)
    if timeout is not None:
        config["timeout_seconds"] = timeout
        config["on_timeout"] = draw(st.sampled_from(["fail", "continue"]))
    return config


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a valid definition, as a sequence or as a graph."""
    count = draw(st.integers(1, 8))
    graph = draw(st.booleans())
    kinds = ["http", "http", "event", "transform", "manual", "wait", "decision"]
    steps: list[dict[str, Any]] = []
    for index in range(count):
        kind = draw(st.sampled_from(kinds))
        step: dict[str, Any] = {"id": f"s{index}", "type": kind, "config": draw(_config(kind))}
        if graph and draw(st.booleans()):
            step["depends_on"] = sorted(draw(st.sets(st.sampled_from([f"s{i}" for i in range(index)]), max_size=3))
                                        if index else [])  # fmt: skip
            step["join"] = draw(st.sampled_from(["any", "all", "always"]))
        chance = draw(st.integers(0, 29))
        if chance < 9:
            step["condition"] = draw(_conditions if chance else _faulty)
        timeout = draw(_timeouts)
        if timeout:
            step["timeout_seconds"] = timeout
        if draw(st.booleans()):
            step["retry_policy"] = {"max_attempts": draw(st.integers(1, 3))}
        steps.append(step)
    _name_targets(draw, steps)
    rest: dict[str, Any] = {}
    if draw(st.integers(0, 4)) == 0:
        rest["timeout_seconds"] = draw(st.sampled_from([5, 50]))
    if draw(st.integers(0, 9)) == 0:
        rest["output"] = {"n": "${input.n}", "last": f"${{steps.s{count - 1}.output}}"}
    if draw(st.integers(0, 9)) == 0:
        rest["input_schema"] = {"required": ["n", "flag"]}
    return {"name": "random", "steps": steps, **rest}


def _name_targets(draw: st.DrawFn, steps: list[dict[str, Any]]) -> None:
    """Give each decision branches over later steps that it may name."""
    for index, step in enumerate(steps):
        if step["type"] != "decision":
            continue
        free = [s["id"] for s in steps[index + 1 :] if step["id"] in s.get("depends_on", [step["id"]])]
        lists = st.lists(st.sampled_from(free), max_size=3, unique=True) if free else st.just([])
        branches = [{"when": draw(_conditions), "then": draw(lists)} for _ in range(draw(st.integers(0, 3)))]
        step["config"] = {"branches": branches, "fallback": draw(lists)}


inputs = st.fixed_dictionaries({"n": st.integers(0, 9)}, optional={"flag": st.booleans(), "large": st.just("x" * 9000)})

_paths = st.sampled_from([f"s{i}" for i in range(9)])
_failures = st.builds(
    Failure, st.sampled_from(Category), st.text(max_size=9), st.text(max_size=9), st.none(), json_values
)
_outcomes = st.builds(Completed, json_values) | st.builds(
    Failed, _failures, st.booleans(), st.none() | st.floats() | st.integers(0, 99)
)
_people = st.sampled_from([None, "ann", "bo"])
_orders = st.one_of(
    st.builds(Cancel, by=_people, reason=_people),
    st.builds(Retry, by=_people),
    st.builds(CompleteTask, path=_paths, run=st.integers(0, 2), by=_people, data=json_values),
    st.builds(RejectTask, path=_paths, run=st.integers(0, 2), by=_people, reason=_people),
    st.builds(
        AssignTask, path=_paths, run=st.integers(0, 2), by=_people, to=_people, claim=st.booleans(),
    ),
    st.builds(Resume, path=_paths, run=st.none() | st.integers(0, 2), by=_people, output=json_values),
    st.builds(
        Signal, signal_id=st.integers(1, 5), name=st.sampled_from((*SIGNALS, "other")),
        correlation=st.sampled_from(KEYS), data=json_values,
    ),
    st.builds(Unreadable, why=st.text(max_size=9)),
)  # fmt: skip
arbitrary_commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(Opened),
    st.builds(Woken),
    st.builds(Broken, _failures),
    st.builds(Reported, _paths, st.integers(0, 3), _outcomes),
    st.builds(Mail, st.integers(1, 2**62), _orders),
)
