"""What is no request, or a strange one, gets a plain answer; nothing of it disturbs anybody else."""

import contextlib
import random
import socket
import struct
from collections.abc import Iterator

import pytest

from tests.api.client import PLAIN, PROCESSES, new_key
from tests.fix_servers import private_folder
from tests.house import House, eventually
from tests.served import GET, Answer, ApiProcess, answers, ask, ended, running, serving

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"  # what is tested here never gets as far as the database
POST = b"POST /api/v1/processes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def bare() -> Iterator[ApiProcess]:
    """Return an API that the tests share."""
    with private_folder() as folder, running(ApiProcess(NOWHERE, folder)) as api:
        yield api


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 501, "not_implemented", id="TLS"),
        pytest.param(b"FETCH / HTTP/1.1\r\nHost: x\r\n\r\n", 501, "not_implemented", id="unknown method"),
        pytest.param(b"CONNECT a.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", 501, "not_implemented", id="CONNECT"),
        pytest.param(GET.replace(b"1.1", b"1.2"), 400, "malformed_request", id="HTTP/1.2"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed_request", id="HTTP/2"),
        pytest.param(b"GET /health/live\r\n\r\n", 400, "malformed_request", id="HTTP/0.9"),
        pytest.param(b"GET /health/live HTTP/1.1\r\n\r\n", 400, "malformed_request", id="no Host"),
        pytest.param(GET.replace(b"\r\n\r\n", b"\r\nHost: y\r\n\r\n"), 400, "malformed_request", id="two Hosts"),
        pytest.param(GET.replace(b"Host:", b"Host :"), 400, "malformed_request", id="space before the colon"),
        pytest.param(GET.replace(b"\r\n\r\n", b"\r\nA: b\r\n c\r\n\r\n"), 400, "malformed_request", id="folded header"),
        pytest.param(GET.replace(b"\r\n\r\n", b"\r\nA: b\0c\r\n\r\n"), 400, "malformed_request", id="NUL in a header"),
        pytest.param(GET.replace(b"\r\n", b"\n"), 400, "malformed_request", id="bare LF"),
        pytest.param(GET.replace(b"live", "lïve".encode()), 400, "malformed_request", id="path not ASCII"),
        pytest.param(GET[:-2] + b"A: b\r\n" * 200 + b"\r\n", 431, "head_too_large", id="200 headers"),
        pytest.param(GET.replace(b"live", b"x" * 70_000), 431, "head_too_large", id="long path"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"x" * 3_000_000, 431, "head_too_large", id="header without end"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", 431, "head_too_large", id="long header"),
        pytest.param(POST + b"Content-Length: 4, 4\r\n\r\nabcd", 400, "malformed_request", id="list of lengths"),
        pytest.param(POST + b"Content-Length: -4\r\n\r\nabcd", 400, "malformed_request", id="negative length"),
        pytest.param(POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", 400, "malformed_request", id="huge length"),
        pytest.param(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400, "malformed_request", id="gzip, chunked"),
        pytest.param(POST + b"Transfer-Encoding: chunked, x\r\n\r\n", 400, "malformed_request", id="chunked, x"),
        pytest.param(
            POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "malformed_request",
            id="chunked in HTTP/1.0",
        ),
    ],
)
def test_what_is_no_request_of_ours_gets_a_problem_and_the_connection_ends(
    bare: ApiProcess, raw: bytes, status: int, code: str
) -> None:
    with bare.dial() as wire:
        wire.sendall(raw)
        answer = answers(wire)[0]
        wire.shutdown(socket.SHUT_WR)
        assert ended(wire)

    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["connection"] == "close"
    assert "server" not in answer.headers


def test_a_method_that_no_path_knows_is_answered_by_the_path(bare: ApiProcess) -> None:
    for method in (b"PROPFIND", b"TRACE", b"PATCH", b"DELETE"):
        assert ask(bare, GET.replace(b"GET", method)).code == "method_not_allowed"


def test_old_clients_and_proxies_are_understood(bare: ApiProcess) -> None:
    old = ask(bare, b"GET /health/live HTTP/1.0\r\n\r\n")
    proxied = ask(bare, GET.replace(b"/health", b"http://api.example/health"))
    encoded = ask(bare, GET.replace(b"live", b"%6cive?"))

    assert (old.status, old.headers["connection"]) == (200, "close")
    assert (proxied.status, encoded.status) == (200, 200)


def test_of_two_lengths_none_is_believed_and_nothing_smuggled_is_served(bare: ApiProcess) -> None:
    smuggled = b"0\r\n\r\n" + GET
    length = b"Content-Length: %d\r\n" % len(smuggled)
    for both in (
        length + b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\n" + length,
        b"Content-Length: 5\r\n" + length,
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
    ):
        with bare.dial() as wire:
            wire.sendall(POST + both + b"\r\n" + smuggled)
            wire.shutdown(socket.SHUT_WR)
            assert [answer.code for answer in answers(wire, 2)] == ["malformed_request"], both


def test_a_websocket_is_refused_and_any_other_protocol_not_heard(bare: ApiProcess) -> None:
    upgrade = GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert ask(bare, upgrade).code == "not_implemented"
    with bare.dial() as wire:
        wire.sendall(upgrade.replace(b"websocket", b"h2c"))
        assert answers(wire)[0].status == 200
        wire.sendall(GET)
        assert answers(wire)[0].status == 200


def test_after_a_wish_for_another_protocol_faults_are_told_as_ever(house: House) -> None:
    wish = GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    two_hosts = GET.replace(b"\r\n\r\n", b"\r\nHost: y\r\n\r\n")
    with serving(house) as api:
        for then in (two_hosts, GET * 20):
            with api.dial() as wire:
                wire.sendall(wish + then)
                got = answers(wire, 21)
                assert ended(wire)
            assert {answer.status for answer in got} == {200}
            assert got[-1].headers["connection"] == "close"
        assert api.troubles() == []


def test_requests_sent_ahead_are_answered_in_order_and_a_flood_of_them_is_cut(bare: ApiProcess) -> None:
    with bare.dial() as wire:
        wire.sendall((GET + GET.replace(b"live", b"nothing")) * 6)
        assert [answer.status for answer in answers(wire, 12)] == [200, 404] * 6
    memory = bare.memory()
    with bare.dial() as wire:
        wire.sendall(GET * 20_000)
        got = answers(wire, 20_000)

    assert {answer.status for answer in got} == {200}
    assert 17 <= len(got) < 20_000
    assert got[-1].headers["connection"] == "close"
    assert bare.memory() < memory + (20 << 20)


def test_what_follows_a_request_does_not_cost_it_its_answer(bare: ApiProcess) -> None:
    for then in (b"\x00 nonsense\r\n\r\n" + GET, GET[:30], POST + b"Content-Length: 10\r\n\r\nabc", b""):
        with bare.dial() as wire:
            wire.sendall(GET + then)
            wire.shutdown(socket.SHUT_WR)
            assert answers(wire, 3)[0].status == 200, then
            assert ended(wire)


def test_a_body_that_breaks_off_its_form_is_refused(house: House) -> None:
    with serving(house) as api:
        key = b"Authorization: Bearer %b\r\n" % new_key(house, "acme_prod", ["admin"]).encode()
        with api.dial() as wire:
            wire.sendall(POST + key + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{\r\n\r\n\r\nzz\r\n")
            assert answers(wire)[0].code == "malformed_request"
        # Trailers are no headers: a proxy in front has not seen them.
        body = b'{"definition": "plain"}'
        trailer = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, key)
        assert ask(api, POST + trailer).code == "unauthenticated"
        assert api.troubles() == []


@pytest.mark.parametrize("frame", [b"2\r\n{}\r\n0\r\nX: ", b"2\r\n{}\r\n2;x="], ids=["trailer", "chunk extension"])
def test_what_frames_a_body_has_an_end(house: House, frame: bytes) -> None:
    with serving(house) as api:
        key = b"Authorization: Bearer %b\r\n" % new_key(house, "acme_prod", ["admin"]).encode()
        with api.dial() as wire:
            wire.sendall(POST + key + b"Transfer-Encoding: chunked\r\n\r\n" + frame)
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    wire.sendall(b"x" * 65536)
            answer = answers(wire)[0]
        assert (answer.status, answer.code, answer.headers["connection"]) == (431, "head_too_large", "close")
        assert ask(api, GET).status == 200
        assert api.troubles() == []


def test_a_body_nobody_reads_ends_the_connection_unless_it_is_small(bare: ApiProcess) -> None:
    with bare.dial() as wire:
        wire.sendall(POST + b"Content-Length: 1000\r\n\r\n" + b"x" * 500)
        refused = answers(wire)[0]
        wire.sendall(b"x" * 500 + GET)
        after = answers(wire)[0]
    assert (refused.status, after.status) == (401, 200)
    with bare.dial() as wire:  # the answer is read although the whole body is sent first, against a closed door
        wire.sendall(POST + b"Content-Length: 3000000\r\n\r\n" + b"x" * 2_000_000)
        large = answers(wire)[0]
        assert wire.recv(100) == b""  # ended on that side, and not reset
        wire.sendall(b"x" * 500_000)
        wire.shutdown(socket.SHUT_WR)
        assert ended(wire)
    assert (large.status, large.headers["connection"]) == (401, "close")


def test_a_body_without_end_is_answered_although_the_client_goes_on_sending(house: House) -> None:
    with serving(house) as api:
        key = b"Authorization: Bearer %b\r\n" % new_key(house, "acme_prod", ["admin"]).encode()
        assert ask(api, GET).status == 200  # it has begun
        before = api.memory("VmHWM")
        with api.dial() as wire:
            wire.sendall(POST + key + b"Transfer-Encoding: chunked\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                for _ in range(64):
                    wire.sendall(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")
            answer = answers(wire)[0]
        assert (answer.status, answer.code, answer.headers["connection"]) == (413, "too_large", "close")
        assert api.memory("VmHWM") < before + (80 << 20)
        assert ask(api, GET).status == 200


def test_who_asks_before_sending_a_body_is_told_to_go_on_or_not(house: House) -> None:
    with serving(house) as api:
        key = b"Authorization: Bearer %b\r\n" % new_key(house, "acme_prod", ["admin"]).encode()
        body = b'{"definition": "plain"}'
        length = b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body)
        house.publish(PLAIN)
        with api.dial() as wire:
            wire.sendall(POST + key + length)
            assert wire.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            wire.sendall(body)
            assert answers(wire)[0].status == 201
            wire.sendall(GET)
            assert answers(wire)[0].status == 200
        refused = ask(api, POST + length)
        assert (refused.status, refused.headers["connection"]) == (401, "close")


def test_a_client_that_wishes_for_http_2_first_is_heard_with_its_body(house: House) -> None:
    with serving(house) as api:
        key = b"Authorization: Bearer %b\r\n" % new_key(house, "acme_prod", ["admin"]).encode()
        wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
        body = b'{"definition": "plain"}'
        house.publish(PLAIN)
        with api.dial() as wire:
            wire.sendall(POST + key + wish + b"Content-Length: %d\r\n\r\n" % len(body) + body[:5])
            wire.sendall(
                body[5:]
                + GET.replace(b"/health/live", PROCESSES.encode()).replace(b"\r\n\r\n", b"\r\n" + key + b"\r\n")
            )
            made, listed = answers(wire, 2)
        assert (made.status, listed.status) == (201, 200)
        assert house.value("select count(*) from stepwell.process") == 1


def shots(seed: int, count: int) -> Iterator[bytes]:
    """Yield random bytes, and good requests that were cut, shuffled or overwritten."""
    chance = random.Random(seed)
    good = [
        GET,
        GET * 3,
        POST + b"Content-Length: 23\r\n\r\n" + b'{"definition": "plain"}',
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    ]
    for _ in range(count):
        raw = bytearray(chance.choice(good))
        kind = chance.randrange(4)
        if kind == 0:
            raw = bytearray(chance.randbytes(chance.randrange(1, 3000)))
        elif kind == 1:
            del raw[chance.randrange(len(raw)) :]
        elif kind == 2:
            for _ in range(chance.randrange(1, 10)):
                raw[chance.randrange(len(raw))] = chance.choice(b"\0\r\n :,;%/\x7f\xffAz09\t")
        else:
            cut = sorted(chance.sample(range(len(raw)), 2))
            raw = raw[cut[0] : cut[1]] + raw[: cut[0]] + raw[cut[1] :]
        yield bytes(raw)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_bytes_and_broken_requests_do_no_harm(bare: ApiProcess, seed: int) -> None:
    assert ask(bare, GET).status == 200  # it has begun, and has open what it needs
    before = bare.files()
    for raw in shots(seed, 200):
        with bare.dial() as wire:
            wire.sendall(raw)
            wire.shutdown(socket.SHUT_WR)
            got = b""
            while part := wire.recv(1 << 16):
                got += part
        assert got == b"" or got.startswith(b"HTTP/1.1 "), raw
        for answer in (got and [Answer(*got.partition(b"\r\n\r\n")[::2])]) or []:
            assert answer.status in (100, 200, 400, 401, 404, 405, 431, 501, 503), raw
    assert ask(bare, GET).status == 200
    assert bare.process.poll() is None
    assert [line for line in bare.troubles() if line.get("where") != "psycopg.pool"] == []
    eventually(lambda: bare.files() <= before + 2, what="all connections are closed", seconds=5)


def test_connections_that_are_reset_at_any_moment_leave_nothing_behind(bare: ApiProcess) -> None:
    assert ask(bare, GET).status == 200  # it has all its files open
    before = bare.files()
    for n in range(400):
        wire = bare.dial()
        wire.sendall([b"", GET[:20], GET, GET * 5, POST + b"Content-Length: 10\r\n\r\nabc"][n % 5])
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.close()
    assert ask(bare, GET).status == 200
    eventually(lambda: bare.files() <= before + 2, what="all connections are closed", seconds=5)
    assert [line for line in bare.troubles() if line.get("where") != "psycopg.pool"] == []
