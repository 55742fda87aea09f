"""One stage: processes come at a rate, and what that took is measured. Also the trial before all stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from bench.capacity.doors import offer
from bench.capacity.durations import longest
from bench.capacity.search import Seen, refusal, seen
from bench.capacity.site import Site
from bench.cases import Unable
from bench.meter import Measured, Meter, percentiles
from engine.errors import BadInput

PATIENCE_S = 60.0  # for a stage's processes to end, besides what they take by themselves
WARMING = 50  # processes that run before anything is measured
RAMPS = 2.0  # after so many times what a process takes, as many should end as arrive
LEAST_RAMPS = 2 * RAMPS  # that a stage lasts


class Stage(Struct, frozen=True):
    """What one stage showed and took."""

    rate_per_s: float
    seconds: float
    started: int
    seen: Seen
    refusal: str  # why it is not sustained; '' where it is
    late_s: float  # p95 by which the tool itself was late with its starts
    worker_cores: float  # busy on average while processes came
    server_cores: float
    worker_cpu_s: float  # of one process, from its start to its end
    server_cpu_s: float
    api_cpu_s: float | None
    wal_bytes: float
    held: float  # processes that the workers hold, on average
    held_most: int
    worker_rss_bytes: int  # at its peak, of all worker processes
    worker_connections: int
    api_rss_bytes: int  # at its peak; 0 without an API


class Trial(Struct, frozen=True):
    """What one process alone did. `own_s`: its steps' own durations as the definition's world has them."""

    seconds: float
    ran: tuple[str, ...]
    activities: int
    own_s: float
    played_s: float


def trial(site: Site) -> Trial:
    """Run one process to its end. Raises BadInput where it fails, Unable where it does not end."""
    before = site.last()
    site.door.start(1)
    site.door.finish()
    setup = site.setup
    try:
        site.ended(PATIENCE_S + sum(setup.lasting.played.values()))
    except Unable as error:
        waiting = ", ".join(name for name, completed in site.ran(before).items() if not completed)
        raise Unable(f"{error}; it stands at: {waiting or 'its beginning'}") from None
    failure = site.failure(before)
    if failure is not None:
        raise _faulty(failure)
    counts = site.ran(before)
    ran = tuple(name for name in setup.plan.order if counts.get(name))
    ((started, ended),) = site.moments(before)
    own, played = (longest(setup.plan, ran, seconds) for seconds in (setup.lasting.real, setup.lasting.played))
    return Trial((ended or 0.0) - (started or 0.0), ran, sum(counts.values()), own, played)


def _faulty(failure: dict[str, Any]) -> BadInput:
    step = failure.get("step_id") or "none"
    details = failure.get("details")
    path = details.get("path") if isinstance(details, dict) else None
    place = f", reading {path}" if path else ""
    return BadInput(
        f"with the stubs' answers the definition fails at step {step!r}{place}: {failure.get('message')}",
        advice="Give what it reads: answers with --answers FILE (JSON, by step id), its input with --payload FILE.",
    )


def warm(site: Site) -> tuple[float, float]:
    """Run some processes, so that what follows finds everything warm; return the CPU seconds of worker and server."""
    with Meter(site.ground, [site.worker.pid]) as meter:
        site.door.start(WARMING)
        site.door.finish()
        site.ended(PATIENCE_S)
    return meter.measured.cpu_s / WARMING, meter.measured.server_cpu_s / WARMING


def run(site: Site, one: Trial, rate: float, seconds: float, limit_s: float) -> Stage:
    """Measure one stage. Raises Unable where its processes do not end."""
    seconds = max(seconds, LEAST_RAMPS * one.seconds)
    before = site.last()
    meter, api = (Meter(site.ground, [program.pid] if program else []) for program in (site.worker, site.api))
    site.outside.forget()
    meter.start()
    api.start()
    due, late = offer(site.door, rate, seconds)
    coming, held = meter.stop(), list(site.outside.held)
    sessions = site.connections("worker")
    site.ended(PATIENCE_S + one.seconds + seconds)
    whole, of_api = meter.stop(), api.stop()
    found = seen(due, site.moments(before), due[0] + seconds, due[0] + RAMPS * one.seconds, site.failed(before))
    return Stage(
        rate_per_s=rate,
        seconds=coming.seconds,
        started=len(due),
        seen=found,
        refusal=refusal(found, rate, limit_s),
        late_s=percentiles(late)[1],
        worker_cores=coming.cpu_s / coming.seconds,
        server_cores=coming.server_cpu_s / coming.seconds,
        **_each(whole, of_api if site.api else None, len(due)),
        held=_mean(held[len(held) // 3 :]),
        held_most=max(held, default=0),
        worker_rss_bytes=site.worker_bytes(peak=True),
        worker_connections=sessions,
        api_rss_bytes=of_api.peak_rss_bytes,
    )


def _each(whole: Measured, api: Measured | None, count: int) -> dict[str, Any]:
    return {
        "worker_cpu_s": whole.cpu_s / count,
        "server_cpu_s": whole.server_cpu_s / count,
        "api_cpu_s": None if api is None else api.cpu_s / count,
        "wal_bytes": whole.wal_bytes / count,
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
