"""Bring the schema to what this release needs, while workers and APIs of the release before go on working.

All migrations that are missing, all functions whose file changed and the partitions ahead are applied in one
transaction: either the database is of this release afterwards, or nothing has happened, and no caller ever meets half
of it. That transaction waits only moments for a lock, since everybody behind it would wait as well; then it gives way
and tries again.

What takes long does not belong in it. An index on a partitioned table is declared `on only` the parent, which is done
at once; afterwards it is built partition by partition, concurrently. One on an ordinary table that may be large is only
named, in sql/queries/migration.sql. What is left to build is read from the catalogue, so a migrate that was stopped is
continued by the next.

Several programs may start at once: an advisory lock makes them take turns. A database that knows a migration this
release does not is newer than the program and is refused, unchanged.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable

import psycopg
from msgspec import Struct

import sql
from engine.db import Connection, is_pooled
from engine.errors import SchemaError

PATIENCE_SECONDS = 600.0  # for transactions that hold what the migration needs
LONGEST_PAUSE = 5.0  # seconds between two attempts
SHOWN = 3  # transactions in a message
BUSY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)

Tell = Callable[[str], None]


def quiet(said: str) -> None:
    """Tell nobody."""


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


def migrate(connection: Connection, tell: Tell = quiet, *, patience: float = PATIENCE_SECONDS) -> SchemaStatus:
    """Apply what is missing; return the status from before. `connection`: the owner's, autocommitting.

    `tell` hears what is waited for or takes long; `patience`: seconds to wait for others' transactions in all.
    Raises SchemaError when the database is newer than this release, an applied migration was edited, somebody else
    holds the lock, a transaction does not end, or a pooler is between: lock and settings are of one session.
    """
    if is_pooled(connection):
        raise SchemaError(
            "a pooler is between here and PostgreSQL, and a migration needs a session of its own; nothing changed",
            advice="Give STEPWELL_OWNER_DATABASE_URL the address of PostgreSQL itself.",
        )
    _take_turn(connection)
    try:
        connection.execute(sql.query("migration.quiet"))
        status = schema_status(connection)
        _refuse(status)
        _patiently(connection, lambda: _apply_all(connection, status), tell, patience)
        _build_indexes(connection, tell)
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


def _patiently(connection: Connection, work: Callable[[], None], tell: Tell, patience: float) -> None:
    """Do the work in one transaction; while others hold what it needs, let it be and try again."""
    give_up = time.monotonic() + patience
    pause = 0.25
    while True:
        try:
            with connection.transaction():
                connection.execute(sql.query("migration.impatience"))
                return work()
        except BUSY:
            before = _holders(connection)
        time.sleep(pause * (0.5 + random.random() / 2))  # noqa: S311
        lasting = [text for id_, text in _holders(connection).items() if id_ in before]
        if lasting:
            tell(f"waiting for {_some(lasting)}")
        if time.monotonic() > give_up:
            raise SchemaError(
                f"the schema stayed as it is: the migration did not get the locks it needs; those of {_some(lasting)}",
                advice="End those transactions (pg_terminate_backend), and run 'stepwell migrate' again.",
            )
        pause = min(pause * 2, LONGEST_PAUSE)


def _holders(connection: Connection) -> dict[str, str]:
    """Return the transactions that hold locks on our tables, the oldest first, each with its description."""
    return dict(connection.execute(sql.query("migration.holders")).fetchall())


def _some(descriptions: Iterable[str]) -> str:
    shown = list(descriptions)
    return ", ".join(shown[:SHOWN]) + (f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else "") or "nobody now"


def _apply_all(connection: Connection, status: SchemaStatus) -> None:
    connection.execute(sql.query("migration.book"))
    for kind, names in (("migration", status.pending), ("function", status.stale)):
        for script in sql.scripts(f"{kind}s"):
            if script.name in names:
                _apply(connection, kind, script)
    connection.execute(sql.query("migration.partitions"))
    connection.execute(sql.query("migration.epoch"))


def _apply(connection: Connection, kind: str, script: sql.Script) -> None:
    """Apply one script and note it, in the caller's transaction."""
    try:
        connection.execute(script.text)
    except BUSY:
        raise
    except psycopg.Error as error:
        raise SchemaError(f"{kind} {script.name} failed, and nothing was changed: {error}") from error
    note = {"kind": kind, "name": script.name, "checksum": script.checksum}
    connection.execute(sql.query("migration.note"), note)


def _build_indexes(connection: Connection, tell: Tell) -> None:
    """Build beside the writers what the transaction left out; attach it, or drop what it replaces. Autocommitted."""
    connection.execute(sql.query("migration.long_patience"))
    for name, remove, build, finish in connection.execute(sql.query("migration.missing_indexes_text")).fetchall():
        tell(f"building the index {name}; writers go on meanwhile")
        try:
            for statement in (remove, build, finish):
                if statement is not None:
                    connection.execute(statement)
        except psycopg.Error as error:
            raise SchemaError(
                f"the schema is current, but the index {name} could not be built: {error}",
                advice=f"Run 'stepwell migrate' again. Holding locks now: {_some(_holders(connection).values())}",
            ) from error
