"""Lines of generated code, each with the node it is for, and functions made of them.

Knows nothing of what the nodes mean. Invariant: line n of the text belongs to `marks[n - 1]`, so that an error can be
placed by its line number alone, at no cost while all goes well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.cel.syntax import Embedded, Name, Node

if TYPE_CHECKING:
    from collections.abc import Callable


class Mark(Struct, frozen=True):
    """What a line of generated code is for: a node, the text it stands in, and how to find out what went wrong."""

    node: Node
    within: Embedded | None
    redo: Any = None  # the operation that the line tried to shorten
    operands: tuple[str, ...] = ()


class Source(Struct, frozen=True):
    """Generated code: it defines `make(fault, constants)`, which returns `run(scope)`."""

    text: str
    marks: list[Mark | None]
    constants: tuple[Any, ...]


def word(function: Callable[..., Any]) -> str:
    """Return the name by which generated code knows a function of ours."""
    return f"{function.__module__.rpartition('.')[2]}_{function.__name__}"


class Body:
    """A function in the making. `variables`: names in the expression → names in the code."""

    def __init__(self, head: str, variables: dict[str, str]) -> None:
        self.head = head
        self.variables = variables
        self.indent = 0
        self.lines: list[tuple[str, Mark | None]] = []
        self._roots: dict[str, Mark] = {}
        self._brought: dict[str, None] = {}

    def root(self, node: Name, within: Embedded | None) -> str:
        """Return the name of a root's value, which is fetched once at the beginning."""
        self._roots.setdefault(node.name, Mark(node, within))
        return f"r_{node.name}"

    def bring(self, method: str) -> str:
        """Return a method of the scope under its own name."""
        self._brought[method] = None
        return method

    def whole(self, cost: int | None) -> list[tuple[str, Mark | None]]:
        """Return all lines of the function; `cost` is paid at its beginning."""
        texts = [f" def {self.head}:", "  fuel = scope.fuel", "  spend = fuel.spend"]
        texts += [] if cost is None else [f"  spend({cost})"]
        texts += [f"  {method} = scope.{method}" for method in self._brought]
        begin: list[tuple[str, Mark | None]] = [(text, None) for text in texts]
        roots = [(f"  r_{root} = scope.lookup({root!r})", mark) for root, mark in self._roots.items()]
        return [*begin, *roots, *self.lines]


class Writer:
    """Writes functions line by line."""

    def __init__(self) -> None:
        self.body = Body("run(scope)", {})
        self.cost = 0  # units of fuel for what is being written
        self.within: Embedded | None = None
        self._apart: list[Body] = []
        self._constants: list[Any] = []
        self._count = 0

    def line(self, text: str, node: Node | None = None, redo: Any = None, operands: tuple[str, ...] = ()) -> None:
        """Write a line that is for a node, or for none."""
        mark = Mark(node, self.within, redo, operands) if node is not None else None
        self.body.lines.append((f"  {' ' * self.body.indent}{text}", mark))

    def new(self, letter: str = "t") -> str:
        """Return a name not used before."""
        self._count += 1
        return f"{letter}{self._count}"

    def set(self, text: str, node: Node, redo: Any = None, operands: tuple[str, ...] = ()) -> str:
        """Write an assignment; return the name assigned to."""
        name = self.new()
        self.line(f"{name} = {text}", node, redo, operands)
        return name

    def call(self, function: Callable[..., Any], node: Node, *operands: str) -> str:
        """Write a call of a function of ours; return the name of its result."""
        return self.set(f"{word(function)}({', '.join(('fuel', *operands))})", node)

    def constant(self, value: Any) -> str:
        """Return the name of a value that has no literal."""
        self._constants.append(value)
        return f"k{len(self._constants) - 1}"

    def apart(self, write: Callable[[Any, Any], str], node: Node) -> str:
        """Write a function of its own, and a call of it; return the name of its result."""
        outer = self.body
        names = ", ".join(["scope", *outer.variables.values()])
        head = f"{self.new('g')}({names})"
        self.body = Body(head, outer.variables)
        self.line(f"return {write(self, node)}")
        self._apart.append(self.body)
        self.body = outer
        return self.set(head, node)

    def source(self, value: str) -> Source:
        """Return all that was written, as a function that returns `value`."""
        self.line(f"return {value}")
        names = "".join(f"k{n}, " for n in range(len(self._constants)))
        lines: list[tuple[str, Mark | None]] = [("def make(fault, constants):", None)]
        lines.append((f" {names}= constants" if names else " pass", None))
        for body in self._apart:
            lines += body.whole(None)
        lines += [*self.body.whole(self.cost), (" return run", None)]
        return Source("\n".join(text for text, _ in lines), [mark for _, mark in lines], tuple(self._constants))
