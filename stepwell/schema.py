"""`stepwell schema`: sql/schema.sql, the dumped schema, so that each migration's effect shows as a diff.

Always dumped from PostgreSQL 18 by its own pg_dump: other releases spell the same schema otherwise. `check` holds three
to be the same: the file, a freshly migrated database, and a database made from the file.
"""

from __future__ import annotations

import difflib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from psycopg.conninfo import make_conninfo

import sql
from engine.embedded import EmbeddedServer
from engine.embedded.place import server_account, wheel_bin
from engine.errors import OperatorError, SchemaError
from engine.migrate import migrate
from stepwell import provision

FILE = Path(sql.__file__).parent / "schema.sql"
FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
HEADER = "-- The schema as all migrations and functions make it. Written by `stepwell schema dump`; do not edit.\n"
PARTITIONS = "stepwell.*_20[0-9][0-9]_[0-9][0-9]"  # of the months around the dump
# What differs from dump to dump, or says nothing: comments, the releases, pg_dump's guard with its random word.
NOISE = re.compile(r"^(--.*|SET .*;|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)$\n?", re.MULTILINE)
SHOWN_LINES = 60


@click.group()
def schema() -> None:
    """Dump the schema to sql/schema.sql, or check that file."""


@schema.command("dump")
def dump_() -> None:
    """Write sql/schema.sql from a freshly migrated database."""
    with scratch() as server:
        text = dump(migrated(server))
    FILE.write_text(text, "utf-8")
    click.echo(f"wrote {len(text.splitlines())} lines")


@schema.command("check")
def check() -> None:
    """Make sure that sql/schema.sql, a migrated database and one made from the file are the same."""
    if not FILE.exists():
        raise SchemaError("there is no sql/schema.sql", advice="Write it: stepwell schema dump")
    wanted = FILE.read_text("utf-8")
    with scratch() as server:
        compare(wanted, dump(migrated(server)), "a migrated database")
        compare(wanted, dump(restored(server, wanted)), "a database made from the file")
    click.echo("schema.sql is the schema")


@contextmanager
def scratch() -> Iterator[EmbeddedServer]:
    """Lend an embedded server that is thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="stepwell-schema-") as folder:
        Path(folder).chmod(0o711)  # the server's account passes through
        server = EmbeddedServer(Path(folder) / "postgres", settings=FAST)
        try:
            server.start()
            yield server
        finally:
            server.destroy()


def migrated(server: EmbeddedServer) -> str:
    """Return the owner's URL of a freshly migrated database."""
    url = provision.database_of_our_own(server.dsn)
    with provision.connected(url) as connection:
        migrate(connection)
    return url


def restored(server: EmbeddedServer, text: str) -> str:
    """Return the owner's URL of a database made from a dumped schema, on the server of the migrated one."""
    url = provision.database_of_our_own(server.dsn, dbname="restored")
    # The dump sorts functions by name: one may name another that comes later.
    with provision.connected(make_conninfo(url, options="-c check_function_bodies=off")) as connection:
        connection.execute(text.encode())
    return url


def dump(url: str) -> str:
    """Return a database's schema as pg_dump 18 writes it, without what differs each time."""
    program = wheel_bin(server_account()) / "pg_dump"
    command = [str(program), "--schema-only", "--schema=stepwell", f"--exclude-table={PARTITIONS}", "--dbname", url]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise OperatorError(f"pg_dump failed: {done.stderr.strip()}", advice="Report it.")
    return HEADER + "\n" + re.sub(r"\n{3,}", "\n\n", NOISE.sub("", done.stdout)).strip() + "\n"


def compare(wanted: str, found: str, what: str) -> None:
    """Raise SchemaError with the differing lines unless the two are equal."""
    if wanted == found:
        return
    lines = difflib.unified_diff(wanted.splitlines(), found.splitlines(), "sql/schema.sql", what, lineterm="", n=2)
    shown = "\n".join(list(lines)[:SHOWN_LINES])
    raise SchemaError(
        f"sql/schema.sql is not the schema of {what}:\n{shown}",
        advice="If the migration is right: stepwell schema dump, and look at the diff.",
    )
