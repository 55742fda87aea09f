"""A whole Stepwell in one database of the ground: schema, tenants, logins, a key, programs.

Made through the same SQL functions as everywhere; nothing is measured here. Passwords are random, reach the programs
in their environment and stand in no log.

    with ground.database("noop") as dsn, House(ground, dsn) as house:
        house.publish({"name": "d", "steps": [...]})
        house.start("d", [{}] * 10_000)
        ground.settle(dsn)
        worker = house.worker()
        with Meter(ground, [worker.pid]) as meter:
            house.drained(60)
        return meter.measured.figures(200_000, "step")
"""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql as composed
from psycopg.conninfo import conninfo_to_dict

import sql
from bench.cases import Unable
from bench.ground import Ground, undisturbed
from bench.meter import family
from bench.programs import PATIENCE_S, Program
from engine.keys import SCOPES, make_key
from engine.migrate import migrate

PORTION = 5000  # processes in one statement
ENVIRONMENT = "prod"
QUIET = {
    "STEPWELL_LOG_LEVEL": "error",
    "STEPWELL_LOG_ACTIVITIES": "none",
    "STEPWELL_HTTP_ALLOWED_NETWORKS": "127.0.0.0/8",
}
_PROGRAMS = ("api", "worker")
_LISTENING = '{"event":"listening"}'  # what `api --with-parent` says once it answers
_LOOK_S = 0.02
_BUSY = "select exists (select from stepwell.lease) or exists (select from stepwell.job)"
_RUNNING = """
select count(*) from (
  select process_id from stepwell.job union select process_id from stepwell.lease
  union select process_id from stepwell.timer union select process_id from stepwell.wait
  union select process_id from stepwell.task) as open
"""

Connection = psycopg.Connection[Any]


class House:
    """Stepwell in the database `dsn` (a fresh one of `ground.database`); a context manager, for its programs' sake.

    Logins by name, for `connect` and `dsn`: `owner`, `api`, `worker`, each tenant's name (its own SQL caller), and
    `superuser`. `key` is the first tenant's API key with every scope, `keys` has all tenants'. `folder` (for logs):
    the ground's without one.
    """

    def __init__(
        self, ground: Ground, dsn: str, folder: Path | None = None, tenants: Sequence[str] = ("acme",)
    ) -> None:
        self.ground = ground
        self.folder = folder or ground.folder
        self.database = str(conninfo_to_dict(dsn)["dbname"])
        self.tenants = tuple(tenants)
        self.scopes: dict[str, tuple[int, int]] = {}  # tenant → numbers of tenant and environment
        self.keys: dict[str, str] = {}
        self._passwords = {name: secrets.token_urlsafe(24) for name in ("owner", *_PROGRAMS, *self.tenants)}
        self._open: list[Connection] = []
        self._programs: list[Program] = []
        self._super = self.connect("superuser")
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    @property
    def key(self) -> str:
        """The first tenant's API key."""
        return self.keys[self.tenants[0]]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with undisturbed():
            self.close(at_once=kind is not None)

    def close(self, *, at_once: bool = False) -> None:
        """End all its programs, in order or at once, and its connections; the database is the ground's."""
        for program in self._programs:
            (program.kill if at_once else program.stop)()
        for connection in self._open:
            connection.close()

    # -- built once

    def _build(self) -> None:
        self._add_role("owner", "login createrole")
        name = composed.Identifier(self.database), composed.Identifier(self._role("owner"))
        self._super.execute(composed.SQL("alter database {} owner to {}").format(*name))
        owner = self.connect("owner")
        migrate(owner)
        for kind in _PROGRAMS:
            self._add_role(kind, f"login in role stepwell_{kind}")
            self._note_login(owner, kind, kind, (None, None))
        for tenant in self.tenants:
            self._add_tenant(owner, tenant)
        owner.close()

    def _add_tenant(self, owner: Connection, tenant: str) -> None:
        owner.execute(sql.query("admin.add_tenant"), {"name": tenant})
        owner.execute(sql.query("admin.add_environment"), {"tenant": tenant, "name": ENVIRONMENT})
        row = owner.execute(sql.query("admin.scope"), {"tenant": tenant, "environment": ENVIRONMENT}).fetchone()
        if row is None:
            raise Unable(f"tenant {tenant} could not be made")
        self.scopes[tenant] = scope = (int(row[0]), int(row[1]))
        self._add_role(tenant, "login in role stepwell_caller")
        self._note_login(owner, tenant, "caller", scope)
        self.keys[tenant], hashed = make_key()
        values = {"name": "bench", "hash": hashed, "scopes": list(SCOPES)}
        owner.execute(sql.query("admin.add_key"), {"tenant_id": scope[0], "environment_id": scope[1], **values})

    def _role(self, login: str) -> str:
        """Return a login's role: roles belong to the whole server, so they bear the database's name."""
        return f"{self.database}_{login}"

    def _add_role(self, login: str, options: str) -> None:
        role, password = composed.Identifier(self._role(login)), composed.Literal(self._passwords[login])
        self._super.execute(composed.SQL("drop role if exists {}").format(role))  # of a database of that name before
        text = f"create role {{}} {options} password {{}}"
        self._super.execute(composed.SQL(text).format(role, password))

    def _note_login(self, owner: Connection, login: str, kind: str, scope: tuple[int | None, int | None]) -> None:
        values = {"name": self._role(login), "kind": kind, "tenant_id": scope[0], "environment_id": scope[1]}
        owner.execute(sql.query("admin.add_login"), {**values, "existing": False})

    # -- connections

    def dsn(self, login: str) -> str:
        """Return the connection string of a login, over the Unix socket."""
        if login == "superuser":
            return self.ground.dsn(self.database)
        return self.ground.dsn(self.database, self._role(login), self._passwords[login])

    def connect(self, login: str) -> Connection:
        """Open an autocommitting connection, closed with the house at the latest."""
        connection = psycopg.connect(self.dsn(login), autocommit=True)
        self._open.append(connection)
        return connection

    # -- work

    def publish(self, document: dict[str, Any], tenant: str | None = None) -> str:
        """Publish a definition as the API does, unchecked; return its public id."""
        tenant_id, environment_id = self.scopes[tenant or self.tenants[0]]
        with psycopg.connect(self.dsn("api")) as db:
            db.execute("select set_config('stepwell.tenant_id', %s, true)", (str(tenant_id),))
            db.execute("select set_config('stepwell.environment_id', %s, true)", (str(environment_id),))
            statement = "select stepwell.public_id('wf', stepwell.publish_definition(%s, 'bench'))"
            row = db.execute(statement, (json.dumps(document),)).fetchone()
        return str(row[0]) if row else ""

    def start(self, name: str, inputs: Sequence[Any], tenant: str | None = None, **more: Any) -> list[str]:
        """Start a process for each input, set-based and in portions of 5,000; return their public ids.

        `more`: further arguments of stepwell.start_processes, such as priority.
        """
        named = "".join(f", {word} => %({word})s" for word in more)
        statement = f"select stepwell.start_processes(%(name)s, %(inputs)s{named})"
        found: list[str] = []
        with psycopg.connect(self.dsn(tenant or self.tenants[0]), autocommit=True) as db:
            for at in range(0, len(inputs), PORTION):
                portion = json.dumps(list(inputs[at : at + PORTION]))
                row = db.execute(statement, {"name": name, "inputs": portion, **more}).fetchone()
                found += row[0] if row else []
        return found

    def worker(self, *options: str, processes: int = 1, **environment: str) -> Program:
        """Start a worker and wait until it has registered. `environment`: settings beside the quiet ones.

        `processes` over 1: that many under one command. Raises Unable with the end of its log.
        """
        many = ("--processes", str(processes)) if processes > 1 else ()
        settings = {**QUIET, "STEPWELL_DATABASE_URL": self.dsn("worker"), **environment}
        program = self._started(Program(("worker", *many, *options), settings, self.folder))
        deadline = time.monotonic() + PATIENCE_S
        statement = "select count(distinct pid) from stepwell.worker where pid = any(%s)"
        while self.count(statement, list(family(program.pid))) < processes:
            program.check()
            if time.monotonic() > deadline:
                raise Unable(f"the worker has not registered after {PATIENCE_S:g} s: {program.tail()}")
            time.sleep(_LOOK_S)
        return program

    def api(self, **environment: str) -> Program:
        """Start an API and wait until it answers at its `url`. Raises Unable with the end of its log."""
        settings = {**QUIET, "STEPWELL_DATABASE_URL": self.dsn("api"), **environment}
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            handle, port = listener.fileno(), listener.getsockname()[1]
            arguments = ("api", "--listener", str(handle))
            url = f"http://127.0.0.1:{port}"
            program = self._started(Program(arguments, settings, self.folder, handles=[handle], url=url))
        program.until_said(_LISTENING)
        return program

    def _started(self, program: Program) -> Program:
        self._programs.append(program)
        return program

    # -- looking

    def count(self, statement: str, *parameters: Any) -> int:
        """Return the first column of the first row of the superuser's statement, as a number."""
        row = self._super.execute(statement, parameters or None).fetchone()
        return int(row[0] or 0) if row else 0

    def running(self) -> int:
        """Return how many processes have not ended: a look at all that could still move one."""
        return self.count(_RUNNING)

    def drained(self, timeout_s: float) -> None:
        """Wait until there is no job and no lease: every process has ended or is parked.

        Raises Unable when it takes too long or one of the house's programs ends.
        """
        deadline = time.monotonic() + timeout_s
        while self.count(_BUSY):
            for program in self._programs:
                program.check()
            if time.monotonic() > deadline:
                jobs, leases = (self.count(f"select count(*) from stepwell.{t}") for t in ("job", "lease"))  # noqa: S608  two fixed names
                raise Unable(f"not drained after {timeout_s:g} s: {jobs:,} jobs and {leases:,} leases are left")
            time.sleep(_LOOK_S)
