"""From source to programs, collecting every fault on the way.

A Compiler goes on after a fault, so that the author of a definition sees all of them at once; the functions below it
raise the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.cel import structured, templates
from engine.cel.checker import Checker
from engine.cel.errors import InvalidExpression
from engine.cel.limits import Allowance
from engine.cel.program import Program
from engine.cel.scope import ROOTS

if TYPE_CHECKING:
    from engine.cel.syntax import Node


class Compiler:
    """Compiles values of a definition. `faults`: what was wrong. `allowance`: what the definition has left."""

    def __init__(self, roots: frozenset[str] = ROOTS, allowance: Allowance | None = None) -> None:
        self.roots = roots
        self.faults: list[InvalidExpression] = []
        self._allowance = allowance or Allowance(limited=False)

    def raise_first(self) -> None:
        """Raise the first fault, if there was one."""
        if self.faults:
            raise self.faults[0]

    def template(self, value: Any, pointer: str) -> Program:
        """Compile a config value; a faulty part becomes null."""
        return self._program(templates.Reader(self.faults, self._allowance).tree(value, pointer), pointer)

    def address(self, value: str, pointer: str) -> Program:
        """Compile a URL: as a template, but what references bring into it cannot change its structure."""
        return self._program(templates.Reader(self.faults, self._allowance).text(value, pointer, encode=True), pointer)

    def condition(self, source: Any, pointer: str) -> Program:
        """Compile a condition; a faulty part counts as false."""
        node = structured.Reader(self.faults, self._allowance).read(source, pointer)
        return self._program(node, pointer, condition=True)

    def expression(self, source: str, pointer: str) -> Program:
        """Compile a bare expression. Raises InvalidExpression where it cannot be read."""
        try:
            return self._program(structured.embedded(source, pointer), pointer)
        except InvalidExpression as fault:
            fault.pointer = pointer
            raise

    def _program(self, node: Node, pointer: str, *, condition: bool = False) -> Program:
        checker = Checker(self.roots, self.faults, self._allowance.patterns)
        try:
            checked = checker.check(node, pointer)
            if condition:
                checker.want_bool(node)
        except RecursionError:
            checked = checker.found
            self.faults.append(InvalidExpression("this is nested too deep", pointer))
        program = Program(node, checked, pointer, condition=condition)
        self._allowance.made.append(program)
        return program


def compile_expression(source: str, pointer: str = "", roots: frozenset[str] = ROOTS) -> Program:
    """Compile a bare expression. Raises InvalidExpression."""
    compiler = Compiler(roots)
    program = compiler.expression(source, pointer)
    compiler.raise_first()
    return program


def compile_template(value: Any, pointer: str = "", roots: frozenset[str] = ROOTS) -> Program:
    """Compile a config value whose strings may contain ${...}. Raises InvalidExpression."""
    compiler = Compiler(roots)
    program = compiler.template(value, pointer)
    compiler.raise_first()
    return program


def compile_condition(source: Any, pointer: str = "", roots: frozenset[str] = ROOTS) -> Program:
    """Compile a structured condition, a bare expression, true or false. Raises InvalidExpression."""
    compiler = Compiler(roots)
    program = compiler.condition(source, pointer)
    compiler.raise_first()
    return program
