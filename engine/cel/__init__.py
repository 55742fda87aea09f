"""Expressions in definitions: a subset of CEL, in templates and conditions. Pure, and bounded in time and memory.

    text → lexer → parser → tree (syntax) → checker → codegen → program
    {all|any|not …} → structured ↗     ↘ printer → CEL
    config with ${} → templates ↗

Must not: know what a process is (the scope is handed in), do input or output, or let an expression take more than its
fuel. docs/expressions.md describes the language.
"""

from engine.cel.compiler import Compiler, compile_condition, compile_expression, compile_template
from engine.cel.errors import EvaluationError, InvalidExpression
from engine.cel.limits import Allowance
from engine.cel.paths import Reference
from engine.cel.program import Program
from engine.cel.scope import ROOTS, Scope

__all__ = [
    "ROOTS",
    "Allowance",
    "Compiler",
    "EvaluationError",
    "InvalidExpression",
    "Program",
    "Reference",
    "Scope",
    "compile_condition",
    "compile_expression",
    "compile_template",
]
