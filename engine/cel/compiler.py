"""From source to compiled expressions, collecting every fault on the way.

A Compiler goes on after a fault, so that the author of a definition sees all of them at once; the functions
below it raise the first. Values handed in are at most 64 levels deep (`core.values.admit` saw to that), so
recursion is safe.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from engine.cel import conditions, linear, templates
from engine.cel.conditions import Condition
from engine.cel.errors import EvaluationError, InvalidExpression
from engine.cel.fuel import Fuel
from engine.cel.operators import BINARY, OPERATORS, UNARY
from engine.cel.paths import ROOTS, Expression, Reference, parse_path
from engine.cel.templates import Template

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.cel.conditions import Test
    from engine.cel.templates import Part

    Join = Callable[[tuple[str | Expression, ...]], Part]

MAX_TESTS = 200  # leaves of one condition

_SHAPE = 'Write {"all": [...]}, {"any": [...]}, {"not": ...} or {"field": ..., "operator": ..., "value": ...}.'


def compile_expression(source: str, pointer: str = "", roots: frozenset[str] = ROOTS) -> Expression:
    """Compile a bare expression. Raises InvalidExpression."""
    return parse_path(source, roots, pointer)


def compile_template(value: Any, pointer: str = "", roots: frozenset[str] = ROOTS) -> Template:
    """Compile a config value whose strings may contain ${...}. Raises InvalidExpression."""
    compiler = Compiler(roots)
    template = compiler.template(value, pointer)
    compiler.raise_first()
    return template


def compile_condition(source: Any, pointer: str = "", roots: frozenset[str] = ROOTS) -> Condition:
    """Compile a structured condition, a bare expression, true or false. Raises InvalidExpression."""
    compiler = Compiler(roots)
    condition = compiler.condition(source, pointer)
    compiler.raise_first()
    return condition


class Compiler:
    """Compiles values of one definition; `faults` collects what was wrong."""

    def __init__(self, roots: frozenset[str] = ROOTS) -> None:
        self.roots = roots
        self.faults: list[InvalidExpression] = []
        self._references: list[Reference] = []
        self._reads: dict[str, Expression] = {}
        self._tests = 0

    def raise_first(self) -> None:
        """Raise the first fault, if there was one."""
        if self.faults:
            raise self.faults[0]

    def template(self, value: Any, pointer: str) -> Template:
        """Compile a config value; a faulty part becomes null."""
        outer, self._references = self._references, []
        part = self._part(value, pointer)
        references, self._references = tuple(self._references), outer
        return Template(part or templates.literal(value), references)

    def address(self, value: str, pointer: str) -> Template:
        """Compile a URL: as a template, but what references bring into it cannot change its structure."""
        outer, self._references = self._references, []
        part = self._string(value, pointer, templates.address)
        references, self._references = tuple(self._references), outer
        return Template(part or templates.literal(value), references)

    def condition(self, source: Any, pointer: str) -> Condition:
        """Compile a condition; a faulty part counts as false."""
        self._references, self._reads, self._tests = [], {}, 0
        test = self._condition(source, pointer)
        return Condition(test, tuple(self._references), tuple(self._reads.values()))

    def _fault(self, message: str, pointer: str, advice: str = "", position: int = 0) -> None:
        self.faults.append(InvalidExpression(message, pointer, position, advice))

    def _part(self, value: Any, pointer: str) -> Part | None:
        """Return the part, None where the value is a literal through and through."""
        if isinstance(value, str):
            return self._string(value, pointer)
        if isinstance(value, dict):
            members = {k: self._part(v, f"{pointer}/{_escape(k)}") for k, v in value.items()}
            if not any(members.values()):
                return None
            return templates.mapping({k: p or templates.literal(value[k]) for k, p in members.items()})
        if isinstance(value, list):
            items = [self._part(v, f"{pointer}/{i}") for i, v in enumerate(value)]
            if not any(items):
                return None
            return templates.array([p or templates.literal(v) for p, v in zip(items, value, strict=True)])
        return None

    def _string(self, text: str, pointer: str, join: Join = templates.joined) -> Part | None:
        if "${" not in text:
            return None
        try:
            pieces = templates.split(text, self.roots, pointer)
        except InvalidExpression as fault:
            self.faults.append(fault)
            return None
        for piece in pieces:
            if isinstance(piece, Expression):
                self._references += piece.references
        if len(pieces) == 1:
            only = pieces[0]
            return templates.single(only) if isinstance(only, Expression) else templates.literal(only)
        return join(tuple(pieces))

    def _path(self, source: str, pointer: str) -> Expression | None:
        try:
            expression = parse_path(source, self.roots, pointer)
        except InvalidExpression as fault:
            self.faults.append(fault)
            return None
        self._references += expression.references
        self._reads[expression.text] = expression
        return expression

    def _condition(self, source: Any, pointer: str) -> Test:
        if isinstance(source, bool):
            return conditions.constant(source)
        if isinstance(source, str):
            expression = self._path(_bare(source), pointer)
            return conditions.truth(expression) if expression else _false
        if not isinstance(source, dict) or not source:
            self._fault("a condition is an object or an expression", pointer, _SHAPE)
            return _false
        for word in ("all", "any", "not"):
            if word in source:
                return self._group(word, source, pointer)
        return self._leaf(source, pointer)

    def _group(self, word: str, source: dict[str, Any], pointer: str) -> Test:
        self._unknown(source, (word,), pointer)
        inner = source[word]
        if word == "not" and not isinstance(inner, list):
            return conditions.negation(self._condition(inner, f"{pointer}/not"))
        if not isinstance(inner, list):
            self._fault(f"{word} needs a list of conditions", f"{pointer}/{word}", _SHAPE)
            return _false
        tests = [self._condition(item, f"{pointer}/{word}/{i}") for i, item in enumerate(inner)]
        if word == "not":
            return self._not(tests, f"{pointer}/not")
        return conditions.every(tests) if word == "all" else conditions.some(tests)

    def _not(self, tests: list[Test], pointer: str) -> Test:
        # Of several, "not all" and "none" are both what somebody would expect.
        if len(tests) != 1:
            self._fault("not takes one condition", pointer, 'Put several into {"all": [...]} or {"any": [...]}.')
            return _false
        return conditions.negation(tests[0])

    def _leaf(self, source: dict[str, Any], pointer: str) -> Test:
        self._unknown(source, ("field", "operator", "value"), pointer)
        self._tests += 1
        if self._tests == MAX_TESTS + 1:
            self._fault(f"the condition has more than {MAX_TESTS} tests", pointer)
        field = self._field(source.get("field"), f"{pointer}/field")
        operator = source.get("operator")
        if not isinstance(operator, str) or operator not in OPERATORS:
            advice = f"Use one of {', '.join(OPERATORS)}.{_nearest(operator, OPERATORS)}"
            self._fault(f"unknown operator {str(operator)[:40]!r}", f"{pointer}/operator", advice)
            return _false
        if operator in UNARY:
            return self._unary(operator, field, source, pointer)
        if "value" not in source:
            self._fault(f"the operator {operator} needs a value", pointer, 'Add "value".')
            return _false
        if operator == "matches":
            return self._matches(field, source["value"], f"{pointer}/value")
        value = self._value(operator, source["value"], f"{pointer}/value")
        return conditions.comparison(field, operator, value) if field else _false

    def _field(self, field: Any, pointer: str) -> Expression | None:
        if isinstance(field, str):
            return self._path(_bare(field), pointer)
        self._fault("field must be a path such as input.amount", pointer)
        return None

    def _unary(self, operator: str, field: Expression | None, source: dict[str, Any], pointer: str) -> Test:
        wanted = source.get("value", True)
        if not isinstance(wanted, bool):
            self._fault(f"the value of {operator} can only be true or false", f"{pointer}/value", "Leave it out.")
            return _false
        if field is None:
            return _false
        return conditions.exists(field, wanted) if operator == "exists" else conditions.empty(field, wanted)

    def _matches(self, field: Expression | None, value: Any, pointer: str) -> Test:
        if not isinstance(value, str):
            self._fault("the value of matches must be a pattern", pointer)
            return _false
        try:
            search = linear.searcher(value)
        except ValueError as fault:
            self._fault(str(fault), pointer, "Patterns follow RE2: no backreferences, no look-around.")
            return _false
        return conditions.pattern(field, search) if field else _false

    def _value(self, operator: str, value: Any, pointer: str) -> Template:
        template = self.template(value, pointer)
        self._references += template.references
        if not template.constant:
            return template
        if operator in ("in", "not_in", "between") and not isinstance(value, list):
            self._fault(f"the value of {operator} must be a list", pointer)
        elif operator == "between" and len(value) != 2:
            self._fault("the value of between must be [lowest, highest]", pointer)
        elif operator in ("before", "after"):
            self._timestamp(value, pointer)
        elif operator in ("starts_with", "ends_with") and not isinstance(value, str):
            self._fault(f"the value of {operator} must be a text", pointer)
        return template

    def _timestamp(self, value: Any, pointer: str) -> None:
        try:
            BINARY["before"](value, value, Fuel())
        except EvaluationError as fault:
            self._fault(fault.message, pointer)

    def _unknown(self, source: dict[str, Any], known: tuple[str, ...], pointer: str) -> None:
        for key in source:
            if key not in known:
                where = f"{pointer}/{_escape(key)}"
                self._fault(f"unknown field {key[:40]!r} in a condition", where, _SHAPE + _nearest(key, known))


_false: Test = conditions.constant(False)


def _bare(source: str) -> str:
    """Return an expression without the ${ } that habit may have put around it."""
    text = source.strip()
    return text[2:-1] if text.startswith("${") and text.endswith("}") else source


def _escape(key: str) -> str:
    return key[:100].replace("~", "~0").replace("/", "~1")


def _nearest(name: Any, known: tuple[str, ...]) -> str:
    near = get_close_matches(name[:40], known, 1) if isinstance(name, str) else []
    return f" Did you mean {near[0]!r}?" if near else ""
