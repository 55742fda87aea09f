"""What must hold for every definition, every order of commands and every outcome."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from engine.core.commands import (
    Cancel,
    Command,
    Completed,
    CompleteTask,
    Failed,
    Mail,
    Opened,
    RejectTask,
    Reported,
    Retry,
    Signal,
    Woken,
)
from engine.core.compile import compile_definition
from engine.core.decide import decide
from engine.core.definition import parse_definition
from engine.core.events import Event, ProcessRetried, decode_body, encode_body
from engine.core.evolve import evolve, fold
from engine.core.model import SETTLED, TERMINAL, Activity, ActivityStatus, Category, Failure, State, next_due
from engine.core.transitions import ACTIVITY_MOVES, PROCESS_MOVES, allowed
from tests.unit.core.given import Life
from tests.unit.core.lives import arbitrary_commands, documents, inputs, json_values

quick = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


class Watched(Life):
    """A life that checks every decision."""

    mails = 0

    def do(self, command: Command) -> list[Event]:
        before, frozen = self.state, msgspec.json.encode(self.state)
        again = decide(self.plan, before, command, self.inputs)
        assert again == decide(self.plan, before, command, self.inputs), "the same question has the same answer"
        events = super().do(command)
        assert msgspec.json.encode(before) == frozen, "an old state is never changed"
        check_events(before, events)
        check_mail(command, events)
        check_state(self)
        return events

    def send(self, order: Any) -> list[Event]:
        self.mails += 1
        return self.do(Mail(1000 + self.mails, order))


def check_events(state: State, events: list[Event]) -> None:
    for made in events:
        assert made.seq == state.seq + 1
        assert state.last_at is None or made.at >= state.last_at
        assert made.at == events[0].at
        assert decode_body(made.type, 1, encode_body(made.body)) == made.body
        assert made.body.status is None or made.body.status is not state.status, "named only where it changes"
        if state.status in TERMINAL:
            assert made.type in ("command.rejected", "process.retried"), "nothing runs after the end"
        after = evolve(state, made)
        check_moves(state, made, after)
        check_waiting(after)
        state = after


def check_moves(before: State, made: Event, after: State) -> None:
    assert allowed(PROCESS_MOVES, before.status, after.status, made.type), (before.status, after.status, made.type)
    for path, activity in after.activities.items():
        old = before.activities.get(path)
        was = old.status if old else ActivityStatus.PENDING
        if isinstance(made.body, ProcessRetried) and path in made.body.resets:
            assert allowed(ACTIVITY_MOVES, was, ActivityStatus.PENDING, made.type)
            was = ActivityStatus.PENDING
        assert allowed(ACTIVITY_MOVES, was, activity.status, made.type), (path, was, activity.status, made.type)
        if old and old.status is ActivityStatus.SKIPPED and activity.status is not ActivityStatus.SKIPPED:
            assert old.skip_reason == "process_ended"
        if old:
            assert activity.attempt >= old.attempt
            assert activity.run == old.run


def check_waiting(state: State) -> None:
    statuses = [a.status for a in state.activities.values()]
    if state.status == "WAITING":
        assert ActivityStatus.WAITING in statuses
        assert not any(runs(a) for a in state.activities.values())
    elif state.status == "IN_PROGRESS" and ActivityStatus.WAITING in statuses:
        assert any(runs(a) for a in state.activities.values())
    elif state.status in TERMINAL:
        assert all(status in SETTLED for status in statuses)


def runs(activity: Activity) -> bool:
    between = activity.status is ActivityStatus.PENDING and activity.due_at is not None
    return activity.status is ActivityStatus.RUNNING or between


def check_mail(command: Command, events: list[Event]) -> None:
    named = [made.body.command for made in events if made.body.command is not None]
    assert named == ([command.id] if isinstance(command, Mail) else [])
    if isinstance(command, Mail):
        assert events[0].body.command == command.id


def check_state(life: Life) -> None:
    state = life.state
    assert fold(life.history) == state
    running = [p for p, a in state.activities.items() if a.status is ActivityStatus.RUNNING]
    assert all(life.plan.effectful(path) for path in running), "pure steps are decided at once"
    if state.status == "CREATED":
        return
    settled = sum(a.status in SETTLED for a in state.activities.values()) == len(life.plan.steps)
    assert settled == (state.status in TERMINAL), "a process ends with its last step"
    if state.status not in TERMINAL and not running and next_due(state) is None:
        kinds = {a.wait.kind for a in state.activities.values() if a.wait}
        assert kinds & {"signal", "task"}, "nothing will ever move this process"


def running(life: Life) -> list[str]:
    return [p for p, a in life.state.activities.items() if a.status is ActivityStatus.RUNNING]


def waiting(life: Life, kind: str) -> list[str]:
    return [p for p, a in life.state.activities.items() if a.wait is not None and a.wait.kind == kind]


def act(draw: Any, life: Watched) -> None:
    """Do one thing that the world outside might do."""
    choice = draw(st.integers(0, 11))
    open_paths = running(life)
    if choice < 5 and open_paths:
        path = draw(st.sampled_from(open_paths))
        outcome: Completed | Failed = Completed(draw(st.sampled_from([None, {"n": 1}, "x" * 9000])))
        if choice < 2:
            failure = Failure(Category.EXTERNAL, "http_500", "it broke")
            outcome = Failed(failure, draw(st.integers(0, 3)) > 0, draw(st.sampled_from([None, 0.5, 99999])))
        life.do(Reported(path, life.activity(path).attempt, outcome))
    elif choice == 5:
        life.do(Opened())
    elif choice == 6 and waiting(life, "task"):
        path = draw(st.sampled_from(waiting(life, "task")))
        task_orders = [
            CompleteTask(path=path, by="ann", data={"ok": 1}),
            CompleteTask(path=path, by="ann"),
            RejectTask(path=path, by="bo"),
        ]
        life.send(draw(st.sampled_from(task_orders)))
    elif choice == 7 and waiting(life, "signal"):
        wait = life.activity(draw(st.sampled_from(waiting(life, "signal")))).wait
        assert wait is not None
        life.send(signal(draw(st.integers(1, 99)), wait))
    elif choice == 8:
        life.send(draw(st.sampled_from([Retry(by="ann"), Retry(), Cancel(by="bo")])))
    elif choice == 9:
        life.do(draw(arbitrary_commands))
    else:
        due = next_due(life.state)
        life.now = due if due and choice == 10 else life.now + timedelta(seconds=draw(st.integers(-5, 60)))
        life.do(Woken())


def signal(number: int, wait: Any) -> Signal:
    return Signal(signal_id=number, name=wait.signal, correlation=wait.correlation, data={"n": number})


def drain(life: Watched) -> None:
    """Let everything succeed: the process must come to its end."""
    for round_ in range(200):
        if life.state.status in TERMINAL:
            return
        if life.state.status == "CREATED":
            life.do(Opened())
        elif running(life):
            path = running(life)[0]
            life.do(Reported(path, life.activity(path).attempt, Completed({"n": 1}, 7)))
        elif waiting(life, "task"):
            life.send(CompleteTask(path=waiting(life, "task")[0], by="ann", data={"ok": True}))
        elif waiting(life, "signal"):
            wait = life.activity(waiting(life, "signal")[0]).wait
            life.send(signal(1000 + round_, wait))
        else:
            due = next_due(life.state)
            assert due is not None
            life.now = max(due, life.now)
            life.do(Woken())
    raise AssertionError("the process never ends")


@quick
@given(documents(), inputs, st.data())
def test_any_process_under_any_fate_keeps_its_promises_and_ends(document: Any, value: Any, data: Any) -> None:
    life = Watched(compile_definition(parse_definition(document)), value)
    life.jitter = data.draw(st.sampled_from([0.0, 0.5, 0.999]))
    for _ in range(data.draw(st.integers(0, 25))):
        act(data.draw, life)
    drain(life)
    event(str(life.state.status))


@quick
@given(documents(), inputs, st.lists(arbitrary_commands, max_size=15))
def test_decide_is_total_over_arbitrary_commands(document: Any, value: Any, commands: Any) -> None:
    life = Watched(compile_definition(parse_definition(document)), value)
    for command in commands:
        life.do(command)


@quick
@given(documents(), inputs)
def test_a_process_whose_calls_all_succeed_fails_only_by_an_expression_or_its_time(document: Any, value: Any) -> None:
    life = Watched(compile_definition(parse_definition(document)), value)
    drain(life)
    if life.state.error is not None:
        assert life.state.error.category in (Category.VALIDATION, Category.TIMEOUT)


@quick
@given(documents(), inputs, st.data())
def test_folding_from_any_snapshot_gives_the_same_state(document: Any, value: Any, data: Any) -> None:
    life = Watched(compile_definition(parse_definition(document)), value)
    drain(life)
    cut = data.draw(st.integers(1, len(life.history)))
    snapshot = msgspec.json.decode(msgspec.json.encode(fold(life.history[:cut])), type=State)
    assert fold(life.history[cut:], snapshot) == life.state


@quick
@given(st.lists(json_values, min_size=1, max_size=3))
def test_any_output_ends_in_a_state_that_can_be_written(outputs: Any) -> None:
    life = Watched(compile_definition(parse_definition({"name": "x", "steps": [
        {"id": f"s{i}", "type": "http", "config": {"url": "http://a"}} for i in range(len(outputs))
    ]})))  # fmt: skip
    life.open()
    for index, output in enumerate(outputs):
        if life.state.status == "IN_PROGRESS":
            life.do(Reported(f"s{index}", 1, Completed(output)))
