"""Answers that are too large, too many, too slow or do not end: each ends the call, and the worker goes on."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Any

import pytest

from engine.executors.connections import MAX_INTERIM
from engine.executors.room import SMALL, Room
from tests.partners.calls import code, failure, output, request, started
from tests.partners.endless import endless
from tests.partners.raw import RawPartner, always, reply

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

ENDLESS = {
    "body": (OK + b"\r\n", b"x" * 65536, "response_too_large"),
    "chunks": (CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n", "response_too_large"),
    "failed body": (b"HTTP/1.1 500 No\r\n\r\n", b"x" * 65536, "service_error"),
    "status line": (b"HTTP/1.1 200 ", b"a" * 65536, "response_invalid"),
    "headers": (OK, b"X-A: b\r\n" * 1000, "response_invalid"),
    "one header": (OK + b"X-A: ", b"a" * 65536, "response_invalid"),
    "trailers": (CHUNKED + b"0\r\n", b"X-A: b\r\n" * 1000, "response_invalid"),
    "chunk extension": (CHUNKED + b"1;a=", b"a" * 65536, "response_invalid"),
    "chunk size": (CHUNKED, b"0" * 65536, "response_invalid"),
    "interim answers": (b"", INTERIM * 1000, "response_invalid"),
    "empty lines": (b"", b"\r\n" * 30000, "response_invalid"),
    "compressed nothing": (OK + b"Content-Encoding: deflate\r\n\r\n\x78\x9c", b"\0\0\0\xff\xff" * 10000, "response_invalid"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ENDLESS)
async def test_what_does_not_end_is_cut_off_long_before_the_timeout(kind: str) -> None:
    head, piece, expected = ENDLESS[kind]
    async with started() as executor, endless(head, piece) as partner:
        outcome = failure(await executor.run(request(partner.url, timeout_seconds=60)))
        await asyncio.wait_for(partner.gone.wait(), 10)
    assert outcome.error.code == expected


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (OK + b"Content-Length: 1000000\r\n\r\n", b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (OK, b"X-A: b\r\n"),
        (OK + b"X-A: ", b"a"),
        (b"", b"\r\n"),
    ],
    ids=["body", "chunks", "headers", "one header", "empty lines"],
)
async def test_what_comes_in_drops_ends_at_the_timeout(head: bytes, piece: bytes) -> None:
    async with started() as executor, endless(head, piece, pause=0.02) as partner:
        outcome = failure(await executor.run(request(partner.url, timeout_seconds=0.3)))
        await asyncio.wait_for(partner.gone.wait(), 10)
    assert (outcome.error.code, outcome.retryable) == ("http_timeout", True)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_is_not_unpacked_beyond_the_limit(encoding: str) -> None:
    bomb = (gzip if encoding == "gzip" else zlib).compress(b"0" * (64 << 20))
    assert len(bomb) < 70_000
    data = reply(200, bomb, "text/plain", Content_Encoding=encoding)
    async with started() as executor, RawPartner(always(data)) as partner:
        assert code(await executor.run(request(partner.url))) == "response_too_large"


async def test_a_bomb_of_many_members_is_not_unpacked_beyond_the_limit() -> None:
    bomb = gzip.compress(b"0" * (1 << 20)) * 64
    data = reply(200, bomb, "text/plain", Content_Encoding="gzip")
    async with started() as executor, RawPartner(always(data)) as partner:
        assert code(await executor.run(request(partner.url))) in {"response_too_large", "response_invalid"}


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "nonsense"])
async def test_an_encoding_that_was_not_asked_for_is_not_unpacked_or_not_taken(encoding: str) -> None:
    data = reply(200, gzip.compress(b"0" * 1000), "text/plain", Content_Encoding=encoding)
    async with started() as executor, RawPartner(always(data)) as partner:
        outcome = await executor.run(request(partner.url, max_response_bytes=500))
    assert encoding not in partner.requests[0].headers["accept-encoding"].split(", ")
    if encoding in {"br", "zstd"}:
        assert code(outcome) == "response_invalid"
    else:
        assert isinstance(output(outcome)["body"], dict)


async def test_as_many_headers_as_honest_servers_send_pass() -> None:
    lines: Any = {f"X_{n}": "v" * 1000 for n in range(100)}
    async with started() as executor, RawPartner(always(reply(200, **lines))) as partner:
        assert output(await executor.run(request(partner.url)))["headers"]["x-99"] == "v" * 1000


async def test_headers_that_do_not_fit_an_output_are_too_large() -> None:
    lines: Any = {f"X_{n}": "v" * 8000 for n in range(100)}
    async with started() as executor, RawPartner(always(reply(200, **lines))) as partner:
        assert code(await executor.run(request(partner.url, max_response_bytes=1000))) == "response_too_large"


async def test_interim_answers_before_the_final_one_are_passed_over() -> None:
    async with started() as executor:
        async with RawPartner(always(INTERIM * MAX_INTERIM + reply(200, b"a", "text/plain"))) as partner:
            for _ in range(2):
                assert output(await executor.run(request(partner.url)))["body"] == "a"
            assert partner.connections == 1
        async with RawPartner(always(INTERIM * (MAX_INTERIM + 1) + reply())) as partner:
            assert code(await executor.run(request(partner.url))) == "response_invalid"


async def test_an_answer_that_switches_protocols_is_no_success() -> None:
    data = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with started() as executor, endless(data, b"x" * 65536) as partner:
        assert code(await executor.run(request(partner.url, timeout_seconds=20))) == "unexpected_status"
        await asyncio.wait_for(partner.gone.wait(), 10)


async def test_large_answers_that_are_held_back_have_one_limit_together() -> None:
    """Each is within its own limit. Which one is cut off is chance; the others, and small answers, are not harmed."""
    rest = asyncio.Event()

    async def hold_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Connection: close\r\nContent-Length: 500001\r\n\r\n" + b"x" * 500_000)
        await rest.wait()
        writer.write(b"y")
        writer.close()

    server = await asyncio.start_server(hold_back, "127.0.0.1", 0, backlog=10)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with (
        started(room=Room(1_000_000)) as executor,
        RawPartner(always(reply(200, b"a" * SMALL, "text/plain"))) as small,
    ):
        calls = {asyncio.create_task(executor.run(request(url, timeout_seconds=30))) for _ in range(3)}
        ended, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        refused = failure(ended.pop().result())
        assert (refused.error.code, refused.retryable) == ("responses_too_large_together", True)
        assert len(output(await executor.run(request(small.url)))["body"]) == SMALL
        rest.set()
        for call in waiting:
            assert len(output(await call)["body"]) == 500_001
        for _ in range(4):  # all that was taken was given back
            output(await executor.run(request(url)))
    server.close()


async def test_other_calls_go_on_while_partners_flood() -> None:
    flood = [endless(head, piece) for head, piece, _ in ENDLESS.values()]
    async with started() as executor, RawPartner(always(reply(200, b"a", "text/plain"))) as honest:
        partners = [await each.__aenter__() for each in flood]
        calls = [asyncio.create_task(executor.run(request(p.url, timeout_seconds=30))) for p in partners]
        assert output(await executor.run(request(honest.url, timeout_seconds=20)))["body"] == "a"
        await asyncio.gather(*calls)
        for each in flood:
            await each.__aexit__(None, None, None)
