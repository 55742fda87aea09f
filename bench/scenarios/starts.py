"""How fast processes are started: by the API and by SQL, one by one and many at a time."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

from psycopg.conninfo import conninfo_to_dict

from bench.cases import OURS, Contender, Effort, Figures, Goal, Scenario, Unable
from bench.contenders import absurd, dbos, graphile, pgboss, pgqueuer, procrastinate
from bench.contenders.pace import BULK_PRODUCERS
from bench.ground import Ground
from bench.house import House
from bench.meter import Meter, percentiles
from bench.posting import Ask, post
from bench.work import noops

SECONDS = (1.0, 6.0)  # of one trial
WARM_S = 0.5  # the API compiles the definition and prepares its statements
CLIENTS = 32  # connections to the API that start one by one
SQL_CLIENTS = 8  # as in the yardstick
BULK = 500  # processes in one request or statement
BULK_CLIENTS = BULK_PRODUCERS  # as many as the peers have
WORK = noops(1)
_STARTED = "select count(*) from stepwell.process"
_ONE = """select stepwell.start_process(:name, '{"n": 1}');"""
_MANY = """
select cardinality(stepwell.start_processes(:name, jsonb_agg(jsonb_build_object('n', n))))
from generate_series(1, :bulk) as n;
"""

Way = Callable[[House, float], tuple[int, Figures]]  # for so many seconds: processes started, figures


def _api(path: str, body: dict[str, object], connections: int, each: int) -> Way:
    def start(house: House, seconds: float) -> tuple[int, Figures]:
        api = house.api()
        ask = Ask(f"{api.url}/api/v1/{path}", house.key, {"definition": WORK.name, **body}, connections, WARM_S)
        warmed = post(ask).answered
        with Meter(house.ground, [api.pid]) as meter:
            posted = post(Ask(ask.url, ask.key, ask.body, connections, seconds))
        started = posted.answered * each
        p50, p95, p99 = percentiles([latency * 1000 for latency in posted.latencies_s])
        return started + warmed * each, {
            **meter.measured.figures(started, "start"),
            "starts_per_s": started / posted.seconds,
            "p50_ms": p50,
            "p95_ms": p95,
            "p99_ms": p99,
        }

    return start


def _sql(statement: str, clients: int, each: int) -> Way:
    def start(house: House, seconds: float) -> tuple[int, Figures]:
        with Meter(house.ground) as meter:
            transactions, per_second = _pgbench(house, statement, clients, seconds)
        used = meter.measured.figures(transactions * each, "start")
        of_server = {name: used[name] for name in ("server_cpu_per_start_us", "wal_per_start_bytes")}
        return transactions * each, {"starts_per_s": per_second * each, **of_server}

    return start


def _pgbench(house: House, statement: str, clients: int, seconds: float) -> tuple[int, float]:
    """Run a statement with a tenant's own login; return how often, and how often a second. Raises Unable."""
    script = house.folder / "starts.sql"
    script.write_text(statement)
    login = conninfo_to_dict(house.dsn(house.tenants[0]))
    options = f"--no-vacuum --protocol=prepared --jobs=2 --client={clients} --time={round(seconds)}"
    options += f" --define=name={WORK.name} --define=bulk={BULK}"
    done = subprocess.run(
        [f"{house.ground.bin}/pgbench", *options.split(), f"--file={script}"],
        env={
            **house.ground.libpq(house.database),
            "PGUSER": str(login["user"]),
            "PGPASSWORD": str(login["password"]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    number = re.search(r"^number of transactions actually processed: (\d+)", done.stdout, re.MULTILINE)
    rate = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    if done.returncode or number is None or rate is None:
        raise Unable(f"pgbench failed: {done.stderr.strip()[-500:]}")
    return int(number[1]), float(rate[1])


def _contender(how: str, way: Way, workers: int) -> Contender:
    def trial(ground: Ground, effort: Effort) -> Figures:
        with ground.database("starts") as dsn, House(ground, dsn) as house:
            house.publish(WORK.document)
            for _ in range(workers):
                house.worker()
            ground.settle(dsn)
            wanted, figures = way(house, effort.of(*SECONDS))
            there = house.count(_STARTED)
        if there != wanted:
            raise Unable(f"{there:,} processes are there instead of {wanted:,}")
        return figures

    name = ", ".join([OURS, *([how] if how else []), *(["a worker running"] * workers)])
    note = "A worker takes up what is started meanwhile." if workers else "No worker runs."
    return Contender(name, trial, note, kind="bulk" if how else "")


def _contenders(singly: Way, many: Way, many_how: str) -> tuple[Contender, ...]:
    return tuple(_contender(how, way, workers) for workers in (0, 1) for how, way in (("", singly), (many_how, many)))


_IN_A_REQUEST = f"{BULK} in a request"
_IN_A_STATEMENT = f"{BULK} in a statement"

_BY_API = Scenario(
    name="starts-api",
    title="Starting processes by the API",
    about=f"How many processes of one step one API starts in a second: one to a request over {CLIENTS} connections "
    f"kept alive, and {BULK} to a request over {BULK_CLIENTS}. Each request checks key, definition and input, and is "
    "answered when its processes are durable. The client is a small program of its own that shares the machine; "
    "latencies are those that it sees, at this full load. Without a worker, so that everything is for starting; and "
    "beside a worker that is busy with what was started.",
    main="starts_per_s",
    contenders=_contenders(
        _api("processes", {"input": {"n": 1}}, CLIENTS, 1),
        _api("processes/bulk", {"inputs": [{"n": n} for n in range(BULK)]}, BULK_CLIENTS, BULK),
        _IN_A_REQUEST,
    ),
    against=(
        Goal("starts_per_s", "at_least", 1_500, "starts/s, one to a request"),
        Goal("starts_per_s", "at_least", 20_000, "starts/s in bulk", contender=f"{OURS}, {_IN_A_REQUEST}"),
    ),
)

_BY_SQL = Scenario(
    name="starts-sql",
    title="Starting processes by SQL",
    about="How many processes of one step are started in a second with a tenant's own login: one to a transaction "
    f"from {SQL_CLIENTS} clients of pgbench, and {BULK} to a statement from {BULK_CLIENTS}. Each is a process with "
    "its first event and its job, durable. Without a worker, and beside one that is busy with what was started. "
    "Peers enqueue what they have, from their own clients: a job or a workflow's first row, which is less to write; "
    f"but pgbench is a quicker client than theirs, and our {BULK} inputs are generated in the server where a peer's "
    f"client sends them. Many in a call go out over {BULK_CLIENTS} connections or calls at a time for everybody.",
    main="starts_per_s",
    contenders=(
        *_contenders(_sql(_ONE, SQL_CLIENTS, 1), _sql(_MANY, BULK_CLIENTS, BULK), _IN_A_STATEMENT),
        *(absurd.starts(), dbos.starts()),
        *(contender for queue in (graphile, pgboss, pgqueuer, procrastinate) for contender in queue.starts()),
    ),
    against=(Goal("starts_per_s", "at_least", 50_000, "starts/s, set-based", contender=f"{OURS}, {_IN_A_STATEMENT}"),),
)

SCENARIOS = (_BY_API, _BY_SQL)
