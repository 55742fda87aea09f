"""The rules of calls: which functions there are, how many arguments of which kinds they take."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from engine.cel import linear
from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.functions import times
from engine.cel.library import FUNCTIONS, MACROS, METHODS
from engine.cel.limits import TOO_MANY_PATTERNS
from engine.cel.shortcuts import bare
from engine.cel.syntax import Const

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.cel.checker import Checker
    from engine.cel.library import Function
    from engine.cel.syntax import Call, Macro, Node

SAID = {
    "bool": "true or false",
    "number": "a number",
    "text": "a text",
    "bytes": "bytes",
    "list": "a list",
    "map": "an object",
    "null": "null",
    "timestamp": "a timestamp",
    "duration": "a duration",
    "optional": "an optional",
}
READS: dict[str, Callable[..., Any]] = {"timestamp": times.timestamp, "duration": times.duration}
_TESTS = ("all", "exists", "exists_one", "filter")


def function_of(checker: Checker, node: Call) -> Function | None:
    """Return the function that is called, None after noting that there is none."""
    table, other = (METHODS, FUNCTIONS) if node.target is not None else (FUNCTIONS, METHODS)
    found = table.get(node.function)
    if found is None:
        if node.function in other:
            advice = f"Write x.{node.function}(…)." if other is METHODS else f"Write {node.function}(x)."
        elif node.function in MACROS:
            advice = f"Write {MACROS[node.function].form}."
        else:
            advice = nearest(node.function, [*table, *MACROS]).strip() or "docs/expressions.md lists all functions."
        checker.fault(node, f"there is no function {node.function!r}", advice)
    return found


def check_arguments(
    checker: Checker, node: Call, function: Function, operands: tuple[Node, ...], kinds: list[str]
) -> None:
    """Check how many arguments there are, and their kinds as far as they are known."""
    most, least = len(function.params), len(function.params) - function.optional
    if function.variadic:
        most = max(most, len(operands))
    if not least <= len(operands) <= most:
        target = 1 if function.method else 0
        said = f"{least - target}" if least == most else f"{least - target} to {most - target}"
        said = f"at least {least - target}" if function.variadic else said
        checker.fault(node, f"{node.function} takes {said} arguments, found {len(node.args)}")
        return
    for place, (operand, kind) in enumerate(zip(operands, kinds, strict=True)):
        wanted = function.params[min(place, len(function.params) - 1)].split("|")
        if "any" not in wanted:
            checker.want(operand, kind, wanted, _ordinal(node, function, place))


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


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ' Did you mean …?' where a known name is close, else ''."""
    near = get_close_matches(name[:40], list(known), 1)
    return f" Did you mean {near[0]!r}?" if near else ""
