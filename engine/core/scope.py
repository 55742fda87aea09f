"""What expressions of a process can read: input, steps, process, trigger, now.

Values over PAYLOAD_BYTES are not in the state. Where an expression touches one that was not handed in,
PayloadNeeded names it and those that come next; the hold loads them and asks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from engine.cel.fuel import Fuel
from engine.core.ids import public_id
from engine.core.model import Activity, ActivityStatus, State

if TYPE_CHECKING:
    from engine.cel import Program as Expression
    from engine.cel.paths import Parts


class PayloadNeeded(Exception):
    """The decision needs the payloads with these numbers: the one found missing, then what would be missing next.

    Else a decision that reads many of them would be made once for each.
    """

    def __init__(self, *numbers: int) -> None:
        super().__init__(f"payloads are needed: {', '.join(map(str, numbers))}")
        self.numbers = numbers

    @property
    def number(self) -> int:
        """Return the one that was found missing."""
        return self.numbers[0]


class StateScope(Struct):
    """Reads a state at a moment. `activities`: those to read, where they are not the state's."""

    state: State
    payloads: Mapping[int, Any]
    process_id: int
    now: datetime
    fuel: Fuel = field(default_factory=Fuel)
    secrets: Mapping[str, str] = {}
    activities: Mapping[str, Activity] | None = None

    def among(self, activities: Mapping[str, Activity]) -> StateScope:
        """Return a scope that reads the same, of other activities."""
        return replace(self, activities=activities)

    def lookup(self, root: str) -> Any:
        """Return the value of a root. Raises KeyError, PayloadNeeded."""
        if root == "input":
            return self.value(self.state.input, self.state.input_ref)
        if root == "process":
            return self._process()
        if root == "trigger":
            return self.state.trigger
        if root == "now":
            return self.now
        raise KeyError(root)

    def step(self, step_id: str, field: str) -> Any:
        """Return one of a step's fields. Its output is there once it is COMPLETED, its error once an attempt failed.

        Raises KeyError, PayloadNeeded.
        """
        activity = self._activity(step_id)
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
        return self.secrets[name]

    def value(self, inline: Any, ref: int | None) -> Any:
        """Return a value that is inline or in `payload`. Raises PayloadNeeded."""
        if ref is None:
            return inline
        try:
            return self.payloads[ref]
        except KeyError:
            raise PayloadNeeded(ref) from None

    def needed(self, fault: PayloadNeeded, expressions: Iterable[Expression]) -> PayloadNeeded:
        """Return the demand for what was found missing and for all else that these expressions name and lack."""
        named = (self._reference(root, parts) for expression in expressions for root, parts in expression.reads)
        lacking = [number for number in named if number is not None and number not in self.payloads]
        return PayloadNeeded(*dict.fromkeys([fault.number, *lacking]))

    def _reference(self, root: str, parts: Parts) -> int | None:
        """Return the number of the payload that a path leads into."""
        if root == "input":
            return self.state.input_ref
        activity = self._activity(str(parts[0])) if root == "steps" and parts[1] == "output" else None
        return None if activity is None else activity.output_ref

    def _activity(self, step_id: str) -> Activity | None:
        return (self.state.activities if self.activities is None else self.activities).get(step_id)

    def _process(self) -> dict[str, Any]:
        return {
            "id": public_id("prc", self.process_id),
            "version": self.state.version,
            "business_key": self.state.business_key,
            "definition_id": public_id("wf", self.state.definition_id),
        }
