"""The capacity plan: what is made up for a definition, the arithmetic by hand, and one small run from end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from msgspec.structs import replace

from api.app import POOL_SIZE
from bench.capacity import asked, sizing, stubs
from bench.capacity import page as documentation
from bench.capacity.answers import Answer, answers
from bench.capacity.asked import PerStep
from bench.capacity.command import Asked as Options
from bench.capacity.command import command, prepared
from bench.capacity.doors import offer
from bench.capacity.durations import longest
from bench.capacity.finding import Effort, Found
from bench.capacity.output import page
from bench.capacity.payload import minimal
from bench.capacity.reading import read
from bench.capacity.report import Report, made, markdown
from bench.capacity.search import Search, Seen, refusal, seen
from bench.capacity.site import Setup
from bench.capacity.sizing import Cost, Target
from bench.capacity.stage import Stage, Trial
from bench.meter import Machine
from engine import hold
from engine.core.compile import compile_definition
from engine.core.definition import parse_definition
from engine.core.schemas import Validator
from engine.errors import BadInput, InvalidDefinition

ROOT = Path(__file__).parents[2]


def example(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "examples" / f"{name}.yaml").read_text())
    return document


def http(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "type": "http", "config": {"url": f"https://{id_}.example/", **more}}


def mapping(id_: str = "after", **fields: str) -> dict[str, Any]:
    return {"id": id_, "type": "transform", "config": {"mapping": fields}}


def made_up(*steps: dict[str, Any], given: dict[str, Any] | None = None) -> dict[str, Any]:
    document = {"name": "d", "steps": list(steps)}
    return {name: answer.value for name, answer in answers(document, read(document), given or {}).items()}


def decision(when: Any) -> dict[str, Any]:
    return {"id": "after", "type": "decision", "config": {"branches": [{"when": when}]}}


# -- what the stubs answer


@pytest.mark.parametrize(
    ("when", "body"),
    [
        ("steps.ask.output.body.score > 700", {"score": 701}),
        ("700 < steps.ask.output.body.score", {"score": 701}),
        ("steps.ask.output.body.score >= 650 && steps.ask.output.body.score >= 300", {"score": 650}),
        ("steps.ask.output.body.score < 10 || steps.ask.output.body.score >= 650", {"score": 650}),
        ("steps.ask.output.body.state == 'open'", {"state": "open"}),
        ("steps.ask.output.body.state in ['new', 'open']", {"state": "new"}),
        ("!steps.ask.output.body.blocked", {"blocked": True}),
        ("steps.ask.output.body.name.startsWith('a')", {"name": "name-1"}),
        ("steps.ask.output.body.lines.exists(l, l.price > 10.0)", {"lines": [{"price": 11.0}]}),
        ("steps.ask.output.body.prices.sum() > 10", {"prices": [1]}),
        ("timestamp(steps.ask.output.body.at) < now", {"at": "2030-01-01T00:00:00Z"}),
        ({"field": "steps.ask.output.body.a.b", "operator": "gte", "value": 5}, {"a": {"b": 5}}),
        ("steps.ask.output.body.list[1].id == 'x'", {"list": [{"id": "x"}, {"id": "x"}]}),
    ],
)
def test_an_answer_is_what_an_expression_reads_of_it(when: Any, body: Any) -> None:
    assert made_up(http("ask"), decision(when)) == {"ask": body}


def test_what_may_be_missing_is_left_out_of_an_answer() -> None:
    body = "steps.ask.output.body"
    read_of_it = {
        "a": f"${{{body}.?maybe.orValue(1)}}",
        "b": f"${{has({body}.there) ? {body}.there.inside : 0}}",
        "c": f"${{{body}.?lines.orValue([]).map(l, l.price)}}",
        "d": f"${{{body}.certain}}",
    }
    assert made_up(http("ask"), mapping(**read_of_it)) == {"ask": {"certain": "certain-1"}}


def test_the_credit_decision_is_answered_so_that_its_rules_can_be_evaluated() -> None:
    document = example("credit-decision")
    found = answers(document, read(document), {})

    assert found["bureau"].value == {"score": 650}
    assert found["offer"] == Answer({"offer_id": "offer_id-1"}, ("offer_id",))


def test_signals_and_tasks_get_data_and_a_form_is_satisfied() -> None:
    document = example("order-fulfilment")
    form = next(step for step in document["steps"] if step["id"] == "approval")["config"]["form"]
    wait = {"id": "paid", "type": "wait", "config": {"signal": "paid"}}

    Validator(form).check(answers(document, read(document), {})["approval"].value)
    assert made_up(wait, mapping(sum="${steps.paid.output.amount * 2}")) == {"paid": {"amount": 1}}


def test_a_given_answer_stands_in_place_of_one_made_up() -> None:
    step = mapping(x="${steps.ask.output.body.rates[input.currency]}")
    assert made_up(http("ask"), step, given={"ask": {"rates": {}}}) == {"ask": {"rates": {}}}


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"x": "${steps.ask.output.body.rates[input.currency]}"}, "ask.output.body.rates"),
        ({"x": "${steps.ask.output.body.a + 1}", "y": "${steps.ask.output.body.a.trim()}"}, "ask.output.body.a"),
    ],
)
def test_where_no_answer_can_be_made_up_step_path_and_option_are_named(fields: dict[str, str], place: str) -> None:
    with pytest.raises(BadInput) as caught:
        made_up(http("ask"), mapping(**fields))

    (finding,) = caught.value.findings
    assert "'ask'" in finding.message
    assert place in finding.message
    assert "--answers" in caught.value.advice


# -- the input


@pytest.mark.parametrize(
    "schema",
    [
        *(example(name)["input_schema"] for name in ("credit-decision", "customer-onboarding", "order-fulfilment")),
        {"type": "integer", "exclusiveMinimum": 3, "maximum": 4},
        {"type": "number", "minimum": 2.5, "multipleOf": 0.5},
        {"type": "number", "exclusiveMaximum": 0.5, "exclusiveMinimum": 0},
        {"type": "string", "minLength": 12, "maxLength": 13},
        {"type": "array", "minItems": 2, "items": {"const": 7}},
        {"$defs": {"n": {"type": "object", "required": ["x"]}}, "$ref": "#/$defs/n"},
        {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        {"allOf": [{"required": ["a"]}, {"required": ["b"]}], "properties": {"a": {"type": "integer"}}},
    ],
)
def test_the_least_input_satisfies_its_schema(schema: dict[str, Any]) -> None:
    Validator(schema).check(minimal(schema).value)


def test_only_required_fields_are_made_up_and_all_are_named() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "object", "required": ["b"]}, "c": {}}}
    assert minimal(schema).value == {"a": {"b": "a"}}
    assert minimal(schema).made_up == ("a.b",)


def test_a_schema_that_is_too_clever_asks_for_a_payload() -> None:
    with pytest.raises(BadInput, match="no value can be made") as caught:
        minimal({"type": "string", "pattern": "^x{3}-[0-9]{4}-y$"})
    assert "--payload" in caught.value.advice


# -- how the definition is run


WORLD = stubs.World(PerStep(0.2, {"ask": 0.05}), PerStep(60.0), PerStep(3600.0, {"approve": 0.25}), 0.01)
WAITING: dict[str, Any] = {
    "name": "d",
    "trigger": {"type": "event", "event_name": "x"},
    "steps": [
        http("ask", expect_status=201, method="HEAD"),
        {"id": "pause", "type": "wait", "config": {"seconds": 86400}},
        {"id": "until", "type": "wait", "config": {"until": "${input.at}"}},
        {"id": "paid", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.order}"}},
        {"id": "approve", "type": "manual", "config": {"title": "Well?"}},
    ],
}


def test_partners_are_local_waits_are_short_and_each_signal_is_for_one_process() -> None:
    played = stubs.played(WAITING, {"ask": "http://127.0.0.1:1/ask"}, stubs.times(WAITING, WORLD))

    assert "trigger" not in played
    assert {step["id"]: step["config"] for step in played["steps"]} == {
        "ask": {"url": "http://127.0.0.1:1/ask", "method": "GET"},
        "pause": {"seconds": 1.5},
        "until": {"seconds": 1.5},
        "paid": {"signal": "paid", "correlation_key": "${process.id}"},
        "approve": {"title": "Well?"},
    }


def test_what_a_step_takes_in_its_own_world_is_kept_beside_what_is_played() -> None:
    lasting = stubs.times(WAITING, WORLD)

    assert lasting.real == {"ask": 0.05, "pause": 86400.0, "until": 60.0, "paid": 60.0, "approve": 0.25}
    assert lasting.played == {"ask": 0.05, "pause": 1.5, "until": 1.5, "paid": 1.5, "approve": 0.25}


def test_whatever_is_not_as_in_the_definition_is_an_assumption() -> None:
    lasting = stubs.times(WAITING, WORLD)
    given = {"ask": Answer({"a": "a-1"}, ("a",)), "paid": Answer({}, ("",)), "approve": Answer({"real": 1})}

    text = "\n".join(stubs.assumptions(WAITING, WORLD, lasting, given, ["TOKEN"]))

    assert "ask: a partner answers 200 after 50 ms." in text
    assert "refuse 1% of all calls" in text
    assert "pause: the wait is over after 24 h; 1.5 s while measuring." in text
    assert "paid: the signal comes after 60 s; 1.5 s while measuring." in text
    assert "approve: the task is completed after 250 ms." in text
    assert "ask: made up in its answer: a." in text
    assert "paid: nothing of the answer is read" in text
    assert "approve: made up" not in text
    assert "correlation key" in text
    assert "TOKEN" in text
    assert "timeout" not in text


def test_a_shortened_wait_is_one_that_a_worker_puts_aside_as_it_would_the_real_one() -> None:
    assert hold.SHORT.total_seconds() < stubs.SHORT_S


def test_what_comes_after_the_timeout_of_its_wait_is_told() -> None:
    wait = {"id": "paid", "type": "wait", "config": {"signal": "paid", "timeout_seconds": 30}}
    document = {"name": "d", "steps": [wait]}

    assert (
        "paid: the signal comes after 60 s; 1.5 s while measuring. That is after its timeout of 30 s, which is not played."
        in stubs.assumptions(document, WORLD, stubs.times(document, WORLD), {}, [])
    )


def test_a_process_takes_as_long_as_the_longest_way_through_the_steps_that_ran() -> None:
    steps = [
        {**http("a"), "depends_on": []},
        {**http("b"), "depends_on": ["a"]},
        {**http("c"), "depends_on": ["a"]},
        {**http("d"), "depends_on": ["b", "c"]},
    ]
    plan = compile_definition(parse_definition({"name": "d", "steps": steps}))
    seconds = {"a": 1.0, "b": 5.0, "c": 2.0, "d": 1.0}

    assert longest(plan, ["a", "b", "c", "d"], seconds) == 7.0
    assert longest(plan, ["a", "c", "d"], seconds) == 4.0


# -- finding the highest rate


def found_by(sustained: float, first: float, stages: int) -> tuple[list[float], Search]:
    search, tried = Search(first, stages), []
    while (rate := search.next()) is not None:
        tried.append(rate)
        search.note(rate, sustained=rate <= sustained)
    return tried, search


def test_the_rate_is_doubled_until_it_is_too_much_and_then_the_gap_is_halved() -> None:
    tried, search = found_by(sustained=350, first=100, stages=6)

    assert tried[:3] == [100, 200, 400]
    assert tried[3] == pytest.approx(283, abs=1)
    assert search.sustained <= 350 <= (search.refused or 0)
    assert len(tried) <= 6


def test_a_first_rate_that_is_too_high_is_halved() -> None:
    assert found_by(sustained=30, first=100, stages=3)[0] == [100, 50, 25]


def test_the_search_ends_early_where_the_gap_is_small_and_owns_up_where_nothing_was_too_much() -> None:
    tried, search = found_by(sustained=105, first=100, stages=20)
    assert len(tried) < 10
    assert search.refused is not None
    assert search.refused < search.sustained * 1.1
    assert found_by(sustained=1e9, first=100, stages=3)[1].refused is None


def test_time_counts_from_the_place_in_the_schedule_also_for_what_never_began() -> None:
    due = [0.0, 1.0, 2.0, 3.0]
    found = seen(due, [(0.5, 1.0), (1.0, 2.0), (2.25, 3.0), (None, None)], end=4.0, settled=1.0)

    assert (found.p50_s, found.p99_s, found.unended) == (0.25, 1.0, 1)
    assert found.whole_s == 1.0


def test_a_stage_in_which_fewer_end_than_arrive_is_not_sustained() -> None:
    due = [n / 100 for n in range(1000)]
    steady = seen(due, [(at, at + 1.0) for at in due], end=10.0, settled=1.0)
    behind = seen(due, [(at, at + 1.0 + at * 0.2) for at in due], end=10.0, settled=1.0)

    assert refusal(steady, 100, limit_s=0.5) == ""
    assert behind.growth_per_s == pytest.approx(100 - 100 / 1.2, rel=0.05)
    assert "in flight grows" in refusal(behind, 100, limit_s=0.5)


def test_a_few_processes_more_or_less_are_no_growth() -> None:
    due = [n / 100 for n in range(100)]
    uneven = seen(due, [(at, at + (0.02 if at < 0.5 else 0.08)) for at in due], end=1.0, settled=0.1)
    assert uneven.growth_per_s == 0


def test_a_stage_whose_processes_begin_late_is_not_sustained() -> None:
    due = [n / 100 for n in range(1000)]
    late = seen(due, [(at + 0.6, at + 1.0) for at in due], end=10.0, settled=1.0)
    assert "p95 from schedule to start is 600 ms, over 500 ms" in refusal(late, 100, limit_s=0.5)


class Recording:
    """A door behind which nothing is."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.finished = 0

    def start(self, count: int) -> None:
        self.started.append(count)

    def finish(self) -> None:
        self.finished = sum(self.started)


def test_every_start_of_the_schedule_is_made_however_late() -> None:
    door = Recording()
    due, late = offer(door, rate=100_000, seconds=0.05)

    assert door.finished == len(due) == 5000
    assert len(late) == len(door.started)
    assert due[-1] - due[0] == pytest.approx(4999 / 100_000, abs=1e-5)


# -- the arithmetic, by hand

COST = Cost(
    rate_per_s=100,
    workers=2,
    worker_cpu_s=0.002,
    server_cpu_s=0.001,
    api_cpu_s=0.0005,
    wal_bytes=5000,
    disk_bytes=4000,
    held=50,
    held_most=100,
    idle_rss_bytes=120_000_000,
    worker_rss_bytes=140_000_000,
    worker_connections=6,
    api_connections=10,
    api_rss_bytes=90_000_000,
    duration_s=1.5,
    own_s=100.0,
    played_s=1.0,
    parks=1,
)
TARGET = Target(rate_per_s=1000, days_kept=90, utilisation=0.5, slots=500)


def needed(cost: Cost = COST, target: Target = TARGET) -> dict[str, float]:
    return {need.name: need.value for need in sizing.needs(cost, target)}


def test_what_a_target_needs_is_what_one_computes_by_hand() -> None:
    assert needed() == pytest.approx({
        "worker processes": 4,  # 1000/s x 2 ms / 50 %
        "cores for workers": 4,
        "cores for PostgreSQL": 2,  # 1000/s x 1 ms / 50 %
        "API instances": 1,
        "cores for APIs": 1,
        "memory of an API instance": 90,
        "connections": 4 * 3 + 10 + 20,
        "WAL": 432,  # 1000/s x 5 kB x 86,400 s
        "disk": 345.6,
        "disk kept": 345.6 * 121,  # the oldest month is dropped when its last day is 90 days old
        "processes in flight": 100_500,  # 1000/s x (100 s of its own + 0.5 s that the engine took)
        "of them held by workers": 500,  # 50 held at 100/s: half a second each
        "memory of a worker process": 60 + 125 * 0.2,  # a quarter of 500 held, at 20 MB / 100
        "shared_buffers": 2 * 4e-6 * 1000 * (100.5 + 900),
        "memory of PostgreSQL": 4 * 8.004 + 42 * 10 * 2**20 / 1e9,
        "max_wal_size": 9,
    })  # fmt: skip


def test_workers_are_counted_by_slots_where_processes_are_held_long() -> None:
    tight = Target(rate_per_s=1000, days_kept=90, utilisation=0.5, slots=100)
    assert needed(target=tight)["worker processes"] == 10  # 500 held / (100 slots x 50 %)


def test_at_a_low_rate_the_one_worker_that_must_be_makes_connections_no_limit() -> None:
    low = {bound.name: bound.rate_per_s for bound in sizing.bounds(COST, replace(TARGET, rate_per_s=0.1))}
    assert low == {bound.name: bound.rate_per_s for bound in sizing.bounds(COST, TARGET)}


def test_what_waits_for_days_need_not_lie_in_memory() -> None:
    waiting = replace(COST, own_s=3 * 86_400.0)
    assert sizing.buffer_bytes(waiting, 1000) == pytest.approx(2 * 4000 * 1000 * (0.5 + 2 * 900))


def test_workers_never_hold_more_than_is_in_flight() -> None:
    noisy = needed(replace(COST, held=500, duration_s=1.5, own_s=1.0))  # 5 s each, of processes that take 1.5 s
    assert noisy["of them held by workers"] == noisy["processes in flight"] == 1500


def test_an_api_that_was_not_measured_is_not_counted_and_said_not_to_be() -> None:
    without = replace(COST, api_cpu_s=None, api_connections=0, api_rss_bytes=0)
    assert needed(without)["connections"] == 4 * 3 + 20
    told = reported(stage(300), sustained=300, bounded=False, cost=without).assumptions
    assert any("API was not measured" in text for text in told)


def test_every_need_says_how_it_is_computed() -> None:
    assert all(need.formula for need in sizing.needs(COST, TARGET))


def test_where_one_postgresql_ends_the_nearest_bound_is_named_first() -> None:
    bounds = {bound.name: bound.rate_per_s for bound in sizing.bounds(COST, TARGET)}

    assert next(iter(bounds)) == "disk"
    assert bounds == pytest.approx({
        "disk": 20e12 / (4000 * 86_400 * 121),
        "cores": 64 * 0.5 / 0.001,
        "WAL": 200e6 / 5000,
        "connections": 980 / (22 / 1000),
    })  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "days", "words"),
    [
        (400, 90, "One PostgreSQL suffices for 400 processes a second. The limit lies at about 470 processes a second"),
        (1300, 90, "One PostgreSQL does not suffice for 1,300 processes a second."),
        (1300, 90, "over 3 servers"),
        (1300, 1, "The limit lies at about 1,800 processes a second: 20 TB on disk, with 1 days and a month kept."),
    ],
)
def test_the_verdict_is_said_plainly(rate: float, days: float, words: str) -> None:
    assert words in sizing.verdict(COST, Target(rate, days, 0.5, 500))


# -- what is said of it


def stage(rate: float, refusal: str = "", **more: Any) -> Stage:
    shown = Seen(0.01, 0.02, 0.03, 1.5, 0.0)
    usual: dict[str, Any] = {
        "seconds": 8.0, "started": int(8 * rate), "seen": shown, "refusal": refusal, "late_s": 0.001,
        "worker_cores": 0.2, "server_cores": 0.2, "worker_cpu_s": 0.002, "server_cpu_s": 0.001, "api_cpu_s": None,
        "wal_bytes": 5000.0, "held": 50.0, "held_most": 500, "worker_rss_bytes": 140_000_000,
        "worker_connections": 6, "api_rss_bytes": 0,
    }  # fmt: skip
    return Stage(rate_per_s=rate, **{**usual, **more})


def reported(*stages: Stage, sustained: float, bounded: bool = True, cost: Cost = COST) -> Report:
    document = {"name": "d", "steps": [http("ask"), mapping("spare")]}
    plan = compile_definition(parse_definition(document))
    setup = Setup(document, plan, WORLD, stubs.times(document, WORLD), {}, {}, workers=1, slots=500)
    machine = Machine(2, "model", 8_000_000_000, "6", "3.11", "18", "ext4")
    trial = Trial(1.0, ("ask",), 1, 100.0, 1.0)
    return made(setup, Found(machine, trial, stages, sustained, bounded, cost), TARGET, Effort(), ["as told"])


@pytest.mark.parametrize(
    ("more", "held", "words"),
    [
        ({}, 50, "neither slots nor processors"),  # a backlog fills all slots, which does not make them the reason
        ({}, 90, "all 500 slots of each worker are taken"),  # 0.9 s held each x 500/s
        ({"worker_cores": 0.9}, 50, "workers' processor time is used up"),
        ({"server_cores": 1.6}, 50, "this machine's processors are used up"),
    ],
)
def test_what_was_used_up_beyond_the_highest_rate_is_named(more: dict[str, float], held: float, words: str) -> None:
    found = reported(stage(300), stage(500, "late", **more), stage(210), sustained=300, cost=replace(COST, held=held))
    assert ": 300 processes a second." in found.sustained
    assert words in found.sustained


def test_a_search_without_an_end_above_or_below_says_so() -> None:
    assert "at least 300 processes a second" in reported(stage(300), stage(210), sustained=300, bounded=False).sustained
    nothing = reported(stage(300, "late"), stage(210, "late"), sustained=0)
    assert nothing.sustained.startswith("No rate was sustained")
    assert any("70% of the lowest rate tried" in text for text in nothing.assumptions)
    assert not any("tmpfs" in text for text in nothing.assumptions)


def test_processes_that_failed_while_the_cost_was_taken_are_told() -> None:
    last = stage(210, seen=Seen(0.01, 0.02, 0.03, 1.5, 0.0, failed=7))
    told = reported(stage(300), stage(500, "late"), last, sustained=300).assumptions
    assert any("Of 1,680 processes 7 FAILED" in text for text in told)


def test_markdown_has_every_need_stage_bound_and_assumption() -> None:
    report = reported(stage(300), stage(500, "late | by far"), stage(210), sustained=300)
    text = markdown(report)

    for word in (
        report.verdict,
        report.sustained,
        "as told",
        "spare",
        "late \\| by far",
        "a process costs was taken here",
    ):
        assert word in text
    assert all(f"| {need.name} |" in text for need in report.needs)
    assert all(bound.words in text for bound in report.bounds)
    assert all(f"- {text_}" in text for text_ in report.assumptions)


def test_the_page_escapes_what_a_definition_says() -> None:
    report = replace(reported(stage(300), stage(500, "late"), stage(210), sustained=300), definition="<script>")
    assert "<script>" not in page(report)


# -- the page of the documentation


def test_the_worked_example_of_the_page_can_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = documentation.example((ROOT / documentation.PAGE).read_text())

    assert words[:3] == ["stepwell", "bench", "capacity"]
    context = command.make_context("capacity", words[3:])
    context.params.pop("as_json")
    setup, _ = prepared(Options(**context.params))
    assert setup.world.latency["welcome_email"] == 0.4


def test_a_fresh_report_takes_the_place_of_the_one_on_the_page_and_of_nothing_else() -> None:
    text = (ROOT / documentation.PAGE).read_text()
    filled = documentation.filled(text, "fresh\n")

    assert filled.startswith(text.partition(documentation.BEGIN)[0])
    assert filled.endswith(text.partition(documentation.END)[2])
    assert f"{documentation.BEGIN}\n\nfresh\n\n{documentation.END}" in filled


def test_the_page_is_made_from_the_command_it_shows_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["page", "--seconds", "1"])
    with pytest.raises(SystemExit, match="takes no options"):
        documentation.main()


# -- options


@pytest.mark.parametrize(
    ("text", "seconds"), [("200ms", 0.2), ("1.5s", 1.5), ("2min", 120), ("1h", 3600), ("3d", 259_200), ("7", 7)]
)
def test_durations_have_units(text: str, seconds: float) -> None:
    assert asked.seconds(text, "--limit") == pytest.approx(seconds)


def test_an_option_may_be_given_for_all_steps_and_for_one() -> None:
    found = asked.per_step(["50ms", "b=2s"], "--latency", 0.2, ["a", "b"])
    assert (found["a"], found["b"]) == (0.05, 2.0)


def invoked(tmp_path: Path, document: Any, *options: str) -> Result:
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(document))
    return CliRunner().invoke(command, ["--definition", str(file), "--rate", "10", *options])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--latency", "aks=1s"], ["--latency", "'aks'", "'ask'"]),
        (["--latency", "soon"], ["--latency", "'soon'", "200ms"]),
        (["--failures", "many"], ["--failures", "'many'", "1%"]),
        (["--failures", "100%"], ["--failures", "'100%'", "below 100%"]),
        (["--failures", "0.01"], ["--failures", "'0.01'", "with its sign, such as 1%"]),
        (["--utilisation", "0.7"], ["--utilisation", "'0.7'", "with its sign, such as 70%"]),
        (["--utilisation", "0%"], ["--utilisation", "70%"]),
        (["--payload", "nowhere.json"], ["--payload", "nowhere.json"]),
        (["--wait-seconds", "ask=1s"], ["--wait-seconds", "'ask'"]),
    ],
)
def test_bad_options_are_refused_in_a_line_that_names_them(
    options: list[str], words: list[str], tmp_path: Path
) -> None:
    error = invoked(tmp_path, {"name": "d", "steps": [http("ask")]}, *options).exception

    assert isinstance(error, BadInput)
    assert "\n" not in error.message
    assert all(word in f"{error.message} {error.advice}" for word in words), (error.message, error.advice)


def test_answers_for_an_unknown_step_are_refused_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text('{"aks": {}}')
    options = ("--answers", str(tmp_path / "answers.json"))
    error = invoked(tmp_path, {"name": "d", "steps": [http("ask")]}, *options).exception

    assert isinstance(error, BadInput)
    assert "--answers: no such step 'aks'" in error.message
    assert "'ask'" in error.advice


def test_a_payload_that_the_schema_refuses_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "payload.json").write_text('{"n": "x"}')
    document = {
        "name": "d",
        "steps": [mapping(x="1")],
        "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
    }
    error = invoked(tmp_path, document, "--payload", str(tmp_path / "payload.json")).exception

    assert isinstance(error, BadInput)
    assert "--payload" in error.message
    assert "/n" in error.message


def test_a_faulty_definition_gives_the_findings_of_validate(tmp_path: Path) -> None:
    document = {"name": "d", "steps": [{**http("ask"), "depends_on": ["nobody"]}, mapping(x="${steps.aks.output}")]}
    with pytest.raises(InvalidDefinition) as caught:
        parse_definition(document)

    error = invoked(tmp_path, document).exception

    assert isinstance(error, InvalidDefinition)
    assert error.findings == caught.value.findings


def test_a_definition_without_a_schema_gets_the_input_that_its_expressions_read(tmp_path: Path) -> None:
    file = tmp_path / "d.yaml"
    file.write_text(yaml.safe_dump({"name": "d", "steps": [mapping(x="${input.order.amount * 2}", y="${input.who}")]}))
    options = Options(file, 1, (), "0%", (), (), None, None, 90, "70%", 1, 500, "sql", 1, 1, "1s", None)

    setup, notes = prepared(options)

    assert setup.payload == {"order": {"amount": 1}, "who": "who-1"}
    assert any("order.amount, who" in note for note in notes)


# -- all of it

SMALL = {
    "name": "small",
    "input_schema": {"type": "object", "required": ["who"], "properties": {"who": {"type": "string"}}},
    "steps": [
        http("ask", method="POST", headers={"Authorization": "Bearer ${secrets.BUREAU}"}, body={"who": "${input.who}"}),
        {
            "id": "choose",
            "type": "decision",
            "config": {
                "branches": [{"when": "steps.ask.output.body.score > 700", "then": ["approve"]}],
                "fallback": ["refuse"],
            },
        },
        {"id": "approve", "type": "manual", "config": {"title": "${input.who}?", "form": {"type": "object"}}},
        mapping("refuse", no="1"),
        {"id": "paid", "type": "wait", "config": {"signal": "paid", "correlation_key": "${input.who}"}},
        {"id": "pause", "type": "wait", "config": {"seconds": 0.05}},
    ],
}


def test_a_small_definition_is_run_and_the_plan_names_every_assumption(tmp_path: Path) -> None:
    out = tmp_path / "out"
    waits = ("--wait-seconds", "20ms", "--task-seconds", "approve=10ms", "--latency", "ask=5ms")
    done = invoked(tmp_path, SMALL, "--seconds", "0.5", "--stages", "1", *waits, "--through", "api", "--out", str(out))

    assert done.exit_code == 0, done.exception
    report = json.loads(done.stdout)
    assert report["trial"]["ran"] == ["ask", "choose", "approve", "paid", "pause"]
    assert report["trial"]["own_s"] == pytest.approx(0.005 + 0.01 + 0.02 + 0.05)
    assert [stage["seen"]["failed"] for stage in report["stages"]] == [0, 0]
    assert all(stage["seen"]["unended"] == 0 and stage["started"] > 0 for stage in report["stages"])
    cost = report["cost"]
    assert min(cost[name] for name in ("worker_cpu_s", "server_cpu_s", "api_cpu_s", "wal_bytes", "disk_bytes")) > 0
    assert cost["worker_connections"] >= 1
    assert cost["api_connections"] == POOL_SIZE
    assert cost["parks"] == 3
    assert min(cost["idle_rss_bytes"], cost["api_rss_bytes"]) > 10_000_000
    assert cost["worker_rss_bytes"] >= cost["idle_rss_bytes"]
    assert "PostgreSQL" in report["verdict"]
    assumptions = "\n".join(report["assumptions"])
    for word in (
        "ask: a partner",
        "approve: the task",
        "paid: the signal",
        "pause: the wait",
        "BUREAU",
        "correlation key",
    ):
        assert word in assumptions
    for word in (
        "Made up in the input: who",
        "ask: made up in its answer: score",
        "Not run: refuse",
        "70% utilisation",
        "64 cores",
        "reads all that waits 20 times",
        "signals and completed tasks in batches",
        "mean rate decides disk",
        "by hand",
        "STEPWELL_HTTP_CONCURRENCY=1000",
    ):
        assert word in assumptions
    assert all(name in (out / "capacity.md").read_text() for name in ("worker processes", *report["assumptions"]))
    page = (out / "capacity.html").read_text()
    assert "<svg" in page or "matplotlib is missing" in page
    assert json.loads((out / "capacity.json").read_text()) == report
