"""The embedded PostgreSQL: starts anywhere, keeps its data, is shared, and leaves nothing running."""

import os
import pwd
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from engine.embedded import EmbeddedServer, place
from engine.errors import EmbeddedError
from tests.fix_servers import FAST, private_folder

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")

USER_OF_THE_SERVER = """
import sys
from pathlib import Path
from engine.embedded import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1])) as server:
    print(server.pid(), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with private_folder() as path:
        monkeypatch.setattr(place, "SHARED", path / "shared")
        yield path


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(folder / "postgres", settings=FAST)
    server.start()
    yield server
    server.destroy()


def write(server: EmbeddedServer) -> None:
    with psycopg.connect(server.dsn) as connection:
        connection.execute("create table kept as select 42 as answer")


def read(server: EmbeddedServer) -> object:
    with psycopg.connect(server.dsn) as connection:
        return connection.execute("select answer from kept").fetchone()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def another_user(home: Path) -> "subprocess.Popen[str]":
    """Start a process that joins the server and stays until it reads a line or is killed."""
    return subprocess.Popen(
        [sys.executable, "-c", USER_OF_THE_SERVER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def first_line(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_it_listens_on_loopback_only_and_runs_in_utc(server: EmbeddedServer) -> None:
    names = ["listen_addresses", "unix_socket_directories", "TimeZone", "max_connections"]
    with psycopg.connect(server.dsn) as connection:
        found = [connection.execute("select current_setting(%s)", [name]).fetchone() for name in names]
    assert found == [("127.0.0.1",), ("",), ("UTC",), ("200",)]


def test_nobody_gets_in_without_the_password(server: EmbeddedServer) -> None:
    stranger = server.dsn.replace(server.password, "guessed")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(stranger)
    assert mode(server.home / "server.json") == 0o600
    assert mode(server.data) == 0o700


def test_a_restart_keeps_the_data_and_the_port(server: EmbeddedServer) -> None:
    write(server)
    before = server.dsn
    assert server.restart() == before
    assert read(server) == (42,)


def test_an_immediate_stop_keeps_what_was_committed(server: EmbeddedServer) -> None:
    write(server)
    server.restart(immediate=True)
    assert read(server) == (42,)


def test_the_next_start_finds_the_data_of_the_last(server: EmbeddedServer) -> None:
    write(server)
    server.stop()
    assert server.pid() is None
    server.start()
    assert read(server) == (42,)


def test_a_killed_server_starts_again_on_the_same_port(server: EmbeddedServer) -> None:
    write(server)
    before = server.dsn
    pid = server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert server.resume() == before
    assert read(server) == (42,)


def test_a_process_that_has_a_killed_servers_id_is_neither_believed_nor_killed(
    server: EmbeddedServer,
) -> None:
    server.halt()
    pid_file = server.data / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{server.data}\n")
    assert server.pid() is None
    server.halt()
    server.resume()
    assert server.pid() not in (None, os.getpid())


def test_a_taken_port_is_given_up_for_another(server: EmbeddedServer, folder: Path) -> None:
    server.halt()
    other = EmbeddedServer(folder / "other", settings=FAST)
    other.start()
    try:
        taken = (server.home / "server.json").read_text().replace(str(server.port), str(other.port))
        (server.home / "server.json").write_text(taken)
        server.resume()
        assert server.port != other.port
    finally:
        other.destroy()


def test_a_folder_may_have_any_name(folder: Path) -> None:
    server = EmbeddedServer(folder / "it's a folder" / 'with "$HOME" & more', settings=FAST)
    with server:
        write(server)
        server.restart()
        assert read(server) == (42,)
    server.destroy()


def test_two_processes_share_a_server_and_the_last_to_leave_stops_it(folder: Path) -> None:
    server = EmbeddedServer(folder / "shared by two", settings=FAST)
    server.start()
    with another_user(server.home) as other:
        assert first_line(other) == server.pid()
        server.stop()
        assert server.pid() is not None, "stopped while another process used it"
        other.communicate("leave\n")
    assert server.pid() is None
    server.destroy()


def test_the_server_of_a_killed_process_is_taken_over_and_stopped(folder: Path) -> None:
    home = folder / "left behind"
    with another_user(home) as killed:
        left_behind = first_line(killed)
        killed.kill()
        killed.communicate()
    server = EmbeddedServer(home)
    assert server.pid() == left_behind
    server.start()
    assert server.pid() == left_behind, "a second server was started"
    server.stop()
    assert server.pid() is None
    server.destroy()


def test_destroy_leaves_nothing(folder: Path) -> None:
    server = EmbeddedServer(folder / "postgres", settings=FAST)
    server.start()
    server.destroy()
    assert not server.home.exists()


def test_a_folder_that_everybody_can_write_to_is_refused(folder: Path) -> None:
    home = folder / "open"
    home.mkdir()
    home.chmod(0o777)
    with pytest.raises(EmbeddedError, match="open to all"):
        EmbeddedServer(home).start()


def test_a_setting_that_postgres_does_not_know_is_named_in_the_error(folder: Path) -> None:
    server = EmbeddedServer(folder / "postgres", settings={**FAST, "no_such_setting": "1"})
    with pytest.raises(EmbeddedError, match="no_such_setting"):
        server.start()
    server.destroy()


@as_root
def test_root_drops_to_nobody(server: EmbeddedServer) -> None:
    owner = Path(f"/proc/{server.pid()}").stat().st_uid
    assert pwd.getpwuid(owner).pw_name == "nobody"


@as_root
def test_below_a_closed_folder_the_cluster_is_kept_elsewhere_and_no_mode_changes(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedServer(closed / "project" / "postgres", settings=FAST)
    with server:
        write(server)
        server.restart()
        assert read(server) == (42,)
        assert server.data.is_relative_to(folder / "shared")
        assert mode(server.data) == 0o700
    assert mode(closed) == 0o700
    server.destroy()
    assert list((folder / "shared").glob("cluster-*")) == []


@as_root
def test_programs_below_a_closed_folder_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = Path(place.wheel_bin(None)).parents[2]
    closed = folder / "closed"
    (closed / place.PACKAGE).mkdir(parents=True)
    closed.chmod(0o700)
    for part in (f"{place.PACKAGE}/{place.RELEASE}", f"{place.PACKAGE}.libs"):
        (closed / part).symlink_to(installed / part)
    spec = SimpleNamespace(origin=str(closed / place.PACKAGE / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: spec)
    server = EmbeddedServer(folder / "postgres", settings=FAST)
    with server:
        command = Path(f"/proc/{server.pid()}/cmdline").read_text()
    assert command.startswith(str(folder / "shared"))
    assert mode(closed) == 0o700
    server.destroy()


@as_root
def test_a_shared_folder_that_somebody_else_could_fill_is_refused(folder: Path) -> None:
    (folder / "shared").mkdir()
    (folder / "shared").chmod(0o777)
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedError, match="only root"):
        EmbeddedServer(closed / "postgres").start()
