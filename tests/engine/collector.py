"""A receiver of OTLP over HTTP: it decodes what a worker sends, by the published protocol."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.certificates import Pair

ERROR = 2  # of a span's status code


class Span(Struct):
    """A span as it came."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    start: int  # nanoseconds
    end: int
    failed: bool
    said: str  # of its status
    attributes: dict[str, str | int]


class Collector:
    """What has come. `status`: what it answers with."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.spans: list[Span] = []
        self.headers: list[dict[str, str]] = []
        self.bytes = b""
        self.service: dict[str, str | int] = {}

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """Take a request."""
        assert path == "/v1/traces"
        self.headers.append(headers)
        plain = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        self.bytes += plain
        if self.status == 200:
            request = ExportTraceServiceRequest.FromString(plain)
            for resource in request.resource_spans:
                self.service = _attributes(resource.resource)
                self.spans += [_span(one) for scope in resource.scope_spans for one in scope.spans]
        return self.status

    def named(self, name: str) -> list[Span]:
        """Return the spans of a name, in the order of their begin."""
        return sorted((s for s in list(self.spans) if s.name == name), key=lambda s: s.start)


def _span(one: object) -> Span:
    return Span(
        trace=one.trace_id.hex(),  # type: ignore[attr-defined]
        id=one.span_id.hex(),  # type: ignore[attr-defined]
        parent=one.parent_span_id.hex(),  # type: ignore[attr-defined]
        name=one.name,  # type: ignore[attr-defined]
        kind=one.kind,  # type: ignore[attr-defined]
        start=one.start_time_unix_nano,  # type: ignore[attr-defined]
        end=one.end_time_unix_nano,  # type: ignore[attr-defined]
        failed=one.status.code == ERROR,  # type: ignore[attr-defined]
        said=one.status.message,  # type: ignore[attr-defined]
        attributes=_attributes(one),
    )


def _attributes(holder: object) -> dict[str, str | int]:
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value"))
        for pair in holder.attributes  # type: ignore[attr-defined]
    }


@contextmanager
def collector(pair: Pair | None = None) -> Iterator[Collector]:
    """Run a receiver for the time of the block; with a certificate, behind TLS."""
    made = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = made.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    made.url = f"{'http' if pair is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
