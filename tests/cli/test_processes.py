"""`stepwell worker --processes N`: several workers under one command, looked after, and gone when told so."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial as with_arguments
from pathlib import Path

import httpx
import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import make_conninfo

from engine.embedded import EmbeddedServer
from stepwell import connection, workers
from stepwell.main import cli
from tests.cli.program import run
from tests.engine.scraping import partner, samples
from tests.house import House, WorkerProcess, eventually

GREETING = {"name": "greeting", "steps": [{"id": "greet", "type": "transform", "config": {"mapping": {"x": 1}}}]}
CALL = {
    "name": "call",
    "steps": [{"id": "call", "type": "http", "config": {"url": "${input.url}", "timeout_seconds": 60}}],
}


def registered(house: House) -> set[int]:
    """Return the process ids of the workers that have a row."""
    return {pid for (pid,) in house.rows("select pid from stepwell.worker")}


def running(house: House, count: int) -> set[int]:
    """Wait until that many workers have a row; return their process ids."""
    eventually(lambda: len(registered(house)) == count, what=f"{count} workers are registered")
    return registered(house)


def children(pid: int) -> set[int]:
    return {int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def completed(house: House, count: int) -> bool:
    return bool(house.value("select count(*) = %s from stepwell.process where status = 'COMPLETED'", count))


@contextmanager
def held_call(house: House, *options: str, **settings: str) -> Iterator[tuple[WorkerProcess, threading.Event]]:
    """Run two workers, one of which makes a call; lend what lets the partner answer."""
    house.publish(CALL)
    with partner() as service, house.worker("--processes", "2", *options, **settings) as parent:
        running(house, 2)
        service.hold.clear()
        house.start("call", {"url": service.url})
        eventually(lambda: service.calls, what="the call is under way")
        yield parent, service.hold


def test_each_process_registers_works_and_logs_whole_lines_that_say_whose_they_are(house: House) -> None:
    house.publish(GREETING)
    with house.worker("--processes", "3", STEPWELL_LOG_LEVEL="debug") as parent:
        pids = running(house, 3)
        for _ in range(20):
            house.start("greeting")
        eventually(lambda: completed(house, 20), what="all completed")

        assert pids == children(parent.process.pid)
        eventually(lambda: {line["pid"] for line in parent.seen("tick")} == pids, what="each tells of its ticks")
        assert not parent.errors()


def test_one_process_is_the_command_itself(house: House) -> None:
    with house.worker("--processes", "1") as alone:
        assert running(house, 1) == {alone.process.pid}
        assert not children(alone.process.pid)


def test_a_killed_one_is_replaced_and_the_work_goes_on(house: House) -> None:
    house.publish(GREETING)
    with house.worker("--processes", "2") as parent:
        victim, other = sorted(running(house, 2))
        os.kill(victim, signal.SIGKILL)

        told = parent.until("error", where="processes")
        eventually(lambda: len(registered(house) - {victim}) == 2, what="there are two again")
        house.start("greeting")
        eventually(lambda: completed(house, 1), what="completed")
        assert told["message"] == f"worker process {victim} was killed by SIGKILL"
        assert told["pid"] == parent.process.pid
        assert other in registered(house)
        assert len(children(parent.process.pid)) == 2


def test_sigterm_drains_all_of_them_and_the_exit_code_is_0(house: House) -> None:
    with held_call(house) as (parent, answer):
        parent.send(signal.SIGTERM)
        running(house, 1)
        assert parent.process.poll() is None
        answer.set()
        assert parent.process.wait(20) == 0
        assert len(parent.seen("worker", what="stopped")) == 2

    assert completed(house, 1)
    assert not registered(house)
    assert house.rows("select * from stepwell.loss") == []


def test_a_second_signal_ends_at_once_what_still_runs(house: House) -> None:
    with held_call(house) as (parent, _):
        pids = children(parent.process.pid)
        parent.send(signal.SIGINT)
        (left,) = running(house, 1)
        parent.send(signal.SIGINT)
        assert parent.process.wait(20) == 130
        assert all(gone(pid) for pid in pids)

    assert registered(house) == {left}


def test_what_does_not_drain_is_killed_and_the_exit_code_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process hears no SIGTERM. Ten seconds of margin are taken away, for the test not to wait for them."""
    (house.folder / "sitecustomize.py").write_text("from stepwell import workers\nworkers.MARGIN_S = 0.0\n")
    monkeypatch.setenv("PYTHONPATH", str(house.folder), prepend=os.pathsep)
    with house.worker("--processes", "2", STEPWELL_DRAIN_SECONDS="1") as parent:
        stuck, _ = running(house, 2)
        os.kill(stuck, signal.SIGSTOP)
        parent.send(signal.SIGTERM)
        assert parent.process.wait(20) == 1
        assert gone(stuck)

    told = parent.seen("error", where="processes")
    assert [line["message"] for line in told] == [f"worker process {stuck} did not drain: it was killed by SIGKILL"]


def test_a_parent_that_is_killed_takes_its_workers_with_it(house: House) -> None:
    with house.worker("--processes", "2") as parent:
        pids = running(house, 2)
        parent.kill()
        eventually(lambda: all(gone(pid) for pid in pids), what="its workers are gone")
        eventually(lambda: not registered(house), what="they have drained")


@pytest.mark.parametrize(
    ("login", "settings"),
    [
        ("house_worker", {"STEPWELL_WORKER_SLOTZ": "5"}),
        ("house_worker", {"STEPWELL_HTTP_CA_FILE": "/nowhere/ca.pem"}),
        ("house_api", {}),
        ("superuser", {}),
    ],
)
def test_what_no_worker_can_work_with_ends_the_whole_with_the_message_and_exit_code_of_one(
    house: House, login: str, settings: dict[str, str]
) -> None:
    given = {"STEPWELL_DATABASE_URL": house.dsn(login), **settings}
    one = run(house.folder, "worker", **given)
    several = run(house.folder, "worker", "--processes", "3", **given)

    assert several.returncode == one.returncode == 1
    assert several.stderr == one.stderr
    assert one.stderr.count("error: ") == 1


def test_a_database_without_a_schema_and_none_at_all_are_told_of_once(house: House) -> None:
    other = make_conninfo(house.dsn("house_worker"), dbname="postgres")
    bare = run(house.folder, "worker", "--processes", "2", STEPWELL_DATABASE_URL=other)
    none = run(house.folder, "worker", "--processes", "2")

    assert (bare.returncode, bare.stderr.count("error: ")) == (1, 1)
    assert "has no schema of Stepwell's" in bare.stderr
    assert (none.returncode, none.stderr.count("error: ")) == (1, 1)
    assert "STEPWELL_DATABASE_URL is not set" in none.stderr


def test_while_the_database_is_away_one_alone_tries_to_reach_it_and_can_be_stopped(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    away = make_conninfo(house.dsn("house_worker"), host="127.0.0.1", port=port)
    with house.worker("--processes", "3", STEPWELL_DATABASE_URL=away) as parent:
        told = parent.until("worker", what="connection_lost")
        assert children(parent.process.pid) == {told["pid"]}
        parent.send(signal.SIGTERM)
        assert parent.process.wait(20) == 0

    assert {line["pid"] for line in list(parent.log)} == {told["pid"]}


def test_metrics_and_health_are_at_consecutive_ports_and_stay_there_when_one_is_replaced(house: House) -> None:
    port = consecutive(2)
    with house.worker("--processes", "2", "--observe", f"127.0.0.1:{port}") as parent:
        victim = min(running(house, 2))
        at = [f"http://127.0.0.1:{number}" for number in (port, port + 1)]
        for place in at:
            eventually(with_arguments(well, place), what=f"{place} is well")
        os.kill(victim, signal.SIGKILL)
        parent.until("error", where="processes")
        for place in at:
            eventually(with_arguments(well, place), what=f"{place} is well again")


def well(place: str) -> bool:
    ready = httpx.get(f"{place}/health/ready", trust_env=False, timeout=20)
    shown = httpx.get(f"{place}/metrics", trust_env=False, timeout=20)
    return ready.status_code == 200 and samples(shown.text)["stepwell_worker_registered"] == 1


def consecutive(count: int) -> int:
    """Return the first of so many ports that are free now."""
    while True:
        with ExitStack() as stack:
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            try:
                for port in range(first + 1, first + count):
                    stack.enter_context(socket.create_server(("127.0.0.1", port)))
            except (OSError, OverflowError):
                continue
            return int(first)


def test_with_port_0_each_takes_one_that_is_free_and_says_which(house: House) -> None:
    with house.worker("--processes", "2", "--observe", "127.0.0.1:0") as parent:
        eventually(lambda: len(parent.seen("note", where="observe")) == 2, what="both say where they serve")
        places = {line["message"].rpartition(" ")[2] for line in parent.seen("note", where="observe")}
        assert len(places) == 2
        for place in places:
            eventually(with_arguments(well, place), what=f"{place} is well")


def test_a_range_of_ports_that_cannot_be_had_is_refused_in_one_line(house: House) -> None:
    url = house.dsn("house_worker")
    first = consecutive(3)
    with socket.create_server(("127.0.0.1", port := first + 1)):
        busy = run(
            house.folder, "worker", "--processes", "3", "--observe", f"127.0.0.1:{first}", STEPWELL_DATABASE_URL=url
        )
    past = run(house.folder, "worker", "--processes", "3", "--observe", "127.0.0.1:65534", STEPWELL_DATABASE_URL=url)

    assert busy.returncode == 1
    assert f"port {port} is in use; 3 processes serve at the ports {first} to {first + 2}" in busy.stderr
    assert past.returncode == 2
    assert "3 processes from port 65534 on would pass 65535" in past.stderr


@pytest.mark.parametrize("given", ["0", "257", "-1", "two", "1.5", "²"])
def test_a_number_of_processes_that_makes_no_sense_is_refused(runner: CliRunner, given: str) -> None:
    done = runner.invoke(cli, ["worker", "--processes", given])

    assert done.exit_code == 2
    assert "neither a whole number from 1 to 256 nor auto" in done.stderr


def test_auto_is_one_process_for_each_core_that_may_be_used() -> None:
    count = workers.Count()

    assert count.convert("auto", None, None) == workers.cores() == len(os.sched_getaffinity(0))
    assert count.convert("3", None, None) == 3


def test_the_embedded_server_is_started_and_stopped_by_the_parent(folder: Path) -> None:
    done = run(folder, "migrate")
    assert done.returncode == 0, done.stderr
    server = EmbeddedServer(folder / ".stepwell" / "postgres")
    assert server.pid() is None
    parent = WorkerProcess("", folder, {}, "--processes", "2")
    try:
        eventually(lambda: len(parent.seen("worker", what="registered")) == 2, what="both are registered")
        kept = connection.read(folder / ".stepwell")
        assert kept is not None
        with psycopg.connect(make_conninfo(kept.owner_url, port=server.port)) as owner:
            rows = {pid for (pid,) in owner.execute("select pid from stepwell.worker")}
        assert rows == children(parent.process.pid)
        parent.send(signal.SIGTERM)
        assert parent.process.wait(20) == 0
        assert len(parent.seen("worker", what="stopped")) == 2
        assert server.pid() is None
    finally:
        parent.end()
        server.destroy()


def test_lines_of_several_children_are_passed_on_whole(capfd: pytest.CaptureFixture[str]) -> None:
    """Fails where a piece of a line is passed on as it comes: another's would stand in its middle."""
    ours = workers.Stderr()
    pipes = [os.pipe() for _ in range(2)]
    threads = [threading.Thread(target=workers.pass_on, args=(reading, ours)) for reading, _ in pipes]
    for thread in threads:
        thread.start()
    (_, one), (_, two) = pipes
    os.write(one, b"fir")
    os.write(two, b"other\n")
    os.close(two)
    threads[1].join()
    os.write(one, b"st\nlast")
    os.close(one)
    threads[0].join()

    assert capfd.readouterr().err == "other\nfirst\nlast\n"
