"""Where the definition runs: a server of its own, partners, a Stepwell in it, workers, the world outside.

Everything is gone when the block ends, also after Ctrl-C. Must not judge: it starts things and asks the database.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec
from msgspec import Struct
from psycopg.conninfo import conninfo_to_dict

from bench.capacity.answers import Answer, answered
from bench.capacity.doors import ApiDoor, Door, SqlDoor
from bench.capacity.outside import Outside
from bench.capacity.search import Times as Moments
from bench.capacity.stubs import Times, World, played
from bench.cases import Unable
from bench.ground import Ground
from bench.house import House
from bench.meter import family, peak_rss, rss_bytes
from bench.partner import Partner
from bench.programs import Program
from engine.config import Settings
from engine.core.compile import Plan

DATABASE = "capacity"
LOOK_S = 0.05
_OPEN = """
select exists (select from stepwell.process
               where tenant_id = %s and environment_id = %s and status in ('CREATED', 'IN_PROGRESS', 'WAITING'))
"""
_LAST = "select coalesce(max(id), 0) from stepwell.process"
_MOMENTS = """
select extract(epoch from started_at)::float8, extract(epoch from ended_at)::float8
from stepwell.process where id > %s order by id
"""
_ALL = "select count(*) from stepwell.process"
_FAILED = "select count(*) from stepwell.process where id > %s and status = 'FAILED'"
_DISK = """
select coalesce(sum(pg_total_relation_size(part.relid)), 0)::bigint
from unnest(array['stepwell.history', 'stepwell.process', 'stepwell.payload']::regclass[]) as parent,
     pg_partition_tree(parent) as part
where part.isleaf
"""
_WORKERS = "select distinct pid from stepwell.worker where pid = any(%s)"
_SESSIONS = "select count(*) from pg_stat_activity where usename = %s"
_STEPS = """
select path, count(*) filter (where type = 'activity.completed')
from stepwell.history where process_id > %s and path is not null group by path
"""
_FAILURE = """
select data -> 'error' from stepwell.history where process_id > %s and type = 'process.failed' order by process_id, seq
limit 1
"""


class Setup(Struct, frozen=True):
    """What is run, and in which world."""

    document: dict[str, Any]
    plan: Plan
    world: World
    lasting: Times
    answers: dict[str, Answer]
    payload: Any
    secrets: tuple[str, ...] = ()
    workers: int = 1
    slots: int = 500  # of each worker: how many processes it holds at a time
    through: str = "sql"

    @property
    def calls(self) -> int:
        """How many calls a worker has under way at most: not fewer than it holds processes."""
        return max(self.slots, Settings().http_concurrency)


class Site(Struct):
    """All that runs for a measurement."""

    setup: Setup
    ground: Ground
    house: House
    worker: Program
    api: Program | None
    door: Door
    outside: Outside

    def last(self) -> int:
        """Return the id of the process started last."""
        return self.house.count(_LAST)

    def processes(self) -> int:
        """Return how many processes there are."""
        return self.house.count(_ALL)

    def ended(self, patience_s: float) -> None:
        """Wait until every process has ended. Raises Unable where that takes longer, or a program has ended."""
        deadline = time.monotonic() + patience_s
        while self.house.count(_OPEN, *self.house.scopes[self.house.tenants[0]]):
            self.check()
            if time.monotonic() > deadline:
                raise Unable(f"processes have not ended {patience_s:.0f} s after the last start")
            time.sleep(LOOK_S)

    def check(self) -> None:
        """Raise what has gone wrong beside the measurement, if anything has."""
        self.outside.check()
        for program in (self.worker, self.api):
            if program is not None:
                program.check()

    def moments(self, after: int) -> list[Moments]:
        """Return when each process started and ended."""
        return self.outside.rows(_MOMENTS, after)

    def failed(self, after: int) -> int:
        """Return how many processes have FAILED."""
        return self.house.count(_FAILED, after)

    def failure(self, after: int) -> dict[str, Any] | None:
        """Return why a process failed, None where none has."""
        rows = self.outside.rows(_FAILURE, after)
        return rows[0][0] if rows else None

    def ran(self, after: int) -> dict[str, int]:
        """Return which steps left anything in history, and how often each completed."""
        return dict(self.outside.rows(_STEPS, after))

    def disk_bytes(self) -> int:
        """Return what the growing tables take, their indexes included."""
        return self.house.count(_DISK)

    def worker_bytes(self, *, peak: bool = False) -> int:
        """Return the memory of all workers without a supervisor, now or at the peak since a meter was started."""
        pids = [pid for (pid,) in self.outside.rows(_WORKERS, list(family(self.worker.pid)))]
        return sum(peak_rss(pid) if peak else rss_bytes(pid) for pid in pids)

    def connections(self, login: str) -> int:
        """Return how many sessions a login has."""
        return self.house.count(_SESSIONS, conninfo_to_dict(self.house.dsn(login))["user"])


@contextmanager
def site(setup: Setup) -> Iterator[Site]:
    """Build all of it, and take it down afterwards. Raises Unable."""
    with ExitStack() as stack:
        ground = stack.enter_context(Ground())
        urls = _partners(setup, stack)
        dsn = stack.enter_context(ground.database(DATABASE))
        house = stack.enter_context(House(ground, dsn))
        house.publish(played(setup.document, urls, setup.lasting))
        settings = {f"STEPWELL_SECRET_{name}": "made-up" for name in setup.secrets}
        settings["STEPWELL_WORKER_SLOTS"] = str(setup.slots)
        settings["STEPWELL_HTTP_CONCURRENCY"] = str(setup.calls)
        worker = house.worker(processes=setup.workers, **settings)
        api = house.api() if setup.through == "api" else None
        door = _door(setup, house, api, stack)
        answers = {name: answer.value for name, answer in setup.answers.items()}
        waiting = {step["id"] for step in setup.document["steps"] if step["type"] != "http" and answered(step)}
        seconds = {name: s for name, s in setup.lasting.played.items() if name in waiting}
        outside = stack.enter_context(Outside(house, seconds, answers))
        yield Site(setup, ground, house, worker, api, door, outside)


def _door(setup: Setup, house: House, api: Program | None, stack: ExitStack) -> Door:
    if api is None:
        return SqlDoor(house, setup.document["name"], setup.payload)
    return stack.enter_context(ApiDoor(api.url, house.key, setup.document["name"], setup.payload))


def _partners(setup: Setup, stack: ExitStack) -> Mapping[str, str]:
    """Start a partner for each pair of latency and answer; return the URL for each http step."""
    started: dict[tuple[float, bytes], str] = {}
    urls = {}
    for step in setup.document["steps"]:
        name = step["id"]
        if step["type"] == "http":
            kind = (setup.world.latency[name], msgspec.json.encode(setup.answers[name].value))
            if kind not in started:
                partner = Partner(kind[0] * 1000, setup.world.failures, setup.answers[name].value)
                started[kind] = stack.enter_context(partner).url
            urls[name] = f"{started[kind]}/{name}"
    return urls
