"""What expressions of a process can read: input, steps, process, trigger.

Values over PAYLOAD_BYTES are not in the state. Where an expression touches one that was not handed in,
PayloadNeeded names it; the hold loads it and asks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.cel import Lazy
from engine.cel.fuel import Fuel
from engine.core.ids import public_id
from engine.core.model import Activity, ActivityStatus, State


class PayloadNeeded(Exception):
    """The decision needs the payload with this number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"payload {number} is needed")
        self.number = number


class StateScope:
    """Reads a state. `fresh` holds activities that the event being decided changes, as it leaves them."""

    __slots__ = ("_fresh", "_payloads", "_process_id", "_secrets", "_state", "fuel")

    def __init__(
        self,
        state: State,
        payloads: Mapping[int, Any],
        process_id: int,
        fresh: Mapping[str, Activity] | None = None,
        secrets: Mapping[str, str] | None = None,
        fuel: Fuel | None = None,
    ) -> None:
        self.fuel = fuel or Fuel()
        self._state = state
        self._payloads = payloads
        self._process_id = process_id
        self._fresh = fresh or {}
        self._secrets = secrets

    def lookup(self, root: str) -> Any:
        """Return the value of a root. Raises KeyError, PayloadNeeded."""
        if root == "input":
            return self.value(self._state.input, self._state.input_ref)
        if root == "steps":
            return _Steps(self)
        if root == "process":
            return self._process()
        if root == "trigger":
            return self._state.trigger
        if root == "secrets" and self._secrets is not None:
            return _Secrets(self._secrets)
        raise KeyError(root)

    def value(self, inline: Any, ref: int | None) -> Any:
        """Return a value that is inline or in `payload`. Raises PayloadNeeded."""
        if ref is None:
            return inline
        try:
            return self._payloads[ref]
        except KeyError:
            raise PayloadNeeded(ref) from None

    def activity(self, step_id: str) -> Activity | None:
        """Return the activity of a step, as it will be after the event being decided."""
        return self._fresh.get(step_id) or self._state.activities.get(step_id)

    def _process(self) -> dict[str, Any]:
        return {
            "id": public_id("prc", self._process_id),
            "version": self._state.version,
            "business_key": self._state.business_key,
            "definition_id": public_id("wf", self._state.definition_id),
        }


class _Steps(Lazy):
    __slots__ = ("_scope",)

    def __init__(self, scope: StateScope) -> None:
        self._scope = scope

    def member(self, key: str) -> Any:
        return _Step(self._scope, self._scope.activity(key))


class _Step(Lazy):
    """A step: its output exists once it is COMPLETED, its error once an attempt failed."""

    __slots__ = ("_activity", "_scope")

    def __init__(self, scope: StateScope, activity: Activity | None) -> None:
        self._scope = scope
        self._activity = activity

    def member(self, key: str) -> Any:
        activity = self._activity
        if key == "status":
            return str(activity.status if activity else ActivityStatus.PENDING)
        if activity is None:
            raise KeyError(key)
        if key == "output" and activity.status is ActivityStatus.COMPLETED:
            return self._scope.value(activity.output, activity.output_ref)
        if key == "error" and activity.error is not None:
            return msgspec.to_builtins(activity.error)
        raise KeyError(key)


class _Secrets(Lazy):
    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def member(self, key: str) -> Any:
        return self._values[key]
