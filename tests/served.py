"""A real `stepwell api` in a process of its own, and bare wires to it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.house import House, eventually

GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


class ApiProcess:
    """The API; its log is kept line by line. `first`: Python that runs before it, to shorten its patience."""

    def __init__(self, dsn: str, folder: Path, *options: str, first: str = "", **environment: str) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith("STEPWELL_")}
        env |= {"STEPWELL_DATABASE_URL": dsn, **environment}
        program = f"from stepwell.serving import room\n{first}\nfrom stepwell.main import main\nmain()"
        command = [sys.executable, "-P", "-c", program, "api", "--port", "0", *options]
        self.process = subprocess.Popen(command, env=env, cwd=folder, stderr=subprocess.PIPE, text=True)
        self.log: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self.log.append({"event": "text", "text": line})

    def seen(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Return the log lines of one kind."""
        return [x for x in list(self.log) if x.get("event") == event and fields.items() <= x.items()]

    def troubles(self) -> list[dict[str, Any]]:
        """Return the log lines that tell of trouble, and those that are no JSON."""
        return [x for x in list(self.log) if x.get("level") == "error" or x["event"] == "text"]

    @property
    def url(self) -> str:
        """Where it listens."""
        note = eventually(lambda: self._notes(), what=f"the API listens; its log: {self.log}")[0]
        return str(note["message"]).removeprefix("listens at ")

    def _notes(self) -> list[dict[str, Any]]:
        assert self.process.poll() is None, self.log
        return [x for x in self.seen("note", where="api") if x["message"].startswith("listens at")]

    @property
    def port(self) -> int:
        """The port it listens on."""
        return httpx.URL(self.url).port or 0

    def memory(self, what: str = "VmRSS") -> int:
        """Return its memory in bytes."""
        found = re.search(rf"^{what}:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1]) << 10

    def files(self) -> int:
        """Return how many files it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def dial(self, context: ssl.SSLContext | None = None, *, name: str = "localhost") -> socket.socket:
        """Open a connection."""
        wire = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return wire if context is None else context.wrap_socket(wire, server_hostname=name)

    def end(self) -> int:
        """Stop it; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(5)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return self.process.returncode


@contextmanager
def serving(house: House, *options: str, first: str = "", **environment: str) -> Iterator[ApiProcess]:
    """Run the API for the time of the block."""
    with running(ApiProcess(house.dsn("house_api"), house.folder, *options, first=first, **environment)) as api:
        yield api


@contextmanager
def running(api: ApiProcess) -> Iterator[ApiProcess]:
    """Look after an API for the time of the block."""
    try:
        yield api
    except BaseException:
        print("the API's log:", *api.log[-30:], sep="\n")
        raise
    finally:
        api.end()


class Answer:
    """One HTTP answer as it came over the wire."""

    def __init__(self, head: bytes, body: bytes) -> None:
        status, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(status.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.body = body

    @property
    def code(self) -> str:
        """The code of a problem."""
        assert self.headers["content-type"] == "application/problem+json", self.headers
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        assert problem["title"]
        assert problem["detail"]
        assert problem["advice"]
        return str(problem["code"])


def answers(wire: socket.socket, count: int = 1, pause_s: float = 0.0) -> list[Answer]:
    """Read answers (with Content-Length) from a connection, at leisure; fewer where it ends before."""
    found: list[Answer] = []
    waiting = b""
    while len(found) < count:
        head, complete, rest = waiting.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
        if complete and length is not None and len(rest) >= int(length[1]):
            found.append(Answer(head, rest[: int(length[1])]))
            waiting = rest[int(length[1]) :]
            continue
        time.sleep(pause_s)
        got = wire.recv(1 << 16)
        if not got:
            break
        waiting += got
    return found


def ask(api: ApiProcess, raw: bytes, context: ssl.SSLContext | None = None) -> Answer:
    """Send bytes over a connection of their own; return the first answer."""
    with api.dial(context) as wire:
        wire.sendall(raw)
        return answers(wire)[0]


def ended(wire: socket.socket) -> bool:
    """Wait until the other side has ended the connection; fails after the socket's timeout."""
    try:
        while wire.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    return True
