"""How long processes waited for a worker, and how many ended: read from the tables. Who still waits has its age so far.

Between creation and start lies `process.started`: the moment a worker that has claimed and loaded the process decides
that it begins. Both moments are the database's clock; the worker reckons with the clock of its last tick, and is behind
it by the time that tick's answer took, so a figure may be too small by some tenths of a millisecond. `due` is the clock
of who started; harness and server share one machine.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from msgspec import Struct

from bench.cases import Figures, Unable
from bench.house import House
from bench.load.arrivals import Arrivals, Flow, Spec, Told
from bench.meter import percentiles

_WAITS = """
select extract(epoch from begun - c.at)::float8,
       extract(epoch from begun)::float8 - (c.data -> 'input' ->> 'due')::float8
from stepwell.history c
left join stepwell.history s on s.process_id = c.process_id and s.type = 'process.started'
  and s.process_id between stepwell.first_id(to_timestamp(%(since)s)) and stepwell.first_id(to_timestamp(%(until)s))
cross join lateral coalesce(s.at, clock_timestamp()) as begun
where c.seq = 1
  and c.process_id between stepwell.first_id(to_timestamp(%(since)s)) and stepwell.first_id(to_timestamp(%(until)s))
  and c.tenant_id = %(tenant)s
  and c.data ->> 'priority' is null
"""
_ENDED = """
select count(*) from stepwell.process
where ended_at >= to_timestamp(%s) and ended_at < to_timestamp(%s) and status = 'COMPLETED'
"""
_WAITING = "select exists (select from stepwell.process where status = 'CREATED')::integer"
LOOK_S = 0.25  # between two looks whether some wait
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class Waits(Struct, frozen=True):
    """Seconds from creation to start, and from when the start was due; to now where a process has not begun."""

    created: list[float]
    due: list[float]


def waits(house: House, since: float, until: float, tenant: str | None = None) -> Waits:
    """Return what the processes of usual priority waited that were made between two moments. Raises Unable for none."""
    values = {"since": since, "until": until, "tenant": house.scopes[tenant or house.tenants[0]][0]}
    with house.connect("superuser") as db:
        db.execute("set enable_seqscan = off")  # statistics may be older than what is looked for
        rows = db.execute(_WAITS, values).fetchall()
    if not rows:
        raise Unable("no process was started in the time that was to be measured")
    return Waits([row[0] for row in rows], [row[1] for row in rows if row[1] is not None])


def in_ms(values: Sequence[float], name: str = "{}_ms") -> Figures:
    """Return the percentiles of some seconds as figures; `name` has a place for p50 and so on."""
    found = percentiles(values, tuple(SHARES.values()))
    return {name.format(share): value * 1000 for share, value in zip(SHARES, found, strict=True)}


def ended_per_s(house: House, since: float, until: float) -> float:
    """Return the rate at which processes completed between two moments."""
    return house.count(_ENDED, since, until) / (until - since)


def highest(house: House, flows: Sequence[Flow], warm_s: float, seconds: float) -> float:
    """Return how many processes a second complete with always some waiting; all have ended or parked afterwards.

    The house's workers must run. What is found includes the cost of the starts, which come by SQL from a process
    beside. Raises Unable where at some look nobody waited: then it is the starter's rate.
    """
    with Arrivals(Spec(house.dsn(house.tenants[0]), tuple(flows), rate=0)) as arrivals:
        time.sleep(warm_s)
        begun = time.time()
        idle = looks = 0
        while time.time() < begun + seconds:
            time.sleep(min(LOOK_S, max(0.0, begun + seconds - time.time())))
            looks, idle = looks + 1, idle + (not house.count(_WAITING))
        over = time.time()
        arrivals.stop()
    house.drained(60 + 10 * seconds)
    if idle:
        raise Unable(f"at {idle} of {looks} looks no process waited, so what was found is the rate of the starter")
    rate = ended_per_s(house, begun, over)
    if not rate:
        raise Unable(f"no process ended in {seconds:g} s with many waiting")
    return rate


class Steady(Struct, frozen=True):
    """What came of a load that was kept up for a while."""

    waits: Waits
    told: Told


def steady(house: House, spec: Spec, warm_s: float) -> Steady:
    """Keep a load up for the time in `spec`, and measure what was started after `warm_s` of it."""
    with Arrivals(spec) as arrivals:
        told = arrivals.wait()
    house.drained(60 + 10 * spec.seconds)
    found = waits(house, told.began_at + warm_s, told.began_at + spec.seconds)
    return Steady(found, told)
