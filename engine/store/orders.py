"""What is asked of processes and of what waits in them: each leaves one mail and one job, and decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from engine.store.base import AsyncConnection, Scope, call, fetch_all, json_text


class RetryRow(Struct, frozen=True):
    """What became of one process of a bulk retry: a command was sent, or `code` and `detail` say why not."""

    process: str
    command: int | None
    code: str | None
    detail: str | None


async def order_process(
    connection: AsyncConnection, scope: Scope, verb: str, process: str, by: str, reason: str | None
) -> int:
    """Send a process the order `verb` (cancel, retry); return the command's id. One mail, one job."""
    name = {"cancel": "process.cancel", "retry": "process.retry"}[verb]
    return int(await call(connection, name, {"process": process, "by": by, "reason": reason}, scope))


async def resume_activity(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> int:
    """End a waiting activity with an output; return the command's id. One mail, one job."""
    return int(await call(connection, "process.resume", {**values, "output": json_text(values["output"])}, scope))


async def retry_processes(
    connection: AsyncConnection, _scope: Scope, processes: list[str], by: str, reason: str | None
) -> list[RetryRow]:
    """Send each of up to 1,000 processes that is FAILED a retry; say of the others why not."""
    values = {"processes": processes, "by": by, "reason": reason}
    return [RetryRow(*row) for row in await fetch_all(connection, "process.retry_many", values)]


async def release_process(connection: AsyncConnection, scope: Scope, process: str, by: str, reason: str | None) -> None:
    """Let a process out of the quarantine. Locks its lease, which nobody holds."""
    await call(connection, "process.release", {"process": process, "by": by, "reason": reason}, scope)


async def complete_task(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> int:
    """Complete a task with data; return the command's id. One mail, one job."""
    return int(await call(connection, "task.complete", {**values, "data": json_text(values["data"])}, scope))


async def reject_task(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> int:
    """Reject a task with a reason; return the command's id. One mail, one job."""
    return int(await call(connection, "task.reject", values, scope))


async def assign_task(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> int:
    """Put a task into somebody's hands; return the command's id. `values`: those of stepwell.assign_task."""
    return int(await call(connection, "task.assign", values, scope))


async def send_signal(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> str:
    """Send a signal; return its public id. `values`: the arguments of stepwell.send_signal."""
    return str(await call(connection, "process.signal", {**values, "data": json_text(values["data"])}, scope))
