"""The document that an expression is tried on: its roots by name, as a process would have them.

Each value is held to what a process can hold. Must not make up a value: what the document lacks is missing, but for
`now`, which no process is without.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from engine.cel import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.functions.times import parse
from engine.cel.scope import PROCESS_FIELDS
from engine.core.document import MAX_STEPS
from engine.core.model import ActivityStatus
from engine.core.shapes import Anything, Choice, Findings, MapOf, Record, Text
from engine.core.values import Inadmissible, admit, escape
from engine.errors import BadInput

_STEP = Record({"output": Anything(), "status": Choice(*map(str, ActivityStatus)), "error": Anything("object")})
_DATA = Record({
    "input": Anything(),
    "steps": MapOf(_STEP, MAX_STEPS, "steps"),
    "process": Record({name: Anything() for name in PROCESS_FIELDS}),
    "trigger": Anything(),
    "now": Text(),
    "item": Anything(),
    "index": Anything("number"),
})  # fmt: skip
ADVICE = "Correct the data and run the command again."


class DataScope:
    """Gives an expression the values of a document."""

    def __init__(self, roots: Mapping[str, Any], steps: Mapping[str, Mapping[str, Any]]) -> None:
        self.fuel = Fuel()
        self._roots = roots
        self._steps = steps

    def lookup(self, root: str) -> Any:
        """Return the value of a root. Raises KeyError."""
        return self._roots[root]

    def step(self, step_id: str, field: str) -> Any:
        """Return one of a step's fields. Raises KeyError."""
        return self._steps[step_id][field]

    def secret(self, name: str) -> str:
        """Raise KeyError: there are no secrets here."""
        raise KeyError(name)


def read(document: Any) -> DataScope:
    """Return what expressions can read in a document. Raises BadInput."""
    findings = Findings()
    _DATA.read(document, "", findings)
    if findings.items:
        message = "the data is not an object with what an expression reads, by name"
        advice = 'Write {"input": ..., "steps": {ID: {"output": ...}}}, of these and the others what it reads.'
        raise BadInput(message, advice=advice, findings=tuple(findings.items))
    values = {name: value for name, value in document.items() if name not in ("steps", "now")}
    roots = {name: _admitted(value, f"/{name}") for name, value in values.items()}
    steps = {
        step_id: {field: _admitted(value, f"/steps/{escape(step_id)}/{field}") for field, value in step.items()}
        for step_id, step in (document.get("steps") or {}).items()
    }
    return DataScope({**roots, "now": _moment(document.get("now"))}, steps)


def _admitted(value: Any, pointer: str) -> Any:
    try:
        return admit(value).value
    except Inadmissible as fault:
        raise BadInput(fault.message, advice=ADVICE, pointer=pointer + fault.pointer, code=fault.code) from None


def _moment(text: str | None) -> datetime:
    """Return the moment a text says, the present one where there is none."""
    if text is None:
        return datetime.now(UTC)
    try:
        return parse(text)
    except EvaluationError as fault:
        raise BadInput(fault.message, advice=ADVICE, pointer="/now") from None
