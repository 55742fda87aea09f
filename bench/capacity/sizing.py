"""From what was measured to what a target needs: arithmetic, each figure with its formula. Pure.

What grows with the rate is measured per process and multiplied. Nothing here is a promise beyond the assumptions that
the report lists; constants below are among them.
"""

from __future__ import annotations

import math

from msgspec import Struct

from bench.report.words import number

DAY_S = 86_400
CHECKPOINT_S = 900.0  # the time from one checkpoint to the next that is advised; so long, what was touched is hot
MONTH_DAYS = 31  # months are dropped whole: the oldest day waits for the last one of its month
SESSION_BYTES = 10 << 20  # of one PostgreSQL session
LEAST_BUFFERS = 1 << 30
SPARE_CONNECTIONS = 20  # for operators, reports, callers, backup, replicas
# What one PostgreSQL is trusted with: a large server of today, at the utilisation asked for.
MOST_CORES = 64
MOST_WAL_PER_S = 200e6  # bytes that one disk takes durably, and one replica follows
MOST_DISK = 20e12  # bytes that can still be backed up and restored in a working day
MOST_CONNECTIONS = 1000


class Cost(Struct, frozen=True):
    """What was measured, for one process unless it says otherwise. `api_cpu_s` None: not started through the API."""

    rate_per_s: float  # at which it was measured
    workers: int  # processes
    worker_cpu_s: float
    server_cpu_s: float
    api_cpu_s: float | None
    wal_bytes: float
    disk_bytes: float
    held: float  # by all workers, on average
    held_most: int
    idle_rss_bytes: int  # of all workers, without work
    worker_rss_bytes: int  # of all workers, at the peak
    worker_connections: int  # of all workers
    api_connections: int  # of one API at most
    api_rss_bytes: int
    duration_s: float  # from its place in the schedule to its end, on average
    own_s: float  # its steps' own durations, as the definition's world has them
    played_s: float  # the same as they were while measuring
    parks: int  # steps that wait: how often it is put aside


class Target(Struct, frozen=True):
    """What is asked for. `slots`: how many processes one worker holds at a time."""

    rate_per_s: float
    days_kept: float
    utilisation: float
    slots: int


class Need(Struct, frozen=True):
    """One figure: what it is, how much, in which unit, and how it came about."""

    name: str
    value: float
    unit: str
    formula: str


class Bound(Struct, frozen=True):
    """Where one PostgreSQL ends in one respect. `rate_per_s`: of starts."""

    name: str
    rate_per_s: float
    words: str


def needs(cost: Cost, target: Target) -> list[Need]:
    """Return what the target rate needs."""
    rate, used = target.rate_per_s, target.utilisation
    worker_cores, server_cores = rate * cost.worker_cpu_s / used, rate * cost.server_cpu_s / used
    held = rate * held_s(cost)
    workers = worker_processes(cost, target)
    apis = api_processes(cost, target)
    found = [
        Need(
            "worker processes",
            workers,
            "",
            f"the larger of ⌈{worker_cores:.2f} cores⌉, for each process uses one at most, "
            f"and ⌈{held:.0f} processes held / ({target.slots} slots x {used:.0%})⌉",
        ),
        Need("cores for workers", worker_cores, "cores", _cpu(rate, cost.worker_cpu_s, used)),
        Need("cores for PostgreSQL", server_cores, "cores", _cpu(rate, cost.server_cpu_s, used)),
        *_api(cost, target, apis),
        _connections(cost, workers, apis),
    ]
    return [*found, *_growth(cost, target), *_memory(cost, target, workers)]


def held_s(cost: Cost) -> float:
    """Return how long a worker holds a process (Little's law, turned round): never longer than it lasts."""
    return min(cost.held / cost.rate_per_s, cost.duration_s)


def duration_s(cost: Cost) -> float:
    """Return how long a process takes in its own world: its steps, and what the engine added while measuring."""
    return cost.own_s + max(cost.duration_s - cost.played_s, 0.0)


def worker_processes(cost: Cost, target: Target) -> int:
    """Return how many worker processes the rate needs: one uses a core at most, and holds only so many."""
    return max(1, math.ceil(target.rate_per_s * workers_each(cost, target)))


def workers_each(cost: Cost, target: Target) -> float:
    """Return how many worker processes one start a second needs, a fraction."""
    return max(cost.worker_cpu_s, held_s(cost) / target.slots) / target.utilisation


def api_processes(cost: Cost, target: Target) -> int:
    """Return how many API processes the rate needs; 0 where starts were not measured through the API."""
    if cost.api_cpu_s is None:
        return 0
    return max(1, math.ceil(target.rate_per_s * cost.api_cpu_s / target.utilisation))


def _cpu(rate: float, each_s: float, used: float) -> str:
    return f"{number(rate)}/s x {each_s * 1e3:.3f} ms of CPU a process / {used:.0%} utilisation"


def _api(cost: Cost, target: Target, count: int) -> list[Need]:
    if cost.api_cpu_s is None:
        return [Need("API instances", 0, "", "not measured: processes were started by SQL; use --through api")]
    cores = target.rate_per_s * cost.api_cpu_s / target.utilisation
    words = _cpu(target.rate_per_s, cost.api_cpu_s, target.utilisation)
    return [
        Need("API instances", count, "", f"⌈{cores:.2f} cores⌉; one uses one core"),
        Need("cores for APIs", cores, "cores", words),
        Need("memory of an API instance", cost.api_rss_bytes / 1e6, "MB", "as seen, at its peak"),
    ]


def _connections(cost: Cost, workers: int, apis: int) -> Need:
    each = cost.worker_connections / cost.workers
    parts = [f"{workers} x {each:g} of a worker"]
    if apis:
        parts.append(f"{apis} x {cost.api_connections} of an API (its pool)")
    total = workers * each + apis * cost.api_connections + SPARE_CONNECTIONS
    return Need("connections", math.ceil(total), "", f"{' + '.join(parts)} + {SPARE_CONNECTIONS} to spare")


def _growth(cost: Cost, target: Target) -> list[Need]:
    rate, days = target.rate_per_s, target.days_kept
    wal, disk = rate * cost.wal_bytes * DAY_S, rate * cost.disk_bytes * DAY_S
    own, each = duration_s(cost), f"kB a process x {DAY_S:,} s at that rate"
    return [
        Need("WAL", wal / 1e9, "GB/day", f"{number(rate)}/s x {cost.wal_bytes / 1e3:.2f} {each}"),
        Need("disk", disk / 1e9, "GB/day", f"{number(rate)}/s x {cost.disk_bytes / 1e3:.2f} {each}"),
        Need(
            "disk kept",
            disk * (days + MONTH_DAYS) / 1e9,
            "GB",
            f"{number(disk / 1e9)} GB/day x ({days:g} + {MONTH_DAYS}) days: months are dropped whole, by hand",
        ),
        Need(
            "processes in flight",
            rate * own,
            "",
            f"{number(rate)}/s x {number(own)} s from start to end (Little's law)",
        ),
        Need(
            "of them held by workers",
            rate * held_s(cost),
            "",
            f"{number(rate)}/s x {number(held_s(cost))} s, from {cost.held:.1f} held at {number(cost.rate_per_s)}/s, "
            "never longer than it lasts",
        ),
    ]


def _memory(cost: Cost, target: Target, workers: int) -> list[Need]:
    rate = target.rate_per_s
    idle = cost.idle_rss_bytes / cost.workers
    each = max(cost.worker_rss_bytes - cost.idle_rss_bytes, 0) / max(cost.held_most, 1)
    held = rate * held_s(cost) / workers
    buffers = buffer_bytes(cost, rate)
    sessions = _connections(cost, workers, api_processes(cost, target)).value * SESSION_BYTES
    wal = 2 * rate * cost.wal_bytes * CHECKPOINT_S
    return [
        Need(
            "memory of a worker process",
            (idle + held * each) / 1e6,
            "MB",
            f"{idle / 1e6:.0f} MB idle + {held:.0f} held x {each / 1e3:.1f} kB (seen: {cost.held_most} held at most)",
        ),
        Need(
            "shared_buffers",
            buffers / 1e9,
            "GB",
            f"2 x {cost.disk_bytes / 1e3:.2f} kB x {number(rate * hot_s(cost))} held or touched within "
            f"{CHECKPOINT_S:g} s, at least 1 GiB",
        ),
        Need(
            "memory of PostgreSQL",
            (4 * buffers + sessions) / 1e9,
            "GB",
            "4 x shared_buffers, so that the system caches the rest, + 10 MiB for each connection",
        ),
        Need("max_wal_size", max(wal, 1e9) / 1e9, "GB", f"2 x the WAL of {CHECKPOINT_S:g} s, at least 1 GB"),
    ]


def hot_s(cost: Cost) -> float:
    """Return how long a process's pages are wanted: while it is held, and for a while after its start and each wait."""
    return min(duration_s(cost) + CHECKPOINT_S, held_s(cost) + (1 + cost.parks) * CHECKPOINT_S)


def buffer_bytes(cost: Cost, rate: float) -> float:
    """Return what should be in shared_buffers: the pages of what is held, and of what was touched a short time ago."""
    return max(LEAST_BUFFERS, 2 * cost.disk_bytes * rate * hot_s(cost))


def bounds(cost: Cost, target: Target) -> list[Bound]:
    """Return where one PostgreSQL ends, the nearest bound first."""
    # Not of whole programs: at a low rate the one that there must be would count for more than it can do.
    by_worker = workers_each(cost, target) * cost.worker_connections / cost.workers
    by_api = (cost.api_cpu_s or 0.0) / target.utilisation * cost.api_connections
    found = [
        Bound("cores", MOST_CORES * target.utilisation / cost.server_cpu_s, f"{MOST_CORES} cores of PostgreSQL"),
        Bound("WAL", MOST_WAL_PER_S / cost.wal_bytes, f"{MOST_WAL_PER_S / 1e6:.0f} MB of WAL a second"),
        Bound(
            "disk",
            MOST_DISK / (cost.disk_bytes * DAY_S * (target.days_kept + MONTH_DAYS)),
            f"{MOST_DISK / 1e12:.0f} TB on disk, with {target.days_kept:g} days and a month kept",
        ),
        Bound(
            "connections",
            (MOST_CONNECTIONS - SPARE_CONNECTIONS) / (by_worker + by_api),
            f"{MOST_CONNECTIONS} connections",
        ),
    ]
    return sorted(found, key=lambda bound: bound.rate_per_s)


def verdict(cost: Cost, target: Target) -> str:
    """Say whether one PostgreSQL suffices, and where its limit lies."""
    nearest = bounds(cost, target)[0]
    limit = f"The limit lies at about {round_down(nearest.rate_per_s)} processes a second: {nearest.words}."
    if target.rate_per_s <= nearest.rate_per_s:
        return f"One PostgreSQL suffices for {number(target.rate_per_s)} processes a second. {limit}"
    servers = math.ceil(target.rate_per_s / nearest.rate_per_s)
    return (
        f"One PostgreSQL does not suffice for {number(target.rate_per_s)} processes a second. {limit} "
        f"Spread the tenants over {servers} servers, or keep less."
    )


def round_down(value: float) -> str:
    """Return a number in two digits, rounded down: what is extrapolated is not known better."""
    if value < 10:
        return f"{value:.1f}"
    size = 10 ** (math.floor(math.log10(value)) - 1)
    return f"{int(value // size * size):,}"
