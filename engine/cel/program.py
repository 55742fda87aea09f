"""A compiled expression: its tree, what it reads, and the code that evaluates it.

The code is made when it is first needed: publishing a definition checks expressions and evaluates none. A Program holds
no state of an evaluation and may be used again and again.
"""

from __future__ import annotations

from ast import literal_eval
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from engine.cel import codegen, paths
from engine.cel.errors import EvaluationError, OutOfFuel
from engine.cel.printer import show
from engine.cel.runtime import FAULTS
from engine.cel.shortcuts import bare
from engine.cel.syntax import Const, Embedded, Index, Joined, MapOf, Name, Node, Select
from engine.cel.templates import escape
from engine.cel.trees import walk
from engine.cel.values import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import FrameType

    from engine.cel.fuel import Fuel
    from engine.cel.kinds import Checked
    from engine.cel.paths import Parts, Reference
    from engine.cel.scope import Scope
    from engine.cel.writer import Mark

FILE = "<expression>"  # by which generated code is known in a traceback
MOST_SHOWN = 30  # parts of what a message shows of an expression
FAULT_COST = 100  # fuel for explaining an error: && and || may go through one for each item of a list


class Program:
    """A compiled expression, condition or config value."""

    __slots__ = ("_checked", "_condition", "_hidden", "_marks", "_pointer", "_run", "_secret", "_text", "_tree")

    def __init__(self, tree: Node, checked: Checked, pointer: str = "", *, condition: bool = False) -> None:
        self._tree = tree
        self._checked: Checked = checked
        self._condition = condition
        self._pointer = pointer
        self._run: Callable[[Scope], Any] | None = None
        self._marks: list[Mark | None] = []
        self._secret: bool | None = None
        self._hidden: dict[int, bool] = {}  # parts of the tree that read a secret, by their id
        self._text = ""

    @property
    def references(self) -> tuple[Reference, ...]:
        """What is read, each reading by itself."""
        return tuple(self._checked.references)

    @property
    def reads(self) -> Collection[tuple[str, Parts]]:
        """Which values are read: the root and the path of each; secrets are not among them."""
        return self._checked.reads.values()

    @property
    def secret(self) -> bool:
        """Tell whether a secret is read."""
        if self._secret is None:
            self._secret = _reads_secret(self._tree)
        return self._secret

    @property
    def text(self) -> str:
        """The expression that stands for this, in CEL."""
        self._text = self._text or show(self._tree)
        return self._text

    def pieces(self, key: str | None = None) -> list[str | Program]:
        """Return the literal pieces and the expressions of a text; with `key`, of that entry of an object.

        What is no text has none.
        """
        node = self._tree
        if key is not None:
            node = self._entry(key)
        if isinstance(node, Embedded) and isinstance(node.node, Joined):
            node = node.node
        if isinstance(node, Joined):
            return [part if isinstance(part, str) else Program(part, self._checked) for part in node.parts]
        if isinstance(node, Embedded):
            return [Program(node, self._checked)]
        return [node.value] if isinstance(node, Const) and isinstance(node.value, str) else []

    def _entry(self, key: str) -> Node:
        if isinstance(self._tree, Const) and isinstance(self._tree.value, dict):
            return Const(0, self._tree.value.get(key))
        entries = self._tree.entries if isinstance(self._tree, MapOf) else ()
        return next((e.value for e in entries if isinstance(e.key, Const) and e.key.value == key), Const(0, None))

    def derived(self) -> list[Program]:
        """Return the expressions that make something of a secret: what they give is secret too."""
        texts = (node for node in walk(self._tree) if isinstance(node, Embedded))
        inner = [Program(node, self._checked) for node in texts if not isinstance(node.node, Joined)]
        return [program for program in inner if program.secret and not program.is_path]

    @property
    def is_path(self) -> bool:
        """Tell whether this is a reference and nothing else."""
        return paths.path_of(bare(self._tree)) is not None

    def refused(self, message: str, key: str | None = None, *, hide: bool = True) -> EvaluationError:
        """Return the error that the value, of an object the entry `key`, does not fit where it is used.

        `hide`: the message may show what a secret was put into.
        """
        if hide and self.secret:  # even a key may be made of one
            hidden = "a value does not fit here; it is not shown, for a secret is read"
            return EvaluationError(hidden, "", 0, "", self._pointer)
        if key is None:
            return EvaluationError(message, "", 0, self.text, self._pointer)
        return EvaluationError(message, "", 0, show(self._entry(key)), f"{self._pointer}/{escape(key)}")

    def evaluate(self, scope: Scope) -> Any:
        """Return the value: JSON, for a condition true or false. Raises EvaluationError, and what `scope` raises."""
        run = self._run or self._load()
        try:
            return run(scope)
        except FAULTS as fault:
            raise self._explained(fault) from None

    def inputs(self, scope: Scope) -> dict[str, Any]:
        """Return the values that are read, by path; missing ones are left out."""
        found = {}
        for text, (root, parts) in self._checked.reads.items():
            value = paths.find(scope, root, parts)
            if value is not paths.MISSING:
                found[text] = to_json(scope.fuel, value) if type(value) is datetime else value
        return found

    def _hides(self, node: Node) -> bool:
        """Tell whether a part reads a secret. Known from the first error on: a loop may fail at each of its turns."""
        found = self._hidden.get(id(node))
        if found is None:
            found = self._hidden[id(node)] = _reads_secret(node)
        return found

    def load(self) -> None:
        """Make the code now, which takes some 15 µs for each part, rather than with the first evaluation."""
        if self._run is None:
            self._load()

    def _load(self) -> Callable[[Scope], Any]:
        if isinstance(self._tree, Const):
            value = self._tree.value
            self._run = lambda _scope: value
            return self._run
        try:
            source = codegen.generate(self._tree, self._checked, condition=self._condition)
        except RecursionError:
            raise EvaluationError("this is nested too deep", "", 0, "", self._pointer) from None
        made: dict[str, Any] = {}
        exec(compile(source.text, FILE, "exec"), codegen.NAMES, made)  # noqa: S102  source is made of our own words alone
        self._marks = source.marks
        self._run = made["make"](self._absorbed, source.constants)
        return self._run

    def _absorbed(self, fuel: Fuel, fault: Exception, earlier: EvaluationError | None) -> EvaluationError:
        """Return the first of the errors that another part may make good; raise one that none may."""
        if isinstance(fault, OutOfFuel):
            raise fault
        frame, _ = _origin(fault)  # a copy of its names is made
        fuel.spend(FAULT_COST + (2 * frame.f_code.co_nlocals if frame is not None else 0))
        found = earlier or self._explained(fault)
        fault.__traceback__ = None  # what cel.bind keeps is raised again and again
        return found

    def _explained(self, fault: Exception) -> EvaluationError:
        """Return an error with the place it comes from, found by the line of generated code."""
        frame, line = _origin(fault)
        mark = self._marks[line - 1] if line else None
        if frame is None or mark is None or (isinstance(fault, EvaluationError) and fault.expression):
            if isinstance(fault, EvaluationError):
                return fault.with_traceback(None)
            raise fault
        message = fault.message if isinstance(fault, EvaluationError) else _reason(mark, frame)
        if message is None:
            raise fault
        path = show(mark.node) if paths.path_of(mark.node) else ""
        if isinstance(mark.node, Select | Index) and mark.redo is not None:
            text = _brief(mark.node)
            message = (
                f"{text} is missing: {_brief(mark.node.operand)} {message}" if text else f"what is read here {message}"
            )
        within = mark.within
        if not _harmless(mark, fault) and self.secret and self._hides(within or self._tree):
            message = "it cannot be evaluated; its values are not shown, for a secret is among them"
        kind = OutOfFuel if isinstance(fault, OutOfFuel) else EvaluationError
        source = within.source if within else ""
        return kind(message, path, mark.node.at, source or self.text, within.pointer if within else "")


def _origin(fault: Exception) -> tuple[FrameType | None, int]:
    """Return the innermost frame of generated code that an error went through, and its line."""
    found: tuple[FrameType | None, int] = (None, 0)
    trace = fault.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILE:
            found = trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
    return found


def _reason(mark: Mark, frame: FrameType) -> str | None:
    """Return what a shortened operation would have said of its operands, None for an error that nobody expects."""
    if mark.redo is None:
        return _missing(mark.node)
    seen = frame.f_locals
    operands = [seen[text] if text in seen else literal_eval(text) for text in mark.operands]
    try:
        mark.redo(seen["fuel"], *operands)
    except EvaluationError as fault:
        return fault.message
    return None


def _harmless(mark: Mark, fault: Exception) -> bool:
    """Tell whether a message about a member shows no value: what is written in the expression may be shown."""
    return isinstance(mark.node, Name | Select) and (mark.redo is not None or not isinstance(fault, EvaluationError))


def _brief(node: Node) -> str:
    """Return the text of a node that is soon printed, '' for any other: a loop may fail once for each of its turns."""
    nodes = list(islice(walk(node), MOST_SHOWN + 1))
    literals = [inner.value for inner in nodes if isinstance(inner, Const)]
    if len(nodes) > MOST_SHOWN or any(isinstance(v, list | dict) or len(str(v)) > MOST_SHOWN for v in literals):
        return ""
    return show(node)


def _reads_secret(node: Node) -> bool:
    return any(isinstance(inner, Name) and inner.name == "secrets" for inner in walk(node))


def _missing(node: Node) -> str | None:
    if isinstance(node, Name):
        return f"there is no {node.name} here"
    place = paths.path_of(node)
    if place is None:
        return None
    if place[0] == "secrets":
        return f"{show(node)} is missing: there is no such secret here"
    return f"{show(node)} is missing: steps.{place[1][0]} has no {place[1][1]}"
