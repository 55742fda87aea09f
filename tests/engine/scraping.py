"""A worker's --observe as a scraper sees it, and a partner that answers what it is told to."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.house import WorkerProcess

OBSERVE = ("--observe", "127.0.0.1:0")

Samples = dict[str, float]


def samples(text: str) -> Samples:
    """Return the value of each series, `name{label="value"}` with labels in order of their names."""
    return {
        sample.name
        + ("{" + ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items())) + "}" if sample.labels else ""): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def place_of(worker: WorkerProcess) -> str:
    """Return where a worker serves: it was started with --observe 127.0.0.1:0."""
    told = worker.until("note", where="observe")["message"]
    return re.sub(r".* at ", "", told)


class Scraper:
    """Asks one worker."""

    def __init__(self, worker: WorkerProcess, token: str | None = None, trust: ssl.SSLContext | None = None) -> None:
        self.url = place_of(worker)
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._trust = trust or ssl.create_default_context()

    def metrics(self) -> Samples:
        """Return what it counted."""
        answer = self.get("/metrics")
        assert answer.status_code == 200, answer.text
        return samples(answer.text)

    def get(self, path: str, method: str = "GET") -> httpx.Response:
        """Return an answer."""
        address = self.url + path
        return httpx.request(method, address, headers=self._headers, verify=self._trust, trust_env=False, timeout=20)


class Partner:
    """A service: it keeps the headers of its calls, and answers with `statuses` in turn, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        self.calls: list[dict[str, str]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.url = ""
        self._statuses = list(statuses) or [200]

    def answer(self, headers: dict[str, str]) -> int:
        """Take a call."""
        self.calls.append(headers)
        self.hold.wait(30)
        return self._statuses[0] if len(self._statuses) == 1 else self._statuses.pop(0)


@contextmanager
def partner(*statuses: int) -> Iterator[Partner]:
    """Run the partner for the time of the block."""
    made = Partner(*statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = made.answer({name.lower(): value for name, value in self.headers.items()})
            try:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:
                pass  # whoever called is gone

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        yield made
    finally:
        made.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
