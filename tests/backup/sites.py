"""Two places where one installation may live: private servers with their programs, and a way to follow a page there."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.embedded import EmbeddedServer, place
from tests.docs.pages import blocks
from tests.fix_servers import FAST
from tests.house import OWNER, PASSWORD, House, load_schema
from tests.system_postgres import system_bin

DATABASE = "stepwell"
ENVIRONMENT_BIN = Path(sys.executable).parent


def programs() -> Path:
    """Return the folder of PostgreSQL's programs: of the release that the tests run on."""
    chosen = os.environ.get("STEPWELL_TEST_POSTGRES")
    return system_bin() if chosen == "system" else place.wheel_bin(place.server_account())


def major() -> int:
    """Return the release of those programs."""
    said = place.run([f"{programs()}/pg_dump", "--version"], place.server_account(), cwd=Path("/")).stdout
    return int(re.findall(r"(\d+)\.", said)[0])


@contextmanager
def server(home: Path, **settings: str) -> Iterator[EmbeddedServer]:
    """Run a server of the test's own in a folder that its account can reach (`private_folder`)."""
    made = EmbeddedServer(home, settings={**FAST, **settings}, bin_dir=programs())
    try:
        made.start()
        yield made
    finally:
        made.destroy()


def install(on: EmbeddedServer) -> None:
    """Make the database with schema, tenants and logins."""
    with psycopg.connect(on.dsn, autocommit=True) as db:
        db.execute(f"create database {DATABASE}")
    load_schema(**conninfo_to_dict(make_conninfo(on.dsn, dbname=DATABASE)))


@contextmanager
def house_on(on: EmbeddedServer, folder: Path) -> Iterator[House]:
    """Connect to the installation on a server."""
    made = House(make_conninfo(on.dsn, dbname=DATABASE), folder)
    try:
        yield made
    finally:
        made.close()


class Operator:
    """Somebody who does what docs/backup.md says; the owner there has another name here."""

    def __init__(self, superuser: str, folder: Path, database: str = DATABASE) -> None:
        self.superuser = superuser
        self.folder = folder
        self.database = database

    def sql(self, title: str, *, owner: bool = False) -> None:
        """Execute a block of the page as superuser, or as the owner in the installation's database."""
        dsn = self._owner() if owner else self.superuser
        with psycopg.connect(dsn, autocommit=True) as db:
            for statement in self._text("sql", title).split(";\n"):  # one by one: `create database` stands alone
                if statement.strip():
                    db.execute(statement)

    def shell(self, title: str, **environment: str) -> str:
        """Run a block of the page with the owner's URL, PostgreSQL's programs and ours at hand."""
        return self.run(self._text("sh", title), **environment)

    def run(self, script: str, **environment: str) -> str:
        """Run a script as the page's blocks run."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("STEPWELL_")}
        clean["PATH"] = os.pathsep.join((str(ENVIRONMENT_BIN), str(programs()), clean["PATH"]))
        done = subprocess.run(
            ["/bin/sh", "-euc", script], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False,
            env={**clean, "STEPWELL_OWNER_DATABASE_URL": self._owner(), **environment},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _owner(self) -> str:
        # Where only: what else our client library puts into a connection string, an older pg_dump does not know.
        where = {name: value for name, value in conninfo_to_dict(self.superuser).items() if name in ("host", "port")}
        return make_conninfo("", **where, dbname=self.database, user=OWNER, password=PASSWORD)

    def _text(self, language: str, title: str) -> str:
        (found,) = blocks("docs/backup.md", language, title)
        return found.text.replace("stepwell_owner", OWNER).replace("'…'", f"'{PASSWORD}'")


def base_backup(of: EmbeddedServer, into: Path) -> None:
    """Copy a running server's cluster, as the account that a server of ours runs under."""
    account = place.server_account()
    place.make_home(into, account)
    data = into / "data"
    data.mkdir(mode=0o700)
    place.give(data, account)
    (found,) = blocks("docs/backup.md", "sh", "base")
    program, *options = shlex.split(found.text.replace("/backup/base", str(data)).replace("$SUPERUSER_URL", of.dsn))
    done = place.run([f"{programs()}/{program}", *options], account, cwd=into)
    assert done.returncode == 0, done.stdout


@contextmanager
def recovered(backup: Path, home: Path, password: str, settings: Mapping[str, str]) -> Iterator[EmbeddedServer]:
    """Start a copy of a base backup with these recovery settings; wait until it has left recovery."""
    account = place.server_account()
    place.make_home(home, account)
    shutil.copytree(backup / "data", home / "data", symlinks=True, copy_function=shutil.copy2)
    (home / "data" / "recovery.signal").touch()
    for path in (home / "data", *(home / "data").rglob("*")):
        place.give(path, account)
    state = {"password": password, "name": f"stepwell-{secrets.token_hex(4)}"}
    (home / "server.json").write_text(json.dumps(state))
    with server(home, **settings) as started:
        yield started
