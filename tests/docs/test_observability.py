"""The page's queries and rules are about metrics that exist, and its example of a scrape works."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from engine.families import COUNTED, MEASURED
from tests.docs.pages import blocks, text_of
from tests.docs.reader import Reader

PAGE = "docs/observability.md"
METRICS = {said.name: said for said in (*COUNTED, *MEASURED)}
_NAME = re.compile(r"\bstepwell_[a-z_]+[a-z]\b")
_QUERY = re.compile(r"\b(stepwell_[a-z_]+)\b(?:\{([^}]*)\})?")


def known(name: str) -> bool:
    """Tell whether a name is a metric's, or a series' of a histogram."""
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return (name in METRICS and METRICS[name].kind != "histogram") or (
        base in METRICS and METRICS[base].kind == "histogram"
    )


def queries() -> list[str]:
    rules = yaml.safe_load(blocks(PAGE, "yaml", "rules.yml")[0].text)["groups"][0]["rules"]
    reading = text_of(PAGE).split("## Reading them")[1].split("\n## ")[0]
    return [rule["expr"] for rule in rules] + re.findall(r"`([^`]*stepwell_[^`]*)`", reading)


def test_every_query_is_about_metrics_and_labels_that_exist() -> None:
    assert len(queries()) > 20
    for query in queries():
        names = [name for name, _ in _QUERY.findall(query)]
        assert all(known(name) for name in names), query
        labels = set(re.findall(r"(\w+)=~?\"", query))
        for group in re.findall(r"\bby \(([^)]*)\)", query):
            labels |= {label.strip() for label in group.split(",")}
        there = {label for name in names for label in METRICS[re.sub(r"_(bucket|sum|count)$", "", name)].labels}
        assert labels - there <= {"le"}, query
        # What every program tells of one database is not added up.
        if any(METRICS.get(name) in MEASURED for name in names):
            assert "sum" not in query, query


def test_every_rule_says_what_it_means() -> None:
    rules = yaml.safe_load(blocks(PAGE, "yaml", "rules.yml")[0].text)["groups"][0]["rules"]

    assert len({rule["alert"] for rule in rules}) == len(rules) >= 10
    assert all(rule["annotations"]["summary"] for rule in rules)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Prometheus' promtool")
def test_prometheus_itself_accepts_the_rules(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(blocks(PAGE, "yaml", "rules.yml")[0].text)
    done = subprocess.run(["promtool", "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, check=False)  # noqa: S607

    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page's example needs curl")
def test_the_example_of_a_scrape_runs_as_it_stands(newcomer: Reader) -> None:
    (step,) = blocks(PAGE, "sh", "run")

    assert "stepwell_queue_depth_jobs 0.0" in newcomer.shell(step.text)
