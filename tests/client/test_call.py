"""What a call sends, and what its answer means: no connection is opened here."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.search import labels_of
from api.wire import Health, Page, ProcessView, StartProcess
from engine.errors import (
    BadInput,
    BusinessKeyTaken,
    Conflict,
    Finding,
    Forbidden,
    NotFound,
    OperatorError,
    RateLimited,
    StepwellError,
    Unauthenticated,
    Unavailable,
    tree,
)
from stepwell.client.call import Call, Failed, acting, at, authorization, read, reading

HEALTH: Call[Health] = Call(method="GET", path="/health/live", answer=Health)
NAME = st.from_regex(r"\A[A-Za-z0-9_.-]{1,63}\Z")
SEEN = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=200)


def failed(status: int, body: bytes = b"", **headers: str) -> Failed:
    answer = read(HEALTH, status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
    assert isinstance(answer, Failed)
    return answer


def problem(status: int, code: str, **more: Any) -> StepwellError:
    return failed(status, json.dumps({"detail": "no", "status": status, "code": code, **more}).encode()).problem


def test_an_answer_becomes_its_struct() -> None:
    assert read(HEALTH, 200, {}, b'{"status": "ok", "newer": 1}') == Health("ok")


@pytest.mark.parametrize("kind", [k for k in tree() if not issubclass(k, OperatorError)], ids=lambda k: k.__name__)
def test_every_error_of_the_api_comes_back_as_its_own_class(kind: type[StepwellError]) -> None:
    told = problem(kind.status, kind.code, advice="Do this.", pointer="/x")

    assert type(told) is kind
    assert (told.status, told.code, told.message) == (kind.status, kind.code, "no")
    if kind is not RateLimited:
        assert (told.advice, told.pointer) == ("Do this.", "/x")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadInput),
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (405, BadInput),
        (409, Conflict),
        (418, BadInput),
        (422, BadInput),
        (429, RateLimited),
        (500, StepwellError),
        (503, Unavailable),
        (307, StepwellError),
    ],
)
def test_a_code_nobody_knows_is_told_by_its_status(status: int, kind: type[StepwellError]) -> None:
    told = problem(status, "quite_new")

    assert type(told) is kind
    assert told.status == status
    assert told.code == ("rate_limited" if kind is RateLimited else "quite_new")


def test_findings_and_details_are_kept() -> None:
    finding = {"pointer": "/steps/0/id", "message": "is missing", "advice": "Add it.", "code": "missing"}
    told = problem(422, "invalid_definition", findings=[finding])
    taken = problem(409, "business_key_taken", details={"process_id": "prc_1"})

    assert told.findings == (Finding("/steps/0/id", "is missing", "Add it.", "missing"),)
    assert isinstance(taken, BusinessKeyTaken)
    assert taken.details == {"process_id": "prc_1"}


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"detail": 1}', b'{"findings": "x"}', b"\xff", b"[" * 99999]
)
@pytest.mark.parametrize("status", [200, 404, 502])
def test_an_answer_of_somebody_elses_is_an_error_and_no_crash(status: int, body: bytes) -> None:
    told = failed(status, body).problem

    assert told.message
    if status != 200:
        assert str(status) in told.message


def test_only_what_passes_by_itself_may_be_sent_again() -> None:
    again = {status for status in range(300, 600) if failed(status).again}

    assert again == {429, 502, 503, 504}
    assert failed(409, b'{"code": "idempotency_in_progress"}').again
    assert failed(409, b'{"code": "try_again"}').again
    assert not failed(409, b'{"code": "conflict"}').again
    assert not failed(503, b'{"code": "too_slow"}').again


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("²", 0.0), ("9" * 10, 0.0)]
)
def test_retry_after_is_read_where_it_says_seconds(header: str, seconds: float) -> None:
    assert failed(503, Retry_After=header).after_s == seconds


def test_a_retry_after_without_end_is_no_number() -> None:
    told = failed(429, Retry_After="9" * 400)

    assert isinstance(told.problem, RateLimited)
    assert (told.after_s, told.problem.retry_after_s) == (0.0, 0)


def test_what_acts_has_a_fresh_idempotency_key_unless_one_is_given() -> None:
    keys = [acting(Health, "/x", idempotency_key=None).headers["Idempotency-Key"] for _ in range(100)]

    assert len(set(keys)) == 100
    assert acting(Health, "/x", idempotency_key="mine").headers == {"Idempotency-Key": "mine"}


@pytest.mark.parametrize("key", ["", "a b", "ü", "a\r\nX-Evil: 1", "a" * 2000])
def test_a_header_that_would_not_arrive_as_it_is_is_refused(key: str) -> None:
    with pytest.raises(BadInput, match="Idempotency-Key"):
        acting(Health, "/x", idempotency_key=key)
    with pytest.raises(Unauthenticated):
        authorization(key)


def test_only_what_differs_from_its_default_is_sent() -> None:
    plain = acting(Health, "/x", StartProcess(definition="d"), idempotency_key=None)
    full = acting(Health, "/x", StartProcess(definition="d", input=None, priority=-1), idempotency_key=None)

    assert msgspec.json.decode(plain.body or b"") == {"definition": "d"}
    assert msgspec.json.decode(full.body or b"") == {"definition": "d", "input": None, "priority": -1}


@pytest.mark.parametrize("document", [object(), float, "\ud800", {1, object()}])
def test_what_is_no_json_is_refused_before_it_is_sent(document: object) -> None:
    with pytest.raises(BadInput, match="cannot be written as JSON"):
        acting(Health, "/x", {"x": document}, idempotency_key=None)


@pytest.mark.parametrize(
    ("part", "path"), [("prc_1", "/prc_1"), ("a/b?c#d%", "/a%2Fb%3Fc%23d%25"), ("..", "/%2E%2E"), (".", "/%2E")]
)
def test_an_id_stays_one_part_of_the_path(part: str, path: str) -> None:
    assert at(part) == path


def test_an_empty_id_does_not_become_another_question() -> None:
    with pytest.raises(BadInput, match="empty"):
        at("prc_1", "")


@given(st.dictionaries(NAME, SEEN, min_size=1, max_size=4))
def test_labels_arrive_as_the_api_reads_them(labels: dict[str, str]) -> None:
    query = reading(Page[ProcessView], "/processes", label=labels).query["label"]

    assert dict(labels_of(query)) == labels
