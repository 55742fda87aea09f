"""The result file: all figures of a run, and what one must know to believe them. JSON, one document.

Must hold no host name, no path, no password. A reader needs nothing but this file: titles, notes and goals are in it.
Invariant: FORMAT rises when a field changes its meaning or goes; files of another format are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct, field, structs

from bench.cases import MORE_IS_BETTER, OURS, Contender, Goal
from bench.contenders import node
from bench.meter import Machine
from bench.run import Run, ScenarioRun
from engine.errors import OperatorError

FORMAT = 1
_UNLISTED = ("dev", "embedded")  # extras whose packages have no part in what is measured

Series = list[tuple[float, float]]  # seconds since the beginning, value


class Spread(Struct, frozen=True):
    """One figure over all trials."""

    min: float
    median: float
    max: float
    trials: list[float]


class Entry(Struct, frozen=True, omit_defaults=True):
    """One contender in one scenario. `failed`: a reason for each trial without figures. `missing`: why it had none."""

    name: str
    note: str = ""
    keeps: str = ""
    figures: dict[str, Spread] = {}
    failed: list[str] = []
    missing: str = ""
    series: dict[str, Series] = {}  # name with its unit → values over time
    kind: str = ""  # as in Contender


class Section(Struct, frozen=True, omit_defaults=True):
    """One scenario. `commit`, `at`: of when its run began; several commits where runs were joined."""

    name: str
    title: str
    about: str
    main: str
    entries: list[Entry]
    goals: list[Goal] = []
    commit: str = ""
    at: str = ""

    def entry(self, name: str) -> Entry | None:
        """Return a contender's entry, None where there is none."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def median(self, name: str, figure: str) -> float | None:
        """Return the median of a contender's figure, None where it was not measured."""
        entry = self.entry(name)
        found = entry.figures.get(figure) if entry else None
        return found.median if found else None

    def ours(self) -> float | None:
        """Return Stepwell's median of the main figure; the worst, where only variants of it took part."""
        found = self.median(OURS, self.main)
        variants = [e.figures[self.main].median for e in self.entries if is_ours(e.name) and self.main in e.figures]
        if found is not None or not variants:
            return found
        return min(variants) if self.main.endswith(MORE_IS_BETTER) else max(variants)

    def best(self, figure: str) -> float | None:
        """Return the best median of Stepwell and its variants, None where none was measured."""
        found = [e.figures[figure].median for e in self.entries if is_ours(e.name) and figure in e.figures]
        return (max if figure.endswith(MORE_IS_BETTER) else min)(found, default=None)

    def times_ours(self, entry: Entry) -> float | None:
        """Return how many times Stepwell's median a contender's is, in the main figure."""
        ours, theirs = (self.median(name, self.main) for name in (OURS, entry.name))
        return theirs / ours if ours and theirs is not None else None


def is_ours(contender: str) -> bool:
    """Tell whether a contender is Stepwell or, as in "stepwell, 2 processes", a variant of it."""
    return contender.partition(",")[0] == OURS


class Result(Struct, frozen=True, omit_defaults=True):
    """A run, whole. `quick`: sizes were small, so that figures say only that everything works."""

    format: int
    commit: str
    at: str
    machine: Machine
    settings: dict[str, str]
    versions: dict[str, str]
    scenarios: list[Section] = field(default_factory=list)
    quick: bool = False

    def section(self, name: str) -> Section | None:
        """Return a scenario, None where it was not run."""
        return next((section for section in self.scenarios if section.name == name), None)


class Verdict(Struct, frozen=True):
    """How a goal came out. `bound` and `found`: of the figure itself; None where it was not measured."""

    goal: Goal
    bound: float | None
    found: float | None

    @property
    def reached(self) -> bool | None:
        """Whether it was reached; None where it was not measured."""
        if self.bound is None or self.found is None:
            return None
        return self.found >= self.bound if self.goal.bound == "at_least" else self.found <= self.bound


def verdicts(section: Section) -> list[Verdict]:
    """Return how a scenario's goals came out, by medians."""
    return [_verdict(section, goal) for goal in section.goals]


def _verdict(section: Section, goal: Goal) -> Verdict:
    base = 1.0 if goal.than is None else section.median(goal.than, goal.figure)
    bound = None if base is None else goal.value * base
    found = section.best(goal.figure) if goal.best else section.median(goal.contender, goal.figure)
    return Verdict(goal, bound, found)


def result_of(run: Run) -> Result:
    """Return what is written of a run. Raises OperatorError where no server ran."""
    if run.machine is None:
        raise OperatorError("nothing was measured", advice="See above why; 'stepwell bench list' shows what there is.")
    sections, first = [section_of(ran) for ran in run.scenarios], run.scenarios[0]
    quick = run.options.effort.quick
    return Result(FORMAT, first.commit, first.at, run.machine, dict(run.settings), versions(), sections, quick)


def section_of(ran: ScenarioRun) -> Section:
    """Return what is written of a scenario."""
    scenario = ran.scenario
    entries = [_entry(one, ran) for one in scenario.contenders]
    told = [entry for entry in entries if entry.figures or entry.failed or entry.missing]
    goals = list(scenario.against)
    return Section(scenario.name, scenario.title, scenario.about, scenario.main, told, goals, ran.commit, ran.at)


def _entry(contender: Contender, ran: ScenarioRun) -> Entry:
    trials = [trial for trial in ran.trials if trial.contender == contender.name]
    return Entry(
        contender.name,
        contender.note,
        contender.keeps,
        _spreads([trial.figures for trial in trials if not trial.failed]),
        [trial.failed for trial in trials if trial.failed],
        ran.missing.get(contender.name, ""),
        kind=contender.kind,
    )


def _spreads(trials: Sequence[dict[str, float]]) -> dict[str, Spread]:
    names = dict.fromkeys(name for figures in trials for name in figures)
    return {name: spread([figures[name] for figures in trials if name in figures]) for name in names}


def spread(values: Sequence[float]) -> Spread:
    """Return a figure over its trials, rounded to six digits: more was not measured."""
    short = [float(f"{value:.6g}") for value in values]
    return Spread(min(short), float(f"{median(short):.6g}"), max(short), short)


def merged(results: Sequence[Result]) -> Result:
    """Return several results as one; of a scenario's contender in two of them the later counts.

    Raises OperatorError where they were not measured alike.
    """
    first = results[0]
    for other in results[1:]:
        for part in ("machine", "settings", "quick"):
            if getattr(first, part) != getattr(other, part):
                raise OperatorError(
                    f"the files differ in {part}: what was not measured alike cannot stand in one table",
                    advice="Make a report of each.",
                )
    sections: dict[str, Section] = {}
    for section in (section for result in results for section in result.scenarios):
        sections[section.name] = _joined(sections.get(section.name), section)
    versions = {name: version for result in results for name, version in result.versions.items()}
    return structs.replace(results[-1], scenarios=list(sections.values()), versions=versions)


def _joined(earlier: Section | None, later: Section) -> Section:
    """Return a scenario measured twice. Who took part the first time only stays, with the commit of that time."""
    names = {entry.name for entry in later.entries}
    left = [entry for entry in earlier.entries if entry.name not in names] if earlier is not None else []
    if earlier is None or not left:
        return later
    anew = {entry.name: entry for entry in later.entries}
    entries = [anew.pop(entry.name, entry) for entry in earlier.entries]
    commits = dict.fromkeys((*earlier.commit.split(", "), *later.commit.split(", ")))
    return structs.replace(later, entries=[*entries, *anew.values()], commit=", ".join(commits))


def read(path: Path) -> Result:
    """Read a result file. Raises OperatorError for one that is none, or of another format."""
    try:
        found = msgspec.json.decode(path.read_bytes())
        number = found.get("format") if isinstance(found, dict) else None
        if number == FORMAT:
            return msgspec.convert(found, Result)
    except msgspec.MsgspecError as error:
        raise OperatorError(
            f"{path} is no result file: {error}", advice="Name a file of 'stepwell bench run'."
        ) from None
    raise OperatorError(
        f"{path} has the format {number}, this release reads {FORMAT}", advice="Measure again with this release."
    )


def write(path: Path, result: Result) -> None:
    """Write a result file, whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    fresh.replace(path)


def versions() -> dict[str, str]:
    """Return the versions of the packages we build on and compare with, as far as they are installed."""
    found = {"stepwell": metadata.version("stepwell")}
    for name in sorted(_required(metadata.requires("stepwell") or ())):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found | node.versions()


def _required(lines: Iterable[str]) -> set[str]:
    pattern = re.compile(r"([A-Za-z0-9._-]+)(?:.*extra == ['\"]([\w-]+)['\"])?")
    parts = [found for line in lines if (found := pattern.match(line))]
    return {found[1] for found in parts if found[2] not in (*_UNLISTED, "bench-expressions")}
