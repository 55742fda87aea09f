"""The reader of observations that turns ends of attempts and of processes into spans, and sends them by OTLP over HTTP.

Imported only where a receiver is configured. Nothing of it waits in the engine's loop: what is to be told is put into a
queue that drops what does not fit; a thread makes spans of it and sends them. A span holds names, ids and codes, never
a payload, a message or a secret.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from engine import traces
from engine.config import Settings
from engine.core.ids import execution_id, public_id
from engine.observe import About, ActivityEnded, Observation, Observer, ProcessEnded, SpansSent, Trouble
from engine.traces import Trace

MOST_WAITING = 20_000  # observations; some 20 MB
BATCH = 512
PAUSE_S = 1.0  # between two batches that are not full
SEND_S = 5.0  # for one batch, its repetitions included
LAST_S = 5.0  # at the end, for all that is waiting
TOLD_EVERY_S = 60.0  # about a receiver that is away
PATH = "/v1/traces"

Told = ActivityEnded | ProcessEnded


class Spans:
    """Takes observations, sends spans. `observe` is told what becomes of them; it must not be this object."""

    kinds = frozenset({ActivityEnded, ProcessEnded})

    def __init__(self, settings: Settings, observe: Observer) -> None:
        self._ratio = settings.trace_ratio
        self._observe = observe
        self._exporter = _exporter(settings)
        self._reasons = _Reasons()
        self._waiting: deque[tuple[Told, Trace]] = deque()
        self._dropped = 0
        self._last: tuple[About | None, Trace | None] = (None, None)
        self._told_at = -TOLD_EVERY_S
        self._stop = threading.Event()
        self._full = threading.Event()
        self._resource = Resource({"service.name": "stepwell", "service.version": version("stepwell")})
        self._scope = InstrumentationScope("stepwell", version("stepwell"))
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def __call__(self, observation: Observation) -> None:
        """Keep the end of an attempt or process for the thread, if its trace is one that is recorded."""
        if not isinstance(observation, ActivityEnded | ProcessEnded):
            return
        trace = self._trace(observation)
        if trace is None or not trace.sampled:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._dropped += 1
            return
        self._waiting.append((observation, trace))
        if len(self._waiting) >= BATCH and not self._full.is_set():
            self._full.set()

    def close(self) -> None:
        """Send what is waiting, within LAST_S."""
        self._stop.set()
        self._full.set()
        self._thread.join(LAST_S)
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
        self._reasons.close()

    def _trace(self, told: Told) -> Trace | None:
        about, trace = self._last
        if told.about is not about or about is None:
            if told.about is None or told.process is None:
                return None
            trace = traces.trace_of(told.process, told.about.traceparent, self._ratio)
            self._last = (told.about, trace)
        return trace

    def _run(self) -> None:
        while not self._stop.is_set():
            self._full.wait(PAUSE_S)
            self._full.clear()
            self._send_all(time.monotonic() + 3600)
        self._send_all(time.monotonic() + LAST_S)

    def _send_all(self, deadline: float) -> None:
        """Send batches until nothing is waiting."""
        while self._waiting and time.monotonic() < deadline:
            some = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            spans = [self._span(told, trace) for told, trace in some]
            self._send(spans)
        dropped, self._dropped = self._dropped, 0
        if dropped:
            self._observe(SpansSent(level="debug", count=dropped, outcome="dropped"))

    def _send(self, spans: Sequence[ReadableSpan]) -> None:
        try:
            sent = self._exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception as error:  # noqa: BLE001  whatever it was, spans are not worth more than a line
            sent, self._reasons.last = False, f"{type(error).__name__}: {error}"
        self._observe(SpansSent(level="debug", count=len(spans), outcome="sent" if sent else "failed"))
        if not sent and time.monotonic() - self._told_at >= TOLD_EVERY_S:
            self._told_at = time.monotonic()
            message = f"the receiver of traces did not take them: {self._reasons.last}"
            self._observe(Trouble(level="error", where="traces", message=message))

    def _span(self, told: Told, trace: Trace) -> ReadableSpan:
        if isinstance(told, ActivityEnded):
            return self._attempt(told, trace)
        return self._process(told, trace)

    def _attempt(self, told: ActivityEnded, trace: Trace) -> ReadableSpan:
        process = told.process or 0
        return self._made(
            told,
            trace,
            f"{told.kind} {told.path}",
            traces.attempt_span(process, told.path, told.run, told.attempt),
            traces.root_span(process),
            {
                "stepwell.step": told.path,
                "stepwell.activity.type": told.kind,
                "stepwell.activity.attempt": told.attempt,
                "stepwell.activity.outcome": told.outcome,
                "stepwell.execution.id": execution_id(process, told.path, told.run),
            },
            failed=told.outcome in ("failed", "retrying", "lost"),
        )

    def _process(self, told: ProcessEnded, trace: Trace) -> ReadableSpan:
        process, about = told.process or 0, told.about
        root = traces.root_span(process)
        again = told.since if about is not None and told.since != about.created_at else None
        name = told.definition if again is None else f"{told.definition} (retried)"
        span, parent = (root, trace.parent) if again is None else (traces.root_span(process, again), root)
        failed = told.status == "FAILED"
        return self._made(told, trace, name, span, parent, {"stepwell.process.status": told.status}, failed=failed)

    def _made(
        self,
        told: Told,
        trace: Trace,
        name: str,
        span: int,
        parent: int,
        attributes: dict[str, str | int],
        *,
        failed: bool,
    ) -> ReadableSpan:
        effectful = isinstance(told, ActivityEnded) and told.effectful
        return ReadableSpan(
            name=name,
            context=_context(trace.id, span),
            parent=_context(trace.id, parent, remote=parent == trace.parent) if parent else None,
            resource=self._resource,
            attributes={**attributes, **_common(told)},
            kind=SpanKind.CLIENT if effectful else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, getattr(told.error, "code", None)) if failed else Status(StatusCode.UNSET),
            start_time=_nanoseconds(told.since or told.at),
            end_time=_nanoseconds(told.at),
            instrumentation_scope=self._scope,
        )


def _common(told: Told) -> dict[str, str | int]:
    """Return the attributes that every span has."""
    about = told.about
    assert about is not None  # noqa: S101  `Spans._trace` has seen to it
    found: dict[str, str | int] = {
        "stepwell.process.id": public_id("prc", told.process or 0),
        "stepwell.definition": about.definition,
        "stepwell.definition.version": about.version,
        "stepwell.tenant.id": about.tenant_id,
        "stepwell.environment.id": about.environment_id,
    }
    if told.error is not None:
        found["error.type"] = told.error.code
        found["stepwell.error.category"] = str(told.error.category)
    return found


def _context(trace: int, span: int, *, remote: bool = False) -> SpanContext:
    return SpanContext(trace, span, is_remote=remote, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _nanoseconds(moment: datetime | None) -> int | None:
    """Return nanoseconds since 1970, exact to the microsecond."""
    if moment is None:
        return None
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def _exporter(settings: Settings) -> OTLPSpanExporter:
    """Return what sends. Its library reads settings of its own from the environment; ours are the only ones here."""
    url = (settings.otlp_url or "").rstrip("/")
    session = requests.Session()
    session.trust_env = False
    return OTLPSpanExporter(
        endpoint=url if url.endswith(PATH) else url + PATH,
        certificate_file=str(settings.otlp_ca_file or ssl.get_default_verify_paths().cafile or "") or None,
        headers=settings.otlp_headers,
        timeout=SEND_S,
        compression=Compression.Gzip,
        session=session,
    )


class _Reasons(logging.Handler):
    """Keeps the last line that OpenTelemetry logged, which is where it says why nothing was sent."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = "no reason known"
        self._logger = logging.getLogger("opentelemetry")
        self._logger.addHandler(self)
        self._logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()[:500]

    def close(self) -> None:
        self._logger.removeHandler(self)
        super().close()
