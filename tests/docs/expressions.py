"""The page of expressions as the tests read it: its document, its examples, and what these come to.

A block `cel` holds expressions, a block `template` texts of a config. An example ends with `// result`; the result is JSON,
`error: …` (a part of what a run-time error says) or `refused: …` (a part of what publishing says).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from engine.cel import EvaluationError, InvalidExpression, Program, compile_expression, compile_template
from engine.cel.fuel import Fuel
from tests.docs.pages import blocks

PAGE = "docs/expressions.md"
COMPILERS: dict[str, Callable[[str], Program]] = {"cel": compile_expression, "template": compile_template}


class Example(NamedTuple):
    """What stands before `//` and behind it."""

    language: str
    source: str
    result: str


class PageScope:
    """Reads the document that stands in the page."""

    def __init__(self) -> None:
        self.fuel = Fuel()
        self._data = data()

    def lookup(self, root: str) -> Any:
        value = self._data[root]
        return datetime.fromisoformat(value) if root == "now" else value

    def step(self, step_id: str, field: str) -> Any:
        return self._data["steps"][step_id][field]

    def secret(self, name: str) -> str:
        raise KeyError(name)


@cache
def data() -> dict[str, Any]:
    """Return the document of the page."""
    (block,) = blocks(PAGE, "json", "data")
    read: dict[str, Any] = json.loads(block.text)
    return read


def examples() -> list[Example]:
    """Return the examples of the page, in order."""
    return [
        Example(block.language, source, result)
        for block in blocks(PAGE)
        if block.language in COMPILERS and not block.title
        for source, result in split(block.text)
    ]


def split(text: str) -> list[tuple[str, str]]:
    """Return (source, result) of each example of a block. Raises ValueError if something stands behind the last one."""
    found: list[tuple[str, str]] = []
    lines: list[str] = []
    for line in text.splitlines():
        source, mark, result = line.rpartition("// ")
        lines.append(source if mark else line)
        if mark:
            found.append(("\n".join(lines).strip(), result.strip()))
            lines = []
    if "".join(lines).strip():
        msg = f"without a result: {lines}"
        raise ValueError(msg)
    return found


def outcome(language: str, source: str) -> str:
    """Return what an example comes to, as the page writes it."""
    try:
        return shown(COMPILERS[language](source).evaluate(PageScope()))
    except EvaluationError as fault:
        return f"error: {fault.message}"
    except InvalidExpression as fault:
        return f"refused: {fault.message}"


def shown(value: Any) -> str:
    """Return a value as JSON in one line."""
    return json.dumps(value, ensure_ascii=False)


def fits(result: str, expected: str) -> bool:
    """Tell whether a result is the one a page writes; of an error a part is enough."""
    kind, mark, words = expected.partition(": ")
    if mark and kind in ("error", "refused"):
        return result.startswith(f"{kind}: ") and words in result
    return not result.startswith(("error: ", "refused: ")) and result == shown(json.loads(expected))
