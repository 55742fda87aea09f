"""The world outside for the crash tests: the demo's partner with its call log, and a gate that holds calls back."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.house import eventually


class Partner:
    """The real partner service in a process of its own."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log

    def calls(self) -> list[dict[str, Any]]:
        """Return every call so far, in the order of arrival."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def count(self) -> int:
        """Return how many calls have arrived."""
        return self._log.read_bytes().count(b"\n")

    def await_calls(self, count: int) -> None:
        """Wait until more calls than that have arrived."""
        eventually(lambda: self.count() > count, what=f"{count} calls of the partner")


@contextmanager
def partner(folder: Path, *, failure_rate: float = 0.0, seed: int = 7) -> Iterator[Partner]:
    """Run the partner for the time of the block."""
    log = folder / "calls.jsonl"
    command = [sys.executable, "-m", "stepwell.demo.partner", "--log", str(log), "--failure-rate", str(failure_rate)]
    process = subprocess.Popen([*command, "--seed", str(seed)], stdout=subprocess.PIPE, text=True, cwd=folder)
    try:
        assert process.stdout is not None
        yield Partner(json.loads(process.stdout.readline())["url"], log)
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


@dataclass(frozen=True)
class Call:
    """A request that has arrived at the gate."""

    path: str
    key: str
    body: Any
    raw: bytes


class Gate:
    """A service that answers a path only while it is open, and can be told what to answer."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[int], tuple[int, Any]]] = {}  # path → n-th call of the key → answer
        self.raw_answers: dict[str, bytes] = {}  # path → body, sent as it is and called JSON
        self._calls: list[Call] = []
        self._shut: set[str] = set()
        self._change = threading.Condition()
        self._ended = False
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.gate = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def shut(self, *paths: str) -> None:
        """From now on keep the callers of these paths waiting."""
        with self._change:
            self._shut |= set(paths)

    def open(self, *paths: str) -> None:
        """Let them through, those that already wait as well; without a path, all."""
        with self._change:
            self._shut -= set(paths or self._shut)
            self._change.notify_all()

    def calls(self, path: str | None = None) -> list[Call]:
        """Return what has arrived, in that order."""
        with self._change:
            return [call for call in self._calls if path in (None, call.path)]

    def await_calls(self, path: str, count: int) -> None:
        """Wait until a path was called so often in all."""
        with self._change:
            came = self._change.wait_for(lambda: sum(c.path == path for c in self._calls) >= count, 30)
            assert came, f"after 30 s {path} was called {sum(c.path == path for c in self._calls)} times, not {count}"

    def per_key(self, path: str) -> Counter[str]:
        """Return how often each key called a path."""
        return Counter(call.key for call in self.calls(path))

    def close(self) -> None:
        """Stop serving; whoever still waits is let go without an answer."""
        with self._change:
            self._ended = True
            self._change.notify_all()
        self.server.shutdown()
        self.server.server_close()

    def serve(self, call: Call) -> tuple[int, Any] | None:
        """Record a call, wait for the gate, return the answer."""
        with self._change:
            self._calls.append(call)
            n = sum(c.key == call.key and c.path == call.path for c in self._calls)
            self._change.notify_all()
            self._change.wait_for(lambda: self._ended or call.path not in self._shut)
            if self._ended:
                return None
        made = self.answers.get(call.path)
        return (200, {"echo": call.body}) if made is None else made(n)


class _Server(ThreadingHTTPServer):
    gate: Gate
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: callers that were killed break their connections."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw else None
        answer = self.server.gate.serve(Call(self.path, self.headers.get("Idempotency-Key", ""), body, raw))
        if answer is None:
            self.close_connection = True
            return
        status, value = answer
        content = self.server.gate.raw_answers.get(self.path) or json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet."""


@contextmanager
def gate() -> Iterator[Gate]:
    """Run a gate for the time of the block."""
    made = Gate()
    try:
        yield made
    finally:
        made.close()


def post(id_: str, url: str, body: Any, **more: Any) -> dict[str, Any]:
    """Return an http step that posts a body."""
    config = {"method": "POST", "url": url, "body": body, "timeout_seconds": 60}
    return {"id": id_, "type": "http", "config": config, **more}


def pick(id_: str, **mapping: Any) -> dict[str, Any]:
    """Return a transform step."""
    return {"id": id_, "type": "transform", "config": {"mapping": mapping}}
