"""From a checked tree to Python source: straight code without a call for each node.

The source consists of names made here, of `repr` of scalars and of the words in NAMES: no name, no text of a definition
comes into it in any other way. Invariants: operands are in local names before an operation is tried on them; work is
paid for before it is done, the nodes of straight code at once at its beginning.

Without Python's comprehensions, `and` and `or`: && and || absorb errors, and that takes statements.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from engine.cel import calls, loops, operations, runtime, shortcuts
from engine.cel.functions import texts
from engine.cel.library import FUNCTIONS, METHODS
from engine.cel.linear import searcher
from engine.cel.paths import path_of
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
from engine.cel.values import NONE, Some, to_json
from engine.cel.writer import Source, Writer, word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.cel.kinds import Checked

DEEPEST = 8  # levels of indentation; what is deeper becomes a function. Python allows 20 nested blocks

_OPERATIONS = {
    "+": operations.add,
    "-": operations.subtract,
    "*": operations.multiply,
    "/": operations.divide,
    "%": operations.remainder,
    "==": operations.equal,
    "!=": operations.unequal,
    "<": operations.less,
    "<=": operations.less_equal,
    ">": operations.greater,
    ">=": operations.greater_equal,
    "in": operations.contained,
}
_CALLED: list[Callable[..., Any]] = [
    *_OPERATIONS.values(),
    *(function.call for function in (*FUNCTIONS.values(), *METHODS.values())),
    operations.negate,
    operations.index,
    operations.select,
    operations.has,
    operations.optional_index,
    operations.optional_select,
    texts.matches,
    runtime.not_bool,
    runtime.items,
    runtime.listed,
    runtime.pairs,
    runtime.put,
    runtime.put_all,
    runtime.sort_by,
    runtime.content,
    runtime.join,
    runtime.address,
    runtime.encoded,
    to_json,
]
# All that generated code can reach; there are no other builtins.
NAMES: dict[str, Any] = {
    "__builtins__": {"len": len, "KeyError": KeyError},
    **{word(called): called for called in _CALLED},
    "FAULTS": runtime.FAULTS,
    "Failed": runtime.Failed,
    "NONE": NONE,
    "Some": Some,
    **{kind.__name__: kind for kind in (bool, int, float, str, list, dict)},
}


def generate(tree: Node, checked: Checked, *, condition: bool) -> Source:
    """Return the source for a tree without faults."""
    generator = Generator(checked, json=not condition)
    return generator.source(generator.truth(tree) if condition else generator.value(tree))


class Generator(Writer):
    """Writes nodes. `json`: values of expressions are brought into the form of JSON."""

    def __init__(self, checked: Checked, *, json: bool) -> None:
        super().__init__()
        self.binds: set[str] = set()  # names of variables whose value may be an error
        self._checked = checked
        self._json = json

    def value(self, node: Node) -> str:
        """Write what computes a node; return the name or literal that holds its value."""
        self.cost += 1
        write = self._write[type(node)]
        if self.body.indent >= DEEPEST and isinstance(node, Logic | Macro | Ternary):
            return self.apart(write, node)
        return write(self, node)

    def value_with(self, node: Node, variables: dict[str, str]) -> str:
        """Write a node that sees variables."""
        outer, self.body.variables = self.body.variables, variables
        value = self.value(node)
        self.body.variables = outer
        return value

    def truth(self, node: Node, variables: dict[str, str] | None = None) -> str:
        """Write a node that must be true or false, and sees variables if there are any for it."""
        outer = self.body.variables
        self.body.variables = variables or outer
        value = self.value(node)
        self.body.variables = outer
        if self._kind(node) != "bool":
            around = self.within
            self.within = node if isinstance(node, Embedded) else around
            test = f"if {value}.__class__ is not bool: runtime_not_bool(fuel, {value})"
            self.line(test, shortcuts.bare(node))
            self.within = around
        return value

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Write the lines of a block."""
        self.body.indent += 1
        yield
        self.body.indent -= 1

    def _kind(self, node: Node) -> str:
        return self._checked.kinds.get(id(shortcuts.bare(node)), "any")

    def _embedded(self, node: Embedded) -> str:
        outer, self.within = self.within, node
        value = self.value(node.node)
        if self._json and id(node) in self._checked.special:
            value = self.call(to_json, node.node, value)
        self.within = outer
        return value

    def _const(self, node: Const) -> str:
        value = node.value
        if type(value) in (int, float):
            return f"({value!r})"
        return repr(value) if value is None or type(value) in (bool, str, bytes) else self.constant(value)

    # ---- names and members

    def _name(self, node: Name) -> str:
        name = self.body.variables.get(node.name) or self.body.root(node, self.within)
        if name in self.binds:
            self.line(f"if {name}.__class__ is Failed: raise {name}.again()")
        return name

    def _fetched(self, node: Select | Index) -> str | None:
        """Return the call that brings a step's field or a secret, None for any other node."""
        root, parts = path_of(node) or ("", ())
        if root in self.body.variables:
            return None
        if root == "steps" and len(parts) == 2:
            return f"{self.body.bring('step')}({parts[0]!r}, {parts[1]!r})"
        if root == "secrets" and len(parts) == 1:
            return f"{self.body.bring('secret')}({parts[0]!r})"
        return None

    def _optionally(self, fetched: str, node: Node) -> str:
        name = self.new()
        self.line(f"try: {name} = Some({fetched})", node)
        self.line(f"except KeyError: {name} = NONE")
        return name

    def _select(self, node: Select) -> str:
        fetched = self._fetched(node)
        if fetched is not None:
            return self._optionally(fetched, node) if node.optional else self.set(fetched, node)
        operand, field = self.value(node.operand), repr(node.field)
        if node.optional or self._kind(node.operand) == "optional":
            return self.call(operations.optional_select, node, operand, field)
        member = f"{operand}[{field}]"
        if not self._is_data(node.operand):  # it may be an optional
            member += f" if {operand}.__class__ is dict else operations_select(fuel, {operand}, {field})"
        return self.set(member, node, operations.select, (operand, field))

    def _is_data(self, node: Node) -> bool:
        """Tell whether a value is JSON as it came: of a path that begins with a root."""
        root, _ = path_of(node) or ("", ())
        return root != "" and root not in self.body.variables

    def _has(self, node: Has) -> str:
        select = node.select
        fetched = self._fetched(select)
        if fetched is not None:
            return self.set(f"{self._optionally(fetched, select)} is not NONE", node)
        operand, field = self.value(select.operand), repr(select.field)
        call = f"operations_has(fuel, {operand}, {field})"
        return self.set(f"{field} in {operand} if {operand}.__class__ is dict else {call}", node)

    def _index(self, node: Index) -> str:
        fetched = self._fetched(node)
        if fetched is not None:
            return self._optionally(fetched, node) if node.optional else self.set(fetched, node)
        operand, key = self.value(node.operand), self.value(node.key)
        if node.optional or self._kind(node.operand) == "optional":
            return self.call(operations.optional_index, node, operand, key)
        call = f"operations_index(fuel, {operand}, {key})"
        if isinstance(node.key, Const) and type(node.key.value) is int and node.key.value >= 0:
            call = f"{operand}[{key}] if {operand}.__class__ is list else {call}"
        return self.set(call, node, operations.index, (operand, key))

    # ---- operators

    def _unary(self, node: Unary) -> str:
        if node.operator == "!":
            inner, odd = node.operand, True
            while isinstance(inner, Unary) and inner.operator == "!":  # a chain of them takes no stack
                inner, odd = inner.operand, not odd
            return self.set(f"{'not ' if odd else ''}{self.truth(inner)}", node)
        return self.call(operations.negate, node, self.value(node.operand))

    def _binary(self, node: Binary) -> str:
        left = self.value(node.left)
        known = shortcuts.constants(node.right) if node.operator == "in" else None
        if known is not None:
            values, test, items = known
            call = f"{word(operations.contained)}(fuel, {left}, {self.constant(items)})"
            return self.set(f"{left} in {self.constant(values)} if {test.format(left)} else {call}", node)
        right = self.value(node.right)
        operation = _OPERATIONS[node.operator]
        call = f"{word(operation)}(fuel, {left}, {right})"
        if node.operator in ("==", "!="):
            short = shortcuts.equality(node, left, right, call)
        else:
            kinds = (left, self._kind(node.left)), (right, self._kind(node.right))
            short = shortcuts.numbers(node, *kinds, call)
        return self.set(short or call, node, operation, (left, right))

    def _logic(self, node: Logic) -> str:
        """Go on until a part decides. An error of a part counts only if no other part decides."""
        result, error = self.new(), self.new("e")
        undecided = result if node.operator == "&&" else f"not {result}"
        self.line(f"{error} = None")
        for part in node.parts[:-1]:
            first = part is node.parts[0]
            if not first:
                self.line(f"if {undecided}:")
            self.body.indent += not first
            self.line("try:")
            with self.deeper():
                self.line(f"{result} = {self.truth(part)}")
            self.line("except FAULTS as x:")
            self.line(f" {error} = fault(fuel, x, {error}); {result} = {node.operator == '&&'}")
            self.body.indent -= not first
        self.line(f"if {undecided}:")
        with self.deeper():
            self.line(f"{result} = {self.truth(node.parts[-1])}")
        self.line(f"if {error} is not None and {undecided}: raise {error}")
        return result

    def _ternary(self, node: Ternary) -> str:
        test, result = self.truth(node.test), self.new()
        for begin, branch in ((f"if {test}:", node.then), ("else:", node.other)):
            self.line(begin)
            with self.deeper():
                self.line(f"{result} = {self.value(branch)}")
        return result

    # ---- values made

    def _list(self, node: ListOf) -> str:
        if not any(item.optional for item in node.items):
            values = []
            for item in node.items:
                values.append(self.value(item.value))  # noqa: PERF401  a comprehension takes a frame of the stack
            return self.set(f"[{', '.join(values)}]", node)
        made = self.set("[]", node)
        for item in node.items:
            value = self.value(item.value)
            if item.optional:
                self.line(f"if runtime_content(fuel, {value}) is not NONE: {made}.append({value}.value)", item.value)
            else:
                self.line(f"{made}.append({value})")
        return made

    def _map(self, node: MapOf) -> str:
        self.cost += 3 * len(node.entries)
        if all(isinstance(entry.key, Const) and not entry.optional for entry in node.entries):
            pairs = []
            for entry in node.entries:
                pairs.append(f"{self.value(entry.key)}: {self.value(entry.value)}")  # noqa: PERF401  as above
            return self.set(f"{{{', '.join(pairs)}}}", node)
        made = self.set("{}", node)
        for entry in node.entries:
            key, value = self.value(entry.key), self.value(entry.value)
            if entry.optional:
                begin, value = f"if runtime_content(fuel, {value}) is not NONE: ", f"{value}.value"
            else:
                begin = ""
            self.line(f"{begin}runtime_put(fuel, {made}, {key}, {value})", entry.key)
        return made

    def _joined(self, node: Joined) -> str:
        outer, self._json = self._json, False  # a part becomes text as it is, not by way of JSON
        parts = []
        for place, part in enumerate(node.parts):
            value = repr(part) if isinstance(part, str) else self.value(part)
            if node.encode and place and isinstance(part, Node):
                value = self.call(runtime.encoded, part, value)
            parts.append(value)
        self._json = outer
        return self.call(runtime.address if node.encode else runtime.join, node, *parts)

    # ---- functions and macros

    def _call(self, node: Call) -> str:
        if node.function in ("orValue", "or") and node.target is not None:
            return self._or_value(node, node.target)
        if node.function in calls.READS and (known := calls.read(node)) is not None:
            return self.constant(known)
        if node.function == "coalesce":
            return self._coalesce(node)
        operands = []
        for operand in (node.target, *node.args) if node.target is not None else node.args:
            operands.append(self.value(operand))  # noqa: PERF401  as above
        pattern = shortcuts.bare(node.args[-1]) if node.function == "matches" else None
        if isinstance(pattern, Const):
            return self.call(texts.matches, node, *operands[:-1], self.constant(searcher(pattern.value)))
        function = (METHODS if node.target is not None else FUNCTIONS)[node.function]
        self.cost += function.cost
        return self.call(function.call, node, *operands)

    def _coalesce(self, node: Call) -> str:
        result = self.set("None", node)
        for part in node.args:
            self.line(f"if {result} is None:")
            with self.deeper():
                self.line(f"{result} = optionals_coalesce(fuel, {self.value(part)})")
        return result

    def _or_value(self, node: Call, target: Node) -> str:
        found, result = self.value(target), self.new()
        plain = node.function == "orValue"
        self.line(f"if runtime_content(fuel, {found}) is not NONE: {result} = {found}{'.value' if plain else ''}", node)
        self.line("else:")
        with self.deeper():
            other = self.value(node.args[0])
            self.line(f"{result} = {other if plain else f'runtime_content(fuel, {other})'}", node.args[0])
        return result

    _write: ClassVar[dict[type[Node], Callable[[Generator, Any], str]]] = {
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
        Macro: loops.write,
        Embedded: _embedded,
    }
