"""Make what a database must have besides its schema: the owner, the programs' logins, a first tenant, keys.

Everything here may be run again: what exists stays, passwords that are known are kept. Works on PostgreSQL 15 to 18
with an owner that is no superuser. Must not print: what it makes is returned.

Invariants: passwords reach the server as SCRAM verifiers only, keys as SHA-256 hashes only. A login is member of
exactly one group role and has exactly one row in stepwell.login.
"""

from __future__ import annotations

import re
import secrets
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from msgspec import Struct
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine import db
from engine.errors import BadInput, Conflict, NotFound, OperatorError, SettingError
from engine.keys import SCOPES, hash_key, make_key, well_formed
from stepwell.ask import maybe, one
from stepwell.connection import Connection

OWNER = "stepwell_owner"
DATABASE = "stepwell"
DEFAULT = "default"  # the first tenant, and its first environment
KINDS = ("caller", "report", "api", "worker")
CONNECTIONS = 20  # of a customer's login: one that leaks must not take them all from workers and API
UNLIMITED = -1
LONGEST = 200  # characters of a key's name
OWN_PARTS = ("sslcert", "sslkey", "sslpassword")  # of a connection string: they say who its login is

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")  # as the tables' constraints have it
_ROLE = re.compile(r"(?!pg_)[A-Za-z_][A-Za-z0-9_.-]{0,62}")


class Scope(Struct, frozen=True):
    """One tenant x environment, by number."""

    tenant_id: int
    environment_id: int


def check_slug(what: str, name: str) -> None:
    """Refuse what cannot be the name of a tenant or environment. Raises BadInput."""
    if not _SLUG.fullmatch(name):
        raise BadInput(
            f"{name[:100]!r} cannot name {what}",
            advice="Use 1 to 63 lower-case letters a-z, digits and hyphens; not a hyphen at the beginning.",
        )


def check_key_name(name: str) -> None:
    """Refuse what cannot be the name of a key. Raises BadInput."""
    if not (name.strip() and len(name) <= LONGEST and name.isprintable()):
        raise BadInput(
            f"{name[:100]!r} cannot name a key",
            advice=f"Use 1 to {LONGEST} printable characters that say what the key is for.",
        )


def check_login_name(name: str) -> None:
    """Refuse what should not be the name of a role: PostgreSQL cuts long ones off. Raises BadInput."""
    if not _ROLE.fullmatch(name):
        raise BadInput(
            f"{name[:100]!r} cannot name a login",
            advice="Use 1 to 63 letters a-z, digits, and _ . -; a letter or _ at the beginning, and not pg_.",
        )


def connected(url: str) -> db.Connection:
    """Open an autocommitting connection as the owner. Raises psycopg.OperationalError."""
    return db.connect(url, "administration")


def database_of_our_own(superuser_url: str, kept: Connection | None = None, dbname: str = DATABASE) -> str:
    """Make owner and database on a server that is ours alone; return the owner's URL."""
    password = _password(kept.owner_url if kept else None) or secrets.token_urlsafe(24)
    with db.connect(superuser_url, "provision") as connection:
        values = {"name": OWNER, "verifier": _verifier(connection, OWNER, password)}
        if maybe(connection, "admin.role", name=OWNER) is None:
            utter(connection, "admin.create_owner_text", **values)
        elif kept is None:
            utter(connection, "admin.set_password_text", **values)
        utter(connection, "admin.grant_text", name=OWNER, group="pg_read_all_stats")  # doctor looks at sessions
        if maybe(connection, "admin.database", name=dbname) is None:
            utter(connection, "admin.create_database_text", name=dbname, owner=OWNER)
    return login_url(superuser_url, OWNER, password, dbname)


def programs(connection: db.Connection, owner_url: str, kept: Connection | None, key: str | None) -> Connection:
    """Make the logins of API and worker and an admin key; return how to get in. The schema must be current.

    `key`: the admin key wanted (STEPWELL_BOOTSTRAP_API_KEY); without one the key kept, else a new one.
    """
    scope = first_scope(connection)
    key = key or _kept_key(connection, kept) or make_key()[0]
    ensure_admin_key(connection, scope, key)
    return Connection(
        owner_url=owner_url,
        api_url=_program_url(connection, owner_url, "api", kept.api_url if kept else None),
        worker_url=_program_url(connection, owner_url, "worker", kept.worker_url if kept else None),
        key=key,
        url=kept.url if kept else None,
        pid=kept.pid if kept else None,
        logins=kept.logins if kept else {},
    )


def _kept_key(connection: db.Connection, kept: Connection | None) -> str | None:
    """Return the key kept, unless it was revoked since."""
    if kept is None:
        return None
    known = maybe(connection, "admin.known_key", hash=hash_key(kept.key))
    return kept.key if known is None or known[0] else None


def first_scope(connection: db.Connection) -> Scope:
    """Make tenant and environment `default` where missing; return them."""
    maybe(connection, "admin.add_tenant", name=DEFAULT)
    maybe(connection, "admin.add_environment", tenant=DEFAULT, name=DEFAULT)
    return find_scope(connection, DEFAULT, DEFAULT)


def find_scope(connection: db.Connection, tenant: str, environment: str) -> Scope:
    """Return a tenant x environment by name. Raises NotFound."""
    found = maybe(connection, "admin.scope", tenant=tenant, environment=environment)
    if found is None:
        raise NotFound(f"no tenant '{tenant}'", advice=f"Make it with: stepwell tenant create {tenant}")
    if found[1] is None:
        raise NotFound(
            f"tenant '{tenant}' has no environment '{environment}'",
            advice=f"Make it with: stepwell environment create {environment} --tenant {tenant}",
        )
    return Scope(*found)


def ensure_admin_key(connection: db.Connection, scope: Scope, key: str) -> None:
    """Make `key` an admin key of the scope unless it is one already. Raises SettingError for one that cannot be."""
    if not well_formed(key):
        raise SettingError(
            "STEPWELL_BOOTSTRAP_API_KEY does not have the form of a key",
            advice=f"Make one and set it to that, for example: {make_key()[0]}",
        )
    wanted = (True, scope.tenant_id, scope.environment_id)
    known = maybe(connection, "admin.known_key", hash=hash_key(key))
    if known is None:
        add_key(connection, scope, "admin", ["admin"], key)
    elif tuple(known[:3]) != wanted or "admin" not in known[3]:
        raise SettingError(
            "STEPWELL_BOOTSTRAP_API_KEY is revoked, or a key of another tenant, environment or scope",
            advice="Set it to a new key.",
        )


def add_key(
    connection: db.Connection, scope: Scope, name: str, scopes: list[str], key: str | None = None
) -> dict[str, str]:
    """Make an API key; return its id and, for the last time, itself. Raises BadInput for an unknown scope."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise BadInput(f"unknown scopes: {', '.join(unknown)}", advice=f"Choose from {', '.join(SCOPES)}.")
    key = key or make_key()[0]
    values = {"name": name, "hash": hash_key(key), "scopes": scopes}
    made = maybe(connection, "admin.add_key", tenant_id=scope.tenant_id, environment_id=scope.environment_id, **values)
    if made is None:
        raise Conflict("this key exists already")
    return {"id": made[0], "key": key}


def add_login(
    connection: db.Connection,
    name: str,
    kind: str,
    scope: Scope | None,
    password: str | None = None,
    connections: int | None = None,
) -> str:
    """Make a database login of a kind; return its password, for the last time. Raises Conflict if the role exists.

    `scope`: of a caller or a reader of reports; None for the programs. `connections`: how many it may have at a time;
    CONNECTIONS where there is a scope, else any number. Transaction: one of its own.
    """
    if maybe(connection, "admin.role", name=name) is not None:
        advice = "Choose another name, drop that role first, or register it as it is: --existing"
        raise Conflict(f"the role '{name}' exists already", advice=advice)
    password = password or secrets.token_urlsafe(24)
    limit = connections or (CONNECTIONS if scope else UNLIMITED)
    with connection.transaction():
        _create_login(connection, name, kind, password, limit)
        _note_login(connection, name, kind, scope)
    return password


def register_login(
    connection: db.Connection, name: str, kind: str, scope: Scope | None, connections: int | None = None
) -> None:
    """Let a role that exists, such as an application's own, be a login of a kind. Its password stays.

    Raises NotFound, Conflict for one that row-level security would not hold. Transaction: one of its own.
    """
    role = maybe(connection, "doctor.role", name=name)
    if role is None:
        raise NotFound(f"there is no role '{name}'", advice="Leave --existing out, and it is made.")
    superuser, bypassrls, owner, groups = role
    group = f"stepwell_{kind}"
    if superuser or bypassrls or owner or set(groups) - {group}:
        raise Conflict(
            f"'{name}' is a superuser, BYPASSRLS, an owner of the schema, or in another group of ours",
            advice="Let the application use a login without these, or make one: leave --existing out.",
        )
    with connection.transaction():
        try:
            utter(connection, "admin.grant_text", name=name, group=group)
            if connections:
                utter(connection, "admin.limit_text", name=name, connections=connections)
        except psycopg.errors.InsufficientPrivilege as error:
            raise _may_not(connection, f"change '{name}'", kind, error) from error
        _note_login(connection, name, kind, scope, existing=True)


def login_url(url: str, user: str, password: str | None, dbname: str | None = None) -> str:
    """Return `url` (or DSN) with another login, and another database if given; without a password if that is None."""
    parts: dict[str, Any] = {**conninfo_to_dict(url), "user": user, "password": password}
    for name in OWN_PARTS:
        parts.pop(name, None)
    if dbname:
        parts["dbname"] = dbname
    if "," in f"{parts.get('host', '')}{parts.get('port', '')}":
        return make_conninfo("", **parts)  # several hosts: a URL would need each with its port
    host, port = str(parts.pop("host", "")), parts.pop("port", None)
    place = quote(host, safe=":[]") if host.startswith("[") or ":" not in host else f"[{host}]"
    if host.startswith("/"):
        parts["host"], place = host, ""
    del parts["user"], parts["password"]
    name = quote(str(parts.pop("dbname", "")), safe="")
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    rest = f"?{urlencode(parts)}" if parts else ""
    return f"postgresql://{login}@{place}{f':{port}' if port else ''}/{name}{rest}"


def _program_url(connection: db.Connection, owner_url: str, kind: str, kept: str | None) -> str:
    """Make the login of a program if missing; return its URL."""
    name = _program_login(connection.info.dbname, kind)
    # A login kept for another database of this folder's is of no use here.
    password = _password(kept, user=name)
    if maybe(connection, "admin.role", name=name) is None:
        password = password or secrets.token_urlsafe(24)
        _create_login(connection, name, kind, password, UNLIMITED)
    elif password is None:
        password = secrets.token_urlsafe(24)
        try:
            utter(connection, "admin.set_password_text", name=name, verifier=_verifier(connection, name, password))
        except psycopg.errors.InsufficientPrivilege as error:  # somebody else's owner made it
            raise _may_not(connection, f"set the password of '{name}'", kind, error) from error
    _note_login(connection, name, kind, None)
    return login_url(owner_url, name, password)


def _program_login(database: str, kind: str) -> str:
    """Return the name of a program's login. Roles are cluster-wide, so it begins with the database's name."""
    return f"{database[:50]}_{kind}_login"


def _create_login(connection: db.Connection, name: str, kind: str, password: str, connections: int) -> None:
    values = {"name": name, "group": f"stepwell_{kind}", "verifier": _verifier(connection, name, password)}
    try:
        utter(connection, "admin.create_login_text", **values, connections=connections)
    except psycopg.errors.InsufficientPrivilege as error:
        raise _may_not(connection, f"make the login '{name}'", kind, error) from error


def _may_not(connection: db.Connection, what: str, kind: str, error: psycopg.Error) -> OperatorError:
    """Return the error for an owner that lacks a right over roles."""
    me = connection.info.user
    return OperatorError(
        f"the owner '{me}' may not {what}: {error.diag.message_primary}",
        advice=f"As superuser: alter role {me} createrole; grant stepwell_{kind} to {me} with admin option; "
        f"and for a role that somebody else made: grant it to {me} with admin option.",
    )


def _note_login(
    connection: db.Connection, name: str, kind: str, scope: Scope | None, *, existing: bool = False
) -> None:
    """Write what the login speaks for; `existing`: its role was there before. Raises Conflict for another kind."""
    tenant_id, environment_id = (scope.tenant_id, scope.environment_id) if scope else (None, None)
    values = {
        "name": name,
        "kind": kind,
        "tenant_id": tenant_id,
        "environment_id": environment_id,
        "existing": existing,
    }
    if maybe(connection, "admin.add_login", **values) is None:
        known = maybe(connection, "admin.login", name=name)
        if known != (kind,):
            raise Conflict(f"the login '{name}' is of another kind here: {known}", advice="Choose another name.")


def _password(url: str | None, user: str | None = None) -> str | None:
    """Return the password in a URL, None if it has none or is another user's."""
    if url is None:
        return None
    parts = conninfo_to_dict(url)
    if user is not None and parts.get("user") != user:
        return None
    return str(parts["password"]) if parts.get("password") else None


def _verifier(connection: db.Connection, user: str, password: str) -> str:
    return connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()


def utter(connection: db.Connection, statement: str, /, **values: Any) -> None:
    """Execute the text that a `*_text` statement returns: the server has quoted what was put into it."""
    connection.execute(one(connection, statement, **values)[0])
