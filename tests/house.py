"""A whole Stepwell on a test's own database: logins of every kind, tenants, definitions, workers.

Tenants: `acme` with environments prod and dev, `globex` with prod. Logins are cluster-wide, so their names are fixed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo

from engine.migrate import migrate

T = TypeVar("T")
PASSWORD = "test-only"
OWNER = "house_owner"
SCOPES = {"acme_prod": ("acme", "prod"), "acme_dev": ("acme", "dev"), "globex_prod": ("globex", "prod")}
LOGINS = {
    "house_api": ("api", None),
    "house_worker": ("worker", None),
    "house_acme_prod": ("caller", "acme_prod"),
    "house_acme_dev": ("caller", "acme_dev"),
    "house_globex_prod": ("caller", "globex_prod"),
    "house_report": ("report", "acme_prod"),
}


def load_schema(**connection: Any) -> None:
    """Fill the template database: owner, schema, tenants, logins."""
    connection["autocommit"] = True
    with psycopg.connect(**connection) as db:
        exists = db.execute("select from pg_roles where rolname = %s", (OWNER,)).fetchone()
        if exists is None:
            db.execute(f"create role {OWNER} login createrole password '{PASSWORD}'")
        db.execute(f'alter database "{connection["dbname"]}" owner to {OWNER}')
    with psycopg.connect(**{**connection, "user": OWNER, "password": PASSWORD}) as db:
        migrate(db)
        for scope in SCOPES.values():
            db.execute("insert into stepwell.tenant (name) values (%s) on conflict do nothing", scope[:1])
            db.execute(
                "insert into stepwell.environment (tenant_id, name) select id, %s from stepwell.tenant where name = %s",
                (scope[1], scope[0]),
            )
        for login, (kind, of) in LOGINS.items():
            if db.execute("select from pg_roles where rolname = %s", (login,)).fetchone() is None:
                db.execute(f"create role {login} login password '{PASSWORD}' in role stepwell_{kind}")
            db.execute(
                "insert into stepwell.login (role_name, kind, tenant_id, environment_id) "
                "select %s, %s, (select id from stepwell.tenant where name = %s), (select e.id from stepwell.environment e "
                "join stepwell.tenant t on t.id = e.tenant_id where t.name = %s and e.name = %s)",
                (
                    login,
                    kind,
                    *(SCOPES[of] if of else (None, None))[:1],
                    *(SCOPES[of] if of else (None, None)),
                ),
            )


class House:
    """The test's own installation."""

    def __init__(self, superuser_dsn: str, folder: Path) -> None:
        self.superuser_dsn = superuser_dsn
        self.folder = folder
        self.owner = self.connect(OWNER)
        self._open: list[psycopg.Connection[Any]] = [self.owner]
        self.scopes = {
            f"{tenant}_{environment}": (tenant_id, environment_id)
            for tenant, environment, tenant_id, environment_id in self.rows(
                "select t.name, e.name, t.id, e.id from stepwell.environment e join stepwell.tenant t on t.id = e.tenant_id"
            )
        }

    def dsn(self, login: str) -> str:
        """Return the connection string of a login (or 'superuser')."""
        if login == "superuser":
            return self.superuser_dsn
        return make_conninfo(self.superuser_dsn, user=login, password=PASSWORD)

    def connect(self, login: str, *, autocommit: bool = True) -> psycopg.Connection[Any]:
        """Open a connection, closed with the house."""
        connection = psycopg.connect(self.dsn(login), autocommit=autocommit)
        if hasattr(self, "_open"):
            self._open.append(connection)
        return connection

    def close(self) -> None:
        """Close every connection."""
        for connection in self._open:
            connection.close()

    # -- looking

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a statement of the owner."""
        return self.owner.execute(statement, parameters or None).fetchall()

    def value(self, statement: str, *parameters: Any) -> Any:
        """Return the first column of the first row."""
        found = self.rows(statement, *parameters)
        return found[0][0] if found else None

    def status(self, public_id: str) -> str:
        """Return the status of a process."""
        return str(
            self.value("select status from stepwell.process where id = stepwell.private_id('prc', %s)", public_id)
        )

    def history(self, public_id: str) -> list[tuple[Any, ...]]:
        """Return (seq, type, path, attempt, data) of a process."""
        return self.rows(
            "select seq, type, path, attempt, data from stepwell.history "
            "where process_id = stepwell.private_id('prc', %s) order by seq",
            public_id,
        )

    # -- doing

    def publish(self, document: dict[str, Any], scope: str = "acme_prod") -> str:
        """Publish a definition; return its public id."""
        tenant_id, environment_id = self.scopes[scope]
        with self.connect("house_api", autocommit=False) as db:
            db.execute("select set_config('stepwell.tenant_id', %s, true)", (str(tenant_id),))
            db.execute("select set_config('stepwell.environment_id', %s, true)", (str(environment_id),))
            row = db.execute(
                "select stepwell.public_id('wf', stepwell.publish_definition(%s, 'tester'))", (json.dumps(document),)
            ).fetchone()
        assert row is not None
        return str(row[0])

    def caller(self, scope: str = "acme_prod", *, autocommit: bool = True) -> psycopg.Connection[Any]:
        """Open a customer's own connection."""
        return self.connect(f"house_{scope}", autocommit=autocommit)

    def start(self, definition: str, data: Any = None, scope: str = "acme_prod", **more: Any) -> str:
        """Start one process by SQL; return its public id."""
        with self.caller(scope) as db:
            return start(db, definition, data, **more)

    # -- workers

    @contextmanager
    def worker(self, *arguments: str, **environment: str) -> Iterator[WorkerProcess]:
        """Run a real worker process for the time of the block."""
        worker = WorkerProcess(self.dsn("house_worker"), self.folder, environment, *arguments)
        try:
            yield worker
        except BaseException:
            print(f"worker {worker.process.pid}, exit code {worker.process.poll()}, last errors of its log:")
            for line in worker.errors()[-20:]:
                print(line.get("text", "").rstrip() or json.dumps(line))
            raise
        finally:
            worker.end()


def start(db: psycopg.Connection[Any], definition: str, data: Any = None, **more: Any) -> str:
    """Start a process on the caller's connection and in its transaction."""
    named = "".join(f", {name} => %({name})s" for name in more)
    row = db.execute(
        f"select stepwell.start_process(%(definition)s, %(input)s{named})",
        {"definition": definition, "input": json.dumps({} if data is None else data), **more},
    ).fetchone()
    assert row is not None
    return str(row[0])


class WorkerProcess:
    """A worker in a process of its own; its log is kept line by line."""

    def __init__(self, dsn: str, folder: Path, environment: dict[str, str], *arguments: str) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith("STEPWELL_")}
        env |= {"STEPWELL_DATABASE_URL": dsn, "STEPWELL_HTTP_ALLOWED_NETWORKS": "127.0.0.0/8", **environment}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stepwell", "worker", *arguments],
            env=env,
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self.log.append({"event": "text", "text": line})

    def seen(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Return the log lines of one kind."""
        return [x for x in list(self.log) if x.get("event") == event and fields.items() <= x.items()]

    def errors(self) -> list[dict[str, Any]]:
        """Return the log lines that tell of trouble, and those that are no JSON."""
        return [x for x in list(self.log) if x.get("level") == "error" or x["event"] == "text"]

    def until(self, event: str, **fields: Any) -> dict[str, Any]:
        """Wait for a log line."""
        return eventually(lambda: self.seen(event, **fields), what=f"worker logs {event} {fields}")[-1]

    def send(self, number: int) -> None:
        """Send the process a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it the hard way."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Stop it, whatever state it is in."""
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        self._reader.join(5)
        if self.process.stderr is not None:
            self.process.stderr.close()


def eventually(look: Callable[[], T], *, what: str, seconds: float = 30.0) -> T:
    """Wait until `look` returns something true. Fails with `what` was awaited and what was seen last."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            msg = f"after {seconds:g} s still not: {what}; last seen: {found!r}"
            raise AssertionError(msg)
        time.sleep(0.02)
