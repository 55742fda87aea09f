"""Slow, silent, half-open and too many connections: the API keeps answering the others, within bounded memory."""

import contextlib
import json
import resource
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import httpx
import pytest

from tests.api.client import PLAIN, PROCESSES, new_key
from tests.house import House, eventually
from tests.served import GET, ApiProcess, answers, ask, ended, serving

HALF = GET[:30]
BODY = b'{"definition": "plain"}'
MANY = 10_000


def slow_post(key: str) -> bytes:
    """Return the head of a request whose body is still to come."""
    return (
        b"POST %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n"
    ) % (PROCESSES.encode(), key.encode(), len(BODY))


def begin(wire: socket.socket, key: str) -> None:
    """Send such a head and wait until the request is being worked on."""
    wire.sendall(slow_post(key))
    assert wire.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture
def key(house: House) -> str:
    house.publish(PLAIN)
    return new_key(house, "acme_prod", ["admin"])


def quiet(wires: list[socket.socket], seconds: float) -> list[socket.socket]:
    """Return those of the connections that the other side does not end within some seconds."""
    by_file = {wire.fileno(): wire for wire in wires}
    with selectors.DefaultSelector() as selector:
        for wire in wires:
            selector.register(wire, selectors.EVENT_READ)
        left, deadline = set(wires), time.monotonic() + seconds
        while left and time.monotonic() < deadline:
            for found, _ in selector.select(0.1):
                wire = by_file[found.fd]
                with contextlib.suppress(ConnectionResetError):
                    if wire.recv(1 << 16):
                        continue
                selector.unregister(wire)
                left.discard(wire)
        return list(left)


def test_who_does_not_end_what_he_begins_is_shown_the_door(house: House, key: str) -> None:
    with serving(house, first="room.HEAD_SECONDS = 1.0") as api, contextlib.ExitStack() as stack:
        silent, half, dripping, again, leftover = [stack.enter_context(api.dial()) for _ in range(5)]
        half.sendall(HALF)
        dripping.sendall(HALF)
        again.sendall(GET)
        assert answers(again)[0].status == 200
        again.sendall(HALF)
        leftover.sendall(slow_post("nobody").replace(b"Expect: 100-continue\r\n", b"") + BODY[:5])
        assert answers(leftover)[0].status == 401
        dripped = threading.Thread(target=drip, args=(dripping,))
        dripped.start()

        assert answers(half)[0].code == "head_too_slow"
        assert answers(again)[0].code == "head_too_slow"
        assert quiet([silent, half, again, leftover], 20) == []
        dripped.join(20)
        assert not dripped.is_alive()  # the other side has ended it
        assert ask(api, GET).status == 200
        assert eventually(lambda: api.seen("connections"), what="it is told")[0]["late"] > 0
        assert api.seen("request", code="head_too_slow")[0]["status"] == 408


def drip(wire: socket.socket) -> None:
    """Send a header byte by byte, without end."""
    with contextlib.suppress(ConnectionError):
        for _ in range(1000):
            wire.sendall(b"x")
            time.sleep(0.05)


def test_an_idle_connection_is_ended_and_one_at_work_is_not(house: House, key: str) -> None:
    first = "room.HEAD_SECONDS = 1.0; room.IDLE_SECONDS = 1.0"
    with serving(house, first=first) as api, api.dial() as idle, api.dial() as working:
        idle.sendall(GET)
        assert answers(idle)[0].status == 200
        begin(working, key)
        assert ended(idle)
        for n in range(len(BODY)):  # two seconds and more
            working.sendall(BODY[n : n + 1])
            time.sleep(0.1)
        assert answers(working)[0].status == 201


def test_an_answer_that_nobody_reads_is_given_up(house: House, key: str) -> None:
    big = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with serving(house, first="room.ANSWER_SECONDS = 1.0") as api:
        with api.dial() as reader:
            reader.sendall(big)
            size = len(answers(reader)[0].body)
        before = api.memory()
        wires = [narrow(api) for _ in range(20)]
        for wire in wires:
            wire.sendall(big * 17)
        eventually(lambda: sum(x["late"] for x in api.seen("connections")) >= len(wires), what="all are given up")
        assert ask(api, GET).status == 200
        assert api.memory() - before < len(wires) * 2 * size + (30 << 20)
        for wire in wires:
            wire.close()
        # Who reads slowly, but reads, gets the whole of it.
        with narrow(api) as slow:
            slow.sendall(big)
            assert len(answers(slow)[0].body) == size


def test_idle_connections_hold_nothing_of_their_last_request(house: House, key: str) -> None:
    values = json.dumps({"definition": "plain", "input": [n / 7 for n in range(50_000)], "no_such_field": 1}).encode()
    head = slow_post(key).replace(b"Expect: 100-continue\r\n", b"").replace(b"%d" % len(BODY), b"%d" % len(values))
    with serving(house) as api, contextlib.ExitStack() as stack:
        memory = []
        for _ in range(60):
            wire = stack.enter_context(api.dial())
            wire.sendall(head + values)
            assert answers(wire)[0].status == 422
            memory.append(api.memory())
        assert memory[-1] - memory[10] < 50 * (1 << 20)  # a request is some 2.5 MB of values, and as much of bytes


def narrow(api: ApiProcess) -> socket.socket:
    """Open a connection on which little can be under way."""
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    wire.settimeout(30)
    wire.connect(("127.0.0.1", api.port))
    return wire


def test_beyond_the_limit_the_longest_idle_make_room_and_who_is_at_work_stays(house: House, key: str) -> None:
    with serving(house, STEPWELL_API_CONNECTIONS="10") as api, contextlib.ExitStack() as stack:
        working = stack.enter_context(api.dial())
        begin(working, key)
        asked = []
        for _ in range(30):
            asked.append(stack.enter_context(api.dial()))
            asked[-1].sendall(GET)
            assert answers(asked[-1])[0].status == 200
        assert len(quiet(asked, 1)) == 9
        assert quiet(asked[:21], 1) == []
        silent = [stack.enter_context(api.dial()) for _ in range(30)]
        eventually(lambda: len(quiet(silent, 0.5)) <= 9, what="the oldest of them give way", seconds=8)
        working.sendall(BODY)
        assert answers(working)[0].status == 201
        assert api.seen("connections")


def test_when_all_are_at_work_others_are_told_to_come_again(house: House, key: str) -> None:
    with serving(house, STEPWELL_API_CONNECTIONS="10") as api, contextlib.ExitStack() as stack:
        working = [stack.enter_context(api.dial()) for _ in range(10)]
        keys = [new_key(house, "acme_prod", ["admin"]) for _ in range(5)]
        for n, wire in enumerate(working):
            begin(wire, keys[n // 2])
        refused = ask(api, GET)
        assert refused.code == "too_many_connections"
        assert int(refused.headers["retry-after"]) > 0
        assert refused.headers["connection"] == "close"
        for _ in range(150):  # nor can those who are told so take all there is
            stack.enter_context(api.dial())
        for wire in working:
            wire.sendall(BODY)
            assert answers(wire)[0].status == 201
        eventually(lambda: ask(api, GET).status == 200, what="there is room again")


def test_one_key_has_a_quarter_of_the_connections_for_its_requests(house: House, key: str) -> None:
    with serving(house, STEPWELL_API_CONNECTIONS="20") as api, contextlib.ExitStack() as stack:
        working = [stack.enter_context(api.dial()) for _ in range(5)]
        for wire in working:
            begin(wire, key)
        for _ in range(20):
            wire = stack.enter_context(api.dial())
            wire.sendall(slow_post(key).replace(b"Expect: 100-continue\r\n", b""))
            refused = answers(wire)[0]  # and it may go on, but gives way to others
            assert (refused.status, refused.code) == (429, "rate_limited")
            assert int(refused.headers["retry-after"]) > 0
        other = {"Authorization": f"Bearer {new_key(house, 'globex_prod', ['admin'])}"}
        assert httpx.get(api.url + PROCESSES, headers=other).status_code == 200
        for wire in working:
            wire.sendall(BODY)
            assert answers(wire)[0].status == 201
        assert httpx.get(api.url + PROCESSES, headers={"Authorization": f"Bearer {key}"}).status_code == 200


LARGE_ANSWER = b"GET /api/v1/workflows/executions?limit=50 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n"


def test_answers_that_are_made_and_not_yet_written_count_as_waiting(house: House, key: str) -> None:
    for _ in range(9):
        house.start("plain", "x" * 900_000)
    with serving(house, first="room.UNSENT_BYTES = 40 << 20") as api, contextlib.ExitStack() as stack:
        for _ in range(4):  # each is sent one of 8 MB, which is not read, and asks for another: 64 MB
            wire = stack.enter_context(narrow(api))
            wire.sendall(LARGE_ANSWER % key.encode() * 2)
        eventually(lambda: sum(x["late"] for x in api.seen("connections")) > 0, what="the oldest is given up")


def test_who_reads_no_answer_is_asked_for_no_body(house: House, key: str) -> None:
    large = json.dumps({"definition": "plain", "no": "x" * (2 << 20)}).encode()
    post = (
        slow_post(key).replace(b"Expect: 100-continue\r\n", b"").replace(b": %d\r" % len(BODY), b": %d\r" % len(large))
    )
    for _ in range(9):
        house.start("plain", "x" * 900_000)
    with serving(house) as api, contextlib.ExitStack() as stack:
        for _ in range(3):
            wire = stack.enter_context(narrow(api))
            wire.sendall(LARGE_ANSWER % key.encode() + post + large[:1000])
            eventually(lambda: api.seen("request", path="/api/v1/workflows/executions"), what="it is answered")
            wire.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                wire.send(large[1000:])
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        assert httpx.post(api.url + PROCESSES, content=large, headers=headers, timeout=30).status_code == 422


def test_fewer_open_files_than_connections_is_told_and_borne(house: House) -> None:
    few = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))"
    with serving(house, first=few) as api, contextlib.ExitStack() as stack:
        assert api.url
        note = eventually(lambda: api.seen("note", where="limits"), what="it is told")[0]
        assert "at most 100 connections instead of 10000" in note["message"]
        for _ in range(250):
            stack.enter_context(api.dial())
        assert ask(api, GET).status == 200
        assert api.files() < 300
        assert api.troubles() == []


def test_where_keys_would_cross_a_network_in_clear_the_log_says_so(house: House) -> None:
    with serving(house, "--host", "0.0.0.0") as open_, serving(house) as local:  # noqa: S104  for some seconds
        assert open_.url.startswith("http://0.0.0.0:")
        assert "in clear" in open_.seen("note", where="api")[0]["detail"]
        assert local.url.startswith("http://127.0.0.1:")
        assert "detail" not in local.seen("note", where="api")[0]


@contextmanager
def others(api: ApiProcess, key: str) -> Iterator[list[float]]:
    """Keep asking for real answers for the time of the block; the seconds each took are kept."""
    stop, took, wrong = threading.Event(), list[float](), list[object]()

    def ask_on() -> None:
        with httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
            while not stop.wait(0.01):
                began = time.monotonic()
                try:
                    answer = client.get(PROCESSES)
                    if answer.status_code != 200 or answer.json()["items"] != []:
                        wrong.append(answer)
                except httpx.HTTPError as error:
                    wrong.append(error)
                took.append(time.monotonic() - began)

    thread = threading.Thread(target=ask_on)
    thread.start()
    try:
        yield took
    finally:
        stop.set()
        thread.join(60)
    assert wrong == []


@pytest.fixture
def many() -> Iterator[int]:
    """Return how many connections this process may open, MANY at most."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    count = MANY if before[1] == resource.RLIM_INFINITY else min(MANY, before[1] - 500)
    if count < MANY:
        print(f"the system allows {before[1]} open files: {count} connections instead of {MANY}")
    yield count
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.timeout(240)
def test_ten_thousand_connections_do_not_keep_the_api_from_answering_others(house: House, key: str, many: int) -> None:
    first = "room.HEAD_SECONDS = 120.0"  # all of them at once, however slow the machine
    with serving(house, first=first, STEPWELL_API_CONNECTIONS=str(many)) as api:
        assert ask(api, GET).status == 200
        before, files = api.memory(), api.files()
        peaks = []
        for _ in range(2):
            with others(api, key) as took:
                wires = flood(api, many + 200)
                eventually(lambda: api.files() > many, what="all of them are there")
                peaks.append(api.memory())
                served = len(took)
                eventually(partial(more, took, served + 20), what="others are answered meanwhile")
            assert api.files() <= many + 200
            for wire in wires:
                wire.close()
            eventually(lambda: api.files() <= files + 10, what="all of them are gone")
        each = (peaks[0] - before) / many
        print(f"{each / 1024:.1f} KB a connection; others: {len(took)} answers, the slowest after {max(took):.2f} s")
        assert each < 40 << 10
        assert peaks[1] < peaks[0] + (20 << 20)  # nothing is kept of those that have gone
        assert sum(x["made_room"] for x in api.seen("connections")) >= 200
        assert api.troubles() == []


def more(took: list[float], than: int) -> bool:
    return len(took) > than


def flood(api: ApiProcess, count: int) -> list[socket.socket]:
    """Open connections: silent ones, half a request, a request that was answered and is not read."""
    port, wires = api.port, []
    for n in range(count):
        wires.append(socket.create_connection(("127.0.0.1", port), timeout=30))
        if n % 10 > 5:
            wires[-1].sendall(HALF if n % 10 > 6 else GET)
    return wires
