"""Take keys and logins back. What they did stays, and so does everything of the tenant; each step leaves its audit row.

A role that was made here is dropped. One that was registered as it was (`login create --existing`) is somebody's: it
only leaves its group, as does one that cannot be dropped because it owns something. Without its row and its group a
role can do nothing here, whoever still is connected with it.
"""

from __future__ import annotations

import psycopg
from msgspec import Struct

import sql
from engine import db
from engine.core.ids import private_id
from engine.errors import BadInput, NotFound, OperatorError
from engine.keys import PREFIX as KEY_PREFIX
from stepwell.ask import maybe, one
from stepwell.provision import utter


class RevokedKey(Struct, frozen=True):
    """A key that opens nothing any more."""

    id: str
    name: str


class RevokedLogin(Struct, frozen=True):
    """A login that speaks for nobody any more. `kept`: why its role is still there, if it is."""

    name: str
    kind: str
    dropped: bool
    sessions_ended: int = 0
    kept: str | None = None


class Revoked(Struct, frozen=True):
    """All that was taken back."""

    keys: list[RevokedKey]
    logins: list[RevokedLogin]


def revoke_key(connection: db.Connection, public: str, reason: str | None) -> RevokedKey:
    """Revoke a key by its id; one that is revoked already stays so. Raises BadInput, NotFound."""
    name = known_key(connection, public)
    _revoke_keys(connection, _key_number(public), None, None, reason)
    return RevokedKey(public, name)


def known_key(connection: db.Connection, public: str) -> str:
    """Return the name of a key by its id. Raises BadInput, NotFound."""
    known = maybe(connection, "admin.key", id=_key_number(public))
    if known is None:
        raise NotFound(f"there is no key {public}", advice="Look at: stepwell key list")
    return str(known[0])


def _key_number(public: str) -> int:
    try:
        return private_id("key", public)
    except ValueError:
        pass
    if public.startswith(KEY_PREFIX):
        raise BadInput("a key is named by its id, not by itself", advice="Find its id (key_…): stepwell key list")
    raise BadInput(f"{public[:100]} is not the id of a key", advice="Find it (key_…): stepwell key list")


def revoke_login(connection: db.Connection, name: str, reason: str | None) -> RevokedLogin:
    """Take a database login back. Raises NotFound, OperatorError. Transaction: one of its own."""
    kind, made_here = known_login(connection, name)
    with connection.transaction():
        return _revoke_login(connection, name, kind, made_here, reason)


def known_login(connection: db.Connection, name: str) -> tuple[str, bool]:
    """Return the kind of a login, and whether its role was made here. Raises NotFound."""
    found = maybe(connection, "admin.made_logins", name=name, tenant_id=None, environment_id=None)
    if found is None:
        raise NotFound(f"there is no login '{name}' here", advice="Look at: stepwell login list")
    return str(found[1]), bool(found[2])


def revoke_scope(
    connection: db.Connection, tenant_id: int, environment_id: int | None, subject: str, reason: str | None
) -> Revoked:
    """Revoke all keys and logins of an environment, of all of a tenant's where that is None; `subject`: its name.

    Raises OperatorError. Transaction: one of its own, all or nothing.
    """
    values = {"name": None, "tenant_id": tenant_id, "environment_id": environment_id}
    action = "tenant.revoked" if environment_id is None else "environment.revoked"
    noted = {"tenant_id": tenant_id, "environment_id": environment_id, "subject": subject, "reason": reason}
    with connection.transaction():
        connection.execute(sql.query("admin.note"), {**noted, "action": action})
        keys = _revoke_keys(connection, None, tenant_id, environment_id, reason)
        logins = connection.execute(sql.query("admin.made_logins"), values).fetchall()
        gone = [_revoke_login(connection, name, kind, made_here, reason) for name, kind, made_here in logins]
        return Revoked(keys, gone)


def _revoke_keys(
    connection: db.Connection, number: int | None, tenant_id: int | None, environment_id: int | None, reason: str | None
) -> list[RevokedKey]:
    values = {"id": number, "tenant_id": tenant_id, "environment_id": environment_id, "reason": reason}
    return [RevokedKey(*row) for row in connection.execute(sql.query("admin.revoke_keys"), values).fetchall()]


def _revoke_login(connection: db.Connection, name: str, kind: str, made_here: bool, reason: str | None) -> RevokedLogin:
    """Delete a login's row, take it out of its group, drop its role if it was made here. Transaction: the caller's."""
    one(connection, "admin.remove_login", name=name, reason=reason)
    if maybe(connection, "admin.role", name=name) is None:
        return RevokedLogin(name, kind, dropped=False, kept=None)
    _leave_group(connection, name, f"stepwell_{kind}")
    if not made_here:
        return RevokedLogin(name, kind, dropped=False, kept="it was not made here")
    try:
        with connection.transaction():
            utter(connection, "admin.grant_text", name=connection.info.user, group=name)  # or no session can be ended
            ended = connection.execute(sql.query("admin.end_sessions"), {"name": name}).fetchall()
            utter(connection, "admin.drop_login_text", name=name)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.DependentObjectsStillExist) as error:
        return RevokedLogin(name, kind, dropped=False, kept=error.diag.message_primary)
    return RevokedLogin(name, kind, dropped=True, sessions_ended=len(ended))


def _leave_group(connection: db.Connection, name: str, group: str) -> None:
    """Take a role out of its group. Raises OperatorError where it stays a member: then it still could do everything."""
    try:
        with connection.transaction():
            utter(connection, "admin.revoke_text", name=name, group=group)
    except psycopg.errors.InsufficientPrivilege:
        pass  # told below
    role = maybe(connection, "doctor.role", name=name)
    if role is not None and group in role[3]:
        raise OperatorError(
            f"'{name}' cannot be taken out of {group}: somebody else put it there",
            advice=f'As superuser: revoke {group} from "{name}"; then run this again.',
        )
