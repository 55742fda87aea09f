"""The ground: the run's own PostgreSQL, with the settings stated here, and nothing of it left afterwards.

Every commit is durable: fsync and synchronous_commit are on, and no contender gets another server. Programs connect
over the Unix socket, as on a machine that they share with PostgreSQL; TCP on 127.0.0.1 works as well (`url`).

Invariants: the server lies in a folder of its own, which is removed with it, also after Ctrl-C; what a harness leaves
that is killed outright is removed by the next ground. Passwords are random and stand in no log and on no command line.
Needs Linux.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bench.cases import Unable
from bench.meter import cpu_seconds
from engine.embedded import EmbeddedServer, place

SETTINGS: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "off",
    "max_connections": "300",
}
SYSTEM_ROOT = Path("/usr/lib/postgresql")
LONGEST_BASE = 50  # a socket's path may have 107 bytes, and ours lies two folders deeper
YARDSTICK = "yardstick"  # database and table
YARDSTICK_CLIENTS = 8
_PREFIX = "stepwell-bench-"
_SERVER = "server"  # folder of the cluster within the ground's
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Places and names are no matter of speed, and a result holds none.
_CHANGED = """
select name, current_setting(name) from pg_settings
where source in ('configuration file', 'command line') and setting is distinct from boot_val
  and name not in ('port', 'cluster_name', 'listen_addresses') and strpos(setting, '/') = 0
order by name
"""
_YARDSTICK_INSERT = "insert into yardstick (a, b) values (:client_id, 'x');\n"


class Ground:
    """A PostgreSQL for one run (a context manager). `system`: the system's newest release, not the embedded one."""

    def __init__(self, *, system: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self.settings = {**SETTINGS, **(settings or {})}
        self._system = system
        self._folder: Path | None = None
        self._server: EmbeddedServer | None = None
        self._dsn = ""

    def __enter__(self) -> Self:
        if not Path("/proc/self/stat").exists():
            raise Unable("the harness reads /proc, so it needs Linux")
        try:
            with undisturbed():
                self._start()
        except BaseException:  # a Ctrl-C that had to wait comes at the end of the block, when the server runs
            with undisturbed():
                self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with undisturbed():
            self._remove()

    def _start(self) -> None:
        self.bin = _system_bin() if self._system else place.wheel_bin(place.server_account())
        base = _base()
        sweep(base)
        self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        self._folder.chmod(0o711)
        sockets = self._folder / "sockets"
        sockets.mkdir()
        sockets.chmod(0o777)  # PostgreSQL runs under another account where we are root
        settings = {**self.settings, "unix_socket_directories": str(sockets)}
        self._server = EmbeddedServer(self._folder / _SERVER, settings=settings, bin_dir=self.bin)
        self._dsn = make_conninfo(self._server.start(), host=str(sockets))

    def _remove(self) -> None:
        if self._server is not None:
            self._server.destroy()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._server = self._folder = None

    @property
    def folder(self) -> Path:
        """The run's own folder, for logs and the like of its programs; removed with the ground."""
        if self._folder is None:
            raise RuntimeError("the ground is used outside its block")
        return self._folder

    def dsn(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """Return a connection string over the Unix socket: the superuser's, or that of a login with its password."""
        if user is None:
            return make_conninfo(self._dsn, dbname=database)
        parts: dict[str, Any] = {**conninfo_to_dict(self._dsn), "dbname": database, "user": user, "password": password}
        return make_conninfo("", **parts)

    def url(self, database: str = "postgres", *, tcp: bool = False) -> str:
        """Return the superuser's connection as a URL, for programs that read no DSN; over TCP where that is asked."""
        parts = conninfo_to_dict(self._dsn)
        login = f"postgresql://postgres:{quote(str(parts['password']), safe='')}"
        if tcp:
            return f"{login}@127.0.0.1:{parts['port']}/{quote(database, safe='')}"
        host = quote(str(parts["host"]), safe="")
        return f"{login}@/{quote(database, safe='')}?host={host}&port={parts['port']}"

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Make a fresh database for the time of the block and yield the superuser's DSN of it.

        Ctrl-C leaves it, for the server goes with all that is in it. Dropping waits for sessions that have not finished
        logging in, such as one that Ctrl-C cut short: a minute, until the server loses patience.
        """
        self._drop(name)
        self._execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            yield self.dsn(name)
        except Exception:
            self._drop(name)
            raise
        self._drop(name)

    def settle(self, dsn: str | None = None) -> None:
        """Bring a database's statistics up to date and write out what is dirty, so that no trial pays for another's."""
        with psycopg.connect(dsn or self.dsn(), autocommit=True) as db:
            if dsn is not None:
                db.execute("vacuum (analyze)")
            db.execute("checkpoint")

    def yardstick(self, seconds: float = 2.0) -> float:
        """Return Y: how many one-row inserts 8 clients of pgbench commit in a second. Raises Unable."""
        self._make_yardstick()
        script = self.folder / "yardstick.sql"
        script.write_text(_YARDSTICK_INSERT)
        clients = f"--client={YARDSTICK_CLIENTS} --jobs=2 --time={max(1, round(seconds))}".split()
        command = [f"{self.bin}/pgbench", "--no-vacuum", "--protocol=prepared", *clients, f"--file={script}"]
        done = subprocess.run(command, env=self.libpq(YARDSTICK), capture_output=True, text=True, check=False)
        found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
        if done.returncode != 0 or found is None:
            raise Unable(f"pgbench failed: {done.stderr.strip()[-500:]}")
        return float(found[1])

    def _make_yardstick(self) -> None:
        """Empty the table of the yardstick, making it the first time."""
        with psycopg.connect(self.dsn(), autocommit=True) as db:
            known = db.execute("select from pg_database where datname = %s", (YARDSTICK,)).fetchone()
        if known is None:
            self._execute(sql.SQL("create database {}").format(sql.Identifier(YARDSTICK)))
        with psycopg.connect(self.dsn(YARDSTICK), autocommit=True) as db:
            db.execute("create table if not exists yardstick (id bigserial primary key, a integer, b text)")
            db.execute("truncate yardstick")

    def libpq(self, database: str) -> dict[str, str]:
        """Return the environment for PostgreSQL's own programs: so no password stands in a process list."""
        parts = conninfo_to_dict(self._dsn)
        names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password"}
        found = {name: str(parts[part]) for name, part in names.items()}
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "PGDATABASE": database, **found}

    @property
    def pid(self) -> int:
        """The process id of the postmaster. Raises Unable where it does not run."""
        pid = self._server.pid() if self._server else None
        if pid is None:
            raise Unable("PostgreSQL does not run any more")
        return pid

    def cpu_seconds(self) -> float:
        """Return the processor time of PostgreSQL so far, of all its processes, living and ended."""
        return cpu_seconds([self.pid])

    def stated(self) -> dict[str, str]:
        """Return its settings: those that every run states, then all others that are not PostgreSQL's defaults."""
        with psycopg.connect(self._dsn) as db:
            others: dict[str, str] = dict(db.execute(_CHANGED).fetchall())
        return {**self.settings, **{name: value for name, value in others.items() if name not in self.settings}}

    @property
    def release(self) -> str:
        """The server's release, such as 18.4."""
        with psycopg.connect(self._dsn) as db:
            number = db.info.server_version
        return f"{number // 10000}.{number % 10000}"

    def _drop(self, name: str) -> None:
        self._execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn(), autocommit=True) as db:
            db.execute("set client_min_messages = warning")
            db.execute(statement)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let Ctrl-C and its like wait for the end of the block: what makes or removes a server must not end half-way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = {n: signal.signal(n, lambda n, _: caught.append(n)) for n in _ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if caught:
            raise KeyboardInterrupt


def _base() -> Path:
    """Return where grounds lie: PostgreSQL can enter it, and the paths of sockets are short enough. Raises Unable."""
    account = place.server_account()
    for base in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108  mkdtemp makes it safely
        if len(bytes(base)) < LONGEST_BASE and base.is_dir() and place.reaches(base, account):
            return base
    raise Unable("no folder for PostgreSQL: set TMPDIR to a short path that others may enter")


def sweep(base: Path) -> None:
    """Remove the grounds in a folder that are ours and whose harness was killed: the kernel has dropped its lock."""
    for folder in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.geteuid() and _abandoned(folder / _SERVER / "users"):
                EmbeddedServer(folder / _SERVER).destroy()
                shutil.rmtree(folder, ignore_errors=True)


def _abandoned(users: Path) -> bool:
    """Tell whether nobody holds the lock of those who use a server. Raises OSError where there is none yet."""
    handle = os.open(users, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _system_bin() -> Path:
    """Return the folder of the newest installed release's programs. Raises Unable."""
    found = [path for path in SYSTEM_ROOT.glob("*/bin") if (path / "pg_ctl").exists() and (path / "pgbench").exists()]
    if not found:
        raise Unable(f"no PostgreSQL with pgbench under {SYSTEM_ROOT}: install your system's package postgresql")
    return max(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path.parent.name)])
