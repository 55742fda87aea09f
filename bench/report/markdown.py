"""Tables in Markdown from a result: the one of the README, and those of docs/benchmarks.md.

Must not measure or read files: a result goes in, text comes out. The same result gives the same text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.cases import MORE_IS_BETTER
from bench.report.choice import comparisons, figures, ordered, to_y
from bench.report.words import NOTHING, aim, number, outcome, times, title
from bench.result import Entry, Result, Section, is_ours, verdicts
from bench.run import Y_RATIO

LIMIT = "limit"  # a contender that is no engine: what PostgreSQL could do with the same rows
BYTES_IN_GB = 1_000_000_000


def report(result: Result) -> str:
    """Return everything: where it was measured, then each scenario with its tables."""
    sections = (scenario(section, stamp(result, section)) for section in result.scenarios)
    return "\n\n".join([conditions(result), *sections]) + "\n"


def stamp(result: Result, section: Section) -> str:
    """Return when and at which commit a scenario was measured, where not all were on one day at one commit."""
    stamps = {(one.at[:10], one.commit) for one in result.scenarios}
    return f"Measured {section.at[:10]}, commit {section.commit}." if len(stamps) > 1 and section.commit else ""


def conditions(result: Result) -> str:
    """Return in a few sentences on what, when and with which settings."""
    on = result.machine
    settings = ", ".join(f"{name} {value}" for name, value in result.settings.items())
    quick = "**A quick run: it shows that everything works; its figures mean nothing.** " if result.quick else ""
    return (
        f"{quick}Measured on {on.cores} cores ({on.model}) with {on.memory_bytes / BYTES_IN_GB:.0f} GB, shared by "
        f"PostgreSQL, workers and harness; PostgreSQL {on.postgresql} on {on.filesystem}, Python {on.python}, Linux "
        f"{on.kernel}; {result.at[:10]}, commit {result.commit}. PostgreSQL's settings: {settings}; the rest are its "
        "defaults."
    )


def scenario(section: Section, stamped: str = "") -> str:
    """Return one scenario: what is measured, the contenders, the goals, what is to be known of the comparison."""
    return "\n\n".join([short(section, stamped), *filter(None, (details(section), notes(section)))])


def short(section: Section, stamped: str = "") -> str:
    """Return one scenario without the lesser figures and the notes. `stamped`: what `stamp` says of it."""
    about = " ".join(filter(None, (section.about, stamped)))
    parts = [f"### {section.title}", about, contenders(section), goals(section)]
    return "\n\n".join(part for part in parts if part)


def contenders(section: Section) -> str:
    """Return the main figure of each contender: median, spread, ratios."""
    ratios = comparisons(section)
    rows = [[*_row(section, entry), *(times(of(entry)) for of in ratios.values())] for entry in ordered(section)]
    return _table(["", title(section.main), "min … max", *ratios], rows)


def _row(section: Section, entry: Entry) -> list[str]:
    found = entry.figures.get(section.main)
    if found is None:
        return [entry.name, NOTHING, entry.missing or "; ".join(dict.fromkeys(entry.failed))]
    name = f"{entry.name} ({len(entry.failed)} failed)" if entry.failed else entry.name
    return [name, number(found.median), f"{number(found.min)} … {number(found.max)}"]


def details(section: Section) -> str:
    """Return the medians of all other figures."""
    there = [entry for entry in ordered(section) if entry.figures]
    names = [name for name in figures(section) if name not in (section.main, Y_RATIO)]
    if not names:
        return ""
    grid = [
        ["median", *map(title, names)],
        *([entry.name, *(_median(entry, name) for name in names)] for entry in there),
    ]
    head, *rows = grid if len(there) > len(names) else zip(*grid, strict=True)
    return _table(head, rows)


def _median(entry: Entry, figure: str) -> str:
    found = entry.figures.get(figure)
    return number(found.median if found else None)


def goals(section: Section) -> str:
    """Return the goals with what was found; '' without any."""
    rows = [
        [aim(one), one.goal.contender, number(one.bound) if one.goal.than else "", number(one.found), outcome(one)]
        for one in verdicts(section)
    ]
    return _table(["goal", "of", "that is", "found", ""], rows) if rows else ""


def notes(section: Section) -> str:
    """Return each contender's settings and whom the comparison favours, as a list."""
    return "\n".join(f"- **{entry.name}**: {entry.note}" for entry in ordered(section) if entry.note)


def overview(result: Result) -> str:
    """Return one row for each scenario: ours, the best other, how the goals came out."""
    return _table(["", "ours", "", "best other", "", "goals"], [_overview(section) for section in result.scenarios])


def _overview(section: Section) -> list[str]:
    others = [e for e in section.entries if not is_ours(e.name) and not _apart(e) and section.main in e.figures]
    others.sort(key=lambda entry: entry.figures[section.main].median)
    best = (others[-1] if section.main.endswith(MORE_IS_BETTER) else others[0]) if others else None
    told = [outcome(one) for one in verdicts(section)]
    reached = f"{told.count('reached')} of {len(told)} reached" if told else ""
    theirs = (best.name, _median(best, section.main)) if best else ("", "")
    return [section.title, number(section.ours()), title(section.main), *theirs, reached]


def _apart(entry: Entry) -> bool:
    """Tell whether a contender is no engine, or starts many at once beside our single starts."""
    return entry.kind in ("limit", "bulk") or entry.name == LIMIT  # older files have no kind


def engines(sections: Sequence[Section]) -> str:
    """Return the table of the README: who carries out how many no-op steps or jobs, and what is left of them.

    Sections of the same main figure. All are compared with Stepwell in the first; its rows in others bear their name.
    """
    rows: dict[str, tuple[float, list[str]]] = {}
    ours = sections[0].ours() if sections else None
    for section in sections:
        for entry in section.entries:
            if (found := entry.figures.get(section.main)) is not None:
                name = f"{entry.name} ({section.name})" if is_ours(entry.name) and rows.get(entry.name) else entry.name
                ratios = [times(to_y(entry)), times(found.median / ours if ours else None)]
                counted = {"job": "single jobs", "limit": "rows"}.get(entry.kind, "steps")
                rows.setdefault(name, (found.median, [name, number(found.median), counted, *ratios, entry.keeps]))
    columns = ["engine", "a second", "counted are", "ratio to Y", "times ours", "what it keeps"]
    return _table(columns, [row for _, row in sorted(rows.values(), key=lambda row: -row[0])])


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = list(rows)
    rule = ["---" if place == 0 else "---:" if _numbers(body, place) else "---" for place in range(len(columns))]
    return "\n".join(f"| {' | '.join(_cell(value) for value in line)} |" for line in (columns, rule, *body))


def _numbers(rows: Sequence[Sequence[str]], place: int) -> bool:
    return any(row[place][:1].isdigit() for row in rows)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
