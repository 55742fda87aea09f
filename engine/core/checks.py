"""The rules of a definition that span several fields: graph, references, expressions, schemas, secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from engine.cel import ROOTS, Compiler
from engine.cel.errors import EvaluationError, InvalidExpression, nearest
from engine.cel.functions.times import parse as timestamp
from engine.cel.limits import TOO_MANY_PATTERNS
from engine.core import graph as graphs
from engine.core.document import (
    MAX_PARALLEL,
    DecisionConfig,
    EventConfig,
    HttpConfig,
    ManualConfig,
    WaitConfig,
)
from engine.core.events import RESERVED_PREFIXES
from engine.core.http_checks import check_http
from engine.core.programs import HTTP_ROOTS, Author, HttpProgram, compile_config
from engine.core.schemas import SchemaFault, Validator, count_patterns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.cel import Allowance, Reference
    from engine.core.document import Step
    from engine.core.graph import Graph
    from engine.core.shapes import Findings

Placed = list[tuple[str, "Step"]]  # (JSON pointer, step)


# C0, DEL, C1; what turns the direction of the text around it; line and paragraph separators. None can be seen where a
# name is shown, and each can make it look like another.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def check_visible(text: str | None, pointer: str, findings: Findings) -> None:
    """Check that a name holds no character that hides what it is."""
    found = _UNSEEN.search(text) if text else None
    if found:
        message = f"the text contains the control character U+{ord(found[0]):04X}"
        findings.add(pointer, message, "Remove it; names are shown on one line.", code="wrong_form")


def check_steps(placed: Placed, allowance: Allowance, findings: Findings) -> None:
    """Check the steps among each other and each for itself."""
    unique = _unique(placed, findings)
    pointers = {step.id: pointer for pointer, step in unique}
    steps = [step for _, step in unique]
    graph = graphs.build(steps)
    _check_links(unique, findings)
    _check_orders(unique, graph, findings)
    found = graphs.cycle(graph)
    above: dict[str, frozenset[str]] | None = None
    if found:
        message = f"the steps wait for each other: {' → '.join(found)}"
        findings.add(f"{pointers[found[0]]}/depends_on", message, "Break the cycle.", code="cycle")
    else:
        above = graphs.ancestors(graph)
        _check_targets(unique, above, findings)
        if graphs.width(above) > MAX_PARALLEL:
            message = f"more than {MAX_PARALLEL} steps could run at the same time"
            findings.add("/steps", message, "Put some of them one after the other.", code="too_parallel")
    for pointer, step in unique:
        _check_step(pointer, step, set(pointers), above, allowance, findings)


def _unique(placed: Placed, findings: Findings) -> Placed:
    seen: dict[str, str] = {}
    unique = []
    for pointer, step in placed:
        if step.id in seen:
            message = f"the id {step.id!r} is already that of {seen[step.id]}"
            findings.add(f"{pointer}/id", message, "Give each step an id of its own.", code="duplicate_id")
        else:
            seen[step.id] = pointer
            unique.append((pointer, step))
    return unique


def _check_links(placed: Placed, findings: Findings) -> None:
    """Check that all ids named exist."""
    known = tuple(step.id for _, step in placed)
    for pointer, step in placed:
        for where, name in _links(pointer, step):
            if findings.full:
                return
            if name == step.id:
                findings.add(where, f"the step {name!r} names itself", code="self_reference")
            elif name not in known:
                advice = nearest(name, known).strip() or "Name a step of this definition."
                findings.add(where, f"there is no step {name!r}", advice, code="unknown_step")


def _links(pointer: str, step: Step) -> Iterable[tuple[str, str]]:
    for i, name in enumerate(step.depends_on or ()):
        yield f"{pointer}/depends_on/{i}", name
    if isinstance(step.config, DecisionConfig):
        for b, branch in enumerate(step.config.branches):
            for i, name in enumerate(branch.then):
                yield f"{pointer}/config/branches/{b}/then/{i}", name
        for i, name in enumerate(step.config.fallback):
            yield f"{pointer}/config/fallback/{i}", name


def _check_orders(placed: Placed, graph: Graph, findings: Findings) -> None:
    orders = {step.id: step.order for _, step in placed if step.order is not None}
    seen: dict[int, str] = {}
    for pointer, step in placed:
        if step.order is None:
            continue
        if step.order in seen:
            message = f"step {seen[step.order]!r} has the order {step.order} too"
            advice = "Give each step an order of its own; use depends_on for steps side by side."
            findings.add(f"{pointer}/order", message, advice, code="duplicate_order")
        seen.setdefault(step.order, step.id)
    if orders and not any(step.depends_on is not None for _, step in placed):
        for pointer, step in placed:
            if step.order is None:
                advice = "Give an order to every step or to none."
                findings.add(pointer, f"step {step.id!r} has no order, but others have", advice, code="order_missing")
    places = {step.id: place for place, step in enumerate(graphs.sequence([s for _, s in placed]))}
    for pointer, step in placed:
        _check_against_order(pointer, step, graph, places, findings)


def _check_against_order(pointer: str, step: Step, graph: Graph, places: dict[str, int], findings: Findings) -> None:
    mine = places.get(step.id)
    for edge in graph.edges[step.id] if mine is not None else ():
        other = places.get(edge.before)
        if other is not None and mine is not None and other >= mine and edge.before != step.id:
            message = f"step {step.id!r} depends on {edge.before!r}, which comes later by its order"
            where = pointer if step.depends_on is None else f"{pointer}/depends_on"
            findings.add(where, message, "Change the order or the dependency.", code="against_order")


def _check_targets(placed: Placed, above: dict[str, frozenset[str]], findings: Findings) -> None:
    for pointer, step in placed:
        if not isinstance(step.config, DecisionConfig):
            continue
        for where, name in _links(f"{pointer}", step):
            if "/config/" in where and name in above and name != step.id and step.id not in above[name]:
                message = f"step {name!r} does not depend on the decision {step.id!r} that names it"
                advice = f"Add {step.id!r} to its depends_on, or leave its depends_on out."
                findings.add(where, message, advice, code="target_not_dependent")


def _check_step(
    pointer: str,
    step: Step,
    known: set[str],
    above: dict[str, frozenset[str]] | None,
    allowance: Allowance,
    findings: Findings,
) -> None:
    config = step.config
    check_visible(step.name, f"{pointer}/name", findings)
    if isinstance(config, ManualConfig):
        check_visible(config.title, f"{pointer}/config/title", findings)
    if isinstance(config, WaitConfig):
        check_visible(config.signal, f"{pointer}/config/signal", findings)
    if isinstance(config, WaitConfig):
        _check_wait(f"{pointer}/config", config, findings)
    elif isinstance(config, EventConfig) and config.name.startswith(RESERVED_PREFIXES):
        advice = f"Names beginning with {', '.join(RESERVED_PREFIXES)} are the engine's own."
        findings.add(f"{pointer}/config/name", f"{config.name!r} is reserved", advice, code="reserved_name")
    elif isinstance(config, ManualConfig) and not _check_form(config, pointer, allowance, findings):
        return
    author = Author(Compiler(HTTP_ROOTS if step.type == "http" else ROOTS, allowance), f"{pointer}/config")
    program = compile_config(config, author)
    if isinstance(config, HttpConfig) and isinstance(program, HttpProgram):
        check_http(f"{pointer}/config", config, program, findings)
    references = author.references
    faults = author.compiler.faults
    if step.condition is not None:
        own = Author(Compiler(ROOTS, allowance), pointer)
        own.condition(step.condition, "condition")
        references = references + own.references
        faults = faults + own.compiler.faults
    add_faults(faults, findings)
    ancestors = above[step.id] if above is not None else None
    check_references(references, known, ancestors, findings)


def add_faults(faults: Iterable[InvalidExpression], findings: Findings) -> None:
    """Note what a compiler found."""
    for fault in faults:
        findings.add_expression(fault)


def check_references(
    references: Iterable[Reference],
    known: set[str],
    ancestors: frozenset[str] | None,
    findings: Findings,
) -> None:
    """Check that the steps named exist and, where `ancestors` is given, have ended before."""
    for reference in references:
        if findings.full:
            return
        name = reference.step
        if name is None:
            continue
        if name not in known:
            advice = nearest(name, tuple(known)).strip() or "Name a step of this definition."
            message = f"{reference.text}: there is no step {name!r}"
            findings.add_expression(_placed(reference, message, advice), "unknown_step")
        elif ancestors is not None and name not in ancestors:
            message = f"{reference.text}: step {name!r} need not have ended here"
            advice = f"Let this step depend on {name!r}."
            findings.add_expression(_placed(reference, message, advice), "not_an_ancestor")


def _placed(reference: Reference, message: str, advice: str) -> InvalidExpression:
    return InvalidExpression(message, reference.pointer, reference.position, advice, reference.source)


def check_schema(schema: Any, pointer: str, allowance: Allowance, findings: Findings) -> bool:
    """Check a JSON Schema of the customer's; tell whether it can be used."""
    if not allowance.patterns(count_patterns(schema)):
        advice = "Check texts more loosely, or in the service that uses them."
        findings.add(pointer, TOO_MANY_PATTERNS, advice, code="too_many_patterns")
        return False
    try:
        Validator(schema)
    except SchemaFault as fault:
        findings.add(pointer + fault.pointer, fault.message, fault.advice, code=fault.code)
        return False
    return True


def _check_form(config: ManualConfig, pointer: str, allowance: Allowance, findings: Findings) -> bool:
    return config.form is None or check_schema(config.form, f"{pointer}/config/form", allowance, findings)


def _check_wait(pointer: str, config: WaitConfig, findings: Findings) -> None:
    ways = [n for n in ("signal", "seconds", "until") if getattr(config, n) is not None]
    if len(ways) != 1:
        found = f"found {' and '.join(ways)}" if ways else "found none"
        advice = "Use separate steps to wait for several things."
        findings.add(pointer, f"exactly one of signal, seconds and until is needed, {found}", advice, "wait_unclear")
    if config.correlation_key is not None and config.signal is None:
        findings.add(f"{pointer}/correlation_key", "a correlation key needs a signal", code="wait_unclear")
    if isinstance(config.seconds, str) and "${" not in config.seconds:
        findings.add(f"{pointer}/seconds", "expected a number or a reference", code="wrong_type")
    if config.until is not None and "${" not in config.until:
        try:
            timestamp(config.until)
        except EvaluationError as fault:
            findings.add(f"{pointer}/until", fault.message, code="timestamp_invalid")
