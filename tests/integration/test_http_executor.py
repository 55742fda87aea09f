"""Http activities against partners on loopback that behave well, badly or not at all."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import uvloop

from engine.core.commands import Completed, Failed
from engine.core.model import Category
from engine.executors.http import HttpExecutor, HttpRequest, RequestInvalid
from engine.executors.network import permitted
from engine.executors.tls import read_trust
from tests.partners.raw import CERTIFICATE, RawPartner, Received, always, never, reply

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
KEY = "exe_0123456789"
SECRET = "s3cret-token-value"


@pytest_asyncio.fixture
async def executor() -> AsyncIterator[HttpExecutor]:
    executor = HttpExecutor(allowed_networks=LOOPBACK)
    await executor.start()
    yield executor
    await executor.close()


@pytest_asyncio.fixture
async def strict() -> AsyncIterator[HttpExecutor]:
    """Yield an executor as it is without settings: public addresses only."""
    executor = HttpExecutor()
    await executor.start()
    yield executor
    await executor.close()


def request(url: str, **config: Any) -> HttpRequest:
    return HttpRequest.from_config({"method": "POST", "url": url, "body": {"n": 1}, **config}, KEY)


async def answered(executor: HttpExecutor, data: bytes | None, **config: Any) -> Completed | Failed:
    async with RawPartner(always(data)) as partner:
        return await executor.run(request(partner.url, **config))


def failure(outcome: Completed | Failed) -> Failed:
    assert isinstance(outcome, Failed), outcome
    assert outcome.error.message
    assert outcome.error.advice
    return outcome


def output(outcome: Completed | Failed) -> Any:
    assert isinstance(outcome, Completed), outcome
    assert outcome.size == len(msgspec.json.encode(outcome.output))
    return outcome.output


class TestWhatIsSent:
    async def test_a_call_carries_method_path_query_headers_and_json_body(self, executor: HttpExecutor) -> None:
        async with RawPartner(always(reply())) as partner:
            call = request(
                f"{partner.url}/a/b?x=1#part",
                method="put",
                query={"y": [2, 3.5], "z": "ä&=", "yes": True, "none": None},
                headers={"X-Trace": "t1", "X-Count": 7},
            )
            output(await executor.run(call))
        [got] = partner.requests
        assert got.method == "PUT"
        assert got.target == "/a/b?x=1&y=2&y=3.5&z=%C3%A4%26%3D&yes=true"
        assert (got.headers["x-trace"], got.headers["x-count"]) == ("t1", "7")
        assert got.headers["content-type"] == "application/json"
        assert got.body == b'{"n":1}'

    async def test_every_attempt_carries_the_same_idempotency_key_and_body(self, executor: HttpExecutor) -> None:
        async with RawPartner(always(reply(503))) as partner:
            for _ in range(3):
                failure(await executor.run(request(partner.url)))
        assert {(r.headers["idempotency-key"], r.body) for r in partner.requests} == {(KEY, b'{"n":1}')}
        assert len(partner.requests) == 3

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
    async def test_the_client_never_repeats_a_call_by_itself(self, executor: HttpExecutor, method: str) -> None:
        async with RawPartner(always(None)) as partner:
            failure(await executor.run(request(partner.url, method=method)))
        assert len(partner.requests) == 1

    async def test_a_string_body_goes_as_it_is_under_its_own_content_type(self, executor: HttpExecutor) -> None:
        async with RawPartner(always(reply())) as partner:
            call = request(partner.url, body="<a>ä</a>", headers={"content-type": "application/xml"})
            output(await executor.run(call))
        assert partner.requests[0].body.decode() == "<a>ä</a>"

    async def test_a_body_of_several_mebibytes_arrives_whole(self, executor: HttpExecutor) -> None:
        async with RawPartner(always(reply())) as partner:
            output(await executor.run(request(partner.url, body="x" * (3 << 20))))
        assert len(partner.requests[0].body) == (3 << 20) + 2

    async def test_without_a_body_nothing_is_sent(self, executor: HttpExecutor) -> None:
        async with RawPartner(always(reply())) as partner:
            output(await executor.run(request(partner.url, method="GET", body=None)))
        assert "content-length" not in partner.requests[0].headers
        assert "content-type" not in partner.requests[0].headers

    async def test_cookies_of_one_call_do_not_reach_the_next(self, executor: HttpExecutor) -> None:
        async with RawPartner(always(reply(Set_Cookie="session=abc"))) as partner:
            first = output(await executor.run(request(partner.url)))
            output(await executor.run(request(partner.url)))
        assert "set-cookie" not in first["headers"]
        assert "cookie" not in partner.requests[1].headers

    async def test_calls_reuse_a_connection(self, executor: HttpExecutor) -> None:
        async with RawPartner(always(reply(404, b"no"))) as partner:
            for _ in range(3):
                failure(await executor.run(request(partner.url)))
        assert partner.connections == 1


class TestBadConfig:
    @pytest.mark.parametrize(
        ("config", "pointer"),
        [
            ({"url": None}, "/url"),
            ({"url": ""}, "/url"),
            ({"url": "ftp://example.com/"}, "/url"),
            ({"url": "file:///etc/passwd"}, "/url"),
            ({"url": "//example.com/"}, "/url"),
            ({"url": "http:///path"}, "/url"),
            ({"url": "http://user:pw@example.com/"}, "/url"),
            ({"url": "http://user@example.com/"}, "/url"),
            ({"url": "http://exam ple.com/"}, "/url"),
            ({"url": "http://example.com\\@evil.com/"}, "/url"),
            ({"url": "http://example.com/\r\nX: 1"}, "/url"),
            ({"url": "http://example.com:99999/"}, "/url"),
            ({"url": "http://[::1/"}, "/url"),
            ({"url": "http://xn--a/"}, "/url"),
            ({"url": "http://example.com/\ud800"}, "/url"),
            ({"method": "TRACE"}, "/method"),
            ({"method": "GET /x"}, "/method"),
            ({"method": 3}, "/method"),
            ({"headers": []}, "/headers"),
            ({"headers": {"A b": "1"}}, "/headers"),
            ({"headers": {"A\r\nB": "1"}}, "/headers"),
            ({"headers": {"A": "1\r\nB: 2"}}, "/headers/A"),
            ({"headers": {"A": "1\x00"}}, "/headers/A"),
            ({"headers": {"A": {"b": 1}}}, "/headers/A"),
            ({"headers": {"Content-Length": "0"}}, "/headers/Content-Length"),
            ({"headers": {"transfer-encoding": "chunked"}}, "/headers/transfer-encoding"),
            ({"headers": {"Idempotency-Key": "mine"}}, "/headers/Idempotency-Key"),
            ({"query": "a=b"}, "/query"),
            ({"query": {"a/b": {}}}, "/query/a~1b"),
            ({"query": {"a": float("nan")}}, "/query/a"),
            ({"body": {"n": 1}, "headers": {"Content-Type": "text/plain"}}, "/body"),
            ({"expect_status": 99}, "/expect_status"),
            ({"expect_status": []}, "/expect_status"),
            ({"expect_status": [True]}, "/expect_status"),
            ({"timeout_seconds": 0}, "/timeout_seconds"),
            ({"timeout_seconds": -1}, "/timeout_seconds"),
            ({"timeout_seconds": True}, "/timeout_seconds"),
            ({"timeout_seconds": float("nan")}, "/timeout_seconds"),
            ({"timeout_seconds": 10**400}, "/timeout_seconds"),
            ({"max_response_bytes": (10 << 20) + 1}, "/max_response_bytes"),
            ({"max_response_bytes": 0}, "/max_response_bytes"),
        ],
    )
    def test_a_config_that_is_no_request_is_refused_with_a_pointer(self, config: dict[str, Any], pointer: str) -> None:
        with pytest.raises(RequestInvalid) as caught:
            HttpRequest.from_config({"method": "POST", "url": "http://example.com/", **config}, KEY)
        outcome = caught.value.failed()
        assert (outcome.error.category, outcome.error.code) == (Category.VALIDATION, "request_invalid")
        assert outcome.error.details == {"pointer": pointer}
        assert not outcome.retryable

    def test_the_smaller_of_the_two_timeouts_counts(self) -> None:
        config = {"url": "http://example.com/"}
        assert HttpRequest.from_config(config, KEY).timeout_seconds == 30
        assert HttpRequest.from_config(config, KEY, 5.0).timeout_seconds == 5
        assert HttpRequest.from_config({**config, "timeout_seconds": 2}, KEY, 5.0).timeout_seconds == 2
        assert HttpRequest.from_config({**config, "timeout_seconds": 60}, KEY, None).timeout_seconds == 60

    async def test_a_host_that_no_resolver_takes_is_a_bad_request_not_a_crash(self, executor: HttpExecutor) -> None:
        outcome = failure(await executor.run(request(f"http://{'a' * 70}.example/")))
        assert outcome.error.code == "request_invalid"


class TestAnswers:
    async def test_json_is_read_by_content_type(self, executor: HttpExecutor) -> None:
        for kind in ("application/json", "application/json; charset=utf-8", "application/problem+json"):
            data = reply(200, b'{"a":[1,2.5,null,"\xc3\xa4"]}', kind, X_Kind="k")
            got = output(await answered(executor, data))
            assert (got["status"], got["body"]) == (200, {"a": [1, 2.5, None, "ä"]})
            assert (got["headers"]["content-type"], got["headers"]["x-kind"]) == (kind, "k")

    async def test_a_byte_order_mark_before_json_is_ignored(self, executor: HttpExecutor) -> None:
        got = output(await answered(executor, reply(200, b"\xef\xbb\xbf[1]", "application/json")))
        assert got["body"] == [1]

    async def test_text_is_a_string_in_its_charset(self, executor: HttpExecutor) -> None:
        got = output(await answered(executor, reply(200, "grün".encode("latin-1"), "text/plain; charset=iso-8859-1")))
        assert got["body"] == "grün"

    @pytest.mark.parametrize(
        "kind",
        [
            "application/octet-stream",
            None,
            "image/png",
            "nonsense",
            "text/plain",
            "text/plain; charset=utf-16",
        ],
    )
    async def test_what_is_neither_json_nor_text_comes_as_base64(
        self, executor: HttpExecutor, kind: str | None
    ) -> None:
        got = output(await answered(executor, reply(200, b"\xff\xfe\x00", kind)))
        assert got["body"] == {"base64": "//4A"}

    @pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "utf-7", "rot13", "no-such"])
    async def test_text_in_a_charset_that_could_hurt_comes_as_base64(
        self, executor: HttpExecutor, charset: str
    ) -> None:
        got = output(await answered(executor, reply(200, b"abc-", f"text/plain; charset={charset}")))
        assert got["body"] == {"base64": "YWJjLQ=="}

    async def test_an_empty_body_is_null_whatever_its_type(self, executor: HttpExecutor) -> None:
        assert output(await answered(executor, reply(204)))["body"] is None
        assert output(await answered(executor, reply(200, b"", "application/json")))["body"] is None

    async def test_the_head_of_a_large_thing_has_no_body(self, executor: HttpExecutor) -> None:
        data = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\nContent-Type: application/json\r\n\r\n"
        assert output(await answered(executor, data, method="HEAD", body=None))["body"] is None

    async def test_repeated_headers_are_joined_and_bytes_that_are_no_text_replaced(
        self, executor: HttpExecutor
    ) -> None:
        data = b"HTTP/1.1 200 OK\r\nVary: a\r\nVary: b\r\nX-Raw: \xff\r\nContent-Length: 0\r\n\r\n"
        headers = output(await answered(executor, data))["headers"]
        assert (headers["vary"], headers["x-raw"]) == ("a, b", "\ufffd")

    async def test_a_compressed_answer_is_unpacked(self, executor: HttpExecutor) -> None:
        data = reply(200, gzip.compress(b'{"a":1}'), "application/json", Content_Encoding="gzip")
        assert output(await answered(executor, data))["body"] == {"a": 1}

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"NaN",
            b'{"a":1e400}',
            b'"\xff"',
            b'"\\ud800"',
            b'"a\\u0000b"',
            b"[" * 65 + b"]" * 65,
            b"[" * 100_000 + b"]" * 100_000,
            b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        ],
        ids=["open", "nan", "range", "utf8", "surrogate", "nul", "65-deep", "100000-deep", "10000-objects"],
    )
    async def test_bad_json_is_an_answer_that_cannot_be_used(self, executor: HttpExecutor, body: bytes) -> None:
        outcome = failure(await answered(executor, reply(200, body, "application/json")))
        assert (outcome.error.category, outcome.error.code) == (Category.EXTERNAL, "response_invalid")
        assert not outcome.retryable
        assert outcome.error.details["status"] == 200
        assert len(outcome.error.details["body"]) <= 2048

    async def test_a_nul_in_a_text_answer_is_named_and_kept_out_of_the_details(self, executor: HttpExecutor) -> None:
        outcome = failure(await answered(executor, reply(200, b"a\x00b", "text/plain")))
        assert outcome.error.code == "response_invalid"
        assert outcome.error.details == {"status": 200, "body": "a\ufffdb", "pointer": "/body"}

    async def test_an_answer_over_the_limit_is_refused_without_being_read_to_its_end(
        self, executor: HttpExecutor
    ) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\nContent-Type: text/plain\r\n\r\n"
        async with RawPartner(always(head + b"x" * 3000)) as partner:
            outcome = failure(await executor.run(request(partner.url, max_response_bytes=1000, timeout_seconds=5)))
            await asyncio.wait_for(partner.gone.wait(), 5)
        assert (outcome.error.category, outcome.error.code) == (Category.EXTERNAL, "response_too_large")
        assert not outcome.retryable

    async def test_an_answer_of_exactly_the_limit_passes(self, executor: HttpExecutor) -> None:
        for kind in ("text/plain", "application/octet-stream"):
            data = reply(200, b"x" * (1 << 20), kind)
            output(await answered(executor, data))
        outcome = failure(await answered(executor, reply(200, b"x" * ((1 << 20) + 1), "text/plain")))
        assert outcome.error.code == "response_too_large"

    async def test_a_bomb_of_compressed_bytes_is_over_the_limit(self, executor: HttpExecutor) -> None:
        bomb = gzip.compress(b"0" * (64 << 20))
        outcome = failure(await answered(executor, reply(200, bomb, "text/plain", Content_Encoding="gzip")))
        assert outcome.error.code == "response_too_large"

    async def test_a_broken_compression_is_an_answer_that_cannot_be_used(self, executor: HttpExecutor) -> None:
        data = reply(200, b"no gzip at all", "text/plain", Content_Encoding="gzip")
        assert failure(await answered(executor, data)).error.code == "response_invalid"

    @pytest.mark.parametrize(
        "data",
        [
            b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        ],
        ids=["ssh", "status", "length", "header"],
    )
    async def test_garbage_instead_of_http_is_an_answer_that_cannot_be_used(
        self, executor: HttpExecutor, data: bytes
    ) -> None:
        outcome = failure(await answered(executor, data))
        assert (outcome.error.category, outcome.error.code) == (Category.EXTERNAL, "response_invalid")
        assert not outcome.retryable


class TestStatuses:
    @pytest.mark.parametrize(
        ("status", "code", "retryable"),
        [
            (301, "redirect", False),
            (307, "redirect", False),
            (304, "unexpected_status", False),
            (400, "rejected", False),
            (401, "permission_denied", False),
            (402, "rejected", False),
            (403, "permission_denied", False),
            (404, "not_found", False),
            (408, "request_timeout", True),
            (409, "conflict", False),
            (410, "not_found", False),
            (422, "rejected", False),
            (425, "too_early", True),
            (429, "rate_limited", True),
            (499, "rejected", False),
            (500, "service_error", True),
            (502, "service_error", True),
            (503, "unavailable", True),
            (599, "service_error", True),
        ],
    )
    async def test_a_status_that_is_no_success_has_its_class(
        self, executor: HttpExecutor, status: int, code: str, retryable: bool
    ) -> None:
        body = b"" if status == 304 else b"why\x00 not"
        outcome = failure(await answered(executor, reply(status, body)))
        assert (outcome.error.category, outcome.error.code) == (Category.EXTERNAL, code)
        assert outcome.retryable is retryable
        assert outcome.retry_after_seconds is None
        assert outcome.error.details["status"] == status
        assert outcome.error.details["body"] == body.decode().replace("\x00", "\ufffd")
        assert str(status) in outcome.error.message

    async def test_a_status_that_is_expected_is_a_success_and_no_other(self, executor: HttpExecutor) -> None:
        assert output(await answered(executor, reply(404), expect_status=[200, 404]))["status"] == 404
        outcome = failure(await answered(executor, reply(200), expect_status=201))
        assert (outcome.error.code, outcome.retryable) == ("unexpected_status", False)

    async def test_the_answer_to_a_failed_call_is_kept_in_its_first_two_kibibytes(self, executor: HttpExecutor) -> None:
        outcome = failure(await answered(executor, reply(400, b"y" * 200_000, "text/plain")))
        assert outcome.error.details["body"] == "y" * 2048

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
    async def test_retry_after_in_seconds_is_honoured(self, executor: HttpExecutor, status: int) -> None:
        outcome = failure(await answered(executor, reply(status, Retry_After="7")))
        assert outcome.retry_after_seconds == 7

    async def test_retry_after_as_a_date_counts_from_the_date_of_the_answer(self, executor: HttpExecutor) -> None:
        when: Any = {"Date": "Fri, 31 Dec 1999 23:59:30 GMT", "Retry_After": "Sat, 01 Jan 2000 00:00:00 GMT"}
        assert failure(await answered(executor, reply(503, **when))).retry_after_seconds == 30
        past: Any = {"Retry_After": "Fri, 31 Dec 1999 23:59:30 GMT"}
        assert failure(await answered(executor, reply(503, **past))).retry_after_seconds == 0

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [("soon", None), ("-5", None), ("1.5", None), ("", None), ("9" * 400, 86_400), ("²", None), ("0", 0)],
    )
    async def test_an_odd_retry_after_neither_crashes_nor_waits_for_ever(
        self, executor: HttpExecutor, value: str, seconds: float | None
    ) -> None:
        assert failure(await answered(executor, reply(503, Retry_After=value))).retry_after_seconds == seconds

    async def test_a_redirect_is_not_followed(self, executor: HttpExecutor) -> None:
        async with RawPartner(always(reply())) as target:
            outcome = failure(await answered(executor, reply(302, Location=f"{target.url}/next")))
        assert outcome.error.details["location"] == f"{target.url}/next"
        assert target.requests == []
        assert target.connections == 0

    async def test_a_redirect_to_metadata_is_a_failure_like_any_other(self, executor: HttpExecutor) -> None:
        outcome = failure(await answered(executor, reply(302, Location="http://169.254.169.254/latest")))
        assert (outcome.error.code, outcome.retryable) == ("redirect", False)


class TestConnections:
    async def test_a_port_nobody_listens_on_is_tried_again(self, executor: HttpExecutor) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            outcome = failure(await executor.run(request(f"http://127.0.0.1:{closed.getsockname()[1]}/")))
        assert (outcome.error.category, outcome.error.code) == (Category.EXTERNAL, "connect_failed")
        assert outcome.retryable

    async def test_a_name_that_is_not_resolved_is_tried_again(
        self, executor: HttpExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        outcome = failure(await executor.run(request("http://nowhere.example/")))
        assert (outcome.error.code, outcome.retryable) == ("connect_failed", True)
        assert "resolved" in outcome.error.message

    async def test_a_reset_is_tried_again(self, executor: HttpExecutor) -> None:
        outcome = failure(await answered(executor, None))
        assert (outcome.error.category, outcome.error.code) == (Category.EXTERNAL, "connect_failed")
        assert outcome.retryable

    @pytest.mark.parametrize(
        "data",
        [
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100\r\n\r\nhalf",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        ],
        ids=["length", "chunked"],
    )
    async def test_an_answer_that_breaks_off_is_tried_again(self, executor: HttpExecutor, data: bytes) -> None:
        outcome = failure(await answered(executor, data))
        assert (outcome.error.code, outcome.retryable) == ("connect_failed", True)

    async def test_a_partner_that_does_not_answer_is_a_timeout(self, executor: HttpExecutor) -> None:
        async with RawPartner(never) as partner:
            outcome = failure(await executor.run(request(partner.url, timeout_seconds=0.05)))
            await asyncio.wait_for(partner.gone.wait(), 5)
        assert (outcome.error.category, outcome.error.code) == (Category.TIMEOUT, "http_timeout")
        assert outcome.retryable

    async def test_a_partner_that_stops_in_the_middle_of_its_answer_is_a_timeout(self, executor: HttpExecutor) -> None:
        outcome = failure(
            await answered(executor, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", timeout_seconds=0.05)
        )
        assert (outcome.error.category, outcome.error.code) == (Category.TIMEOUT, "http_timeout")

    async def test_a_certificate_that_is_not_trusted_is_final(self, executor: HttpExecutor) -> None:
        async with RawPartner(always(reply()), tls=True) as partner:
            outcome = failure(await executor.run(request(partner.url)))
        assert (outcome.error.category, outcome.error.code) == (Category.EXTERNAL, "tls_invalid")
        assert not outcome.retryable
        assert partner.requests == []

    async def test_a_certificate_of_a_trusted_authority_is_taken(self) -> None:
        executor = HttpExecutor(allowed_networks=LOOPBACK, trust=read_trust(CERTIFICATE))
        await executor.start()
        try:
            async with RawPartner(always(reply()), tls=True) as partner:
                output(await executor.run(request(partner.url)))
        finally:
            await executor.close()

    async def test_tls_to_a_port_that_speaks_none_is_tried_again(self, executor: HttpExecutor) -> None:
        async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(reply(400))
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            outcome = failure(await executor.run(request(f"https://127.0.0.1:{port}/")))
        assert (outcome.error.code, outcome.retryable) == ("connect_failed", True)

    async def test_a_cancelled_call_hangs_up(self, executor: HttpExecutor) -> None:
        async with RawPartner(never) as partner:
            call = asyncio.create_task(executor.run(request(partner.url)))
            await asyncio.wait_for(partner.arrived.wait(), 5)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.wait_for(partner.gone.wait(), 5)

    async def test_a_call_cancelled_in_the_middle_of_an_answer_hangs_up(self, executor: HttpExecutor) -> None:
        async with RawPartner(always(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")) as partner:
            call = asyncio.create_task(executor.run(request(partner.url)))
            await asyncio.wait_for(partner.arrived.wait(), 5)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.wait_for(partner.gone.wait(), 5)

    async def test_no_more_calls_are_under_way_than_allowed_and_a_cancelled_one_gives_its_turn_back(
        self,
    ) -> None:
        executor = HttpExecutor(allowed_networks=LOOPBACK, concurrency=1)
        await executor.start()
        try:
            async with RawPartner(never) as partner, RawPartner(always(reply())) as other:
                first = asyncio.create_task(executor.run(request(partner.url)))
                await asyncio.wait_for(partner.arrived.wait(), 5)
                # Its timeout is shorter than its wait: the time until its turn does not count.
                second = asyncio.create_task(executor.run(request(other.url, timeout_seconds=0.04)))
                done, _ = await asyncio.wait({second}, timeout=0.05)
                assert not done
                assert other.connections == 0
                first.cancel()
                output(await asyncio.wait_for(second, 5))
                await asyncio.wait({first})
        finally:
            await executor.close()

    async def test_an_executor_that_was_not_started_fails_the_activity_and_no_more(self) -> None:
        outcome = failure(await HttpExecutor().run(request("http://example.com/")))
        assert (outcome.error.category, outcome.error.code) == (Category.EXECUTION, "executor_failed")
        assert outcome.error.details == {"type": "RuntimeError"}


class TestSecrets:
    async def echo(self, got: Received) -> bytes:
        return reply(400, json.dumps({"headers": got.headers, "target": got.target}).encode(), "application/json")

    async def test_a_partner_that_echoes_credentials_does_not_bring_them_into_history(
        self, executor: HttpExecutor
    ) -> None:
        async with RawPartner(self.echo) as partner:
            call = HttpRequest.from_config(
                {
                    "method": "POST",
                    "url": f"{partner.url}/?k=in-the-query",
                    "headers": {"Authorization": f"Bearer {SECRET}", "X-Mine": "hidden-too"},
                },
                KEY,
                redact=("hidden-too", "in-the-query"),
            )
            outcome = failure(await executor.run(call))
        shown = msgspec.json.encode(outcome).decode()
        assert partner.requests[0].headers["authorization"] == f"Bearer {SECRET}"
        for secret in (SECRET, "hidden-too", "in-the-query"):
            assert secret not in shown
        assert "[redacted]" in shown
        assert SECRET not in repr(call)

    async def test_secrets_are_taken_out_of_good_answers_too(self, executor: HttpExecutor) -> None:
        async with RawPartner(self.echo) as partner:
            call = request(partner.url, headers={"Authorization": f"Bearer {SECRET}"}, expect_status=400)
            got = output(await executor.run(call))
        assert got["body"]["headers"]["authorization"] == "[redacted]"

    async def test_no_failure_shows_the_query_or_the_headers(self, executor: HttpExecutor) -> None:
        config = {"query": {"key": SECRET}, "headers": {"X-Key": SECRET}, "timeout_seconds": 0.05}
        async with RawPartner(never) as partner:
            outcomes = [await executor.run(request(partner.url, **config))]
        answers = (None, b"garbage\r\n\r\n", reply(500), reply(404), reply(301, Location="/"))
        outcomes += [await answered(executor, data, **config) for data in answers]
        outcomes.append(await executor.run(request("http://169.254.169.254/", **config)))
        for outcome in outcomes:
            assert SECRET not in msgspec.json.encode(failure(outcome)).decode()


CLOSED = [
    "0.0.0.0",  # noqa: S104
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::",
    "2002:c0a8:101::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
]
OPEN = [
    "1.1.1.1",
    "8.8.8.8",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.169.0.1",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]


class TestAddresses:
    @pytest.mark.parametrize("address", CLOSED)
    def test_an_address_that_is_not_public_is_not_permitted(self, address: str) -> None:
        assert not permitted(ipaddress.ip_address(address))

    @pytest.mark.parametrize("address", OPEN)
    def test_a_public_address_is_permitted(self, address: str) -> None:
        assert permitted(ipaddress.ip_address(address))

    @pytest.mark.parametrize(
        ("network", "address", "expected"),
        [
            ("10.0.0.0/8", "10.1.2.3", True),
            ("10.0.0.0/8", "::ffff:10.1.2.3", True),
            ("10.0.0.0/8", "11.0.0.1", True),
            ("10.0.0.0/8", "192.168.0.1", False),
            ("127.0.0.0/8", "::1", False),
            ("::1/128", "::1", True),
            ("::1/128", "127.0.0.1", False),
            ("fd12::/16", "fd12::5", True),
            ("0.0.0.0/0", "127.0.0.1", True),
            ("0.0.0.0/0", "169.254.169.254", False),
            ("169.254.0.0/16", "169.254.169.254", False),
            ("169.254.0.0/16", "169.254.1.1", True),
            ("169.254.169.254/32", "169.254.169.254", True),
            ("fd00::/8", "fd00:ec2::254", False),
            ("fd00:ec2::254/128", "fd00:ec2::254", True),
        ],
    )
    def test_an_allowed_network_opens_what_lies_in_it_and_metadata_only_by_its_own_name(
        self, network: str, address: str, expected: bool
    ) -> None:
        assert permitted(ipaddress.ip_address(address), (ipaddress.ip_network(network),)) is expected

    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "0x7f.1",
            "0x7f.0x1",
            "localhost",
            "①②⑦.0.0.1",
            "0.0.0.0",  # noqa: S104
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[fd00:ec2::254]",
            "169.254.169.254",
            "10.0.0.1",
        ],
    )
    async def test_a_forbidden_address_is_refused_before_a_connection_however_it_is_written(
        self, strict: HttpExecutor, host: str
    ) -> None:
        async with RawPartner(always(reply())) as partner:
            outcome = failure(await strict.run(request(f"http://{host}:{partner.port}/")))
        assert (outcome.error.category, outcome.error.code) == (Category.VALIDATION, "address_forbidden")
        assert not outcome.retryable
        assert "STEPWELL_HTTP_ALLOWED_NETWORKS" in outcome.error.advice
        assert partner.connections == 0

    @pytest.mark.parametrize("host", ["127.1", "0177.0.0.1", "2130706433", "0x7f000001", "127.0.0.1."])
    async def test_an_address_in_an_odd_form_is_never_reached(self, strict: HttpExecutor, host: str) -> None:
        async with RawPartner(always(reply())) as partner:
            outcome = failure(await strict.run(request(f"http://{host}:{partner.port}/")))
        # Some of these forms the client refuses to read, and some it hands to the resolver.
        assert outcome.error.code in {"request_invalid", "address_forbidden"}
        assert not outcome.retryable
        assert partner.connections == 0

    @pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "localhost"])
    async def test_an_allowed_address_is_reached_however_it_is_written(self, executor: HttpExecutor, host: str) -> None:
        async with RawPartner(always(reply())) as partner:
            output(await executor.run(request(f"http://{host}:{partner.port}/")))
        assert len(partner.requests) == 1

    @pytest.mark.parametrize("addresses", [["10.0.0.1"], ["10.0.0.1", "192.168.0.1", "::1"]], ids=["one", "many"])
    async def test_a_name_that_means_forbidden_addresses_is_refused(
        self, strict: HttpExecutor, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
    ) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", resolver(addresses))
        outcome = failure(await strict.run(request("http://innocent.example/")))
        assert (outcome.error.code, outcome.retryable) == ("address_forbidden", False)

    async def test_a_name_with_a_permitted_address_beside_a_forbidden_one_is_reached_at_that(
        self, executor: HttpExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with RawPartner(always(reply())) as partner:
            monkeypatch.setattr(socket, "getaddrinfo", resolver(["::1", "10.0.0.1", "127.0.0.1"]))
            output(await executor.run(request(f"http://both.example:{partner.port}/")))


def resolver(addresses: list[str]) -> Any:
    def getaddrinfo(_: str, port: int, *__: object, **___: object) -> list[Any]:
        found: list[Any] = []
        for address in addresses:
            six = ":" in address
            target = (address, port, 0, 0) if six else (address, port)
            found.append((socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM, 6, "", target))
        return found

    return getaddrinfo


def test_the_executor_works_the_same_under_uvloop() -> None:
    async def calls() -> list[str]:
        executor = HttpExecutor(allowed_networks=LOOPBACK)
        await executor.start()
        seen = []
        try:
            async with RawPartner(always(reply(200, b"{}", "application/json"))) as good:
                seen.append(str(output(await executor.run(request(good.url)))["status"]))
            bad_urls = (good.url, "http://10.0.0.1/", "http://0x0a.1/")
            seen += [failure(await executor.run(request(url))).error.code for url in bad_urls]
            for answer in (never, always(None)):
                async with RawPartner(answer) as bad:
                    outcome = await executor.run(request(bad.url, timeout_seconds=0.05))
                    seen.append(failure(outcome).error.code)
        finally:
            await executor.close()
        return seen

    forbidden = "address_forbidden"
    assert uvloop.run(calls()) == [
        "200",
        "connect_failed",
        forbidden,
        forbidden,
        "http_timeout",
        "connect_failed",
    ]
