"""Expressions in definitions: references, templates and conditions. Pure, and bounded in time and memory.

For now the language has path references only (`input.a`, `steps.x.output.y[0]`, `steps["a-b"].status`); the
rest of CEL comes behind these same functions. Must not: know what a process is (the scope is handed in), do
input or output, or let an expression take more than its limits.
"""

from engine.cel.compiler import Compiler, compile_condition, compile_expression, compile_template
from engine.cel.conditions import Condition
from engine.cel.errors import EvaluationError, InvalidExpression
from engine.cel.paths import Expression, Lazy, Reference, Scope
from engine.cel.templates import Template

__all__ = [
    "Compiler",
    "Condition",
    "EvaluationError",
    "Expression",
    "InvalidExpression",
    "Lazy",
    "Reference",
    "Scope",
    "Template",
    "compile_condition",
    "compile_expression",
    "compile_template",
]
