"""Servers for the tests: one PostgreSQL for the session, a fresh database for each test that asks for one.

The server is, in this order, the one named by STEPWELL_TEST_DATABASE_URL (a superuser's DSN), the system's
own (STEPWELL_TEST_POSTGRES=system), or the embedded one. The latter two are started in a private folder on a
free port, without fsync, and are stopped and deleted when the session ends, after failures and Ctrl-C too.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from pytest_postgresql import factories

from engine.embedded import EmbeddedServer
from tests.house import load_schema
from tests.system_postgres import system_bin

# Not synchronous_commit = off: what was committed must outlive the server being killed, in tests as well.
FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


def pytest_configure() -> None:
    """Let a terminated run end like one stopped by Ctrl-C, so that it leaves no server behind either."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@dataclass(frozen=True)
class Server:
    """Where the session's PostgreSQL is, under the names that pytest-postgresql looks for."""

    host: str
    port: int
    user: str
    password: str
    options: str = ""
    maintenance_dbname: str = "postgres"
    template_dbname: str | None = None

    @property
    def dsn(self) -> str:
        """The superuser's connection string."""
        return psycopg.conninfo.make_conninfo(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=self.maintenance_dbname,
        )

    @classmethod
    def from_dsn(cls, dsn: str) -> "Server":
        """Read the parts of a DSN."""
        parts = conninfo_to_dict(dsn)
        return cls(
            host=str(parts.get("host") or "127.0.0.1"),
            port=int(parts.get("port") or 5432),
            user=str(parts.get("user") or "postgres"),
            password=str(parts.get("password") or ""),
            maintenance_dbname=str(parts.get("dbname") or "postgres"),
        )


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that the server's account may pass through, as it may not through pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="stepwell-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def own_server() -> Iterator[Server]:
    """Start a server of our own, the system's if asked for by STEPWELL_TEST_POSTGRES."""
    chosen = os.environ.get("STEPWELL_TEST_POSTGRES", "embedded")
    if chosen not in ("embedded", "system"):
        pytest.exit(f"STEPWELL_TEST_POSTGRES={chosen}: say embedded or system", returncode=pytest.ExitCode.USAGE_ERROR)
    bin_dir = system_bin() if chosen == "system" else None
    with private_folder() as folder:
        server = EmbeddedServer(folder / "postgres", settings=FAST, bin_dir=bin_dir)
        try:
            yield Server.from_dsn(server.start())
        finally:
            server.destroy()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The session's PostgreSQL, with a superuser's access."""
    given = os.environ.get("STEPWELL_TEST_DATABASE_URL")
    if given:
        yield Server.from_dsn(given)
    else:
        with own_server() as server:
            yield server


# depends_on: host, port and password are known only once the server runs.
postgresql_template = factories.postgresql_noproc(
    depends_on="postgres_server", dbname="stepwell_test", load=[load_schema]
)
postgresql = factories.postgresql("postgresql_template")


@pytest.fixture
def database_url(postgresql: "psycopg.Connection[object]") -> str:
    """The superuser's DSN of this test's own database."""
    return psycopg.conninfo.make_conninfo(postgresql.info.dsn, password=postgresql.info.password)
