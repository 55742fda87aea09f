"""What the API says becomes the error that the command line tells; lists are read page after page."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from engine.errors import StepwellError, Unauthenticated, Unavailable
from stepwell.client import Client

Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer, key: str | None = "swk_key") -> Client:
    return Client("http://api.example", key, httpx.MockTransport(answer))


def problem(status: int, **fields: Any) -> Answer:
    return lambda _: httpx.Response(status, json={"title": "no", "status": status, **fields})


def test_a_problem_keeps_code_advice_and_findings() -> None:
    finding = {"pointer": "/steps/0/id", "message": "is missing", "advice": "Add it.", "code": "missing"}
    answer = problem(422, code="invalid_definition", detail="one fault", advice="Mend it.", findings=[finding])

    with client(answer) as api, pytest.raises(StepwellError) as told:
        api.post("/workflows/definitions", {})

    assert (told.value.code, told.value.message, told.value.advice) == ("invalid_definition", "one fault", "Mend it.")
    assert told.value.findings[0].pointer == "/steps/0/id"


def test_an_answer_that_is_no_problem_document_is_told_by_its_status() -> None:
    with client(lambda _: httpx.Response(502, text="<html>")) as api, pytest.raises(StepwellError, match="502"):
        api.get("/processes")


def test_503_is_unavailable() -> None:
    with client(problem(503, detail="away", code="unavailable")) as api, pytest.raises(Unavailable):
        api.get("/processes")


def test_without_a_key_nothing_is_asked() -> None:
    with client(problem(500), key=None) as api, pytest.raises(Unauthenticated):
        api.get("/processes")


def test_every_post_has_an_idempotency_key_of_its_own() -> None:
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        return httpx.Response(201, json={})

    with client(answer) as api:
        api.post("/processes", {})
        api.post("/processes", {})

    assert len(set(keys)) == 2


@pytest.mark.parametrize(("limit", "wanted"), [(None, [1, 2, 3, 4, 5]), (3, [1, 2, 3]), (2, [1, 2])])
def test_pages_follow_the_cursor_up_to_the_limit(limit: int | None, wanted: list[int]) -> None:
    pages = {None: ([1, 2], "b"), "b": ([3, 4], "c"), "c": ([5], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        items, cursor = pages[request.url.params.get("cursor")]
        return httpx.Response(200, json={"items": items, "next_cursor": cursor})

    with client(answer) as api:
        assert list(api.pages("/processes", limit)) == wanted
