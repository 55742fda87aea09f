"""/tasks: what waits for a person."""

from __future__ import annotations

from typing import Any

from api.wire import ClaimTask, CommandView, CompleteTask, Page, ReassignTask, RejectTask, TaskView
from stepwell.client.awaited.caller import AsyncCaller
from stepwell.client.call import NOTHING, acting, at, reading

PATH = "/tasks"


class AsyncTasks(AsyncCaller):
    """Find tasks, hand them out, complete them."""

    async def list_tasks(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        assignee: str | None = None,
        group: str | None = None,
        definition: str | None = None,
        process: str | None = None,
    ) -> Page[TaskView]:
        """Return a page of open tasks, oldest process first."""
        return await self._call(
            reading(
                Page[TaskView],
                PATH,
                cursor=cursor,
                limit=limit,
                assignee=assignee,
                group=group,
                definition=definition,
                process=process,
            )
        )

    async def get_task(self, task: str) -> TaskView:
        """Return an open task."""
        return await self._call(reading(TaskView, PATH + at(task)))

    async def claim_task(
        self, task: str, *, by: str, reason: str | None = None, idempotency_key: str | None = None
    ) -> CommandView:
        """Take a task for oneself; refused where another has it."""
        body = ClaimTask(by=by, reason=reason)
        return await self._call(acting(CommandView, PATH + at(task, "claim"), body, idempotency_key=idempotency_key))

    async def reassign_task(
        self,
        task: str,
        *,
        to: str | None,
        by: str,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> CommandView:
        """Put a task into somebody's hands; `to` None: back to its group."""
        body = ReassignTask(to=to, by=by, reason=reason)
        return await self._call(acting(CommandView, PATH + at(task, "reassign"), body, idempotency_key=idempotency_key))

    async def complete_task(
        self,
        task: str,
        *,
        by: str,
        data: Any = NOTHING,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> CommandView:
        """Complete a task with data that satisfies its form, in the name of a person."""
        body = CompleteTask(by=by, data=data, reason=reason)
        return await self._call(acting(CommandView, PATH + at(task, "complete"), body, idempotency_key=idempotency_key))

    async def reject_task(self, task: str, *, by: str, reason: str, idempotency_key: str | None = None) -> CommandView:
        """Reject a task, in the name of a person."""
        body = RejectTask(by=by, reason=reason)
        return await self._call(acting(CommandView, PATH + at(task, "reject"), body, idempotency_key=idempotency_key))
