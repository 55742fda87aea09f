"""Bring the schema to what this release needs.

Migrations are applied once, in order, each in a transaction of its own; functions are re-applied when their file
changed. Several programs may start at once: an advisory lock makes them take turns. A database that knows a migration
this release does not is newer than the program and is refused, unchanged.
"""

from __future__ import annotations

import psycopg
from msgspec import Struct

import sql
from engine.db import Connection
from engine.errors import SchemaError


class SchemaStatus(Struct, frozen=True):
    """What is applied, and what differs from this release's files. Names without suffix."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]  # migrations not yet applied
    stale: tuple[str, ...]  # functions to be re-applied
    altered: tuple[str, ...]  # applied migrations whose file has another checksum now
    unknown: tuple[str, ...]  # applied migrations this release does not have: the database is newer

    @property
    def current(self) -> bool:
        """Whether programs of this release may run on it."""
        return not (self.pending or self.stale or self.altered or self.unknown)


def schema_status(connection: Connection) -> SchemaStatus:
    """Compare the database with this release. Transaction: none needed; no locks."""
    exists = connection.execute(sql.query("migration.exists")).fetchone()
    book: dict[tuple[str, str], str] = {}
    if exists and exists[0]:
        rows = connection.execute(sql.query("migration.applied")).fetchall()
        book = {(kind, name): checksum for kind, name, checksum in rows}
    migrations = {s.name: s.checksum for s in sql.scripts("migrations")}
    functions = {s.name: s.checksum for s in sql.scripts("functions")}
    applied = {name: checksum for (kind, name), checksum in book.items() if kind == "migration"}
    return SchemaStatus(
        applied=tuple(sorted(applied)),
        pending=tuple(name for name in migrations if name not in applied),
        stale=tuple(name for name, checksum in functions.items() if book.get(("function", name)) != checksum),
        altered=tuple(name for name in migrations if name in applied and applied[name] != migrations[name]),
        unknown=tuple(sorted(name for name in applied if name not in migrations)),
    )


def migrate(connection: Connection) -> SchemaStatus:
    """Apply what is missing; return the status from before. `connection`: the owner's, autocommitting.

    Raises SchemaError when the database is newer than this release, an applied migration was edited, or somebody else
    holds the lock.
    """
    _take_turn(connection)
    try:
        connection.execute(sql.query("migration.quiet"))
        connection.execute(sql.query("migration.book"))
        status = schema_status(connection)
        _refuse(status)
        for kind, names in (("migration", status.pending), ("function", status.stale)):
            for script in sql.scripts(f"{kind}s"):
                if script.name in names:
                    _apply(connection, kind, script)
        connection.execute(sql.query("migration.partitions"))
        return status
    finally:
        if not connection.broken:
            connection.execute(sql.query("migration.unlock"))


def _take_turn(connection: Connection) -> None:
    """Wait for others that migrate; but not for ever, since anybody may hold an advisory lock."""
    connection.execute(sql.query("migration.patience"))
    try:
        connection.execute(sql.query("migration.lock"))
    except psycopg.errors.LockNotAvailable:
        raise SchemaError(
            "another session has held the migration lock for 30 seconds",
            advice="See pg_locks for advisory locks, end that session, and run 'stepwell migrate' again.",
        ) from None


def _refuse(status: SchemaStatus) -> None:
    if status.unknown:
        raise SchemaError(
            f"the database is newer than this release: it has {', '.join(status.unknown)}",
            advice="Run the newer release; nothing was changed.",
        )
    if status.altered:
        raise SchemaError(
            f"applied migrations differ from this release's files: {', '.join(status.altered)}",
            advice="An applied migration is never edited: restore the file and add a new one.",
        )


def _apply(connection: Connection, kind: str, script: sql.Script) -> None:
    """Apply one script and note it, in one transaction."""
    try:
        with connection.transaction():
            connection.execute(script.text)
            note = {"kind": kind, "name": script.name, "checksum": script.checksum}
            connection.execute(sql.query("migration.note"), note)
    except psycopg.Error as error:
        raise SchemaError(f"{kind} {script.name} failed: {error}") from error
