"""Why YAML cannot be read, in words for somebody who wrote an expression into it without quotes.

Only says what a fault means: that there is one, `yaml_bodies` finds by parsing. Must not parse the text again. A fault
costs one pass over the text, however long it is; what is quoted from it is short.
"""

from __future__ import annotations

import re

import yaml
from msgspec import Struct

from engine.cel import InvalidExpression
from engine.errors import Finding

LONGEST = 500  # characters of a line that is looked at, and
SHOWN = 100  # of a value that is shown with its quotes

_BREAKS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_BLOCK = re.compile(
    r"""[ ]*+(?:-[ ]++)*+(?:[\w.-]++|'[^']*+'|"[^"]*+")[ ]*+:[ ]++  # a key, perhaps of an item's first entry
      | [ ]*+(?:-[ ]++)++                                           # an item""",
    re.VERBOSE,
)
_EMBEDDED = re.compile(r"\$\{[^{}']*\}(?=\s*(?:[,}\]]|$))")
_LOOKS = re.compile(r"\$\{|[=!<>]=|&&|\|\||[<>] | \? |\w\(|^!")
_TAG = "could not determine a constructor for the tag"
_COLON = "mapping values are not allowed"
_BEHIND = "did not find expected key"

_QUOTE = "Put the expression into single quotes"


class Fault(Struct, frozen=True):
    """What is wrong and where, lines and columns from 1. `advice`: what to do, '' where only the place is known."""

    problem: str
    line: int
    column: int
    advice: str
    excerpt: str

    @property
    def message(self) -> str:
        """What is wrong, with its place."""
        return f"{self.problem} in line {self.line}, column {self.column}"

    def finding(self, code: str) -> Finding:
        """Return the fault with the line it is in and a caret under the place."""
        return Finding("", self.problem, "", code, self.line, self.column, self.excerpt)


def explain(text: str, error: yaml.YAMLError) -> Fault | None:
    """Return what an error means, None where it has no place."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return None
    line = _line(text, mark.line)
    problem, column = getattr(error, "problem", None) or "it cannot be parsed", mark.column
    meant = _meant(line, column, problem) if len(line) <= LONGEST else None
    problem, column, advice = meant or (problem, column, "")
    excerpt = InvalidExpression(problem, position=column, source=line).excerpt if line.strip() else ""
    return Fault(problem, mark.line + 1, column + 1, advice, excerpt)


def _line(text: str, number: int) -> str:
    """Return a line of a text, counted as YAML counts them: from 0, without a byte order mark; '' behind the last."""
    lines = _BREAKS.split(text.removeprefix("\ufeff"), number + 1)
    return lines[number] if number < len(lines) else ""


def _meant(line: str, column: int, problem: str) -> tuple[str, int, str] | None:
    """Return the problem, its column and the advice where a value needs quotes, None where something else is wrong."""
    if line[max(0, column - 1) : column + 1] == "${":
        return "an expression within { } or [ ] needs quotes", column - 1, _flow_advice(line, column - 1)
    block = _BLOCK.match(line)
    value = line[block.end() :].rstrip() if block else ""
    if block and value and block.end() <= column:
        found = _bare(value, problem)
        if found:
            where = block.end() if value[0] == "!" else column
            return found, where, _block_advice(block[0].strip(), value)
    if problem.startswith(_TAG) and line.startswith("!", column) and not line.startswith("!!", column):
        return _begins("!"), column, f"{_QUOTE}."
    if problem.startswith(_COLON) and not block:
        return "a text without quotes cannot have ': ' in it", column, f"{_QUOTE}."
    return None


def _bare(value: str, problem: str) -> str:
    """Return why a value of a line needs quotes, '' where it does not."""
    first = value[0]
    if (first == "!" and not value.startswith("!!")) or first in "&@`%":
        return _begins(first)
    if first in "\"'[{":
        return f"nothing can follow what begins with {first} and has ended" if problem.startswith(_BEHIND) else ""
    return "a text without quotes cannot have ': ' in it" if problem.startswith(_COLON) else ""


def _begins(first: str) -> str:
    return f"a text without quotes cannot begin with {first}"


def _flow_advice(line: str, at: int) -> str:
    """Show the expression that begins at a place in its quotes, where it is all of its value."""
    found = _EMBEDDED.match(line, at)
    alone = line[:at].rstrip()[-1:] in tuple(":,[{")
    return f"{_QUOTE}: '{found[0]}'." if found and alone and len(found[0]) <= SHOWN else f"{_QUOTE}."


def _block_advice(lead: str, value: str) -> str:
    """Show the line with its value in quotes, where all of the value is in it."""
    what = _QUOTE if _LOOKS.search(value) else "Put the text into single quotes"
    if len(value) > SHOWN or " #" in value or value[-1] in ",&|?:([{":
        return f"{what}."
    quoted = value.replace("'", "''")
    return f"{what}: {lead} '{quoted}'"
