"""Reading a definition: from a decoded document to a Definition, or to all that is wrong with it.

Safe on hostile documents: only InvalidDefinition leaves `parse_definition`.
"""

from __future__ import annotations

from typing import Any

from engine.cel import ROOTS, Allowance, Compiler
from engine.core import checks
from engine.core.document import (
    DEFINITION_SCHEMA,
    DOCUMENT,
    Branch,
    Config,
    DecisionConfig,
    Definition,
    EventConfig,
    HttpConfig,
    ManualConfig,
    NoopConfig,
    RetryPolicy,
    Schedule,
    Step,
    TransformConfig,
    Trigger,
    WaitConfig,
)
from engine.core.programs import Author
from engine.core.schedule import check_schedule
from engine.core.shapes import INVALID, Findings
from engine.core.values import MEBIBYTE, Inadmissible, admit
from engine.errors import InvalidDefinition

__all__ = ["DEFINITION_SCHEMA", "Definition", "parse_definition"]

MAX_DOCUMENT = MEBIBYTE
MAX_METADATA = 64 << 10  # bytes; kept with the version, never read by the engine

_CONFIGS: dict[str, type[Any]] = {
    "http": HttpConfig,
    "event": EventConfig,
    "wait": WaitConfig,
    "decision": DecisionConfig,
    "transform": TransformConfig,
    "manual": ManualConfig,
    "noop": NoopConfig,
}
_TRIGGER_ROOTS = frozenset({"input", "trigger", "now"})  # there is no process yet


def parse_definition(document: object, *, published: bool = False) -> Definition:
    """Return the definition. Raises InvalidDefinition with a finding for each fault.

    `published`: the document has passed the checks of the release that published it; a check that a later release
    tightens must not stop its running processes. Then only the shape is checked: a field or type of step that this
    release does not know is still a fault, since leaving it out would run another process than the one defined.
    """
    findings = Findings()
    definition = _parse(document, findings, check=not published)
    if findings.items or definition is None:
        count = len(findings.items)
        message = f"the definition has {count} fault{'s' if count != 1 else ''}: {findings.items[0].message}"
        raise InvalidDefinition(message, pointer=findings.items[0].pointer, findings=tuple(findings.items))
    return definition


def _parse(document: object, findings: Findings, *, check: bool) -> Definition | None:
    try:
        value = admit(document, max_bytes=MAX_DOCUMENT).value
    except Inadmissible as fault:
        findings.add(fault.pointer, fault.message, code=fault.code)
        return None
    found = DOCUMENT.read(value, "", findings)
    if found is INVALID:
        return None
    placed = [(s["pointer"], step) for s in found.get("steps", ()) if (step := _step(s)) is not None]
    if check:
        allowance = Allowance()
        if "steps" in found:
            checks.check_steps(placed, allowance, findings)
        _check_rest(found, {step.id for _, step in placed}, allowance, findings)
    if findings.items:
        return None
    return Definition(
        name=found["name"],
        steps=tuple(step for _, step in placed),
        description=found.get("description"),
        trigger=_trigger(found.get("trigger")),
        enabled=found.get("enabled", True),
        retry_policy=_retry(found.get("retry_policy")),
        timeout_seconds=found.get("timeout_seconds"),
        input_schema=found.get("input_schema"),
        output=found.get("output"),
        metadata=found.get("metadata"),
        declared=DOCUMENT.aside(value),
    )


def _check_rest(found: dict[str, Any], known: set[str], allowance: Allowance, findings: Findings) -> None:
    """Check what belongs to the definition as a whole."""
    _check_trigger(found.get("trigger"), allowance, findings)
    if "input_schema" in found:
        checks.check_schema(found["input_schema"], "/input_schema", allowance, findings)
    author = Author(Compiler(ROOTS, allowance), "")
    author.template(found.get("output"), "output")
    checks.add_faults(author.compiler.faults, findings)
    checks.check_references(author.references, known, None, findings)
    try:
        admit(found.get("metadata"), max_bytes=MAX_METADATA)
    except Inadmissible as fault:
        findings.add("/metadata" + fault.pointer, fault.message, code=fault.code)


def _step(found: dict[str, Any]) -> Step | None:
    """Return what could be read of a step, None without an id; the findings already tell what is missing."""
    if "id" not in found:
        return None
    return Step(
        id=found["id"],
        type=found.get("type", ""),
        config=_config(found.get("type", ""), found.get("config")),
        order=found.get("order"),
        name=found.get("name"),
        condition=found.get("condition"),
        retry_policy=_retry(found.get("retry_policy")),
        depends_on=found.get("depends_on"),
        timeout_seconds=found.get("timeout_seconds"),
        join=found.get("join", "any"),
    )


def _config(kind: str, found: Any) -> Config:
    shape = _CONFIGS.get(kind)
    if shape is None or not isinstance(found, dict):
        return TransformConfig(mapping={})
    if shape is DecisionConfig:
        branches = tuple(Branch(b["when"], b.get("then", ())) for b in found.get("branches", ()) if "when" in b)
        return DecisionConfig(branches, found.get("fallback", ()), found.get("on_error", "fail"))
    if shape is HttpConfig:
        found = _http(found)
    try:
        config: Config = shape(**found)
    except TypeError:  # a required field is missing, which is noted
        return TransformConfig(mapping={})
    return config


def _http(found: dict[str, Any]) -> dict[str, Any]:
    """Bring what may be written in two ways into one."""
    expect = found.get("expect_status")
    query = {name: list(v) if isinstance(v, tuple) else v for name, v in found.get("query", {}).items()}
    return {**found, "query": query, "expect_status": (expect,) if isinstance(expect, int) else expect}


def _retry(found: dict[str, Any] | None) -> RetryPolicy | None:
    return None if found is None else RetryPolicy(**found)


def _trigger(found: dict[str, Any] | None) -> Trigger | None:
    if found is None or "type" not in found:
        return None
    schedule = _schedule(found.get("schedule"))
    return Trigger(found["type"], found.get("event_name"), found.get("conditions", ()), schedule)


def _check_trigger(found: dict[str, Any] | None, allowance: Allowance, findings: Findings) -> None:
    """Check what does not fit a trigger's type, and its conditions."""
    trigger = _trigger(found)
    if trigger is None:
        return
    for name, kind in (("event_name", "event"), ("schedule", "scheduled")):
        if trigger.type == kind and getattr(trigger, name) is None:
            message = f"a trigger of type {kind} needs {name!r}"
            findings.add("/trigger", message, f"Add {name!r}.", code="missing_field")
    if trigger.schedule is not None:
        check_schedule(trigger.schedule, "/trigger/schedule", findings)
    compiler = Compiler(_TRIGGER_ROOTS, allowance)
    for index, source in enumerate(trigger.conditions):
        compiler.condition(source, f"/trigger/conditions/{index}")
    checks.add_faults(compiler.faults, findings)


def _schedule(found: Any) -> Schedule | None:
    if isinstance(found, str):
        return Schedule(cron=found)
    if isinstance(found, dict) and "cron" in found:
        return Schedule(cron=found["cron"], timezone=found.get("timezone", "UTC"))
    return None
