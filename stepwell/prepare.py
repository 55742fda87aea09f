"""Make a database ready: schema, then whatever `provision` makes on it.

Used by `migrate`, `up` and `demo`, in that order of how much they want: `given` for a server that an operator looks
after (its logins are the operator's choice), `embedded` and `with_logins` for one that this data folder looks after.
"""

from __future__ import annotations

from pathlib import Path

from engine import db
from engine.config import Settings
from engine.errors import OperatorError
from engine.migrate import SchemaStatus, Tell, migrate, quiet
from stepwell import connection, provision
from stepwell.ask import one
from stepwell.connection import Connection


def given(owner_url: str, settings: Settings, tell: Tell = quiet) -> SchemaStatus:
    """Migrate a server of the operator's; make the first tenant and environment, and the bootstrap key where set.

    `tell` hears what the migration waits for.
    """
    with provision.connected(owner_url) as opened:
        _refuse_others(opened)
        status = migrate(opened, tell)
        scope = provision.first_scope(opened)
        if settings.bootstrap_api_key:
            provision.ensure_admin_key(opened, scope, settings.bootstrap_api_key)
    return status


def embedded(superuser_url: str, settings: Settings) -> tuple[Connection, SchemaStatus]:
    """Make owner, database, schema and all logins on the embedded server; keep how to get in."""
    kept = connection.read(settings.data_dir)
    owner_url = provision.database_of_our_own(superuser_url, kept)
    return with_logins(owner_url, settings, kept)


def with_logins(owner_url: str, settings: Settings, kept: Connection | None) -> tuple[Connection, SchemaStatus]:
    """Migrate; make the programs' logins and an admin key; keep how to get in, in the data folder."""
    with provision.connected(owner_url) as opened:
        _refuse_others(opened)
        status = migrate(opened)
        made = provision.programs(opened, owner_url, kept, settings.bootstrap_api_key)
    connection.write(settings.data_dir, made)
    return made, status


def data_dir(path: Path) -> Path:
    """Make the data folder if missing. Raises OperatorError where that cannot be."""
    try:
        # Others may pass through, or the embedded server's account could not reach its cluster; nobody may list it.
        path.mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            f"the data folder {path} cannot be made: {error.strerror}",
            advice="Choose another with --data-dir or STEPWELL_DATA_DIR.",
        ) from None
    return path


def _refuse_others(opened: db.Connection) -> None:
    """Raise OperatorError unless this login may own the schema and make roles."""
    me, database, superuser, createrole, may_own, version = one(opened, "admin.myself")
    if version < 150000 or version >= 190000:
        raise OperatorError(
            f"PostgreSQL {version // 10000} is not supported", advice="Use PostgreSQL 15, 16, 17 or 18."
        )
    if not (superuser or (createrole and may_own)):
        raise OperatorError(
            f"the login '{me}' is not the owner of the schema in '{database}', or may not make roles",
            advice=f"As superuser: alter role {me} createrole; alter database {database} owner to {me};",
        )
