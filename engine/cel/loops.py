"""How macros are written: as loops, paid for before they begin.

What one turn costs is known once its body is written, so the line that pays is filled in afterwards.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.cel.codegen import Generator
    from engine.cel.syntax import Macro

# The lines before a loop, at the end of each turn, and after it. R: the result, E: an error that a later turn may make
# good, V: the (first) variable, X: the value of this turn, S: what the loop goes through.
_ABSORB = "except FAULTS as x: E = fault(fuel, x, E); continue"
_LOOPS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "all": (
        ("R = True", "E = None"),
        (_ABSORB, "if not R: break"),
        ("else:", " if E is not None: raise E", " R = True"),
    ),
    "exists": (
        ("R = False", "E = None"),
        (_ABSORB, "if R: break"),
        ("else:", " if E is not None: raise E", " R = False"),
    ),
    "exists_one": (("R = 0",), ("if X: R += 1",), ("R = R == 1",)),
    "filter": (("R = []",), ("if X: R.append(V)",), ()),
    "map": (("R = []",), ("R.append(X)",), ()),
    "sortBy": (("R = []",), ("R.append(X)",), ("R = runtime_sort_by(fuel, S, R)",)),
    "transformList": (("R = []",), ("R.append(X)",), ()),
    "transformMap": (("R = {}",), ("runtime_put(fuel, R, V, X)",), ()),
    "transformMapEntry": (("R = {}",), ("runtime_put_all(fuel, R, X)",), ()),
}
_WORD = re.compile(r"\b[REVXS]\b")
_TESTS = ("all", "exists", "exists_one", "filter")  # macros whose value is true or false
TURN = 2  # units for the loop itself, each turn


def write(out: Generator, node: Macro) -> str:
    """Write a macro; return the name of its result.

    One function on purpose, as all that calls `value` here: macros nest, and each frame of the stack counts.
    """
    names = [out.new("v") for _ in node.variables]
    target = _bound(out, node, names[0]) if node.name == "cel.bind" else out.value(node.target)
    bound = {**out.body.variables, **dict(zip(node.variables, names, strict=True))}
    if node.name == "cel.bind":
        return out.value_with(node.args[0], bound)
    if node.name == "optMap":
        return _opt_map(out, node, target, names[0], bound)
    begin, turn, end = _LOOPS[node.name]
    result, error = out.new(), out.new("e")
    goes = "listed" if node.name == "sortBy" else "items" if len(names) == 1 else "pairs"
    every = out.set(f"runtime_{goes}(fuel, {target})", node)
    words = {"R": result, "E": error, "V": names[0], "S": every}
    for line in begin:
        out.line(_filled(line, words))
    body, paid = out.body, len(out.body.lines)
    out.line("", node)
    outside, out.cost = out.cost, TURN
    out.line(f"for {', '.join(names)} in {every}:")
    with out.deeper():
        absorbs = node.name in ("all", "exists")
        filters = not absorbs and len(node.args) == 2
        if absorbs or filters:
            out.line("try:" if absorbs else f"if {out.truth(node.args[0], bound)}:")
            out.body.indent += 1
        value = (out.truth if node.name in _TESTS else out.value_with)(node.args[-1], bound)
        if absorbs:
            out.line(f"{result} = {value}")
            out.body.indent -= 1
        for line in turn:
            out.line(_filled(line, {**words, "X": value}), node)
        out.body.indent -= filters
    body.lines[paid] = (f"  {' ' * body.indent}spend(len({every}) * {out.cost})", body.lines[paid][1])
    out.cost = outside
    for line in end:
        out.line(_filled(line, words), node)
    return result


def _bound(out: Generator, node: Macro, name: str) -> str:
    """Write the value of cel.bind. Its error, if it has one, counts where the variable is read, as in CEL."""
    out.line("try:")
    with out.deeper():
        out.line(f"{name} = {out.value(node.target)}")
    out.line(f"except FAULTS as x: {name} = Failed(fault(fuel, x, None))")
    out.binds.add(name)
    return name


def _opt_map(out: Generator, node: Macro, target: str, name: str, bound: dict[str, str]) -> str:
    result = out.new()
    out.line(f"{result} = NONE")
    out.line(f"if runtime_content(fuel, {target}) is not NONE:", node)
    with out.deeper():
        out.line(f"{name} = {target}.value")
        out.line(f"{result} = Some({out.value_with(node.args[0], bound)})")
    return result


def _filled(line: str, words: dict[str, str]) -> str:
    return _WORD.sub(lambda found: words[found[0]], line)
