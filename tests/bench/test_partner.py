"""The partner of http steps, and the client that posts: each against the other."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import httpx
import pytest

from bench.cases import Unable
from bench.partner import Partner
from bench.posting import Ask, post

SOON_S = 0.2


def place(partner: Partner) -> tuple[str, int]:
    url = urlsplit(partner.url)
    return str(url.hostname), int(url.port or 0)


def test_every_call_is_answered_and_counted() -> None:
    with Partner() as partner:
        assert partner.calls == 0
        answer = httpx.post(f"{partner.url}/anything", json={"n": 1})
        assert (answer.status_code, answer.json(), partner.calls) == (200, {"accepted": True}, 1)


def test_the_answer_may_be_any_json() -> None:
    with Partner(answer={"score": 7}) as partner:
        assert httpx.get(partner.url).json() == {"score": 7}


def test_it_refuses_the_share_asked_for_evenly() -> None:
    with Partner(failures=0.25) as partner, httpx.Client() as client:
        assert [client.get(partner.url).status_code for _ in range(8)] == [200, 200, 200, 503] * 2


def test_a_connection_that_asks_for_it_is_closed_after_its_answer() -> None:
    with Partner(latency_ms=1) as partner, socket.create_connection(place(partner), timeout=10) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: wire.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b'{"accepted":true}')


def test_who_does_not_speak_http_is_dropped() -> None:
    with Partner() as partner, socket.create_connection(place(partner), timeout=10) as wire:
        wire.sendall(b"\x16\x03\x01 hello\r\n")
        assert wire.recv(4096) == b""
        assert partner.calls == 0


def test_it_ends_with_its_block_and_with_who_started_it() -> None:
    with Partner() as partner:
        pid = partner.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(RuntimeError, match="with block"):
        _ = partner.calls
    orphan = subprocess.Popen(
        [sys.executable, "-P", "-m", "bench.partner", '{"latency_ms":0,"failures":0,"answer":1}'],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with orphan as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        assert process.stdin is not None
        process.stdin.close()  # as when its parent was killed
        try:
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_one_that_ended_by_itself_is_told_of() -> None:
    with Partner() as partner:
        os.kill(partner.pid, signal.SIGKILL)
        with pytest.raises((RuntimeError, BrokenPipeError)):
            _ = partner.calls


def test_the_client_counts_what_was_answered() -> None:
    with Partner() as partner:
        posted = post(Ask(f"{partner.url}/x", "key", {"n": 1}, connections=4, seconds=SOON_S))
        assert posted.answered == partner.calls == len(posted.latencies_s) > 0
        assert posted.seconds >= SOON_S


def test_the_client_reports_who_was_refused() -> None:
    with Partner(failures=0.5) as partner, pytest.raises(Unable, match=r"refused, by status: \{503: "):
        post(Ask(partner.url, "key", {}, connections=1, seconds=SOON_S))


def test_the_client_counts_a_connection_that_is_dropped() -> None:
    with Partner() as partner, pytest.raises(Unable, match=r"0 requests were answered; refused, by status: \{0: 1\}"):
        post(Ask(f"{partner.url}/no path", "key", {}, connections=1, seconds=SOON_S))


def test_the_client_that_finds_nobody_says_so() -> None:
    with pytest.raises(Unable, match="the client failed"):
        post(Ask("http://127.0.0.1:9", "key", {}, connections=1, seconds=SOON_S))
