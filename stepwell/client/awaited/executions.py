"""/workflows/executions: processes in other words."""

from __future__ import annotations

from api.wire import CommandView, ExecutionStatus, ExecutionView, Order, Page
from stepwell.client.awaited.caller import AsyncCaller
from stepwell.client.call import acting, at, reading

PATH = "/workflows/executions"


class AsyncExecutions(AsyncCaller):
    """Read and steer executions; their ids are those of processes."""

    async def list_executions(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        workflow_id: str | None = None,
        status: ExecutionStatus | None = None,
    ) -> Page[ExecutionView]:
        """Return a page of executions, newest first. `workflow_id`: name or id (wf_…) of a definition."""
        return await self._call(
            reading(
                Page[ExecutionView],
                PATH,
                cursor=cursor,
                limit=limit,
                offset=offset,
                workflow_id=workflow_id,
                status=status,
            )
        )

    async def get_execution(self, execution_id: str) -> ExecutionView:
        """Return an execution."""
        return await self._call(reading(ExecutionView, PATH + at(execution_id)))

    async def cancel_execution(
        self,
        execution_id: str,
        *,
        by: str | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> CommandView:
        """Ask an execution to end. Calls that are under way are not taken back."""
        body = Order(by=by, reason=reason)
        return await self._call(
            acting(CommandView, PATH + at(execution_id, "cancel"), body, idempotency_key=idempotency_key)
        )

    async def retry_execution(
        self,
        execution_id: str,
        *,
        by: str | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> CommandView:
        """Ask a failed execution to go on from where it failed."""
        body = Order(by=by, reason=reason)
        return await self._call(
            acting(CommandView, PATH + at(execution_id, "retry"), body, idempotency_key=idempotency_key)
        )
