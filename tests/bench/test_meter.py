"""What a stretch of work cost."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from bench.ground import Ground
from bench.meter import Meter, machine, percentiles

MEGABYTE = 1_000_000
# For each line it reads: burns time in a child that ends, takes memory and gives it back, answers.
BUSY = """
import subprocess, sys
for line in sys.stdin:
    subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"])
    taken = bytearray(100_000_000)
    del taken
    print(flush=True)
"""


@contextmanager
def busy() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=-1, stdout=-1, text=True) as program:
        yield program
        assert program.stdin is not None
        program.stdin.close()


def work(program: subprocess.Popen[str]) -> None:
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write("\n")
    program.stdin.flush()
    program.stdout.readline()


def test_wal_and_time_of_the_server_are_those_of_the_stretch(ground: Ground) -> None:
    with ground.database("metered") as dsn, psycopg.connect(dsn, autocommit=True) as db:
        db.execute("create table t (n integer)")
        db.execute("insert into t select generate_series(1, 100000)")
        ground.settle()
        with Meter(ground) as idle:
            pass
        with Meter(ground) as writing:
            db.execute("insert into t select generate_series(1, 100000)")

    assert idle.measured.wal_bytes < MEGABYTE < 5 * MEGABYTE < writing.measured.wal_bytes
    assert writing.measured.server_cpu_s > idle.measured.server_cpu_s
    assert writing.measured.cpu_s == 0


def test_time_and_peak_memory_of_a_program_are_those_of_the_stretch_with_its_children_that_ended(
    ground: Ground,
) -> None:
    with busy() as program:
        work(program)
        with Meter(ground, [program.pid]) as idle:
            pass
        with Meter(ground, [program.pid]) as working:
            work(program)

    assert working.measured.cpu_s > 0.05 > idle.measured.cpu_s
    assert working.measured.peak_rss_bytes > 100 * MEGABYTE > idle.measured.peak_rss_bytes


def test_figures_are_per_piece_of_work_and_name_their_unit(ground: Ground) -> None:
    with Meter(ground) as meter:
        pass
    measured = meter.measured
    figures = measured.figures(200, "step")
    assert figures["steps_per_s"] == pytest.approx(200 / measured.seconds)
    assert figures["wal_per_step_bytes"] == pytest.approx(measured.wal_bytes / 200)
    assert set(figures) == {
        "steps_per_s", "cpu_per_step_us", "server_cpu_per_step_us", "wal_per_step_bytes", "peak_rss_mb",
    }  # fmt: skip


def test_a_meter_that_was_not_started_or_stopped_says_so(ground: Ground) -> None:
    with pytest.raises(RuntimeError, match="not started"):
        Meter(ground).stop()
    with pytest.raises(RuntimeError, match="not stopped"):
        _ = Meter(ground).measured


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() -> None:
    hundred = [float(n) for n in range(100, 0, -1)]
    assert percentiles(hundred) == (50.0, 95.0, 99.0)
    assert percentiles([7.0]) == (7.0, 7.0, 7.0)
    assert percentiles([1.0, 2.0], (0.0, 0.5, 0.51, 1.0)) == (1.0, 1.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="no values"):
        percentiles([])


def test_the_machine_is_described_without_its_name_or_places(ground: Ground) -> None:
    found = machine(ground)
    assert found.cores > 0
    assert found.memory_bytes > MEGABYTE
    assert found.postgresql == ground.release
    assert found.filesystem
    assert "/" not in found.filesystem
