"""Open tasks, as people look for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from engine.store.base import AsyncConnection, Scope, fetch_all, fetch_one


class TaskRow(Struct, frozen=True):
    process_id: int
    path: str
    run: int
    definition_id: int
    definition: str
    title: str
    assignee: str | None
    group: str | None
    form: str | None  # JSON text
    due_at: datetime | None
    created_at: datetime
    overdue: bool


async def get_task(connection: AsyncConnection, scope: Scope, process_id: int, path: str) -> TaskRow | None:
    """Return an open task, None where there is none."""
    row = await fetch_one(connection, "task.get", {**scope.ids(), "process_id": process_id, "path": path})
    return TaskRow(*row) if row else None


async def list_tasks(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> list[TaskRow]:
    """Return open tasks after (after_process, after_path). `values`: the filters and limit of task.list."""
    rows = await fetch_all(connection, "task.list", {**scope.ids(), **values}, planned_anew=True)
    return [TaskRow(*row) for row in rows]
