"""Whether a program may work here: its login must be bound by row-level security, the schema of this release there.

The rule about logins is in this one place: programs refuse to start by it, `stepwell doctor` tells of it. A superuser,
the owner or a login of several groups would see and change what belongs to other tenants, and nothing would say so.
A database newer than the program is no fault: programs of the release before go on working on it.
"""

from __future__ import annotations

from typing import Any

import psycopg
from msgspec import Struct

import sql
from engine.db import Connection, Row
from engine.errors import OperatorError, SchemaError
from engine.migrate import SchemaStatus, schema_status

GROUPS = {kind: f"stepwell_{kind}" for kind in ("api", "worker", "caller", "report")}
_MIGRATE = "Run as the owner: stepwell migrate"


class Fault(Struct, frozen=True):
    """What is wrong with a login, and what to do."""

    message: str
    advice: str


def passes_by(name: str, role: Row, kind: str | None) -> Fault | None:
    """Return the fault of a login that row-level security would not hold. `role`: its row of doctor.role."""
    superuser, bypassrls, owner, _ = role
    words = (("a superuser", superuser), ("BYPASSRLS", bypassrls), ("the schema's owner", owner))
    found = " and ".join(word for word, is_so in words if is_so)
    if not found:
        return None
    advice = f"Make a login of its own: stepwell login create NAME --kind {kind or '|'.join(GROUPS)}"
    return Fault(f"{name} is {found}: row-level security would not hold", advice)


def misplaced(name: str, role: Row, kind: str | None) -> Fault | None:
    """Return the fault of a login that is not in the group of its kind, or in another too. `kind`: None for any."""
    groups = role[3]
    if len(groups) == 1 and (kind is None or groups == [GROUPS[kind]]):
        return None
    wanted = GROUPS[kind] if kind else "one of stepwell_api, stepwell_worker"
    return Fault(f"{name} is in {', '.join(groups) or 'no group'}", f"Grant it {wanted} and nothing else of ours.")


def refuse(connection: Connection, kind: str) -> None:
    """Raise OperatorError unless a program of that kind may work on this autocommitting connection."""
    user = connection.info.user
    role = connection.execute(sql.query("doctor.role"), {"name": None}).fetchone()
    _refuse(passes_by(user, role, kind) if role else None)
    status = _status(connection)
    if status is not None and not status.applied:
        raise SchemaError(f"the database '{connection.info.dbname}' has no schema of Stepwell's", advice=_MIGRATE)
    _refuse(_of_another_kind(user, role, kind) if role else None)
    if status is None:
        raise SchemaError(f"the login {user} may not use the schema", advice=_MIGRATE)
    if status.pending:
        missing = ", ".join(status.pending)
        raise SchemaError(f"the schema is older than this release; not yet applied: {missing}", advice=_MIGRATE)


async def refuse_login(connection: psycopg.AsyncConnection[Any], kind: str) -> None:
    """Raise OperatorError, and close the connection, unless its login is of that kind."""
    user = connection.info.user
    role = await (await connection.execute(sql.query("doctor.role"), {"name": None})).fetchone()
    try:
        _refuse((passes_by(user, role, kind) or _of_another_kind(user, role, kind)) if role else None)
    except OperatorError:
        await connection.close()
        raise


def _of_another_kind(user: str, role: Row, kind: str) -> Fault | None:
    found = misplaced(user, role, kind)
    if found is None:
        return None
    advice = f"Use a login of kind {kind} in STEPWELL_DATABASE_URL: stepwell login create NAME --kind {kind}"
    return Fault(f"{found.message}, and not in {GROUPS[kind]} alone", advice)


def _status(connection: Connection) -> SchemaStatus | None:
    """Return the schema's state, None where this login may not look."""
    try:
        return schema_status(connection)
    except psycopg.errors.InsufficientPrivilege:
        return None


def _refuse(found: Fault | None) -> None:
    if found is not None:
        raise OperatorError(f"the login {found.message}", advice=found.advice)
