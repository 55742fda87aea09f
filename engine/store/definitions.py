"""Definitions and their published versions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from engine.store.base import AsyncConnection, Scope, call, fetch_all, fetch_one, json_text


class DefinitionRow(Struct, frozen=True):
    id: int
    name: str
    version: int
    enabled: bool
    created_at: datetime
    updated_at: datetime
    created_by: str
    document: str | None = None  # JSON text


async def publish_definition(connection: AsyncConnection, scope: Scope, document: Any, by: str) -> int:
    """Publish a checked document as the next version of its name; return the definition's id. Locks its row."""
    return int(await call(connection, "definition.publish", {"document": json_text(document), "by": by}, scope))


async def publish_version(connection: AsyncConnection, scope: Scope, definition_id: int, document: Any, by: str) -> int:
    """Publish a checked document as the next version of one definition; return its id. Locks its row."""
    values = {"id": definition_id, "document": json_text(document), "by": by}
    return int(await call(connection, "definition.publish_version", values, scope))


async def enable_definition(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> None:
    """Let a definition take new processes, or none. `values`: id, enabled, by, reason. Locks its row."""
    await call(connection, "definition.enable", values, scope)


async def delete_definition(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> int:
    """Delete a definition; return how many processes were sent a cancel. `values`: id, force, by, reason.

    Locks its advisory lock exclusively: waits up to 2 s for the transactions that have started processes of it.
    """
    return int(await call(connection, "definition.delete", values, scope))


async def get_definition(
    connection: AsyncConnection, _scope: Scope, definition_id: int, version: int | None = None
) -> DefinitionRow | None:
    """Return a definition with its document; the latest version unless one is named."""
    row = await fetch_one(connection, "definition.get", {"id": definition_id, "version": version})
    return DefinitionRow(*row) if row else None


async def list_definitions(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> list[DefinitionRow]:
    """Return definitions, newest first, without documents. `values`: the filters, limit and offset of the statement."""
    return [DefinitionRow(*row) for row in await fetch_all(connection, "definition.list", {**scope.ids(), **values})]


async def resolve_definition(
    connection: AsyncConnection, scope: Scope, *, name: str | None = None, definition_id: int | None = None
) -> tuple[int, int] | None:
    """Return (id, latest version) of a definition by name or id, None where there is none."""
    which = "definition.by_id" if definition_id is not None else "definition.by_name"
    row = await fetch_one(connection, which, {**scope.ids(), "name": name, "id": definition_id})
    return (row[0], row[1]) if row else None


async def get_document(connection: AsyncConnection, _scope: Scope, definition_id: int, version: int) -> Any:
    """Return the document of a published version, which never changes; None where there is none."""
    row = await fetch_one(connection, "definition.document", {"id": definition_id, "version": version})
    return msgspec.json.decode(row[0]) if row else None
