"""Counters, gauges and histograms, counted in plain dictionaries and written as Prometheus text when somebody asks.

Counting costs well under a microsecond, for an engine that does 20,000 activities a second: see
docs/decisions/0011-metrics-and-traces.md. Nothing is locked: who reads while another thread counts sees a moment of it,
each series whole, and where two threads count the same series one in very many may be missed. A label has few values by
design, and MOST_SERIES holds where a design errs: what comes beyond is counted under OTHER.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

MOST_SERIES = 1000  # of one instrument
OTHER = "(other)"

Labels = tuple[str, ...]


class Declared(Struct, frozen=True):
    """A metric as it is documented. `name` ends in its unit; a counter's in _total. `bounds` make it a histogram."""

    name: str
    kind: str  # counter | gauge | histogram
    meaning: str
    labels: Labels = ()
    bounds: tuple[float, ...] = ()
    programs: Labels = ("worker",)  # whose /metrics has it


class Instrument:
    """A metric and what was counted, by the values of its labels."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared
        self._series: dict[Labels, list[float]] = {}
        if not declared.labels:
            self._of(())  # a rate needs the nought before the first

    def _of(self, labels: Labels) -> list[float]:
        """Return the numbers of a series, made at its first use."""
        found = self._series.get(labels)
        if found is None:
            if len(self._series) >= MOST_SERIES:
                labels = (OTHER,) * len(labels)
            found = self._series.setdefault(labels, self._nought())
        return found

    def _nought(self) -> list[float]:
        return [0.0]

    def _copied(self) -> list[tuple[Labels, list[float]]]:
        return [(labels, numbers.copy()) for labels, numbers in list(self._series.items())]


class Counter(Instrument):
    """What only grows."""

    def add(self, labels: Labels = (), amount: float = 1.0) -> None:
        """Count."""
        self._of(labels)[0] += amount

    def rise_to(self, value: float) -> None:
        """Take over what somebody else counts."""
        numbers = self._of(())
        numbers[0] = max(numbers[0], value)

    def family(self) -> Metric:
        """Return it as Prometheus writes it."""
        said = self.declared
        made = CounterMetricFamily(said.name.removesuffix("_total"), said.meaning, labels=said.labels)
        for labels, (value,) in self._copied():
            made.add_metric(labels, value)
        return made


class Gauge(Instrument):
    """What goes up and down."""

    def set(self, value: float, labels: Labels = ()) -> None:
        """Note what it is now."""
        self._of(labels)[0] = value

    def family(self) -> Metric:
        """Return it as Prometheus writes it."""
        made = GaugeMetricFamily(self.declared.name, self.declared.meaning, labels=self.declared.labels)
        for labels, (value,) in self._copied():
            made.add_metric(labels, value)
        return made


class Histogram(Instrument):
    """How values are spread: a number for each bound, one for what lies beyond, their sum."""

    def __init__(self, declared: Declared) -> None:
        self._bounds = declared.bounds
        self._names = [_written(bound) for bound in (*declared.bounds, float("inf"))]
        super().__init__(declared)

    def observe(self, value: float, labels: Labels = ()) -> None:
        """Count a value."""
        numbers = self._series.get(labels) or self._of(labels)
        numbers[bisect_left(self._bounds, value)] += 1
        numbers[-1] += value

    def _nought(self) -> list[float]:
        return [0.0] * (len(self._bounds) + 2)

    def family(self) -> Metric:
        """Return it as Prometheus writes it: each bucket holds the ones below."""
        made = HistogramMetricFamily(self.declared.name, self.declared.meaning, labels=self.declared.labels)
        for labels, (*counts, total) in self._copied():
            made.add_metric(labels, list(zip(self._names, _summed(counts), strict=True)), total)
        return made


def _written(bound: float) -> str:
    text: str = floatToGoString(bound)  # type: ignore[no-untyped-call]
    return text


def _summed(counts: Iterable[float]) -> Iterator[float]:
    total = 0.0
    for count in counts:
        total += count
        yield total


_KINDS: Mapping[str, type[Counter | Gauge | Histogram]] = {
    "counter": Counter,
    "gauge": Gauge,
    "histogram": Histogram,
}


def made(declared: Declared) -> Counter | Gauge | Histogram:
    """Return an instrument for a metric."""
    return _KINDS[declared.kind](declared)
