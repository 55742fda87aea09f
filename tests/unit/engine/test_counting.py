"""Counters, histograms and what is written of them; the database is asked rarely."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine import measure
from engine.families import COUNTED, MEASURED
from engine.instruments import MOST_SERIES, OTHER, Declared, Histogram
from engine.measure import AWAY, FRESH_S, Measure
from engine.metrics import MOST_DEFINITIONS, WorkerMetrics, permitted
from engine.observe import ProcessEnded, Ticked, Trouble, WorkerChanged

UNITS = ("_seconds", "_bytes", "_total", "_info", "_months")
COUNTS = (  # gauges and histograms that count the thing they are named after
    "_processes",
    "_jobs",
    "_mails",
    "_workers",
    "_events",
    "_calls",
    "_connections",
    "_requests",
    "_overdue",
    "_unmatched",
)
YES_OR_NO = {"stepwell_worker_registered", "stepwell_database_up"}


def text(metrics: WorkerMetrics) -> str:
    return metrics.text({"database_up": 1.0})[0].decode()


def test_a_histogram_writes_each_value_into_all_buckets_from_its_own_on() -> None:
    spread = Histogram(Declared("x_seconds", "histogram", "x", ("k",), (1.0, 2.0)))
    for value in (0.5, 1.0, 1.5, 99.0):
        spread.observe(value, ("a",))
    written = {s.name + s.labels.get("le", ""): s.value for s in spread.family().samples}

    assert written == {
        "x_seconds_bucket1.0": 2,
        "x_seconds_bucket2.0": 3,
        "x_seconds_bucket+Inf": 4,
        "x_seconds_count": 4,
        "x_seconds_sum": 102.0,
    }


def test_series_beyond_the_limit_are_counted_together() -> None:
    spread = Histogram(Declared("x_seconds", "histogram", "x", ("k",), (1.0,)))
    for number in range(MOST_SERIES + 10):
        spread.observe(0.5, (str(number),))
    counts = {s.labels["k"]: s.value for s in spread.family().samples if s.name == "x_seconds_count"}

    assert len(counts) == MOST_SERIES + 1
    assert counts[OTHER] == 10


def test_definitions_beyond_the_limit_have_no_series_of_their_own() -> None:
    metrics = WorkerMetrics()
    for number in range(MOST_DEFINITIONS + 50):
        metrics(ProcessEnded(definition=f"d{number}", status="COMPLETED", duration_s=1.0))
        metrics(ProcessEnded(definition="d0", status="COMPLETED", duration_s=1.0))
    ended = {
        sample.labels["definition"]: sample.value
        for family in text_string_to_metric_families(text(metrics))
        for sample in family.samples
        if sample.name == "stepwell_processes_ended_total"
    }

    assert len(ended) == MOST_DEFINITIONS + 1
    assert (ended["d0"], ended[OTHER]) == (MOST_DEFINITIONS + 51, 50)


def test_a_customers_name_cannot_forge_a_line() -> None:
    metrics = WorkerMetrics()
    forged = 'x"} 1\nstepwell_database_up 0\n# '
    metrics(ProcessEnded(definition=forged, status="COMPLETED"))
    found = [s for f in text_string_to_metric_families(text(metrics)) for s in f.samples]

    assert [s.value for s in found if s.name == "stepwell_database_up"] == [1.0]
    assert forged in [s.labels.get("definition") for s in found]


@pytest.mark.parametrize("told", [WorkerChanged(worker=1, what="fenced"), Trouble(where="session", message="x")])
def test_a_worker_without_its_row_holds_nothing(told: WorkerChanged | Trouble) -> None:
    metrics = WorkerMetrics()
    metrics(WorkerChanged(worker=1, what="registered"))
    metrics(Ticked(duration_s=0.01, claimed=3, holds=3, slots=10, calls=2))
    assert "\nstepwell_worker_holds_processes 3.0\n" in text(metrics)
    metrics(told)

    for name in ("registered", "holds_processes", "calls"):
        assert f"\nstepwell_worker_{name} 0.0\n" in text(metrics)


def test_every_metric_says_its_unit_and_no_label_grows_with_the_work() -> None:
    for said in (*COUNTED, *MEASURED):
        assert said.name.startswith("stepwell_")
        assert said.name.endswith((*UNITS, *COUNTS)) or said.name in YES_OR_NO, said.name
        assert said.name.endswith("_total") == (said.kind == "counter"), said.name
        assert bool(said.bounds) == (said.kind == "histogram"), said.name
        assert list(said.bounds) == sorted(set(said.bounds))
        forbidden = {"process", "process_id", "step", "path", "tenant", "environment", "worker", "key", "url", "host"}
        assert forbidden.isdisjoint(said.labels), said.name


@pytest.mark.parametrize(
    ("header", "token", "may"),
    [
        (None, None, True),
        ("Bearer whatever", None, True),
        ("Bearer t", "t", True),
        ("bearer  t ", "t", True),
        (None, "t", False),
        ("Bearer", "t", False),
        ("Bearer tt", "t", False),
        ("Basic t", "t", False),
        ("Bearer é".encode().decode("latin-1"), "é", True),
        ("Bearer \u20ac", "t", False),
        ("Bearer " + "t" * 100_000, "t", False),
    ],
)
def test_who_may_scrape(header: str | None, token: str | None, may: bool) -> None:
    assert permitted(header, token) is may


class Database:
    """Answers when it is let, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer = '{"queue_depth_jobs": 7}'
        self.free = asyncio.Event()
        self.free.set()
        self.now = 100.0

    async def ask(self) -> str:
        self.asked += 1
        await self.free.wait()
        if not self.answer:
            raise OSError
        return self.answer


async def test_many_scrapes_ask_once_until_the_answer_is_old() -> None:
    database = Database()
    asking = Measure(database.ask, lambda: database.now)
    answers = await asyncio.gather(*(asking.now() for _ in range(20)))
    await asking.now()
    assert database.asked == 1
    assert answers == [{"database_up": 1.0, "queue_depth_jobs": 7.0}] * 20
    database.now += FRESH_S
    await asking.now()

    assert database.asked == 2


async def test_what_took_the_database_long_is_asked_again_later_and_never_too_late() -> None:
    """Fails where a measurement that takes half a second is made every ten seconds, or where one answer is kept for good."""
    database = Database()
    asking = Measure(database.ask, lambda: database.now)
    for asked, (took_s, kept_s) in enumerate([(0.1, 10), (0.5, 25), (2.5, 60)], 1):
        database.free.clear()
        scrape = asyncio.create_task(asking.now())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        database.now += took_s
        database.free.set()
        await scrape
        database.now += kept_s - 0.5
        await asking.now()
        assert database.asked == asked
        database.now += 1
    await asking.now()
    assert database.asked == 4


async def test_a_database_that_does_not_answer_is_away_and_is_not_asked_by_every_scrape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measure, "PATIENCE_S", 0.01)
    database = Database()
    database.free.clear()
    asking = Measure(database.ask, lambda: database.now)
    for _ in range(3):
        assert await asking.now() == AWAY
        database.now += FRESH_S
    assert database.asked == 1
    database.free.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    database.now += FRESH_S
    assert (await asking.now())["database_up"] == 1

    await asking.close()


@pytest.mark.parametrize("answer", ["", "no json", "[1]", '{"a": "b"}'])
async def test_whatever_goes_wrong_means_that_it_is_away(answer: str) -> None:
    database = Database()
    database.answer = answer

    assert await Measure(database.ask).now() == AWAY
