"""The definition document: its structs, and its fields declared once as shapes.

Holds no rules that span several fields; those are in `checks`. DEFINITION_SCHEMA is made from the same
declarations.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct

from engine.core.shapes import (
    INVALID,
    Anything,
    Choice,
    Either,
    Findings,
    Flag,
    ListOf,
    MapOf,
    Number,
    Record,
    Shape,
    Text,
)

MAX_STEPS = 100
MAX_PARALLEL = 50
TEN_YEARS = 315_360_000  # seconds
THIRTY_DAYS = 2_592_000
MAX_RESPONSE = 10 << 20  # bytes; 1 MiB by default
MAX_REDIRECTS = 10
STEP_ID = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
EVENT_NAME = r"^[A-Za-z][A-Za-z0-9_.:-]{0,199}$"
TOLERATED = r"^(id|tenant_id|environment_id|version|status|created_[a-z_]*)$"


class HttpConfig(Struct, frozen=True):
    """Calls an HTTP API. Every value but the limits may contain references."""

    url: str
    method: str = "GET"
    query: dict[str, Any] = {}
    headers: dict[str, Any] = {}
    body: Any = UNSET
    body_type: str | None = None  # None = JSON, or a text as it is where Content-Type says otherwise
    expect_status: tuple[int, ...] | None = None  # None = any 2xx
    timeout_seconds: float = 30
    max_response_bytes: int = 1 << 20
    max_redirects: int = 0
    idempotency_key: str | None = None  # None = the execution id


class EventConfig(Struct, frozen=True):
    """Writes an event of the customer's own name."""

    name: str
    payload: Any = None


class WaitConfig(Struct, frozen=True):
    """Waits for a signal, for a time to pass, or until a moment."""

    signal: str | None = None
    correlation_key: Any = None
    seconds: Any = None
    until: str | None = None
    timeout_seconds: float | None = None
    on_timeout: str = "fail"


class Branch(Struct, frozen=True):
    """One way out of a decision."""

    when: Any
    then: tuple[str, ...] = ()


class DecisionConfig(Struct, frozen=True):
    """Takes the first branch whose condition is true, else the fallback; on an error it fails, or falls back."""

    branches: tuple[Branch, ...] = ()
    fallback: tuple[str, ...] = ()
    on_error: str = "fail"


class TransformConfig(Struct, frozen=True):
    """Makes a new object."""

    mapping: dict[str, Any]


class ManualConfig(Struct, frozen=True):
    """Asks a person."""

    title: str
    assignee: str | None = None
    group: str | None = None
    form: Any = None
    due_seconds: float | None = None
    on_reject: str = "continue"


class NoopConfig(Struct, frozen=True):
    """Does nothing, by way of an executor: a placeholder, and what an activity costs at the least."""


Config = HttpConfig | EventConfig | WaitConfig | DecisionConfig | TransformConfig | ManualConfig | NoopConfig


class RetryPolicy(Struct, frozen=True, omit_defaults=True):
    """How often and when to call again. None = what the definition, then the default says."""

    max_attempts: int | None = None
    initial_interval_seconds: float | None = None
    backoff_coefficient: float | None = None
    max_interval_seconds: float | None = None


class Schedule(Struct, frozen=True):
    """When a scheduled trigger fires."""

    cron: str
    timezone: str = "UTC"


class Trigger(Struct, frozen=True):
    """What starts processes of this definition."""

    type: str
    event_name: str | None = None
    conditions: tuple[Any, ...] = ()  # all must hold
    schedule: Schedule | None = None


class Step(Struct, frozen=True):
    """One node of a definition."""

    id: str
    type: str
    config: Config
    order: int | None = None
    name: str | None = None
    condition: Any = None
    retry_policy: RetryPolicy | None = None
    depends_on: tuple[str, ...] | None = None  # None = no such key
    timeout_seconds: float | None = None
    join: str = "any"


class Definition(Struct, frozen=True):
    """A definition as its author wrote it, checked."""

    name: str
    steps: tuple[Step, ...]
    description: str | None = None
    trigger: Trigger | None = None
    enabled: bool = True
    retry_policy: RetryPolicy | None = None
    timeout_seconds: float | None = None
    input_schema: Any = None
    output: Any = None
    metadata: Any = None
    declared: dict[str, Any] = {}  # id, version, … as the document says; the caller compares them with the truth


_TIMEOUT = Number(0, TEN_YEARS, above=True)
_IDS = ListOf(Text(1, 64, STEP_ID), 0, MAX_STEPS, "step ids", unique=True)
_NAME = Text(1, 200, r"\S", "Give it a name.")
_CONDITION = Anything("object", "string", "boolean")
_SCALAR = Anything("string", "number", "boolean", "null")

_RETRY = Record(
    {
        "max_attempts": Number(1, 100, whole=True),
        "initial_interval_seconds": Number(0, THIRTY_DAYS),
        "backoff_coefficient": Number(1, 100),
        "max_interval_seconds": Number(0, THIRTY_DAYS),
    }
)

_SCHEDULE = Either(
    string=Text(1, 200),
    object=Record({"cron": Text(1, 200), "timezone": Text(1, 100)}, required=("cron",)),
)

_TRIGGER = Record(
    {
        "type": Choice("event", "scheduled", "manual", "api", "webhook"),
        "event_name": Text(1, 200),
        "conditions": ListOf(_CONDITION, 0, MAX_STEPS, "conditions"),
        "schedule": _SCHEDULE,
    },
    required=("type",),
)

_STATUS = Number(200, 599, whole=True)

CONFIGS: dict[str, Record] = {
    "http": Record(
        {
            "method": Choice("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"),
            "url": Text(1, 8000),
            "query": MapOf(
                Either(
                    string=Text(0, 8000),
                    number=_SCALAR,
                    boolean=_SCALAR,
                    null=_SCALAR,
                    array=ListOf(_SCALAR, 0, 100, "values"),
                ),
                100,
                "query parameters",
            ),
            "headers": MapOf(Text(0, 8000), 100, "headers"),
            "body": Anything(),
            "body_type": Choice("json", "form", "text"),
            "expect_status": Either(number=_STATUS, array=ListOf(_STATUS, 1, 100, "status codes")),
            "timeout_seconds": Number(0, 3600, above=True),
            "max_response_bytes": Number(1, MAX_RESPONSE, whole=True),
            "max_redirects": Number(0, MAX_REDIRECTS, whole=True),
            "idempotency_key": Text(1, 1000),
        },
        required=("url",),
    ),
    "event": Record(
        {
            "name": Text(1, 200, EVENT_NAME, "Event names have letters, digits and . _ : - only."),
            "payload": Anything(),
        },
        required=("name",),
    ),
    "wait": Record(
        {
            "signal": Text(1, 200),
            "correlation_key": Either(string=Text(0, 1000), number=_SCALAR),
            "seconds": Either(number=Number(0, TEN_YEARS), string=Text(1, 2000)),
            "until": Text(1, 2000),
            "timeout_seconds": _TIMEOUT,
            "on_timeout": Choice("fail", "continue"),
        }
    ),
    "decision": Record(
        {
            "branches": ListOf(
                Record({"when": _CONDITION, "then": _IDS}, required=("when",)), 0, MAX_STEPS, "branches"
            ),
            "fallback": _IDS,
            "on_error": Choice("fail", "fallback"),
        },
        required=("branches",),
    ),
    "transform": Record({"mapping": Anything("object")}, required=("mapping",)),
    "manual": Record(
        {
            "title": Text(1, 1000, r"\S", "Say what the person has to do."),
            "assignee": Text(1, 1000),
            "group": Text(1, 1000),
            "form": Anything("object", "boolean"),
            "due_seconds": _TIMEOUT,
            "on_reject": Choice("continue", "fail"),
        },
        required=("title",),
    ),
    "noop": Record({}),
}

STEP_FIELDS: dict[str, Shape] = {
    "id": Text(1, 64, STEP_ID, "Ids begin with a letter or _, then letters, digits, _ and -, at most 64."),
    "order": Number(-(10**9), 10**9, whole=True),
    "type": Choice(*CONFIGS),
    "name": Text(0, 200),
    "config": Anything("object"),
    "condition": _CONDITION,
    "retry_policy": _RETRY,
    "depends_on": _IDS,
    "timeout_seconds": _TIMEOUT,
    "join": Choice("any", "all", "always"),
}
STEP = Record(STEP_FIELDS, required=("id", "type", "config"))


class StepShape:
    """A step: a record whose config depends on its type. Read as a dict with the step's `pointer` beside."""

    def read(self, value: Any, pointer: str, findings: Findings) -> Any:
        """Return a dict of what could be read."""
        step = STEP.read(value, pointer, findings)
        if step is INVALID:
            return INVALID
        shape = CONFIGS.get(step.get("type", ""))
        if shape and "config" in step:
            step["config"] = shape.read(step["config"], f"{pointer}/config", findings)
        step["pointer"] = pointer
        return step

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the shape."""
        return {"$ref": "#/$defs/step"}


DOCUMENT = Record(
    {
        "name": _NAME,
        "description": Text(0, 10_000),
        "trigger": _TRIGGER,
        "steps": ListOf(StepShape(), 1, MAX_STEPS, "steps"),
        "enabled": Flag(),
        "retry_policy": _RETRY,
        "timeout_seconds": _TIMEOUT,
        "input_schema": Anything("object", "boolean"),
        "output": Anything(),
        "metadata": Anything(),
    },
    required=("name", "steps"),
    also=TOLERATED,
)


def _step_schema() -> dict[str, Any]:
    schema = STEP.schema()
    schema["allOf"] = [
        {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": {"properties": {"config": config.schema()}},
        }
        for name, config in CONFIGS.items()
    ]
    return schema


def _document_schema() -> dict[str, Any]:
    schema = DOCUMENT.schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stepwell process definition",
        **schema,
        "$defs": {"step": _step_schema()},
    }


DEFINITION_SCHEMA: dict[str, Any] = _document_schema()


def schema_text() -> str:
    """Return the text of engine/core/definition.schema.json."""
    return msgspec.json.format(msgspec.json.encode(DEFINITION_SCHEMA), indent=2).decode() + "\n"
