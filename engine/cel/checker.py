"""Checks a tree before anything runs: names, functions, what is read, obvious clashes of kinds.

Goes on after a fault, so that an author sees all of them at once. Must not evaluate anything. What it learns of kinds
the code generator uses; a kind is "any" wherever only the data will tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from engine.cel import calls, hints
from engine.cel.errors import InvalidExpression, nearest
from engine.cel.grammar import NAMESPACES
from engine.cel.kinds import KINDS, OPERANDS, ORDERED, SAID, Checked
from engine.cel.lexer import hyphenated
from engine.cel.library import FUNCTIONS
from engine.cel.limits import MOST_FAULTS
from engine.cel.paths import Parts, Reference, path_of
from engine.cel.printer import show
from engine.cel.scope import PROCESS_FIELDS, STEP_FIELDS
from engine.cel.shortcuts import bare
from engine.cel.syntax import (
    Binary,
    Call,
    Const,
    Embedded,
    Has,
    Index,
    Joined,
    ListOf,
    Logic,
    Macro,
    MapOf,
    Name,
    Node,
    Select,
    Ternary,
    Unary,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_NODES = 5000  # of one field of a config: compiled as a whole, some 15 µs a node, when first evaluated

_SPECIAL = frozenset({"timestamp", "duration", "bytes", "optional"})
_SEEKS = frozenset({"contains", "indexOf", "lastIndexOf"})
_UNWRAP = frozenset({"orValue", "hasValue", "value"})


class Checker:
    """Checks one tree. `room` is asked before each regular expression is compiled, which is costly."""

    def __init__(self, roots: frozenset[str], faults: list[InvalidExpression], room: Callable[[], bool]) -> None:
        self.found = Checked()
        self._roots = roots
        self._faults = faults
        self._room = room
        self._pointer = ""
        self._source = ""
        self._variables: dict[str, str] = {}
        self._special = 0

    def check(self, node: Node, pointer: str = "") -> Checked:
        """Check a tree; its faults are added to those handed in."""
        self._pointer = pointer
        self.kind(node)
        if self.found.nodes > MAX_NODES:
            message = f"the expressions here have more than {MAX_NODES} parts together"
            self._faults.append(InvalidExpression(message, pointer, 0, "Divide the work among several steps."))
        return self.found

    def want_bool(self, node: Node) -> None:
        """Note a fault where a checked node cannot be true or false."""
        self.want(node, self.found.kinds.get(id(node), "any"), ("bool",), "a condition")

    def fault(self, node: Node, message: str, advice: str = "") -> None:
        """Note a fault at a node."""
        self._faults.append(InvalidExpression(message, self._pointer, node.at, advice, self._source))

    def kind(self, node: Node) -> str:
        """Check a node and what is below it; return its kind."""
        if self.found.nodes > MAX_NODES or len(self._faults) >= MOST_FAULTS:
            return "any"  # what is wrong with it is known
        self.found.nodes += 1
        kind = self._visit[type(node)](self, node)
        self.found.kinds[id(node)] = kind
        self._special += kind in _SPECIAL
        return kind

    def want(self, node: Node, kind: str, wanted: Iterable[str], what: str) -> None:
        """Note a fault where a node is of a kind that is not wanted; `what` says what it is here."""
        if kind == "any" or kind in wanted:
            return
        said = " or ".join(SAID[w] for w in wanted)
        outer = self._pointer, self._source
        if isinstance(node, Embedded):
            self._pointer, self._source = node.pointer, node.source
        self.fault(bare(node), f"{what} must be {said}, and this is {SAID[kind]}")
        self._pointer, self._source = outer

    def _embedded(self, node: Embedded) -> str:
        outer = self._pointer, self._source, self._special
        self._pointer, self._source, self._special = node.pointer, node.source, 0
        kind = self.kind(node.node)
        if self._special:
            self.found.special.add(id(node))
        self._pointer, self._source, self._special = outer
        return kind

    def _const(self, node: Const) -> str:
        return KINDS.get(type(node.value), "null" if node.value is None else "any")

    # ---- names and paths

    def _name(self, node: Name) -> str:
        if node.name in self._variables:
            return self._variables[node.name]
        if node.name not in self._roots:
            self._unknown_name(node)
        elif node.name == "steps":
            self.fault(node, "steps must be followed by a step id", 'Write steps.ID.output, or steps["a-b"].output.')
        elif node.name == "secrets":
            self.fault(node, "a secret is written secrets.NAME")
        else:
            self._read(node, node.name, ())
        return {"now": "timestamp", "process": "map"}.get(node.name, "any")

    def _unknown_name(self, node: Name) -> None:
        known = [*self._variables, *self._roots]
        advice = f"A reference begins with {', '.join(sorted(self._roots))}."
        if node.name in NAMESPACES or node.name in FUNCTIONS:
            advice = f"{node.name} is the name of a function: write it with its arguments in brackets."
        elif node.name in hints.NAMES:
            advice = hints.NAMES[node.name]
        elif node.name == "secrets":
            advice = "Secrets can be read in the config of http steps only."
        elif name := hyphenated(self._source, node.at):
            advice = f'Write ["{name}"] in place of .{name}.'
        else:
            advice += nearest(node.name, known)
        self.fault(node, f"{node.name!r} is not known here", advice)

    def _select(self, node: Select) -> str:
        place = path_of(node)
        if place is not None and place[0] not in self._variables:
            root, parts = place
            if root in ("steps", "secrets"):
                return self._special_root(node, root, parts)
            if root in self._roots:
                return self._path(node, root, parts)
        return self._member(node)

    def _member(self, node: Select | Index) -> str:
        kind = self.kind(node.operand)
        self._special -= kind == "optional"  # it is looked into, and goes no further
        self._members(node, kind)
        return "optional" if node.optional or kind == "optional" else "any"

    def _path(self, node: Select | Index, root: str, parts: Parts) -> str:
        self._read(node, root, parts)
        if root == "process" and parts and parts[0] not in PROCESS_FIELDS:
            self.fault(node, f"process has no {parts[0]!r}", f"It has {', '.join(PROCESS_FIELDS)}.")
        if root == "now":
            self.fault(node, "a timestamp has no fields", "Write now.getHours() or another of its functions.")
        return self._walked(node)

    def _walked(self, node: Node) -> str:
        """Return the kind of a path, noting those on the way: a part behind an optional is optional."""
        if not isinstance(node, Select | Index):
            return "any"
        below = self._walked(node.operand)
        kind = "optional" if node.optional or below == "optional" else "any"
        self.found.nodes += 1
        self.found.kinds[id(node.operand)] = below
        return kind

    def _special_root(self, node: Select | Index, root: str, parts: Parts) -> str:
        if root not in self._roots:
            self._unknown_name(_first(node))
            return "any"
        text = show(node)
        if root == "secrets":
            if len(parts) != 1 or not isinstance(parts[0], str):
                self.fault(_first(node), "a secret is written secrets.NAME")
            self._note(node, root, text, None)
            return "optional" if isinstance(node, Select) and node.optional else "text"
        if _optional_id(node):
            self.fault(node, "a step itself is never optional", "Write .? behind it: steps.ID.?output.")
        if len(parts) < 2 or not isinstance(parts[0], str) or parts[1] not in STEP_FIELDS:
            first = f"names no value of step {parts[0]!r}" if isinstance(parts[0], str) else "names no step"
            advice = f"A step has {', '.join(STEP_FIELDS)}; its result is steps.{parts[0]}.output."
            if name := hyphenated(self._source, node.at):
                advice = f'Write steps["{name}"].'
            self.fault(node, f"{text!r} {first}", advice)
            return "any"
        self._read(node, root, parts)
        return self._walked(node)

    def _read(self, node: Node, root: str, parts: Parts) -> None:
        text = show(node)
        self.found.reads[text] = (root, parts)
        self._note(node, root, text, str(parts[0]) if root == "steps" else None)

    def _note(self, node: Node, root: str, text: str, step: str | None) -> None:
        at = _first(node).at
        reference = Reference(root, text, step, self._pointer, at, self._source)
        self.found.references.append(reference)

    def _members(self, node: Select | Index, kind: str) -> None:
        if kind not in ("any", "map", "optional") and not (kind == "list" and isinstance(node, Index)):
            self.fault(node, f"{SAID[kind]} has no members")

    def _has(self, node: Has) -> str:
        self.kind(node.select)
        return "bool"

    def _index(self, node: Index) -> str:
        place = path_of(node)
        if place is not None and place[0] not in self._variables and place[0] in (*self._roots, "steps", "secrets"):
            if place[0] in ("steps", "secrets"):
                return self._special_root(node, *place)
            return self._path(node, *place)
        self.want(node.key, self.kind(node.key), ("number", "text"), "an index")
        return self._member(node)

    # ---- operators

    def _unary(self, node: Unary) -> str:
        kind = self.kind(node.operand)
        if node.operator == "!":
            self.want(node.operand, kind, ("bool",), "what follows !")
            return "bool"
        self.want(node.operand, kind, ("number",), "what follows -")
        return kind

    def _binary(self, node: Binary) -> str:
        left, right = self.kind(node.left), self.kind(node.right)
        operator = node.operator
        if operator in ("==", "!="):
            self._comparable(node, left, right)
            return "bool"
        if operator == "in":
            self._unwrapped(node.left, left, "what stands before in")
            if right == "text":
                self.fault(
                    node, "what follows in must be a list or an object, and this is a text", "Write a.contains(b)."
                )
            else:
                self.want(node.right, right, ("list", "map"), "what follows in")
            return "bool"
        if operator in OPERANDS:
            return self._sum(node, left, right)
        if left not in ORDERED or right not in ORDERED or ("any" not in (left, right) and left != right):
            self.fault(node, f"{SAID.get(left, left)} and {SAID.get(right, right)} have no order", _TIMES)
        return "bool"

    def _unwrapped(self, node: Node, kind: str, what: str) -> None:
        """Note a fault where an optional is compared with what can never be one: that would silently be false."""
        if kind == "optional":
            self.fault(bare(node), f"{what} is an optional, which no value equals", _UNWRAP_IT)

    def _comparable(self, node: Binary, left: str, right: str) -> None:
        if (left == "optional") is not (right == "optional"):
            self._unwrapped(node.left if left == "optional" else node.right, "optional", "this")
            return
        if left != right and not {"any", "null"} & {left, right}:
            message = f"{SAID[left]} and {SAID[right]} are never equal"
            self.fault(node, message, _TIMES if {left, right} & {"timestamp", "duration"} else "")

    def _sum(self, node: Binary, left: str, right: str) -> str:
        operator = node.operator
        allowed = OPERANDS[operator]
        times = {left, right} == {"timestamp", "duration"} and operator in "+-"
        if left not in allowed or right not in allowed or (left != right and "any" not in (left, right) and not times):
            advice = "Write string(x) to make a text of a value." if operator == "+" and "text" in (left, right) else ""
            message = f"{operator} cannot work on {SAID.get(left, 'any value')} and {SAID.get(right, 'any value')}"
            self.fault(node, message, advice)
            return "any"
        if times:
            return "timestamp"
        if left == right == "timestamp":
            return "duration"
        known = left if right == "any" else right
        return known if left == right or (known != "any" and known not in ("timestamp", "duration")) else "any"

    def _logic(self, node: Logic) -> str:
        for part in node.parts:
            self.want(part, self.kind(part), ("bool",), f"what stands beside {node.operator}")
        return "bool"

    def _ternary(self, node: Ternary) -> str:
        self.want(node.test, self.kind(node.test), ("bool",), "what stands before ?")
        then, other = self.kind(node.then), self.kind(node.other)
        return then if then == other else "any"

    # ---- values made

    def _list(self, node: ListOf) -> str:
        for item in node.items:
            kind = self.kind(item.value)
            if item.optional:
                self._special -= kind == "optional"
                self.want(item.value, kind, ("optional",), "what follows ?")
        return "list"

    def _map(self, node: MapOf) -> str:
        seen: set[Any] = set()
        for entry in node.entries:
            self.want(entry.key, self.kind(entry.key), ("text",), "a key")
            if isinstance(entry.key, Const) and type(entry.key.value) is str:
                if entry.key.value in seen:
                    self.fault(entry.key, f"the key {entry.key.value!r} is there twice")
                seen.add(entry.key.value)
            kind = self.kind(entry.value)
            if entry.optional:
                self._special -= kind == "optional"
                self.want(entry.value, kind, ("optional",), "the value of ?key")
        return "map"

    def _joined(self, node: Joined) -> str:
        for part in node.parts:
            if isinstance(part, Node):
                self.kind(part)
        return "text"

    # ---- functions and macros, whose rules are in `calls`

    def _call(self, node: Call) -> str:
        operands = (node.target, *node.args) if node.target is not None else node.args
        function = calls.function_of(self, node)
        outer, taken = self._variables, calls.taken_for_variables(node, function)
        self._variables = {**{name: "any" for name in taken if name not in self._roots}, **outer}
        kinds = []
        for operand in operands:  # not a comprehension: it takes a frame of the stack at each level
            kinds.append(self.kind(operand))  # noqa: PERF401
        self._variables = outer
        if function is None:
            return "any"
        calls.check_arguments(self, node, function, operands, kinds)
        self._special -= node.function in _UNWRAP and kinds[0] == "optional"
        calls.check_literal(self, node)
        if node.function in _SEEKS and node.target is not None and node.args:
            self._unwrapped(operands[1], kinds[1], f"what {node.function} looks for")
        if node.function == "matches":
            calls.check_pattern(self, operands[-1], self._room)
        return function.result

    def _macro(self, node: Macro) -> str:
        target = self.kind(node.target)
        for name in node.variables:
            if name in self._roots or name in ("steps", "secrets"):
                self.fault(node, f"the variable {name!r} hides what is read by that name", "Name it otherwise.")
        outer = self._variables
        bound = target if node.name == "cel.bind" else "any"
        self._variables = {**outer, **dict.fromkeys(node.variables, bound)}
        kinds = []
        for arg in node.args:
            kinds.append(self.kind(arg))  # noqa: PERF401  as above
        self._variables = outer
        return calls.check_macro(self, node, target, kinds)

    _visit: ClassVar[dict[type[Node], Callable[[Checker, Any], str]]] = {
        Const: _const,
        Name: _name,
        Select: _select,
        Has: _has,
        Index: _index,
        Unary: _unary,
        Binary: _binary,
        Logic: _logic,
        Ternary: _ternary,
        ListOf: _list,
        MapOf: _map,
        Joined: _joined,
        Call: _call,
        Macro: _macro,
        Embedded: _embedded,
    }


_UNWRAP_IT = "Write .orValue(…) or .hasValue() behind it, or coalesce(…) around it."
_TIMES = "Write timestamp(x) or duration(x) around a text that is one."


def _optional_id(node: Node) -> bool:
    """Tell whether a path of `steps` looks for the step itself as an optional."""
    while isinstance(node, Select | Index) and not isinstance(node.operand, Name):
        node = node.operand
    return isinstance(node, Select | Index) and node.optional


def _first(node: Node) -> Name:
    while isinstance(node, Select | Index):
        node = node.operand
    assert isinstance(node, Name)  # noqa: S101  path_of said so
    return node
