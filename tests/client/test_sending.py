"""When the clients send a call again, and when they give up: with connections that fail as told."""

from __future__ import annotations

import asyncio
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.errors import BadInput, NotFound, RateLimited, SettingError, StepwellError, Unauthenticated, Unavailable
from stepwell.client import AsyncClient, Client, sending
from stepwell.client.call import FOREIGN_ADVICE, Failed
from tests.certificates import Authority

URL = "http://api.example"
Answer = Callable[[httpx.Request], httpx.Response]
VIEW = {
    "id": "prc_1", "type": "t", "definition_id": "wf_1", "version": 1, "status": "CREATED", "business_key": None,
    "priority": 0, "created_at": "2026-01-31T12:00:00Z", "started_at": None, "ended_at": None, "labels": {},
    "error_code": None, "failed_step": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_S", 0.0)


class Script:
    """Answers requests one after the other as told; the last answer stays."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def ok() -> httpx.Response:
    return httpx.Response(200, json=VIEW)


def busy(**headers: str) -> httpx.Response:
    return httpx.Response(503, json={"detail": "away", "code": "unavailable"}, headers=headers)


def start(answer: Answer, way: str, **options: Any) -> Any:
    """Start a process with the one client or the other."""
    if way == "blocking":
        with Client(URL, "swk_key", transport=httpx.MockTransport(answer), **options) as client:
            return client.start_process("t")

    async def go() -> Any:
        async with AsyncClient(URL, "swk_key", transport=httpx.MockTransport(answer), **options) as client:
            return await client.start_process("t")

    return asyncio.run(go())


both = pytest.mark.parametrize("way", ["blocking", "awaited"])


@both
@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("closed"),
        httpx.ConnectTimeout(""),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_broken_connection_is_tried_again_with_the_same_key_and_body(way: str, trouble: Exception) -> None:
    script = Script(trouble, busy(), trouble, ok())

    assert start(script, way).id == "prc_1"
    assert len(script.seen) == 4
    assert len({request.headers["Idempotency-Key"] for request in script.seen}) == 1
    assert len({request.content for request in script.seen}) == 1


@both
def test_it_gives_up_after_a_few_tries_and_says_what_was_wrong(way: str) -> None:
    script = Script(busy())

    with pytest.raises(Unavailable, match="away"):
        start(script, way, retries=2)

    assert len(script.seen) == 3


@both
def test_what_was_not_answered_in_time_is_not_sent_again(way: str) -> None:
    script = Script(httpx.ReadTimeout("slow"))

    with pytest.raises(Unavailable, match="did not answer within 5 s"):
        start(script, way, timeout_s=5.0)

    assert len(script.seen) == 1


@both
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
def test_a_refusal_is_final(way: str, status: int) -> None:
    script = Script(httpx.Response(status, json={"detail": "no"}))

    with pytest.raises(StepwellError, match="no"):
        start(script, way)

    assert len(script.seen) == 1


@both
@pytest.mark.parametrize("status", [400, 404, 405, 500, 501])
def test_what_is_no_stepwell_api_is_told_as_that(way: str, status: int) -> None:
    script = Script(httpx.Response(status, html="<h1>Error response</h1>"))

    with pytest.raises(StepwellError, match=f"is no Stepwell API: it answered {status}") as told:
        start(script, way)

    assert told.value.advice == FOREIGN_ADVICE


@both
def test_a_proxy_that_cannot_reach_the_api_is_not_taken_for_something_else(way: str) -> None:
    script = Script(httpx.Response(502, html="<h1>Bad Gateway</h1>"))

    with pytest.raises(Unavailable, match="the API answered 502"):
        start(script, way)


def test_https_to_a_port_without_tls_is_told_as_that_and_not_tried_again() -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"https://127.0.0.1:{server.server_port}"
        with Client(url, "swk_key", trust_env=False) as client, pytest.raises(Unavailable) as told:
            client.get_process("prc_1")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    assert told.value.message == f"what answers at {url} does not speak TLS"
    assert "http://" in told.value.advice


def test_a_call_waits_as_long_as_it_is_told_to_but_not_for_ever() -> None:
    told = Failed(Unavailable("x"), again=True, after_s=2.0)

    assert sending.pause_s(told, tried=1, retries=3, chance=0.5) == 2.0
    assert sending.pause_s(told, tried=4, retries=3, chance=0.5) is None
    assert sending.pause_s(Failed(Unavailable("x"), True, sending.LONGEST_S + 1), 1, 3, 0.5) is None
    assert sending.pause_s(Failed(Unavailable("x"), again=False), 1, 3, 0.5) is None


def test_pauses_grow_and_differ_from_caller_to_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_S", 0.1)
    failed = Failed(Unavailable("x"), again=True)
    pauses = [[sending.pause_s(failed, tried, 9, chance) or 0 for tried in range(1, 9)] for chance in (0.0, 1.0)]

    assert all(early < late for early, late in zip(pauses[0], pauses[0][1:], strict=False))
    assert all(low < high for low, high in zip(*pauses, strict=True))
    assert max(pauses[1]) <= sending.LONGEST_S


@both
def test_a_rate_limit_that_asks_for_too_much_patience_is_told(way: str) -> None:
    script = Script(
        httpx.Response(429, json={"detail": "slow down", "code": "rate_limited"}, headers={"Retry-After": "99"})
    )

    with pytest.raises(RateLimited) as told:
        start(script, way)

    assert told.value.retry_after_s == 99
    assert len(script.seen) == 1


def test_without_a_key_nothing_is_sent_but_to_where_none_is_needed() -> None:
    script = Script(httpx.Response(200, json={"status": "ok"}))
    with Client(URL, transport=httpx.MockTransport(script)) as client:
        with pytest.raises(Unauthenticated):
            client.get_process("prc_1")
        assert client.live().status == "ok"

    assert [request.url.path for request in script.seen] == ["/health/live"]


@pytest.mark.parametrize(
    "url", ["", "api.example", "ftp://api.example", "http://", "http://[::1", "http://a:99999", "http://a\nb"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="is not the URL of an API"):
        Client(url, "swk_key")


def test_a_path_before_the_api_is_kept() -> None:
    script = Script(httpx.Response(404, json={"detail": "no"}))
    with Client(f"{URL}/stepwell/", "k", transport=httpx.MockTransport(script)) as client, pytest.raises(NotFound):
        client.get_process("prc_1")

    assert str(script.seen[0].url) == f"{URL}/stepwell/api/v1/processes/prc_1"


PAGES = {None: (["a", "b"], "2"), "2": (["c", "d"], "3"), "3": (["e"], None)}


def paged(request: httpx.Request) -> httpx.Response:
    ids, cursor = PAGES[request.url.params.get("cursor")]
    assert (request.url.params["limit"], request.url.params["status"]) == ("2", "CREATED")
    return httpx.Response(200, json={"items": [{**VIEW, "id": id_} for id_ in ids], "next_cursor": cursor})


def test_every_item_of_a_list_is_read_page_after_page() -> None:
    with Client(URL, "k", transport=httpx.MockTransport(paged)) as client:
        found = [one.id for one in client.every(client.list_processes, limit=2, status="CREATED")]  # type: ignore[arg-type]

    assert found == ["a", "b", "c", "d", "e"]


async def test_every_item_of_a_list_is_read_page_after_page_with_await() -> None:
    async with AsyncClient(URL, "k", transport=httpx.MockTransport(paged)) as client:
        found = [one.id async for one in client.every(client.list_processes, limit=2, status="CREATED")]  # type: ignore[arg-type]

    assert found == ["a", "b", "c", "d", "e"]


class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"status": "ok"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def tls_server(authority: Authority) -> Iterator[str]:
    """Serve with a certificate of that authority; return the URL."""
    pair = authority.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_authority_of_ones_own_is_trusted_where_its_file_is_named(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    with tls_server(authority) as url:
        with Client(url, ca_file=authority.file) as client:
            assert client.live().status == "ok"
        for trusted in (None, other.file):
            with Client(url, ca_file=trusted) as stranger, pytest.raises(Unavailable) as told:
                stranger.live()
            assert "is not trusted" in told.value.message
            assert "STEPWELL_CA_FILE" in told.value.advice


def test_a_file_without_certificates_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")

    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(SettingError, match=name):
            Client(URL, "k", ca_file=tmp_path / name)
