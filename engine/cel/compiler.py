"""From source to programs, collecting every fault on the way.

A Compiler goes on after a fault, so that the author of a definition sees all of them at once; the functions below it
raise the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.cel import structured, templates
from engine.cel.checker import Checker
from engine.cel.errors import InvalidExpression
from engine.cel.paths import path_of
from engine.cel.program import Program
from engine.cel.scope import ROOTS
from engine.cel.syntax import Embedded
from engine.cel.trees import children

if TYPE_CHECKING:
    from engine.cel.syntax import Node

MAX_PATTERNS = 100  # regular expressions of one definition; a hostile one takes 10 ms to compile


class Patterns:
    """Counts the regular expressions of a definition."""

    def __init__(self) -> None:
        self._count = 0

    def room(self, more: int = 1) -> bool:
        """Count `more` patterns; tell whether there is room for them."""
        self._count += more
        return self._count <= MAX_PATTERNS


class Compiler:
    """Compiles values of one definition; `faults` collects what was wrong."""

    def __init__(self, roots: frozenset[str] = ROOTS, patterns: Patterns | None = None) -> None:
        self.roots = roots
        self.faults: list[InvalidExpression] = []
        self._patterns = patterns or Patterns()

    def raise_first(self) -> None:
        """Raise the first fault, if there was one."""
        if self.faults:
            raise self.faults[0]

    def template(self, value: Any, pointer: str) -> Program:
        """Compile a config value; a faulty part becomes null."""
        return self._program(templates.tree(value, pointer, self.faults), pointer)

    def address(self, value: str, pointer: str) -> Program:
        """Compile a URL: as a template, but what references bring into it cannot change its structure."""
        return self._program(templates.tree(value, pointer, self.faults, encode=True), pointer)

    def condition(self, source: Any, pointer: str) -> Program:
        """Compile a condition; a faulty part counts as false."""
        node = structured.Reader(self.faults).read(source, pointer)
        return self._program(node, pointer, condition=True)

    def expression(self, source: str, pointer: str) -> Program:
        """Compile a bare expression. Raises InvalidExpression where it cannot be read."""
        return self._program(structured.embedded(source, pointer), pointer)

    def pieces(self, text: str) -> list[str | Program]:
        """Return the literal pieces and the expressions of a text. Raises InvalidExpression."""
        return [p if isinstance(p, str) else self._program(p, "") for p in templates.split(text, "")]

    def derived(self, value: Any) -> list[Program]:
        """Return the expressions of a config value that make something of a secret: what they give is secret too."""
        found = []
        todo = [templates.tree(value, "", self.faults)]
        while todo:
            node = todo.pop()
            todo += children(node)
            if isinstance(node, Embedded) and path_of(node.node) is None:
                program = self._program(node, "")
                found += [program] if program.secret else []
        return found

    def _program(self, node: Node, pointer: str, *, condition: bool = False) -> Program:
        checker = Checker(self.roots, self.faults, self._patterns.room)
        checked = checker.check(node, pointer)
        if condition:
            checker.want_bool(node)
        return Program(node, checked, condition=condition)


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
