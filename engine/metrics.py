"""The reader of observations that counts, and the text that /metrics answers with.

Counting happens where the observation is made, in the engine's loop, so it must stay cheap; the text may be written by
any other thread. Nothing here asks PostgreSQL: what was measured there (engine/measure.py) is handed in.
"""

from __future__ import annotations

import hmac
import platform
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from engine.families import COUNTED, MEASURED
from engine.instruments import OTHER, Counter, Gauge, Histogram, made
from engine.observe import (
    ActivityEnded,
    Called,
    Flushed,
    FlushFailed,
    LinesDropped,
    Observation,
    ProcessBegan,
    ProcessEnded,
    Refused,
    Rescued,
    SpansSent,
    Ticked,
    Trouble,
    WorkerChanged,
    row_lost,
)

MOST_DEFINITIONS = 200  # that have a label of their own: the first that come. Up to 50 series each

_OPENMETRICS, _VERSION = "application/openmetrics-text", "1.0.0"
_PLAIN_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS_TYPE = f"{_OPENMETRICS}; version={_VERSION}; charset=utf-8"

Measured = Mapping[str, float]  # names as in families.MEASURED, without the prefix


class Metrics(Collector):
    """What one program counts; a subclass says what of. `__call__` is the observer."""

    def __init__(self, program: str) -> None:
        of = {said.name.removeprefix("stepwell_"): said for said in COUNTED if program in said.programs}
        self._instruments: dict[str, Counter | Gauge | Histogram] = {name: made(said) for name, said in of.items()}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        self._measured: Measured = {}
        self.gauge("build_info").set(1, (version("stepwell"), platform.python_version()))
        dropped = self.counter("log_lines_dropped_total")
        self._readers: dict[type[Observation], Callable[[Any], None]] = {
            Trouble: self.trouble,
            LinesDropped: lambda told: dropped.add(amount=told.count),
        }

    def counter(self, name: str) -> Counter:
        """Return a counter of this program."""
        found = self._instruments[name]
        assert isinstance(found, Counter)  # noqa: S101  families says so
        return found

    def gauge(self, name: str) -> Gauge:
        """Return a gauge of this program."""
        found = self._instruments[name]
        assert isinstance(found, Gauge)  # noqa: S101
        return found

    def histogram(self, name: str) -> Histogram:
        """Return a histogram of this program."""
        found = self._instruments[name]
        assert isinstance(found, Histogram)  # noqa: S101
        return found

    @property
    def kinds(self) -> frozenset[type[Observation]]:
        """Return what is counted here."""
        return frozenset(self._readers)

    def __call__(self, observation: Observation) -> None:
        """Count."""
        read = self._readers.get(type(observation))
        if read is not None:
            read(observation)

    def trouble(self, told: Trouble) -> None:  # noqa: ARG002
        """Count an error."""
        self.counter("errors_total").add()

    def text(self, measured: Measured, accept: str | None = None) -> tuple[bytes, str]:
        """Return all of it and its content type: Prometheus text, or OpenMetrics for whoever asks for that."""
        self._measured = measured
        if any(_is_openmetrics(one) for one in (accept or "").split(",")):
            written: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]
            return written, _OPENMETRICS_TYPE
        return generate_latest(self._registry), _PLAIN_TYPE

    def collect(self) -> Iterable[Metric]:
        """Yield what there is to tell: Prometheus' library asks."""
        for one in self._instruments.values():
            family = one.family()
            if family.samples:
                yield family
        for said in MEASURED:
            value = self._measured.get(said.name.removeprefix("stepwell_"))
            if value is not None:
                yield GaugeMetricFamily(said.name, said.meaning, value=value)


class WorkerMetrics(Metrics):
    """What a worker counts."""

    def __init__(self) -> None:
        super().__init__("worker")
        self._definitions: set[str] = set()
        self._activities = self.histogram("activity_duration_seconds")
        self._readers |= {
            ActivityEnded: self._activity,
            ProcessBegan: self._process_begin,
            ProcessEnded: self._process_end,
            Called: self._call,
            Refused: self._refused,
            Ticked: self._tick,
            Flushed: self._flush,
            FlushFailed: self._flush_failed,
            WorkerChanged: self._worker,
            Rescued: self._rescue,
            SpansSent: self._spans,
        }

    def _activity(self, told: ActivityEnded) -> None:
        self._activities.observe(told.duration_s, (told.kind, told.outcome))
        if told.error is not None:
            self.counter("activity_failures_total").add((told.kind, told.error.category, told.error.code))
            if told.outcome == "retrying":
                self.counter("activity_retries_total").add((told.kind,))

    def _process_begin(self, told: ProcessBegan) -> None:
        self.counter("processes_started_total").add((self._definition(told.definition),))

    def _process_end(self, told: ProcessEnded) -> None:
        labels = (self._definition(told.definition), told.status)
        self.counter("processes_ended_total").add(labels)
        if told.duration_s is not None:
            self.histogram("process_duration_seconds").observe(told.duration_s, labels)
        if told.error is not None:
            self.counter("process_failures_total").add((told.error.category, told.error.code))

    def _definition(self, name: str) -> str:
        if name in self._definitions:
            return name
        if len(self._definitions) >= MOST_DEFINITIONS:
            return OTHER
        self._definitions.add(name)
        return name

    def _call(self, told: Called) -> None:
        self.histogram("call_duration_seconds").observe(told.duration_s, (told.kind, told.outcome))

    def _refused(self, told: Refused) -> None:
        self.counter("commands_rejected_total").add((told.kind, told.code))

    def _tick(self, told: Ticked) -> None:
        self.histogram("tick_duration_seconds").observe(told.duration_s)
        self.counter("claims_total").add(amount=told.claimed)
        self.gauge("worker_holds_processes").set(told.holds)
        self.gauge("worker_slots_processes").set(told.slots)
        self.gauge("worker_calls").set(told.calls)

    def _flush(self, told: Flushed) -> None:
        self.histogram("flush_duration_seconds").observe(told.duration_s)
        self.histogram("flush_size_bytes").observe(told.size_bytes)
        self.histogram("flush_events").observe(told.events)

    def _flush_failed(self, told: FlushFailed) -> None:
        self.counter("flush_failures_total").add(amount=told.processes)

    def _worker(self, told: WorkerChanged) -> None:
        self.counter("worker_changes_total").add((told.what,))
        if told.what == "registered":
            self.gauge("worker_registered").set(1)
        self._row(told)

    def _row(self, told: WorkerChanged | Trouble) -> None:
        if row_lost(told):
            for name in ("worker_registered", "worker_holds_processes", "worker_calls"):
                self.gauge(name).set(0)

    def trouble(self, told: Trouble) -> None:
        """Count an error; one that ended a session took its row along."""
        super().trouble(told)
        self._row(told)

    def _rescue(self, told: Rescued) -> None:
        self.counter("rescued_workers_total").add(amount=len(told.workers))
        self.counter("rescued_leases_total").add(amount=told.leases)

    def _spans(self, told: SpansSent) -> None:
        self.counter("spans_total").add((told.outcome,), told.count)


def _is_openmetrics(accepted: str) -> bool:
    """Tell whether one part of an Accept header names OpenMetrics as it is written here, or in any version.

    Prometheus' library reads the version as a number and fails on what is none.
    """
    kind, *more = (part.strip() for part in accepted.split(";"))
    versions = [value for name, _, value in (part.partition("=") for part in more) if name == "version"]
    return kind == _OPENMETRICS and versions in ([], [_VERSION])


def permitted(authorization: str | None, token: str | None) -> bool:
    """Tell whether a request may read, by its Authorization header, decoded as HTTP does (Latin-1).

    Takes as long for a good guess as for a bad one.
    """
    if token is None:
        return True
    scheme, _, given = (authorization or "").partition(" ")
    sent = given.strip().encode("latin-1", "replace")
    return scheme.lower() == "bearer" and hmac.compare_digest(sent, token.encode())
