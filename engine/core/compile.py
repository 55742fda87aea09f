"""From a checked definition to the plan that `decide` follows.

A plan is made once per definition version and shared by all its processes; it is never changed.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from engine.cel import ROOTS, Allowance, Compiler
from engine.cel import Program as Expression
from engine.core import graph as graphs
from engine.core.document import Definition, RetryPolicy, Step
from engine.core.graph import Edge, Graph
from engine.core.programs import EXECUTED, HTTP_ROOTS, Author, DecisionProgram, Program, compile_config
from engine.core.schemas import Validator


class Retry(Struct, frozen=True):
    """A retry policy with nothing left open. The defaults are the design's."""

    max_attempts: int = 3  # all calls, the first included
    initial_interval_seconds: float = 1.0
    backoff_coefficient: float = 2.0
    max_interval_seconds: float = 60.0


class StepPlan(Struct, frozen=True):
    """One step, compiled."""

    id: str
    type: str
    program: Program
    effectful: bool  # a worker does it; all else is decided
    edges: tuple[Edge, ...]
    dependants: tuple[str, ...]
    deciders: tuple[str, ...]  # decisions that name this step
    targets: tuple[str, ...]  # steps this decision names
    condition: Expression | None
    retry: Retry
    timeout_seconds: float | None
    join: str


class Plan(Struct, frozen=True, weakref=True):
    """A definition, compiled. `order` lists the steps so that each follows what it depends on."""

    definition: Definition
    steps: dict[str, StepPlan]
    order: tuple[str, ...]
    roots: tuple[str, ...]
    input_validator: Validator | None
    output: Expression
    timeout_seconds: float | None
    expressions: int  # characters of all of them
    programs: tuple[Expression, ...]  # all of them

    def effectful(self, step_id: str) -> bool:
        """Tell whether a step is done by an executor rather than decided."""
        return self.steps[step_id].effectful


def compile_definition(definition: Definition) -> Plan:
    """Compile what `parse_definition` has passed. Raises InvalidExpression or SchemaFault for the rest."""
    allowance = Allowance(limited=False)  # it has been published: it is what it is
    graph = graphs.build(definition.steps)
    after = graphs.dependants(graph)
    steps = {
        step.id: _step(definition, step, index, graph, after, allowance) for index, step in enumerate(definition.steps)
    }
    order = tuple(graphs.order(graph))
    compiler = Compiler(ROOTS, allowance)
    output = compiler.template(definition.output, "/output")
    compiler.raise_first()
    schema = definition.input_schema
    return Plan(
        definition=definition,
        steps=steps,
        order=order,
        roots=tuple(i for i in order if not steps[i].edges),
        input_validator=None if schema is None else Validator(schema),
        output=output,
        timeout_seconds=definition.timeout_seconds,
        expressions=allowance.length,
        programs=tuple(allowance.made),
    )


def _step(
    definition: Definition,
    step: Step,
    index: int,
    graph: Graph,
    after: dict[str, tuple[str, ...]],
    allowance: Allowance,
) -> StepPlan:
    compiler = Compiler(HTTP_ROOTS if step.type == "http" else ROOTS, allowance)
    author = Author(compiler, f"/steps/{index}/config")
    program = compile_config(step.config, author)
    condition = None
    if step.condition is not None:
        condition = Compiler(ROOTS, allowance).condition(step.condition, f"/steps/{index}/condition")
    compiler.raise_first()
    return StepPlan(
        id=step.id,
        type=step.type,
        program=program,
        effectful=isinstance(program, EXECUTED),
        edges=graph.edges[step.id],
        dependants=after[step.id],
        deciders=graph.deciders.get(step.id, ()),
        targets=graphs.targets(step) if isinstance(program, DecisionProgram) else (),
        condition=condition,
        retry=_retry(step.retry_policy, definition.retry_policy),
        timeout_seconds=step.timeout_seconds,
        join=step.join,
    )


def _retry(*policies: RetryPolicy | None) -> Retry:
    """Return the policy field by field: the first that says something, else the default."""
    found: dict[str, Any] = {}
    for name in Retry.__struct_fields__:
        for policy in policies:
            value = getattr(policy, name, None)
            if value is not None and name not in found:
                found[name] = value
    return Retry(**found)
