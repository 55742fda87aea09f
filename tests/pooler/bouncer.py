"""pgbouncer in transaction mode in front of a test's PostgreSQL, and how its program gets here.

The installed one is taken where there is one. Else Debian's packages are downloaded and unpacked, without root's rights and
without touching the system, into the folder of the Python environment: once, `make clean` takes them away. Who cannot
have it (no Debian, no network) is told what to install, and skips.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.embedded import place
from tests.fix_servers import private_folder
from tests.house import LOGINS, OWNER, PASSWORD, House, WorkerProcess, eventually

PACKAGES = ("pgbouncer", "libevent-2.1-7", "libc-ares2")
CACHE = Path(sys.prefix) / "share" / "stepwell-tests" / "pgbouncer"
SESSIONS = 3
SILENCE = 5.0  # seconds after which a worker counts as dead; with session locks it would be 2


def program() -> tuple[Path, list[Path]]:
    """Return pgbouncer and what libraries came with it. Skips the test where it can neither be found nor fetched."""
    installed = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if installed is not None:
        return Path(installed), []
    if not CACHE.exists() and not _fetch():
        pytest.skip("no pgbouncer, and Debian's package cannot be downloaded: apt-get install pgbouncer")
    return CACHE / "usr/sbin/pgbouncer", list(CACHE.rglob("lib*.so.*"))


@cache
def _fetch() -> bool:
    """Unpack the packages into CACHE, as a whole or not at all; False where they are not to be had."""
    if not all(map(shutil.which, ("apt-get", "dpkg"))):
        return False
    with contextlib.suppress(OSError):  # the environment is not ours to write to, or another run was faster
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE.parent, ignore_cleanup_errors=True) as folder:
            files = _download(Path(folder))
            fresh = Path(folder) / "root"
            if files and all(_ran("dpkg", "-x", file, fresh) for file in files):
                fresh.rename(CACHE)
    return CACHE.exists()


def _download(folder: Path) -> list[Path]:
    """Download the packages with the lists at hand, else with lists of our own; return them, none if any is missing."""
    own = ["-o", f"Dir::State={folder}/state", "-o", f"Dir::Cache={folder}/cache"]
    for folders in ("state/lists/partial", "cache/archives/partial"):
        (folder / folders).mkdir(parents=True)
    for options in ([], own):
        if options:
            _ran("apt-get", *options, "update")
        if _ran("apt-get", *options, "download", *PACKAGES, cwd=folder):
            return list(folder.glob("*.deb"))
    return []


def _ran(*command: object, cwd: Path | None = None) -> bool:
    """Run a program without its output; tell whether it succeeded, in time."""
    try:
        done = subprocess.run([str(part) for part in command], cwd=cwd, check=False, timeout=30, capture_output=True)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


@contextmanager
def pooling(dsn: str) -> Iterator[int]:
    """Run pgbouncer before that server for the time of the block, as nobody where we are root; yield its port."""
    found, libraries = program()
    account = place.server_account()
    with private_folder() as folder:
        port = _free_port()
        for name, text in (("users", _users()), ("settings.ini", _settings(folder, port, dsn))):
            (folder / name).write_text(text)
        for file in (found, *libraries):  # the account may not be let in where they lie
            shutil.copy(file, folder / file.name)
        log = folder / "log"
        log.touch()
        place.give(log, account)
        drop: dict[str, Any] = {}
        if account is not None:
            drop = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        with log.open("a") as output:
            process = subprocess.Popen(
                [folder / "pgbouncer", folder / "settings.ini"],
                cwd=folder,
                env={"LD_LIBRARY_PATH": str(folder)},
                stdout=output,
                stderr=subprocess.STDOUT,
                **drop,
            )
        try:
            eventually(lambda: _listens(process, port, log), what="pgbouncer listens")
            yield port
        finally:
            process.kill()  # at once: whoever is still connected is cut off
            process.wait()


def _users() -> str:
    return "".join(f'"{name}" "{PASSWORD}"\n' for name in (OWNER, *LOGINS))


def _settings(folder: Path, port: int, dsn: str) -> str:
    """Return a configuration as a site would have it, but that sessions take turns and live for a second only."""
    server = conninfo_to_dict(dsn)
    return (
        f"[databases]\n* = host={server['host']} port={server['port']}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {folder}/users\npool_mode = transaction\n"
        f"default_pool_size = {SESSIONS}\nmin_pool_size = {SESSIONS}\nserver_round_robin = 1\n"
        "server_lifetime = 1\n"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    assert process.poll() is None, f"pgbouncer ended: {log.read_text()}"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class PooledHouse(House):
    """An installation whose programs and customers come through the pooler; the test's own looks do not."""

    def __init__(self, superuser_dsn: str, folder: Path, port: int) -> None:
        self._port = port
        super().__init__(superuser_dsn, folder)

    def dsn(self, login: str) -> str:
        """Return the connection string of a login."""
        direct = super().dsn(login)
        return direct if login in ("superuser", OWNER) else self.pooled(direct)

    def pooled(self, dsn: str) -> str:
        """Return the same connection string through the pooler."""
        return make_conninfo(dsn, host="127.0.0.1", port=self._port)

    def connect(self, login: str, *, autocommit: bool = True) -> psycopg.Connection[Any]:
        """Open a connection as a customer of such a pooler must: one that prepares no statements."""
        connection = super().connect(login, autocommit=autocommit)
        connection.prepare_threshold = None
        return connection

    @contextmanager
    def worker(self, *arguments: str, **environment: str) -> Iterator[WorkerProcess]:
        """Run a worker as behind a pooler for the time of the block."""
        settings = {"STEPWELL_LOCK_PROBE": "false", "STEPWELL_SILENCE_LIMIT_SECONDS": str(SILENCE), **environment}
        with super().worker(*arguments, **settings) as worker:
            yield worker


def sessions(db: psycopg.Connection[Any], asked: int = 10) -> set[int]:
    """Return which sessions of the server one client's connection meets."""
    return {pid for _ in range(asked) for (pid,) in db.execute("select pg_backend_pid()", prepare=False)}
