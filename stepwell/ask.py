"""Two short ways to run a named statement: for the owner's and the doctor's questions, one row each."""

from __future__ import annotations

from typing import Any

import sql
from engine.db import Connection, Row


def maybe(connection: Connection, statement: str, /, **values: Any) -> Row | None:
    """Return the first row of a named statement, None if it has none."""
    return connection.execute(sql.query(statement), values).fetchone()


def one(connection: Connection, statement: str, /, **values: Any) -> Row:
    """Return the first row of a named statement that always has one. Raises LookupError otherwise."""
    row = maybe(connection, statement, **values)
    if row is None:
        raise LookupError(f"{statement} returned no row")
    return row
