"""One trace per process, across attempts, partners, retries and dead workers; a real receiver decodes it."""

from __future__ import annotations

import socket
from functools import partial as bound
from pathlib import Path

import pytest

from engine.core.ids import execution_id, private_id
from tests.certificates import Authority
from tests.engine.collector import Collector, collector
from tests.engine.scraping import OBSERVE, Scraper, partner
from tests.house import House, eventually

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"
UNSAMPLED = f"00-{TRACE}-00f067aa0ba902b7-00"
SERVER, CLIENT, INTERNAL = 2, 3, 1  # kinds of spans
CALLS = {
    "name": "calls",
    "steps": [
        {"id": "make", "type": "transform", "config": {"mapping": {"x": "${input.secret}"}}},
        {
            "id": "call",
            "type": "http",
            "config": {
                "url": "${input.url}",
                "headers": {"X-Secret": "${secrets.TOKEN}"},
                "timeout_seconds": 60,
            },
            "retry_policy": {"max_attempts": 2, "initial_interval_seconds": 0.01},
        },
    ],
}


def ended(house: House, process: str, status: str = "COMPLETED") -> bool:
    return house.status(process) == status


def root(receiver: Collector) -> bool:
    """Tell whether the span of a process has come; those of its activities came before it."""
    return bool(receiver.named("calls"))


def test_a_process_is_one_trace_with_its_callers_and_partners(house: House) -> None:
    house.publish(CALLS)
    with (
        collector() as receiver,
        partner(500, 200) as service,
        house.worker(*OBSERVE, STEPWELL_OTLP_URL=receiver.url, STEPWELL_SECRET_TOKEN="open-sesame") as worker,
    ):
        data = {"url": service.url, "secret": "payload-of-a-customer"}
        process = house.start("calls", data, labels=None, traceparent=CALLER)
        eventually(bound(root, receiver), what="the span of the process has come")
        assert Scraper(worker).metrics()['stepwell_spans_total{outcome="sent"}'] == 4

    (whole,), (made,), (first, second) = (receiver.named(n) for n in ("calls", "transform make", "http call"))
    assert {span.trace for span in receiver.spans} == {TRACE}
    assert whole.parent == "00f067aa0ba902b7"
    assert {span.parent for span in (made, first, second)} == {whole.id}
    assert len({span.id for span in receiver.spans}) == 4
    # The partner was told of the attempt that called it.
    told = [call["traceparent"] for call in service.calls]
    assert told == [f"00-{TRACE}-{first.id}-01", f"00-{TRACE}-{second.id}-01"]
    assert whole.start <= made.start <= made.end <= first.start < first.end < second.start < second.end <= whole.end
    assert (made.kind, first.kind, whole.kind) == (INTERNAL, CLIENT, INTERNAL)
    assert (whole.failed, first.failed, second.failed) == (False, True, False)
    assert (first.said, first.attributes["error.type"]) == ("service_error", "service_error")
    assert first.attributes["stepwell.error.category"] == "external"
    assert whole.attributes == {
        "stepwell.process.id": process,
        "stepwell.process.status": "COMPLETED",
        "stepwell.definition": "calls",
        "stepwell.definition.version": 1,
        "stepwell.tenant.id": house.scopes["acme_prod"][0],
        "stepwell.environment.id": house.scopes["acme_prod"][1],
    }
    assert second.attributes["stepwell.execution.id"] == execution_id(private_id("prc", process), "call")
    assert [s.attributes["stepwell.activity.attempt"] for s in (first, second)] == [1, 2]
    assert [s.attributes["stepwell.activity.outcome"] for s in (first, second)] == ["retrying", "completed"]
    assert receiver.service["service.name"] == "stepwell"
    for hidden in (b"payload-of-a-customer", b"open-sesame", service.url.encode()):
        assert hidden not in receiver.bytes


def test_a_trace_stays_one_when_its_worker_is_killed(house: House) -> None:
    house.publish(CALLS)
    with collector() as receiver, partner(200) as service:
        settings = {"STEPWELL_OTLP_URL": receiver.url, "STEPWELL_SECRET_TOKEN": "x"}
        service.hold.clear()
        with house.worker(**settings) as first:
            house.start("calls", {"url": service.url, "secret": 1})
            eventually(lambda: receiver.named("transform make"), what="the first worker has told of the first step")
            eventually(lambda: service.calls, what="called")
            first.kill()
        service.hold.set()
        with house.worker(**settings):
            eventually(bound(root, receiver), what="the second worker has told of the end")

    (whole,), (lost, done) = receiver.named("calls"), receiver.named("http call")
    assert len({span.trace for span in receiver.spans}) == 1
    assert whole.parent == ""
    assert {span.parent for span in receiver.spans} == {"", whole.id}
    assert (lost.attributes["stepwell.activity.outcome"], lost.failed) == ("lost", True)
    assert lost.end <= done.start
    assert [call["traceparent"].split("-")[2] for call in service.calls] == [lost.id, done.id]
    assert {call["traceparent"].split("-")[1] for call in service.calls} == {whole.trace}


def test_a_process_that_is_retried_goes_on_in_its_trace(house: House) -> None:
    house.publish(CALLS)
    with (
        collector() as receiver,
        partner(404, 200) as service,
        house.worker(STEPWELL_OTLP_URL=receiver.url, STEPWELL_SECRET_TOKEN="x"),
    ):
        process = house.start("calls", {"url": service.url, "secret": 1})
        eventually(bound(root, receiver), what="failed")
        with house.caller() as db:
            db.execute("select stepwell.retry_process(%s)", (process,))
        eventually(lambda: receiver.named("calls (retried)"), what="retried")

    (whole,), (again,) = receiver.named("calls"), receiver.named("calls (retried)")
    assert (whole.failed, again.failed) == (True, False)
    assert (again.trace, again.parent) == (whole.trace, whole.id)
    assert again.start >= whole.end


@pytest.mark.parametrize(
    ("ratio", "given", "recorded"),
    [("1", UNSAMPLED, False), ("0", CALLER, True), ("0", None, False), ("1", None, True)],
    ids=["the caller's no counts", "the caller's yes counts", "none of ours", "all of ours"],
)
def test_who_decides_what_is_traced(house: House, ratio: str, given: str | None, recorded: bool) -> None:
    house.publish(CALLS)
    with collector() as receiver, partner() as service:
        settings = {"STEPWELL_OTLP_URL": receiver.url, "STEPWELL_TRACE_RATIO": ratio, "STEPWELL_SECRET_TOKEN": "x"}
        with house.worker(**settings):
            process = house.start("calls", {"url": service.url, "secret": 1}, labels=None, traceparent=given)
            eventually(bound(ended, house, process), what="completed")

    assert bool(receiver.spans) == recorded  # the worker has ended, and sent what it had
    sent = service.calls[0]["traceparent"]
    assert sent.endswith("-01" if recorded else "-00")
    if given == UNSAMPLED:
        assert sent == given


@pytest.mark.parametrize("given", [CALLER, None])
def test_without_a_receiver_the_callers_context_is_handed_on_as_it_is(house: House, given: str | None) -> None:
    house.publish(CALLS)
    with partner() as service, house.worker(STEPWELL_SECRET_TOKEN="x"):
        process = house.start("calls", {"url": service.url, "secret": 1}, labels=None, traceparent=given)
        eventually(bound(ended, house, process), what="completed")

    assert service.calls[0].get("traceparent") == given


def test_a_step_that_has_a_traceparent_of_its_own_keeps_it(house: House) -> None:
    own = CALLER.replace("00f067aa0ba902b7", "1111111111111111")
    config = {"url": "${input.url}", "headers": {"Traceparent": own}}
    house.publish({"name": "calls", "steps": [{"id": "call", "type": "http", "config": config}]})
    with (
        collector() as receiver,
        partner() as service,
        house.worker(STEPWELL_OTLP_URL=receiver.url, STEPWELL_SECRET_TOKEN="x"),
    ):
        house.start("calls", {"url": service.url}, labels=None, traceparent=CALLER)
        eventually(bound(root, receiver), what="completed")

    assert service.calls[0]["traceparent"] == own


def test_a_receiver_that_is_away_costs_one_line_and_nothing_else(house: House) -> None:
    house.publish(CALLS)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        away = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with partner() as service, house.worker(*OBSERVE, STEPWELL_OTLP_URL=away, STEPWELL_SECRET_TOKEN="x") as worker:
        scraper = Scraper(worker)
        failed = 'stepwell_spans_total{outcome="failed"}'
        for batch in (1, 2):
            process = house.start("calls", {"url": service.url, "secret": 1})
            eventually(bound(ended, house, process), what="completed")
            eventually(lambda n=batch: scraper.metrics().get(failed, 0) >= 3 * n, what="told that they were not sent")  # type: ignore[misc]
        line = worker.until("error", where="traces")

    assert worker.errors() == [line]
    assert "Failed to export spans" in line["message"]
    assert worker.process.returncode == 0


def test_a_receiver_behind_tls_gets_its_headers(house: House, tmp_path: Path) -> None:
    house.publish(CALLS)
    authority = Authority(tmp_path)
    with collector(authority.issue("127.0.0.1")) as receiver, partner() as service:
        settings = {"STEPWELL_OTLP_CA_FILE": str(authority.file), "STEPWELL_OTLP_HEADERS": "api-key=k1"}
        with house.worker(STEPWELL_OTLP_URL=receiver.url, STEPWELL_SECRET_TOKEN="x", **settings):
            house.start("calls", {"url": service.url, "secret": 1})
            eventually(bound(root, receiver), what="the span of the process has come")

    assert receiver.headers[0]["api-key"] == "k1"
