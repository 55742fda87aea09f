"""The project's pages as the tests read them: text, fenced blocks, tables."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
PACKAGES = ("sql", "engine", "api", "bridges", "bench", "stepwell")

_BLOCK = re.compile(r"^```(\w+)?[ ]?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block: ```language title."""

    language: str
    title: str
    text: str


def path_of(name: str) -> Path:
    """Return where a file of the project is: modules where they are installed, which need not be beside the tests."""
    package, _, rest = name.partition("/")
    if package not in PACKAGES:
        return ROOT / name
    spec = find_spec(package)
    assert spec is not None, package
    assert spec.origin is not None, package
    return Path(spec.origin).parent / rest


def text_of(name: str) -> str:
    """Return a page; `name` is relative to the project's folder."""
    return (ROOT / name).read_text("utf-8")


def blocks(name: str, language: str = "", title: str = "") -> list[Block]:
    """Return the blocks of a page, in order: those of a language, with a title that begins so."""
    found = [Block(*parts) for parts in _BLOCK.findall(text_of(name))]
    return [b for b in found if language in ("", b.language) and b.title.startswith(title)]


def first_cells(name: str, *, below: str = "") -> list[tuple[str, str]]:
    """Return (first, second cell) of each table row of a page, from the heading `below` to the next of its level."""
    text = text_of(name)
    if below:
        level = below.partition(" ")[0]
        text = text.split(f"\n{below}\n", 1)[1].split(f"\n{level} ")[0]
    rows = re.findall(r"^\|(.+)\|$", text, re.MULTILINE)
    return [(cells[0].strip(), cells[1].strip()) for row in rows if len(cells := re.split(r"(?<!\\)\|", row)) > 1]


def words(name: str) -> set[str]:
    """Return everything that stands in backquotes on a page."""
    return set(re.findall(r"`([^`\n]+)`", text_of(name)))
