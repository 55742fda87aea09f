"""How do the API and the workers behave with five thousand processes running?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from bench.cases import OURS, Contender, Effort, Figures, Goal, Scenario, Unable
from bench.ground import Ground
from bench.house import House
from bench.load.asking import Ask, Client, paced
from bench.load.latency import in_ms
from bench.meter import Meter, family, peak_rss, percentiles
from bench.partner import Partner
from bench.programs import Program

PROCESSES = (200, 5_000)
PARTNER_S = 5.0  # of the partner, for an answer
CALLS = 100  # of one process, one after the other: they outlast the measurement
PER_S = 40.0
SECONDS = (3.0, 60.0)
HELD_S = (2 * PARTNER_S, 6 * PARTNER_S)  # for how long one worker holds them all
BEGIN_S = 120.0  # for all to have begun
PAGE = 200

_IDS = """
select stepwell.public_id('prc', p.id)
from stepwell.process p
join stepwell.definition d on d.id = p.definition_id
where d.name = %s
order by p.id
"""
_HELD = "select count(*) from stepwell.lease"
_PARKED = "select (select count(*) from stepwell.wait) + (select count(*) from stepwell.task)"
_STEP_TOOK = """
select avg(extract(epoch from took))::float8
from (
  select h.type, h.at - lag(h.at) over (partition by h.process_id order by h.seq) as took
  from stepwell.history h
  join stepwell.process p on p.id = h.process_id
  join stepwell.definition d on d.id = p.definition_id
  where d.name = 'calling'
) steps
where type = 'activity.completed'
"""


def trial(ground: Ground, effort: Effort) -> Figures:
    """Have them all running, then ask by a schedule for a minute."""
    total = effort.of(*PROCESSES)
    with ground.database("many") as dsn, House(ground, dsn) as house, Partner(PARTNER_S * 1000) as partner:
        room = str(total)
        workers = [house.worker(STEPWELL_WORKER_SLOTS=room, STEPWELL_HTTP_CONCURRENCY=room) for _ in range(2)]
        api = house.api()
        _run(house, partner.url, total)
        ground.settle(dsn)
        with Meter(ground, [program.pid for program in (*workers, api)]) as meter:
            figures = asyncio.run(_operate(house, api.url, effort))
        used = meter.measured
        return {
            **figures,
            "step_engine_ms": (_step_took(house) - PARTNER_S) * 1000,
            "worker_peak_rss_mb": max(map(_peak_mb, workers)),
            "api_peak_rss_mb": _peak_mb(api),
            "running_count": house.running(),
            "programs_cpu_percent": 100 * used.cpu_s / used.seconds,
            "server_cpu_percent": 100 * used.server_cpu_s / used.seconds,
        }


def holding(ground: Ground, effort: Effort) -> Figures:
    """Have one worker hold them all at once for a while. Raises Unable where it holds fewer."""
    total = effort.of(*PROCESSES)
    with ground.database("holding") as dsn, House(ground, dsn) as house, Partner(PARTNER_S * 1000) as partner:
        # a tenth of the slots is kept for other tenants
        slots, calls = str(total * 5 // 4), str(total)
        worker = house.worker(STEPWELL_WORKER_SLOTS=slots, STEPWELL_HTTP_CONCURRENCY=calls)
        _publish_calling(house, partner.url)
        house.start("calling", [{"n": str(number)} for number in range(total)])
        _until(house, _HELD, total)
        begun, before, held = time.monotonic(), partner.calls, total
        while time.monotonic() < begun + effort.of(*HELD_S):
            worker.check()
            held = min(held, house.count(_HELD))
            time.sleep(0.2)
        if held < total:
            raise Unable(f"the worker held {held:,} processes instead of {total:,}")
        rate = (partner.calls - before) / (time.monotonic() - begun)
        return {"worker_peak_rss_mb": _peak_mb(worker), "held_count": held, "calls_per_s": rate}


def _peak_mb(program: Program) -> float:
    """Return the most memory that a program and its children have had, each at its own peak."""
    return sum(map(peak_rss, family(program.pid))) / 1e6


def _until(house: House, statement: str, least: int) -> None:
    """Wait until a statement counts so many. Raises Unable when that takes too long."""
    deadline = time.monotonic() + BEGIN_S
    while (there := house.count(statement)) < least:
        if time.monotonic() > deadline:
            raise Unable(f"the processes have not all begun after {BEGIN_S:g} s: {there:,} of {least:,}")
        time.sleep(0.1)


def _publish_calling(house: House, url: str) -> None:
    call = {"method": "POST", "url": f"{url}/calls", "body": {"n": "${input.n}"}}
    calls = [{"id": f"call{number}", "type": "http", "config": call} for number in range(CALLS)]
    house.publish({"name": "calling", "steps": calls})


def _run(house: House, url: str, total: int) -> None:
    """Start half of them calling the partner, a quarter waiting for a signal, a quarter for a person."""
    _publish_calling(house, url)
    word = {"signal": "word", "correlation_key": "key-${input.n}"}
    house.publish({"name": "listening", "steps": [{"id": "word", "type": "wait", "config": word}]})
    house.publish({"name": "asking", "steps": [{"id": "ask", "type": "manual", "config": {"title": "${input.n}"}}]})
    shares = {"calling": total // 2, "listening": total // 4, "asking": total // 4}
    for name, count in shares.items():
        house.start(name, [{"n": str(number)} for number in range(count)])
    _until(house, _PARKED, total // 4 * 2)
    time.sleep(PARTNER_S)  # the calls spread a little


async def _operate(house: House, url: str, effort: Effort) -> Figures:
    async with Client.open(url, house.key) as client:
        works = {name: iter(found) for name, found in (await _works(client, house)).items()}
        names = [name for _ in range(round(PER_S * effort.of(*SECONDS) / len(works))) for name in works]
        asks: list[Ask] = [(name, next(works[name])) for name in names]
        await paced(client, asks, PER_S)
    every = [seconds for taken in client.taken.values() for seconds in taken]
    each = {f"{name}_p95_ms": percentiles(taken, (0.95,))[0] * 1000 for name, taken in client.taken.items()}
    return {**in_ms(every), **each}


async def _works(client: Client, house: House) -> dict[str, list[Callable[[], Awaitable[Any]]]]:
    """Return for each operation what makes it, one after the other, each on a process of its own."""
    with house.connect("superuser") as db:
        calling, listening = ([row[0] for row in db.execute(_IDS, (name,))] for name in ("calling", "listening"))
    post, get = partial(client.ask, "POST"), partial(client.ask, "GET")
    number = range(len(listening))
    return {
        "start": [partial(post, "processes", {"definition": "calling", "input": {"n": "new"}}) for _ in number],
        "status": [partial(get, f"processes/{id_}") for id_ in calling],
        "list": [partial(get, "processes?limit=50") for _ in number],
        "cancel": [partial(post, f"processes/{id_}/cancel", {"by": "bench"}) for id_ in calling],
        "signal": [partial(post, "signals", {"name": "word", "correlation_key": f"key-{n}"}) for n in number],
        "complete": [partial(post, f"tasks/{id_}/complete", {"by": "bench"}) for id_ in await _tasks(client)],
    }


async def _tasks(client: Client) -> list[str]:
    found: list[str] = []
    path = f"tasks?limit={PAGE}"
    page = await client.ask("GET", path)
    while True:
        found += [task["id"] for task in page["items"]]
        if not page.get("next_cursor"):
            return found
        page = await client.ask("GET", f"{path}&cursor={page['next_cursor']}")


def _step_took(house: House) -> float:
    with house.connect("superuser") as db:
        row = db.execute(_STEP_TOOK).fetchone()
    if row is None or row[0] is None:
        raise Unable("no call has ended")
    return float(row[0])


_MANY = Scenario(
    name="five-thousand",
    title="Five thousand running processes",
    about=(
        "Two workers and one API with 5,000 processes (200 in a quick run): half call a partner that takes "
        f"{PARTNER_S:.0f} s for each answer, a quarter wait for a signal, a quarter for a person. Then 40 operations "
        "a second through the API by a schedule for a minute, latency counted from when each was due: start, status, "
        "list, cancel, signal, complete a task. Cancel and complete are answered once a worker has decided them. "
        "step_engine is a call's mean time on record without the partner's; memory is the most in that minute."
    ),
    main="p95_ms",
    contenders=(Contender(OURS, trial, note="two workers with 5,000 slots each, one API process"),),
    repeat=1,
    against=(
        Goal("p95_ms", "at_most", 1_000, "ms for an operation of the API, p95"),
        Goal("p99_ms", "at_most", 3_000, "ms for an operation of the API, p99"),
        Goal("step_engine_ms", "at_most", 500, "ms of a step that are the engine's, mean"),
        Goal("api_peak_rss_mb", "at_most", 300, "MB of memory for the API, at its peak"),
    ),
)

_HELD_BY_ONE = Scenario(
    name="five-thousand-held",
    title="Five thousand processes in one worker",
    about=(
        "One worker holds 5,000 processes (200 in a quick run) at once, for half a minute: each calls a partner that "
        f"takes {PARTNER_S:.0f} s for each answer; open are {PARTNER_S:.0f} times calls/s. Memory is the most that the "
        "worker had since it started; that it held them all is seen from its leases all the time."
    ),
    main="worker_peak_rss_mb",
    contenders=(Contender(OURS, holding, note="one worker, 6,250 slots, 5,000 calls at a time"),),
    repeat=1,
    against=(Goal("worker_peak_rss_mb", "at_most", 200, "MB of memory for a worker that holds 5,000 processes"),),
)

SCENARIOS = (_MANY, _HELD_BY_ONE)
