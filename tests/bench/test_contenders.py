"""Those beside Stepwell, as far as they need no package of a peer: the limit, the yardsticks, children, what is missing."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest

from bench.cases import Effort, Unable
from bench.contenders import absurd, dbos, graphile, limit, node, pace, pgbench, pgboss, pgqueuer, procrastinate, trials
from bench.contenders.child import Ask
from bench.contenders.crew import Program, ask, asked, crew, python
from bench.contenders.packages import needs
from bench.ground import Ground
from bench.house import House
from engine.core.events import TYPES, ActivityCompleted, Start, encode_body
from tests.bench.plain_queue import PLAIN
from tests.house import eventually

T = TypeVar("T")
QUICK = Effort(quick=True)
PEERS = (absurd, dbos, graphile, pgboss, pgqueuer, procrastinate)


class Short(Effort, frozen=True):
    def of(self, quick: T, full: T) -> T:
        size: object = super().of(quick, full)
        return size // 10 if isinstance(size, int) else size  # type: ignore[return-value]  # an int for an int


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with Ground(settings={"shared_buffers": "32MB", "fsync": "off"}) as made:
        yield made


# -- the limit and the yardsticks


def test_the_limit_appends_rows_and_is_counted_by_them(ground: Ground) -> None:
    figures = limit.steps(3).trial(ground, QUICK)
    assert figures["steps_per_s"] == pytest.approx(3 * figures["processes_per_s"])
    assert 250 < figures["wal_per_step_bytes"] < 1_000


def test_the_limit_takes_every_job_and_leaves_no_lease(ground: Ground) -> None:
    assert limit.jobs().trial(ground, QUICK)["jobs_per_s"] > 0  # it raises if one is left


def test_a_row_of_the_limit_says_what_the_engine_says_of_an_activity_that_ended() -> None:
    between, last = limit.rows([7], 1, 2)[0], limit.rows([7], 2, 2)[0]
    assert between.data == json.loads(encode_body(ActivityCompleted(output={}, starts=(Start("s2"),))))
    assert last.data == json.loads(encode_body(ActivityCompleted(output={})))
    assert {between.type, last.type} == {TYPES[ActivityCompleted]}


def test_an_append_is_fenced_by_the_row_of_its_worker(ground: Ground) -> None:
    with ground.database("fence") as dsn, House(ground, dsn), psycopg.connect(dsn, autocommit=True) as db:
        assert db.execute(limit.APPEND, (404, limit.document(limit.rows([1 << 40], 1, 1)))).rowcount == 0


def test_a_yardstick_is_what_pgbench_says(ground: Ground) -> None:
    figures = pgbench.yardsticks()[1].trial(ground, QUICK)
    assert figures[pgbench.FIGURE] > 10
    assert set(figures) == {pgbench.FIGURE, "server_cpu_per_transaction_us", "wal_per_transaction_bytes"}


def test_work_that_is_not_all_there_has_no_rate(ground: Ground) -> None:
    trials.prove(ground.dsn(), [("select 2", 2)])
    with pytest.raises(Unable, match="work was lost: 3 expected of «select 2», 2 found"):
        trials.prove(ground.dsn(), [("select 2", 3)])


# -- a queue, from its program to its figures


def test_a_drain_is_shared_by_the_processes_and_counts_each_job(ground: Ground) -> None:
    contender = PLAIN.drain("2 processes", (10, 1_000), "no settings.", processes=2)
    assert (contender.name, contender.note) == ("plain-queue, 2 processes", "plain-queue 1, no settings.")
    figures = contender.trial(ground, QUICK)
    assert {"jobs_per_s", "cpu_per_job_us", "server_cpu_per_job_us", "wal_per_job_bytes"} <= set(figures)


def test_a_queue_that_loses_a_job_has_no_rate(ground: Ground) -> None:
    with pytest.raises(Unable, match="work was lost: 10 expected"):
        PLAIN.drain("", (10, 10), "", lost=1).trial(ground, QUICK)


def test_a_pickup_counts_from_the_enqueueing_to_the_handler(ground: Ground) -> None:
    figures = PLAIN.pickup("", held_up_s=100).trial(ground, Short(quick=True))
    assert [round(figures[name], -4) for name in ("p50_ms", "p95_ms", "p99_ms")] == [100_000] * 3


def test_starts_are_measured_one_by_one_and_many_in_a_call(ground: Ground) -> None:
    for contender in PLAIN.starts((5, 5), (10, 10)):
        assert contender.trial(ground, QUICK)["starts_per_s"] > 0


# -- children


def test_a_child_that_fails_says_why(ground: Ground) -> None:
    with pytest.raises(Unable, match="KeyError: 'no such task'"):
        asked(python("bench.contenders.limit"), ask("no such task", ground, "postgres"))


def test_a_child_that_cannot_start_is_told_too(ground: Ground) -> None:
    with pytest.raises(Unable, match="No module named bench"):
        asked(python("bench.contenders.nobody"), ask("any", ground, "postgres"))


SHELL = "read asked; echo ready; read go; sleep 1000"


def test_children_end_with_the_block_whatever_they_do() -> None:
    with pytest.raises(KeyboardInterrupt), crew(Program(("sh", "-c", SHELL)), [Ask("any", "")] * 2) as children:
        raise KeyboardInterrupt
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child.pid, 0)


def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    shell = f"read asked; sleep 1000 & echo $! >{note}; echo ready; read go; sleep 1000"
    with crew(Program(("sh", "-c", shell)), [Ask("any", "")]):
        pid = int(note.read_text())
        os.kill(pid, 0)
    eventually(lambda: not _runs(pid), what="the child's child has ended")


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = f"""
import time
from bench.contenders.child import Ask
from bench.contenders.crew import Program, crew
with crew(Program({PLAIN.program().command}), [Ask("sleep", "")]) as (child,):
    child.go()
    print(child.pid, flush=True)
    time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-P", "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        os.kill(pid, 0)
        process.kill()
    eventually(lambda: not Path(f"/proc/{pid}").exists(), what="the child has ended")


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_a_driver_on_node_answers_after_its_gate(tmp_path: Path) -> None:
    driver = Path(node.__file__).with_name("driver.js")
    (tmp_path / "own.js").write_text(f"""
const {{ serve, fill }} = require({json.dumps(str(driver))});
serve({{ count: async ({{ settings }}, gate) => {{
  const single = [], many = [];
  await gate();
  console.log("not an answer");
  await fill({{ ...settings, batch: 1 }}, async (n) => single.push(n));
  await fill(settings, null, async (numbers) => many.push(numbers));
  return {{ single, many }};
}} }});
""")
    answer = asked(Program(("node", str(tmp_path / "own.js"))), Ask("count", "", {"count": 5, "batch": 2}))
    assert answer == {"single": [0, 1, 2, 3, 4], "many": [[0, 1], [2, 3], [4]]}


# -- what children do alike


@pytest.mark.parametrize("batch", [1, 3])
async def test_every_number_is_enqueued_once(batch: int) -> None:
    enqueued: list[int] = []

    async def one(number: int) -> None:
        await asyncio.sleep(0)
        enqueued.append(number)

    async def many(numbers: Any) -> None:
        assert len(numbers) <= batch
        enqueued.extend(numbers)

    await pace.fill(Ask("fill", "", {"count": 10, "batch": batch}), [one] * 4, [many] * 2)
    assert sorted(enqueued) == list(range(10))


async def test_who_waits_is_noted_in_milliseconds_until_the_last_is_there() -> None:
    arrivals = pace.Arrivals(Ask("attend", "", {"count": 2}))
    arrivals.note(time.time() - 5)
    answer = asyncio.ensure_future(arrivals.all())
    await asyncio.sleep(0)
    assert not answer.done()
    arrivals.note(time.time() - 7)
    first, second = (await answer)["waited_ms"]
    assert (round(first / 1000), round(second / 1000)) == (5, 7)


# -- what is missing


def test_a_package_that_is_missing_is_named_with_its_extra() -> None:
    assert needs("json")() is None
    assert needs("json", "no_such_peer")() == "no_such_peer not installed: pip install -e '.[bench-peers]'"


def test_packages_of_node_count_in_the_stated_version_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "node").touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    wanted = node.folder() / "node_modules" / "pg"
    wanted.mkdir(parents=True)
    (wanted / "package.json").write_text('{"version": "0.0.1"}')
    assert node.needs("pg")() == "pg not installed: python -P -m bench.contenders"
    (wanted / "package.json").write_text(json.dumps({"version": node.PACKAGES["pg"]}))
    assert node.needs("pg")() is None
    (tmp_path / "node").unlink()
    assert node.needs("pg")() == "Node is not installed"


def test_every_contender_has_a_name_of_its_own_and_says_its_settings() -> None:
    steps = (limit.steps(5), *absurd.steps(5), *dbos.steps(5))
    jobs = (limit.jobs(), *graphile.jobs(), pgboss.jobs(), *pgqueuer.jobs(), *procrastinate.jobs())
    pickups = tuple(peer.pickup() for peer in (graphile, pgboss, pgqueuer, procrastinate))
    for together in (steps, jobs, pickups, pgbench.yardsticks()):
        assert len({contender.name for contender in together}) == len(together)
        assert all(contender.note.endswith(".") for contender in together)


def test_a_peer_is_not_imported_to_see_whether_it_is_there() -> None:
    for peer in PEERS:
        peer.missing()
    assert not {"absurd_sdk", "asyncpg", "dbos", "pgqueuer", "procrastinate"} & set(sys.modules)
