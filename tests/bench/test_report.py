"""What is made of a result."""

import re
from html.parser import HTMLParser

import pytest
from msgspec import structs

from bench.cases import Goal
from bench.report import html, markdown, plots
from bench.report.words import NOTHING, number, times, title
from bench.result import Entry
from tests.bench.samples import entry, result, section

GOALS = (Goal("steps_per_s", "at_least", 50, "steps/s"), Goal("p99_ms", "at_most", 3))
OURS = entry("stepwell", 90.0, 100.0, 110.0, p99_ms=4.0, y_per_s=50.0, y_ratio=2.0)
PEER = entry("peer <b>", 10.0, y_per_s=50.0, y_ratio=0.2)
BROKEN = Entry("broken", failed=["it | broke", "it | broke"])
ABSENT = Entry("absent", missing="pip install absent")
SAMPLE = section(PEER, OURS, BROKEN, ABSENT, goals=GOALS)
SOAK = section(Entry("stepwell", series={"lag_ms": [(0.0, 1.0), (60.0, 2.0)]}), name="soak")
WITH_PLOTS = pytest.mark.skipif(plots.missing() is not None, reason="the extra bench is not installed")


class Page(HTMLParser):
    """Reads a page: what is open must be closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


@pytest.mark.parametrize(
    ("value", "shown"),
    [(31234.5, "31,234"), (99.94, "99.9"), (4.0, "4"), (4.125, "4.12"), (0.0451, "0.045"), (0.0, "0"), (None, NOTHING)],
)
def test_numbers_have_as_many_digits_as_can_be_meant(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_a_figure_is_called_by_its_words_and_its_unit() -> None:
    assert [title(name) for name in ("noop_steps_per_s", "p99_ms", "wal_per_step_bytes", "y_per_s", "y_ratio")] == [
        "noop steps/s", "p99, ms", "WAL per step, B", "Y, /s", "ratio to Y",
    ]  # fmt: skip
    assert [times(value) for value in (12.34, 1.234, 0.0123)] == ["12.3", "1.23", "0.012"]


def test_markdown_shows_ours_first_with_spread_and_ratios_and_why_others_have_no_figure() -> None:
    rows = markdown.contenders(SAMPLE).splitlines()[2:]
    assert rows == [
        "| stepwell | 100 | 90 … 110 | 2.00 | 1.00 |",
        "| peer <b> | 10 | 10 … 10 | 0.20 | 0.10 |",
        f"| broken | {NOTHING} | it \\| broke | {NOTHING} | {NOTHING} |",
        f"| absent | {NOTHING} | pip install absent | {NOTHING} | {NOTHING} |",
    ]


def test_a_contender_of_which_some_trials_failed_says_so_beside_its_figure() -> None:
    some = Entry("stepwell", figures=OURS.figures, failed=["it broke"])
    assert "| stepwell (1 failed) | 100 |" in markdown.contenders(section(some))
    assert "1 failed: it broke" in page_of(html.page(result(section(some)))).text


def test_markdown_shows_the_goals_with_what_was_found() -> None:
    rows = markdown.goals(SAMPLE).splitlines()[2:]
    assert rows == [
        "| at least 50 steps/s | stepwell |  | 100 | reached |",
        "| at most 3 p99, ms | stepwell |  | 4 | not reached |",
    ]


def test_the_table_of_engines_is_ordered_by_rate_and_says_what_each_does_and_keeps() -> None:
    queue = structs.replace(PEER, kind="job")
    rows = markdown.engines([section(queue, OURS)]).splitlines()[2:]
    assert rows == [
        "| stepwell | 100 | steps | 2.00 | 1.00 | what stepwell keeps |",
        "| peer <b> | 10 | single jobs | 0.20 | 0.10 | what peer <b> keeps |",
    ]


def test_who_is_no_engine_or_starts_many_at_once_is_nobodys_best_other() -> None:
    apart = [Entry(kind, figures=OURS.figures, kind=kind) for kind in ("limit", "bulk")]
    assert "| A <sample> | 100 | steps/s | peer <b> | 10 |" in markdown.overview(result(section(OURS, PEER, *apart)))


def test_sections_of_several_commits_each_say_their_own() -> None:
    sections = [structs.replace(SAMPLE, name=name, commit=name, at="2030-01-02T03:04:05") for name in ("abc", "def")]
    both = result(*sections)
    assert "Measured 2030-01-02, commit def." in markdown.report(both)
    assert "Measured 2030-01-02, commit def." in html.page(both)
    assert "commit def" not in markdown.report(result(sections[1]))


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    text = "\n\n".join((markdown.report(result(SAMPLE, SOAK)), markdown.overview(result(SAMPLE, SOAK)), ""))
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


@pytest.mark.parametrize("quick", [True, False])
def test_a_quick_run_says_that_its_figures_mean_nothing(quick: bool) -> None:
    found = result(SAMPLE, quick=quick)
    assert ("mean nothing" in markdown.report(found)) is quick
    assert ("mean nothing" in html.page(found)) is quick


def test_the_page_is_well_formed_and_takes_every_text_as_text() -> None:
    page = page_of(html.page(result(SAMPLE, SOAK)))
    assert "peer <b>" in page.text
    assert "A <sample>" in page.text
    assert "Some <CPU>" in page.text
    assert "1 of 2 reached" in page.text
    assert "b" not in [tag for tag, _ in page.tags]


def test_the_page_is_one_file_without_scripts_and_fetches_nothing() -> None:
    text = html.page(result(SAMPLE, SOAK))
    page = page_of(text)
    assert {"script", "link", "img", "iframe"}.isdisjoint(tag for tag, _ in page.tags)
    fetched = [
        attributes
        for _, attributes in page.tags
        if not str(attributes.get("href", "#")).startswith("#") or "src" in attributes
    ]
    assert fetched == []
    assert "url(http" not in text
    assert "@import" not in text


@WITH_PLOTS
def test_bars_name_every_contender_with_a_figure_and_lines_their_series() -> None:
    bars = page_of(plots.bars(SAMPLE)).text
    assert "stepwell" in bars
    assert "peer <b>" in bars
    assert "broken" not in bars
    assert "lag, ms" in page_of(plots.lines(SOAK, "lag_ms")).text


@WITH_PLOTS
def test_the_same_result_gives_the_same_page_and_no_name_twice_in_its_plots() -> None:
    found = result(SAMPLE, section(OURS, PEER, name="other"), SOAK)
    text = html.page(found)
    assert text == html.page(found)
    ids = [attributes["id"] for tag, attributes in page_of(text).tags if tag == "clippath"]
    assert len(set(ids)) == len(ids) > 0


def test_without_matplotlib_the_page_says_so_in_one_line_and_has_no_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda _name: None)
    page = page_of(html.page(result(SAMPLE, SOAK)))
    assert "stepwell[bench]" in page.text
    assert "svg" not in [tag for tag, _ in page.tags]


def test_a_long_series_is_thinned_without_losing_its_peak() -> None:
    series = [(float(t), 1.0) for t in range(10_000)]
    series[777] = (777.0, 99.0)
    thin = plots.thinned(series)
    assert len(thin) <= plots.MOST_POINTS
    assert (777.0, 99.0) in thin
    assert plots.thinned([]) == []
