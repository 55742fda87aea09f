"""How figures are called and written, the same on a page, in a table and in a plot."""

from __future__ import annotations

from bench.result import Verdict

UNITS = {
    "_per_s": "/s",
    "_per_min": "/min",
    "_ms": "ms",
    "_us": "µs",
    "_s": "s",
    "_bytes": "B",
    "_kb": "kB",
    "_mb": "MB",
    "_gb": "GB",
    "_percent": "%",
    "_ratio": "",
    "_count": "",
}
KNOWN = {
    "y_per_s": "Y",
    "y_ratio": "ratio to Y",
    "wal": "WAL",
    "rss": "memory",
    "cpu": "CPU",
    "api": "API",
    "sql": "SQL",
}
NOTHING = "–"  # noqa: RUF001  what stands in a cell without a figure


def unit(figure: str) -> str:
    """Return a figure's unit, from the end of its name."""
    ending = _ending(figure)
    if ending == "_per_s" and figure not in KNOWN:
        return f"{_words(figure.removesuffix(ending))}/s"
    return UNITS.get(ending, "")


def label(figure: str) -> str:
    """Return a figure's name in words, without its unit."""
    if figure in KNOWN:
        return KNOWN[figure]
    return _words(figure.removesuffix(_ending(figure)))


def title(figure: str) -> str:
    """Return a figure's name with its unit, as it heads a column."""
    found = unit(figure)
    if figure.endswith("_per_s") and figure not in KNOWN:
        return found
    return f"{label(figure)}, {found}" if found else label(figure)


def _ending(figure: str) -> str:
    return next((end for end in UNITS if figure.endswith(end)), "")


def _words(name: str) -> str:
    return " ".join(KNOWN.get(word, word) for word in name.split("_"))


def number(value: float | None) -> str:
    """Return a value with as many digits as can be meant: three at least, none after the point from 100 on."""
    if value is None:
        return NOTHING
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.{1 if size >= 10 else 2 if size >= 1 else 3}f}"


def times(value: float | None) -> str:
    """Return a ratio."""
    if value is None:
        return NOTHING
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def aim(verdict: Verdict) -> str:
    """Return what a goal asks for."""
    goal = verdict.goal
    bound = "at least" if goal.bound == "at_least" else "at most"
    words = goal.words or title(goal.figure)
    if goal.than and goal.than not in words:
        words = f"times {goal.than}, {words}"
    return f"{bound} {goal.value:,.12g} {words}"


def outcome(verdict: Verdict) -> str:
    """Return how a goal came out, in a word."""
    return {True: "reached", False: "not reached", None: "not measured"}[verdict.reached]
