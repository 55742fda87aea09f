"""How macros are written: as loops, paid for before they begin.

What one turn costs is known once its body is written, so the line that pays is filled in afterwards.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.cel.codegen import Generator
    from engine.cel.syntax import Macro

# The lines before a loop, at the end of each turn, and after it. R: the result, E: an error that a later turn may make
# good, V: the (first) variable, X: the value of this turn, S: what the loop goes through.
_ABSORB = "except FAULTS as x: E = E or fault(x); continue"
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


def write(out: Generator, node: Macro, target: str, names: list[str], bound: dict[str, str]) -> str:
    """Write a loop over `target` with the variables `bound`; return the name of its result."""
    begin, turn, end = _LOOPS[node.name]
    result, error = out.new(), out.new("e")
    every = out.set(f"runtime_{'items' if len(names) == 1 else 'pairs'}(fuel, {target})", node)
    words = {"R": result, "E": error, "V": names[0], "S": every}
    for line in begin:
        out.line(_filled(line, words))
    body, paid = out.body, len(out.body.lines)
    out.line("", node)
    outside, out.cost = out.cost, TURN
    out.line(f"for {', '.join(names)} in {every}:")
    with out.deeper():
        _turn(out, node, bound, words, turn)
    body.lines[paid] = (f"  {' ' * body.indent}spend(len({every}) * {out.cost})", body.lines[paid][1])
    out.cost = outside
    for line in end:
        out.line(_filled(line, words), node)
    return result


def _turn(out: Generator, node: Macro, bound: dict[str, str], words: dict[str, str], turn: tuple[str, ...]) -> None:
    def close(value: str) -> None:
        for line in turn:
            out.line(_filled(line, {**words, "X": value}), node)

    if node.name in ("all", "exists"):
        out.line("try:")
        with out.deeper():
            value = out.truth(node.args[0], bound)
            out.line(f"{words['R']} = {value}")
        close(words["R"])
    elif len(node.args) == 2:  # the condition of map, transformList and others
        out.line(f"if {out.truth(node.args[0], bound)}:")
        with out.deeper():
            close(out.value_with(node.args[1], bound))
    else:
        written: Callable[..., str] = out.truth if node.name in _TESTS else out.value_with
        close(written(node.args[0], bound))


def _filled(line: str, words: dict[str, str]) -> str:
    return _WORD.sub(lambda found: words[found[0]], line)
