"""What expressions of a process can read: input, steps, process, trigger, now.

Values over PAYLOAD_BYTES are not in the state. Where an expression touches one that was not handed in,
PayloadNeeded names it; the hold loads it and asks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from engine.cel.fuel import Fuel
from engine.core.ids import public_id
from engine.core.model import Activity, ActivityStatus, State


class PayloadNeeded(Exception):
    """The decision needs the payload with this number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"payload {number} is needed")
        self.number = number


class StateScope:
    """Reads a state at a moment. `fresh` holds activities that the event being decided changes, as it leaves them."""

    __slots__ = ("_fresh", "_now", "_payloads", "_process_id", "_secrets", "_state", "fuel")

    def __init__(
        self,
        state: State,
        payloads: Mapping[int, Any],
        process_id: int,
        now: datetime,
        *,
        fresh: Mapping[str, Activity] | None = None,
        secrets: Mapping[str, str] | None = None,
        fuel: Fuel | None = None,
    ) -> None:
        self.fuel = fuel or Fuel()
        self._state = state
        self._payloads = payloads
        self._process_id = process_id
        self._now = now
        self._fresh = fresh or {}
        self._secrets = secrets or {}

    def lookup(self, root: str) -> Any:
        """Return the value of a root. Raises KeyError, PayloadNeeded."""
        if root == "input":
            return self.value(self._state.input, self._state.input_ref)
        if root == "process":
            return self._process()
        if root == "trigger":
            return self._state.trigger
        if root == "now":
            return self._now
        raise KeyError(root)

    def step(self, step_id: str, field: str) -> Any:
        """Return one of a step's fields. Its output is there once it is COMPLETED, its error once an attempt failed.

        Raises KeyError, PayloadNeeded.
        """
        activity = self._fresh.get(step_id) or self._state.activities.get(step_id)
        if field == "status":
            return str(activity.status if activity else ActivityStatus.PENDING)
        if activity is not None:
            if field == "output" and activity.status is ActivityStatus.COMPLETED:
                return self.value(activity.output, activity.output_ref)
            if field == "error" and activity.error is not None:
                return msgspec.to_builtins(activity.error)
        raise KeyError(field)

    def secret(self, name: str) -> str:
        """Return a secret. Raises KeyError."""
        return self._secrets[name]

    def value(self, inline: Any, ref: int | None) -> Any:
        """Return a value that is inline or in `payload`. Raises PayloadNeeded."""
        if ref is None:
            return inline
        try:
            return self._payloads[ref]
        except KeyError:
            raise PayloadNeeded(ref) from None

    def _process(self) -> dict[str, Any]:
        return {
            "id": public_id("prc", self._process_id),
            "version": self._state.version,
            "business_key": self._state.business_key,
            "definition_id": public_id("wf", self._state.definition_id),
        }
