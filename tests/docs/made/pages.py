"""Which part of which page is made by what, and how it gets there."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.docs.made import api, benchmarks, cli, codes, expressions, metrics, settings
from tests.docs.pages import ROOT, text_of

PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"engines": benchmarks.engines},
    "docs/api.md": {"requests": api.requests, "operations": api.operations, "objects": api.objects},
    "docs/benchmarks.md": {
        "engines": benchmarks.engines,
        "overview": benchmarks.overview,
        "results": benchmarks.results,
        "notes": benchmarks.notes,
        "scenarios": benchmarks.listed,
    },
    "docs/cli.md": {"commands": cli.commands},
    "docs/configuration.md": {"settings": settings.settings},
    "docs/definitions.md": {"findings": codes.findings},
    "docs/errors.md": {
        "answers": codes.answers,
        "refusals": codes.refusals,
        "values": codes.values,
        "operator": codes.operator,
        "failures": codes.failures,
        "rejections": codes.rejections,
    },
    "docs/expressions.md": {
        "macros": expressions.macros,
        "functions": expressions.functions,
        "conditions": expressions.conditions,
        "limits": expressions.bounds,
        "differences": expressions.differences,
    },
    "docs/observability.md": {
        "workers": metrics.of_workers,
        "apis": metrics.of_apis,
        "both": metrics.of_both,
        "measured": metrics.measured,
    },
}
_PART = re.compile(r"(<!-- made: (\w+), by make docs -->\n).*?(<!-- made end -->)", re.DOTALL)


def made(name: str) -> str:
    """Return a page as it should be. Raises ValueError if a part has no place in it, or a place no part."""
    parts, text = PARTS[name], text_of(name)
    places = [found[2] for found in _PART.finditer(text)]
    if sorted(places) != sorted(parts):
        msg = f"{name} has places for {places}, but is made of {list(parts)}"
        raise ValueError(msg)
    return _PART.sub(lambda found: f"{found[1]}\n{parts[found[2]]().strip()}\n\n{found[3]}", text)


def outdated() -> list[str]:
    """Return the pages that are not as they should be."""
    return [name for name in PARTS if made(name) != text_of(name)]


def write() -> list[str]:
    """Write those pages; return their names."""
    old = outdated()
    for name in old:
        (ROOT / name).write_text(made(name), "utf-8")
    return old
