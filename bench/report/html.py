"""The report as one HTML page: styles and plots are in it, nothing is fetched, no script runs.

Must escape every text of the result: names, notes and reasons are words of others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from bench.report import plots
from bench.report.choice import comparisons, figures, ordered
from bench.report.markdown import BYTES_IN_GB, stamp
from bench.report.words import NOTHING, aim, number, outcome, times, title
from bench.result import Entry, Result, Section, Verdict, is_ours, verdicts

STYLE = "page.css"


def page(result: Result) -> str:
    """Return the page."""
    body = [
        _head(result),
        _overview(result),
        *(_section(section, stamp(result, section)) for section in result.scenarios),
        _versions(result),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Stepwell: benchmarks, {escape(result.at[:10])}</title>\n"
        f"<style>\n{files(__package__).joinpath(STYLE).read_text('utf-8')}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _head(result: Result) -> str:
    on = result.machine
    facts = {
        "machine": f"{on.cores} cores ({on.model}), {on.memory_bytes / BYTES_IN_GB:.0f} GB, Linux {on.kernel}; "
        "shared by PostgreSQL, workers and harness",
        "PostgreSQL": f"{on.postgresql} on {on.filesystem}; "
        + ", ".join(f"{name} {value}" for name, value in result.settings.items()),
        "Python": on.python,
        "commit": result.commit,
        "measured": result.at.replace("T", " "),
    }
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(said)}</dd>" for name, said in facts.items())
    told = [
        ("A quick run: it shows that everything works; its figures mean nothing.", result.quick),
        ("The cluster lay in memory (tmpfs): commits cost nothing there.", on.filesystem in ("tmpfs", "ramfs")),
        (plots.missing() or "", plots.missing() is not None),
    ]
    warnings = "".join(f'<p class="warning">{escape(text)}</p>' for text, applies in told if applies)
    return f"<h1>Stepwell: benchmarks</h1>\n{warnings}\n<section><dl>{rows}</dl></section>"


def _overview(result: Result) -> str:
    rows = [_overview_row(section) for section in result.scenarios]
    body = _table(["scenario", "Stepwell", "<", "goals"], rows)
    explained = (
        "Y: one-row inserts that pgbench commits in a second with 8 clients, measured before each trial on the same "
        "server. Figures are medians over the trials, with the least and the largest."
    )
    return f'<section><h2>Overview</h2>{body}<p class="soft">{explained}</p></section>'


def _overview_row(section: Section) -> str:
    link = f'<a href="#{escape(section.name)}">{escape(section.title)}</a>'
    ours = number(section.ours())
    told = f'<td class="words">{escape(title(section.main))}</td><td>{_tally(verdicts(section))}</td>'
    return f"<tr><td>{link}</td><td>{ours}</td>{told}</tr>"


def _tally(found: Sequence[Verdict]) -> str:
    """Return how many goals were reached; each of the others by name where a pointer rests on it."""
    if not found:
        return ""
    missed = [one for one in found if one.reached is not True]
    name = "reached" if not missed else "not-reached" if any(one.reached is False for one in missed) else "not-measured"
    told = escape("; ".join(f"{outcome(one)}: {aim(one)}" for one in missed))
    return f'<span class="{name}" title="{told}">{len(found) - len(missed)} of {len(found)} reached</span>'


def _section(section: Section, stamped: str) -> str:
    series = dict.fromkeys(name for entry in section.entries for name in entry.series)
    parts = [
        f"<h2>{escape(section.title)}</h2><p>{escape(' '.join(filter(None, (section.about, stamped))))}</p>",
        plots.bars(section),
        _contenders(section),
        _goals(section),
        *(plots.lines(section, name) for name in series),
        _all_figures(section),
        _notes(section),
    ]
    return f'<section id="{escape(section.name)}">{"".join(parts)}</section>'


def _contenders(section: Section) -> str:
    columns = ["", f"{title(section.main)}: median", "min", "max", *comparisons(section)]
    return _table(columns, [_contender(section, entry, len(columns) - 1) for entry in ordered(section)])


def _contender(section: Section, entry: Entry, columns: int) -> str:
    found = entry.figures.get(section.main)
    if found is None:
        return f'<tr><td>{escape(entry.name)}</td><td class="words soft" colspan="{columns}">{_why(entry)}</td></tr>'
    values = map(number, (found.median, found.min, found.max))
    cells = [*values, *(times(of(entry)) for of in comparisons(section).values())]
    ours = ' class="ours"' if is_ours(entry.name) else ""
    failed = f"<br><small>{len(entry.failed)} failed: {_why(entry)}</small>" if entry.failed else ""
    numbers = "".join(f"<td>{value}</td>" for value in cells)
    return f"<tr{ours}><td>{escape(entry.name)}{failed}</td>{numbers}</tr>"


def _why(entry: Entry) -> str:
    return escape(entry.missing or "; ".join(dict.fromkeys(entry.failed)) or "no figure")


def _goals(section: Section) -> str:
    rows = [
        f'<tr><td>{escape(aim(one))}</td><td class="words">{escape(one.goal.contender)}</td>'
        f"<td>{number(one.bound)}</td><td>{number(one.found)}</td><td>{_verdict(one)}</td></tr>"
        for one in verdicts(section)
    ]
    return "<h3>Goals</h3>" + _table(["goal", "<of", "that is", "found", ""], rows) if rows else ""


def _verdict(verdict: Verdict) -> str:
    word = outcome(verdict)
    return f'<span class="{word.replace(" ", "-")}">{word}</span>'


def _all_figures(section: Section) -> str:
    there, names = [entry for entry in ordered(section) if entry.figures], figures(section)
    if not names:
        return ""
    grid = [["", *map(title, names)], *([entry.name, *(_figure(entry, name) for name in names)] for entry in there)]
    head, *rows = grid if len(there) > len(names) else zip(*grid, strict=True)
    cells = (f"<tr><td>{escape(row[0])}</td>{''.join(f'<td>{cell}</td>' for cell in row[1:])}</tr>" for row in rows)
    return f"<details open><summary>All figures: median, min … max</summary>{_table(head, cells)}</details>"


def _figure(entry: Entry, name: str) -> str:
    found = entry.figures.get(name)
    if found is None:
        return NOTHING
    return f"{number(found.median)}<br><small>{number(found.min)} … {number(found.max)}</small>"


def _notes(section: Section) -> str:
    told = [
        f"<dt>{escape(entry.name)}</dt><dd>{escape(_note(entry))}</dd>"
        for entry in ordered(section)
        if entry.note or entry.keeps
    ]
    return f"<h3>Settings, and whom the comparison favours</h3><dl>{''.join(told)}</dl>" if told else ""


def _note(entry: Entry) -> str:
    return " ".join(part for part in (entry.note, entry.keeps and f"Keeps: {entry.keeps}.") if part)


def _versions(result: Result) -> str:
    told = ", ".join(f"{escape(name)} {escape(version)}" for name, version in result.versions.items())
    return f'<section><h2>Versions</h2><p class="soft">{told}</p></section>'


def _table(columns: Sequence[str], rows: Iterable[str]) -> str:
    """Return a table; a column of words has a name that begins with <."""
    heads = "".join(
        f'<th class="words">{escape(column[1:])}</th>' if column.startswith("<") else f"<th>{escape(column)}</th>"
        for column in columns
    )
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
