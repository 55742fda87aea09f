"""docs/benchmarks.md: the figures of docs/benchmarks.json, and which scenarios there are."""

from __future__ import annotations

from functools import cache

from bench.report import markdown
from bench.result import Result, read
from bench.run import scenarios
from tests.docs.made.markdown import code, table
from tests.docs.pages import DOCS

FILE = DOCS / "benchmarks.json"
NOTHING = "Nothing was measured yet."
STEPS = ("steps-executed-20", "steps-queued")  # whose contenders stand in the table of engines


@cache
def measured() -> Result | None:
    """Return what was measured, None where nothing was yet."""
    return read(FILE) if FILE.exists() else None


def engines() -> str:
    """Return who carries out how many no-op steps."""
    found = measured()
    sections = [section for name in STEPS if (section := found.section(name))] if found else []
    return markdown.engines(sections) if sections else NOTHING


def overview() -> str:
    """Return where it was measured, and a row for each scenario."""
    found = measured()
    return f"{markdown.conditions(found)}\n\n{markdown.overview(found)}" if found else NOTHING


def results() -> str:
    """Return every scenario's figures and goals."""
    found = measured()
    if found is None:
        return NOTHING
    return "\n\n".join(markdown.short(section, markdown.stamp(found, section)) for section in found.scenarios)


def notes() -> str:
    """Return each contender's settings, and whom the comparison favours: as they were when it was measured."""
    found = measured()
    told = [
        f"**{one.title}**\n\n{markdown.notes(one)}" for one in (found.scenarios if found else ()) if markdown.notes(one)
    ]
    return "\n\n".join(told) or NOTHING


def listed() -> str:
    """Return the scenarios that there are, from their files."""
    return table(("name", "what is measured"), ((code(one.name), f"{one.title}. {one.about}") for one in scenarios()))
