"""/processes: start, read, list; and the orders to a running one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from api.wire import (
    CommandView,
    EventView,
    Ids,
    Order,
    Page,
    ProcessDetail,
    ProcessView,
    ResumeActivity,
    RetriesView,
    RetryProcesses,
    StartProcess,
    StartProcesses,
)
from engine.core.model import ProcessStatus
from stepwell.client.awaited.caller import AsyncCaller
from stepwell.client.call import NOTHING, acting, at, reading

PATH = "/processes"


class AsyncProcesses(AsyncCaller):
    """Start processes, look at them, steer them."""

    async def start_process(
        self,
        definition: str,
        input: Any = NOTHING,
        *,
        version: int | None = None,
        business_key: str | None = None,
        labels: dict[str, str] | None = None,
        priority: int = 0,
        by: str | None = None,
        reason: str | None = None,
        traceparent: str | None = None,
        idempotency_key: str | None = None,
    ) -> ProcessView:
        """Start a process of a definition (name or id). `traceparent`: the W3C trace it is part of."""
        body = StartProcess(
            definition=definition,
            input=input,
            version=version,
            business_key=business_key,
            labels=labels or {},
            priority=priority,
            by=by,
            reason=reason,
        )
        return await self._call(
            acting(ProcessView, PATH, body, idempotency_key=idempotency_key, headers={"traceparent": traceparent})
        )

    async def start_processes(
        self,
        definition: str,
        inputs: list[Any],
        *,
        version: int | None = None,
        labels: dict[str, str] | None = None,
        priority: int = 0,
        by: str | None = None,
        reason: str | None = None,
        traceparent: str | None = None,
        idempotency_key: str | None = None,
    ) -> Ids:
        """Start one process of a definition for each input, all or none; return their ids in that order."""
        body = StartProcesses(
            definition=definition,
            inputs=inputs,
            version=version,
            labels=labels or {},
            priority=priority,
            by=by,
            reason=reason,
        )
        return await self._call(
            acting(Ids, f"{PATH}/bulk", body, idempotency_key=idempotency_key, headers={"traceparent": traceparent})
        )

    async def list_processes(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        status: ProcessStatus | None = None,
        definition: str | None = None,
        business_key: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        ended_after: datetime | None = None,
        ended_before: datetime | None = None,
        label: Mapping[str, str] | None = None,
        error_code: str | None = None,
        failed_step: str | None = None,
        quarantined: Literal[True] | None = None,
        count: bool | None = None,
    ) -> Page[ProcessView]:
        """Return a page of processes, newest first, that match all the filters. Times must have a zone.

        `label`: values by name, at most four, all of which must match.
        """
        return await self._call(
            reading(
                Page[ProcessView],
                PATH,
                cursor=cursor,
                limit=limit,
                status=status,
                definition=definition,
                business_key=business_key,
                created_after=created_after,
                created_before=created_before,
                ended_after=ended_after,
                ended_before=ended_before,
                label=label,
                error_code=error_code,
                failed_step=failed_step,
                quarantined=quarantined,
                count=count,
            )
        )

    async def get_process(self, process_id: str) -> ProcessDetail:
        """Return a process with everything its history tells now."""
        return await self._call(reading(ProcessDetail, PATH + at(process_id)))

    async def get_process_history(
        self,
        process_id: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        payloads: bool | None = None,
    ) -> Page[EventView]:
        """Return a page of what happened to a process, oldest first. `payloads`: with values over 8 KB."""
        return await self._call(
            reading(Page[EventView], PATH + at(process_id, "history"), cursor=cursor, limit=limit, payloads=payloads)
        )

    async def cancel_process(
        self,
        process_id: str,
        *,
        by: str | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> CommandView:
        """Ask a process to end. Calls that are under way are not taken back."""
        body = Order(by=by, reason=reason)
        return await self._call(
            acting(CommandView, PATH + at(process_id, "cancel"), body, idempotency_key=idempotency_key)
        )

    async def retry_process(
        self,
        process_id: str,
        *,
        by: str | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> CommandView:
        """Ask a FAILED process to go on from where it failed."""
        body = Order(by=by, reason=reason)
        return await self._call(
            acting(CommandView, PATH + at(process_id, "retry"), body, idempotency_key=idempotency_key)
        )

    async def retry_processes(
        self,
        *,
        ids: list[str] | None = None,
        definition: str | None = None,
        error_code: str | None = None,
        failed_step: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int | None = None,
        by: str | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> RetriesView:
        """Ask FAILED processes to go on: those of `ids`, or those that match all the filters, the newest first."""
        body = RetryProcesses(
            ids=ids,
            definition=definition,
            error_code=error_code,
            failed_step=failed_step,
            created_after=created_after,
            created_before=created_before,
            limit=limit,
            by=by,
            reason=reason,
        )
        return await self._call(acting(RetriesView, f"{PATH}/retry", body, idempotency_key=idempotency_key))

    async def resume_activity(
        self,
        process_id: str,
        activity: str,
        *,
        output: Any = NOTHING,
        by: str | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> CommandView:
        """End a WAITING activity (step id or execution id) with an output of your own."""
        body = ResumeActivity(output=output, by=by, reason=reason)
        path = PATH + at(process_id, "activities", activity, "resume")
        return await self._call(acting(CommandView, path, body, idempotency_key=idempotency_key))

    async def release_process(
        self,
        process_id: str,
        *,
        by: str | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> ProcessView:
        """Let a process out of quarantine."""
        body = Order(by=by, reason=reason)
        return await self._call(
            acting(ProcessView, PATH + at(process_id, "release"), body, idempotency_key=idempotency_key)
        )
