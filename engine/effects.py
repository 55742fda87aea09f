"""Effects: what activities do outside. One coroutine per attempt, started only after its decision is durable.

Must not touch a table or decide anything: it resolves the step's config, runs the executor and returns the outcome.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from engine.cel import EvaluationError
from engine.core.commands import Completed, Failed
from engine.core.decide import Inputs
from engine.core.flow import expression_failed
from engine.core.ids import execution_id
from engine.core.model import Activity, Category, Failure
from engine.core.programs import NoopProgram
from engine.core.request import http_request
from engine.core.scope import PayloadNeeded
from engine.executors.http import HttpExecutor, HttpRequest, RequestInvalid
from engine.hold import Hold
from engine.traces import HEADER, Outgoing

NOTHING = Completed({}, size=2)

Fetch = Callable[[Hold, int], Awaitable[object]]
Ready = Callable[[], Awaitable[None]]


class Effects:
    """The executors of a worker."""

    def __init__(self, http: HttpExecutor, secrets: Mapping[str, str], traceparent: Outgoing) -> None:
        self._http = http
        self._traceparent = traceparent
        self._secrets = secrets
        self._redact = tuple(secrets.values())

    @staticmethod
    def at_once(hold: Hold, path: str) -> Completed | None:
        """Return the outcome of an attempt that nobody outside has a part in, None where one has: then `run` it."""
        return NOTHING if isinstance(hold.plan.steps[path].program, NoopProgram) else None

    async def run(
        self, hold: Hold, activity: Activity, now: datetime, fetch: Fetch, ready: Ready
    ) -> Completed | Failed:
        """Run one attempt. Raises what `fetch` and `ready` raise.

        `fetch` brings a value over 8 KB; `ready` is awaited as the last thing before the call, when the turn has come:
        a worker that was stopped in between must not call for a process that others hold by now.
        """
        try:
            return await self._http.run(await self._request(hold, activity, now, fetch), ready)
        except RequestInvalid as error:
            return error.failed()
        except EvaluationError as error:
            return Failed(expression_failed(error, activity.path, "config"), retryable=False)
        except LookupError as error:
            return Failed(_unresolved(activity, error), retryable=False)

    async def _request(self, hold: Hold, activity: Activity, now: datetime, fetch: Fetch) -> HttpRequest:
        """Resolve the step's config. Raises RequestInvalid, EvaluationError, LookupError."""
        payloads = dict(hold.payloads)
        while True:
            inputs = Inputs(now=now, jitter=0.0, payloads=payloads, process_id=hold.id)
            try:
                config = http_request(hold.plan, hold.state, activity.path, inputs, self._secrets)
            except PayloadNeeded as need:
                payloads[need.number] = await fetch(hold, need.number)
                continue
            self._add_trace(config["headers"], hold, activity)
            execution = execution_id(hold.id, activity.path, activity.run)
            limit = hold.plan.steps[activity.path].timeout_seconds
            return HttpRequest.from_config(config, execution, limit, redact=self._redact)

    def _add_trace(self, headers: dict[str, str], hold: Hold, activity: Activity) -> None:
        """Send the context of this attempt's span along, unless the step has one of its own."""
        path, run, attempt = activity.path, activity.run, activity.attempt
        header = self._traceparent(hold.id, hold.state.traceparent, path, run, attempt)
        if header is not None and HEADER not in map(str.lower, headers):
            headers[HEADER] = header


def _unresolved(activity: Activity, error: Exception) -> Failure:
    return Failure(
        category=Category.VALIDATION,
        code="expression_failed",
        message=f"the step's config could not be resolved: {error}",
        step_id=activity.path,
        advice="Correct the reference in the definition, or the data it reads.",
    )
