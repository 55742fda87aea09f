"""The rules of calls: which functions there are, how many arguments of which kinds they take."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any

from engine.cel import hints, linear
from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.functions import times
from engine.cel.grammar import NAMESPACES
from engine.cel.library import FUNCTIONS, MACROS, METHODS
from engine.cel.limits import TOO_MANY_PATTERNS
from engine.cel.shortcuts import bare
from engine.cel.syntax import Const, Name
from engine.cel.trees import walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.cel.checker import Checker
    from engine.cel.library import Function
    from engine.cel.syntax import Call, Macro, Node

READS: dict[str, Callable[..., Any]] = {"timestamp": times.timestamp, "duration": times.duration}
_TESTS = ("all", "exists", "exists_one", "filter")


def function_of(checker: Checker, node: Call) -> Function | None:
    """Return the function that is called, None after noting that there is none."""
    table = METHODS if node.target is not None else FUNCTIONS
    found = table.get(node.function)
    if found is None:
        advice = hints.call(node.function) or _form(node.function) or _near(node.function, table)
        advice = advice or "docs/expressions.md lists all functions."
        checker.fault(node, f"there is no function {node.function!r}", advice)
    return found


def _form(name: str) -> str:
    """Return how a function is called that was called in another form; '' where there is none of this name."""
    if name in MACROS:
        return f"Write {MACROS[name].form}."
    for known in (name, *(f"{space}.{name}" for space in sorted(NAMESPACES))):
        if known in FUNCTIONS:
            return f"Write {known}(x)."
    last = name.rpartition(".")[2]
    return f"Write x.{last}(…)." if last in METHODS else ""


def _near(name: str, table: dict[str, Function]) -> str:
    """Return what may have been meant where a name is a slip of the pen; '' where it seems to be none."""
    meant = hints.near(name, [*table, *MACROS, *METHODS, *FUNCTIONS, *hints.CALLS])
    if meant in table or meant in MACROS:
        return f"Did you mean {meant!r}?"
    return _form(meant) or hints.call(meant)


def taken_for_variables(node: Call, function: Function | None) -> list[str]:
    """Return the names that are unknown for one reason alone: this call is no macro, or no other language's function.

    That is the fault to be told. A variable comes first among the arguments, and the last of them reads it.
    """
    if function is not None and _fits(node, function):
        return []
    library = [node.target.name] if isinstance(node.target, Name) and node.target.name in hints.LIBRARIES else []
    names = [arg.name for arg in takewhile(lambda arg: isinstance(arg, Name), node.args[:-1]) if isinstance(arg, Name)]
    read = {below.name for below in walk(node.args[-1]) if isinstance(below, Name)} if names else set()
    return library + (names if read.intersection(names) else [])


def _fits(node: Call, function: Function) -> bool:
    count = len(node.args) + function.method
    most = len(function.params)
    return most - function.optional <= count and (function.variadic or count <= most)


def check_arguments(
    checker: Checker, node: Call, function: Function, operands: tuple[Node, ...], kinds: list[str]
) -> None:
    """Check how many arguments there are, and their kinds as far as they are known."""
    if not _fits(node, function):
        message = f"{node.function} takes {_wanted(function)}, found {len(node.args)}"
        checker.fault(node, message, hints.ARGUMENTS.get(node.function, "") if node.args else "")
        return
    for place, (operand, kind) in enumerate(zip(operands, kinds, strict=True)):
        wanted = function.params[min(place, len(function.params) - 1)].split("|")
        if "any" not in wanted:
            checker.want(operand, kind, wanted, _ordinal(node, function, place))


def _wanted(function: Function) -> str:
    """Say how many arguments a function takes."""
    most = len(function.params) - function.method
    least = most - function.optional
    said = str(least) if least == most else f"{least} to {most}"
    said = f"at least {least}" if function.variadic else said
    return f"{said} argument" if said.endswith("1") else f"{said} arguments"


def _ordinal(node: Call, function: Function, place: int) -> str:
    if function.method and place == 0:
        return f"what {node.function} is called on"
    return f"argument {place if function.method else place + 1} of {node.function}"


def read(node: Call) -> Any:
    """Return the time that a literal in timestamp("…") or duration("…") stands for, None for any other call.

    Raises EvaluationError for a literal that is none.
    """
    literal = bare(node.args[0]) if node.target is None and len(node.args) == 1 else None
    if node.function in READS and isinstance(literal, Const) and type(literal.value) is str:
        return READS[node.function](Fuel(), literal.value)
    return None


def check_literal(checker: Checker, node: Call) -> None:
    """Check a time that is written here."""
    try:
        read(node)
    except EvaluationError as fault:
        checker.fault(node.args[0], fault.message)


def check_pattern(checker: Checker, node: Node, room: Callable[[], bool]) -> None:
    """Check a regular expression; `room` is asked before it is compiled, which is costly."""
    pattern = bare(node)
    if not isinstance(pattern, Const) or type(pattern.value) is not str:
        checker.fault(pattern, "the pattern of matches must be a text written here", "Patterns cannot be data.")
    elif not room():
        checker.fault(pattern, TOO_MANY_PATTERNS, "docs/expressions.md has the limits.")
    else:
        try:
            linear.searcher(pattern.value)
        except ValueError as fault:
            checker.fault(pattern, str(fault), "Patterns follow RE2: no backreferences, no look-around.")


def check_macro(checker: Checker, node: Macro, target: str, kinds: list[str]) -> str:
    """Check what a macro is called on and its conditions; return its kind."""
    form = MACROS[node.name]
    wanted = form.target.split("|")
    if "any" not in wanted:
        checker.want(node.target, target, wanted, f"what {node.name} is called on")
    if node.name in _TESTS or (form.filters and len(node.args) == 2):
        checker.want(node.args[0], kinds[0], ("bool",), f"the condition of {node.name}")
    return kinds[-1] if node.name == "cel.bind" else form.result
