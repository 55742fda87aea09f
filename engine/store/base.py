"""What every module here stands on: the scope, the transaction under it, and how a named statement is run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import psycopg
from msgspec import Struct

import sql
from engine.db import Row

AsyncConnection = psycopg.AsyncConnection[Row]
MAX_BIGINT = 2**63 - 1
_json = msgspec.json.Encoder().encode


class Scope(Struct, frozen=True):
    """One environment of one tenant: ids for the database, names for people."""

    tenant_id: int
    environment_id: int
    tenant: str
    environment: str

    def ids(self) -> dict[str, int]:
        """Return what every statement is given."""
        return {"tenant_id": self.tenant_id, "environment_id": self.environment_id}


async def begin(connection: AsyncConnection, scope: Scope) -> None:
    """Open a transaction that sees and writes only `scope`, on an autocommitting connection. One message."""
    cursor = psycopg.AsyncClientCursor(connection)
    await cursor.execute(sql.query("api.begin"), scope.ids())


async def fetch_all(
    connection: AsyncConnection, name: str, values: Mapping[str, Any], *, planned_anew: bool = False
) -> list[Row]:
    """Return all rows of a named statement. `planned_anew`: with its values known, so that absent filters vanish."""
    prepare = False if planned_anew else None
    cursor = await connection.execute(sql.query(name), values, prepare=prepare)
    return await cursor.fetchall()


async def fetch_one(connection: AsyncConnection, name: str, values: Mapping[str, Any]) -> Row | None:
    """Return the first row of a named statement, None where there is none."""
    cursor = await connection.execute(sql.query(name), values)
    return await cursor.fetchone()


async def call(connection: AsyncConnection, name: str, values: Mapping[str, Any], _scope: Scope) -> Any:
    """Call a SQL function, which takes the scope from the transaction and returns one value."""
    row = await fetch_one(connection, name, values)
    if row is None:
        raise LookupError(name)
    return row[0]


def json_text(value: Any) -> str:
    """Return a value as SQL takes it."""
    return _json(value).decode()
