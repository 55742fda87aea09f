"""Start, share and stop the embedded server.

The requested folder, here called home, belongs to who starts the server:

    home/lock          held exclusively while a server is being started, stopped or thrown away
    home/users         held shared by every process that uses the server (and by its forks, until they end)
    home/server.json   port, superuser's password, name in the process list (mode 0600)
    home/data/         the cluster, with PostgreSQL's log in server.log (mode 0700)

Invariants:
- The first process starts the server, others find it, the last one to leave stops it. The kernel drops the
  locks of a killed process, so a server left behind is taken over by the next user of home, then stopped.
- It listens on 127.0.0.1 alone and asks for a password: every local account can reach a loopback port.
- A process is signalled only if postmaster.pid names it *and* it carries this server's name: ids come again.
- A cluster that had to be moved out of home (see `place`) outlives a deleted home: `destroy` removes both.
"""

import contextlib
import fcntl
import os
import secrets
import shlex
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from engine.embedded import place
from engine.errors import EmbeddedError

START_TIMEOUT_S = 300  # recovery of a large cluster after a crash
STOP_TIMEOUT_S = 60
START_TRIES = 6
RETRIED = ("could not bind", "is still in use", "could not create any TCP/IP sockets")

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "jit": "off",  # our statements are short: compiling them costs more than running them
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class _State(msgspec.Struct, frozen=True):
    password: str
    name: str
    port: int = 0
    moved_to: str | None = None


class EmbeddedServer:
    """A PostgreSQL server in a folder, shared by all processes that name the same folder."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None, bin_dir: Path | None = None) -> None:
        self.home = data_dir.expanduser().absolute()
        self._settings = {**SETTINGS, **(settings or {})}
        self._given_bin = bin_dir
        self._account = place.server_account()
        self._users: int | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1; kept over restarts as long as nobody else took it meanwhile."""
        return self._state().port

    @property
    def password(self) -> str:
        """The password of the superuser `postgres`."""
        return self._state().password

    @property
    def dsn(self) -> str:
        """The superuser's connection string."""
        state = self._state()
        return f"postgresql://postgres:{state.password}@127.0.0.1:{state.port}/postgres"

    def pid(self) -> int | None:
        """Return the process id of the running server, None if it does not run."""
        return _postmaster(self.data, self._state().name)

    @property
    def data(self) -> Path:
        """The folder of the cluster (PGDATA)."""
        moved = self._state().moved_to
        return (Path(moved) if moved else self.home) / "data"

    def start(self) -> str:
        """Join the server, starting it (and making its cluster) if need be; return the superuser's DSN."""
        place.make_home(self.home, self._account)
        with self._locked():
            self._join()
            try:
                self._start()
            except BaseException:
                self._leave()
                raise
        return self.dsn

    def stop(self) -> None:
        """Leave the server; stop it cleanly if nobody else uses it."""
        if self._users is None:
            return
        with self._locked():
            try:
                if self._is_last(self._users):
                    self._stop(signal.SIGINT)
            finally:
                self._leave()

    def halt(self, *, immediate: bool = False) -> None:
        """Stop the server whoever uses it, with no checkpoint if immediate; `resume` starts it again."""
        with self._locked():
            self._stop(signal.SIGQUIT if immediate else signal.SIGINT)

    def resume(self) -> str:
        """Start the server again after `halt` or a crash, on the same port if it is free; return the DSN."""
        with self._locked():
            self._start()
        return self.dsn

    def restart(self, *, immediate: bool = False) -> str:
        """Stop the server whoever uses it and start it again; return the DSN."""
        self.halt(immediate=immediate)
        return self.resume()

    def destroy(self) -> None:
        """Stop the server whoever uses it; delete its cluster and whatever else was made in home."""
        if not self.home.exists():
            return
        with self._locked():
            if (self.home / "server.json").exists():
                self._stop(signal.SIGQUIT)
                shutil.rmtree(self.data.parent if self._state().moved_to else self.data, ignore_errors=True)
            self._leave()
            for name in ("server.json", "users", "lock"):
                (self.home / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something of the user's is in it
            self.home.rmdir()

    def _start(self) -> None:
        bin_dir = self._given_bin or place.wheel_bin(self._account)
        if not (self.home / "server.json").exists() or not (self.data / "PG_VERSION").exists():
            self._make_cluster(bin_dir)
        if self.pid() is None:
            _forget_stranger(self.data)
            self._launch(bin_dir)

    def _stop(self, how: signal.Signals) -> None:
        pid = self.pid()
        if pid is None:
            return
        for step in (how, signal.SIGQUIT):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, step)
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while time.monotonic() < deadline:
                if self.pid() is None:
                    return
                time.sleep(0.01)
        raise EmbeddedError(f"PostgreSQL (process {pid}) does not stop: see {self.data / 'server.log'}")

    def _make_cluster(self, bin_dir: Path) -> None:
        """Make the cluster aside and rename it into place: a half-made one is never taken for whole."""
        base = self.home if place.reaches(self.home, self._account) else place.shared_folder(self.home)
        moved_to = None if base == self.home else str(base)
        state = _State(secrets.token_urlsafe(24), f"stepwell-{secrets.token_hex(4)}", moved_to=moved_to)
        fresh = base / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        place.give(fresh, self._account)
        with tempfile.NamedTemporaryFile("w", dir=base, prefix=".password-") as pwfile:
            pwfile.write(state.password)
            pwfile.flush()
            place.give(Path(pwfile.name), self._account)
            options = ["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--no-locale"]
            if self._settings.get("fsync") == "off":
                options.append("--no-sync")
            command = [f"{bin_dir}/initdb", "-D", str(fresh), "--pwfile", pwfile.name, *options]
            done = place.run(command, self._account, cwd=base)
        if done.returncode != 0:
            raise EmbeddedError(f"initdb could not make a cluster in {base}: {done.stdout.strip()[-2000:]}")
        _write_private(self.home / "server.json", msgspec.json.encode(state))
        fresh.rename(base / "data")

    def _launch(self, bin_dir: Path) -> None:
        """Start PostgreSQL, wait until it answers; try again if port or killed predecessor are in the way."""
        log = self.data / "server.log"
        if log.exists():
            log.replace(self.data / "server.log.1")
        for attempt in range(START_TRIES):
            port = _free_port(self._state().port)
            command = self._start_command(bin_dir, port)
            done = place.run(command, self._account, cwd=self.data, PGDATA=str(self.data))
            if done.returncode == 0:
                state = msgspec.structs.replace(self._state(), port=port)
                _write_private(self.home / "server.json", msgspec.json.encode(state))
                return
            said = _read_log(log)
            if not any(reason in said for reason in RETRIED):
                break
            time.sleep(0.1 * 2**attempt)
        reason = said.strip()[-2000:] or done.stdout.strip()
        raise EmbeddedError(f"PostgreSQL did not start ({log}): {reason}")

    def _start_command(self, bin_dir: Path, port: int) -> list[str]:
        settings = {**self._settings, "port": str(port), "cluster_name": self._state().name}
        options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
        # pg_ctl puts the log, and the cluster if given by -D, into a shell command: so no path is given here.
        wait = ["-w", "-t", str(START_TIMEOUT_S)]
        return [f"{bin_dir}/pg_ctl", "start", *wait, "-l", "server.log", "-o", options]

    def _state(self) -> _State:
        path = self.home / "server.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=_State)
        except FileNotFoundError:
            raise EmbeddedError(f"no embedded PostgreSQL in {self.home}", advice="Start it first.") from None
        except msgspec.DecodeError as error:
            raise EmbeddedError(f"{path} is damaged: {error}", advice="Delete its folder to begin anew.") from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the right to start and stop the server."""
        handle = _open_lock(self.home / "lock")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _join(self) -> None:
        if self._users is None:
            self._users = _open_lock(self.home / "users")
            fcntl.flock(self._users, fcntl.LOCK_SH)

    @staticmethod
    def _is_last(users: int) -> bool:
        """Turn the shared lock into an exclusive one if nobody else has it; only with `lock` held."""
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _leave(self) -> None:
        if self._users is not None:
            os.close(self._users)
            self._users = None


def _write_private(path: Path, content: bytes) -> None:
    """Replace the file as a whole; mkstemp makes it 0600."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).replace(path)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _read_log(path: Path) -> str:
    """Return the log's text; no symbolic link is followed, for the folder is the server's account's."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return ""
    with os.fdopen(handle, errors="replace") as file:
        return file.read()


def _postmaster(data: Path, name: str) -> int | None:
    """Return the id of the process that runs this cluster under this name, None if there is none."""
    pid = _written_pid(data)
    if pid is None or not _exists(pid):
        return None
    try:
        return pid if name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes() else None
    except OSError:
        return None if Path("/proc/self").exists() else pid  # no /proc on macOS: believe the file


def _forget_stranger(data: Path) -> None:
    """Delete a killed server's postmaster.pid if another process has its id: PostgreSQL would refuse."""
    pid = _written_pid(data)
    if pid is not None and _exists(pid):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _written_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().partition("\n")[0])
    except (FileNotFoundError, ValueError):
        return None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _free_port(wanted: int) -> int:
    """Return the wanted port of 127.0.0.1 if nobody listens there, else one that is free now."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen: int = probe.getsockname()[1]
            return chosen
    raise EmbeddedError("no TCP port is free on 127.0.0.1")
