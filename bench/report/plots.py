"""Plots as SVG text, to stand within a page: bars of the main figure, lines over time.

The same result gives the same text. matplotlib is an extra; without it there are no plots, and `missing` says so.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from bench.report.words import number, title
from bench.result import Entry, Section, Series, is_ours

WIDTH = 8.4  # inches; the page scales it
BAR = 0.42
MOST_POINTS = 1000  # of one line: more cannot be told apart, and make the page large
OUR_COLOUR, THEIR_COLOUR, INK, FAINT = "#0f766e", "#94a3b8", "#1e293b", "#e2e8f0"
_FONT = "DejaVu Sans"  # comes with matplotlib, which lays out with it; wider than what the page shows instead
_STYLE = {
    "svg.fonttype": "none",  # text stays text: it can be searched and copied
    "font.family": _FONT,
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def missing() -> str | None:
    """Say what is not installed, None where plots can be made."""
    return None if find_spec("matplotlib") else "no plots: matplotlib is missing; pip install 'stepwell[bench]'"


def bars(section: Section) -> str:
    """Return a bar for each contender's median of the main figure, with a line from min to max; '' for one alone."""
    there = [entry for entry in section.entries if section.main in entry.figures]
    there.sort(key=lambda entry: entry.figures[section.main].median)

    def draw(axes: Any) -> None:
        for place, entry in enumerate(there):
            _bar(axes, place, entry, section.main)
        axes.set_yticks(range(len(there)), [entry.name for entry in there])
        axes.set_xlim(0, max(entry.figures[section.main].max for entry in there) * 1.14 or 1)
        axes.set_xlabel(title(section.main))
        axes.xaxis.grid(visible=True, color=FAINT)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.tick_params(length=0)
        axes.xaxis.set_major_formatter(lambda value, _: number(value))

    return drawn(f"bars-{section.name}", BAR * len(there) + 0.6, draw) if len(there) > 1 else ""


def _bar(axes: Any, place: int, entry: Entry, main: str) -> None:
    found = entry.figures[main]
    axes.barh(place, found.median, height=0.62, color=OUR_COLOUR if is_ours(entry.name) else THEIR_COLOUR)
    axes.hlines(place, found.min, found.max, color=INK, linewidth=1)
    axes.annotate(number(found.median), (found.max, place), (5, 0), textcoords="offset points", va="center")


def lines(section: Section, name: str) -> str:
    """Return one series of all contenders that have it, over minutes; '' where nobody has it."""
    found = {entry.name: thinned(entry.series[name]) for entry in section.entries if entry.series.get(name)}

    def draw(axes: Any) -> None:
        for contender, points in found.items():
            colour = OUR_COLOUR if is_ours(contender) else None
            axes.plot([t / 60 for t, _ in points], [v for _, v in points], linewidth=1.1, label=contender, color=colour)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("minutes")
        axes.set_title(title(name), loc="left", fontsize=10)
        axes.grid(visible=True, color=FAINT)
        axes.yaxis.set_major_formatter(lambda value, _: number(value))
        if len(found) > 1:
            axes.legend(frameon=False)

    return drawn(f"line-{section.name}-{name}", 2.3, draw) if found else ""


def thinned(series: Series) -> Series:
    """Return a series with at most MOST_POINTS points: of each stretch the largest, so that no peak is lost."""
    step = max(1, -(-len(series) // MOST_POINTS))
    stretches = [series[at : at + step] for at in range(0, len(series), step)]
    return [max(stretch, key=lambda point: point[1]) for stretch in stretches]


def drawn(name: str, height: float, draw: Callable[[Any], None]) -> str:
    """Return what `draw` puts on the axes it is given, as an SVG element; '' where matplotlib is missing.

    `name`: different for each plot of a page, since the names within an SVG are drawn from it. `height`: inches.
    """
    if missing():
        return ""
    matplotlib: Any = import_module("matplotlib")
    text = io.StringIO()
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = import_module("matplotlib.figure").Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure.subplots())
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _element(text.getvalue())


def _element(document: str) -> str:
    """Return the SVG element alone, without a size of its own: the page's width decides."""
    element = document[document.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(rf"'?{_FONT}'?(?:, sans-serif)?", "system-ui, sans-serif", element)
    return re.sub(r"<svg[^>]*>", lambda tag: re.sub(r' (?:width|height)="[^"]*"', "", tag[0]), element, count=1)
