"""The demo does what it says, and says so when something is wrong."""

import re
from pathlib import Path

import pytest

from stepwell.demo import rows
from stepwell.demo.expectations import ONBOARDING, ORDERS
from stepwell.demo.rows import Way
from tests.cli.program import run

EXAMPLES = Path(__file__).parents[2] / "examples"


def figures(text: str) -> dict[str, str]:
    """Return the closing table: name → value."""
    return {
        match[1].strip(): match[2].strip()
        for line in text.splitlines()
        if (match := re.match(r"( ?\S.*?)\s{2,}(\S.*)$", line.rstrip()))
    }


@pytest.mark.timeout(180)
def test_every_process_of_the_demo_ends_as_its_row_says_although_a_worker_is_killed(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", "--limit", "80", "--examples", str(EXAMPLES))

    assert done.returncode == 0, done.stdout + done.stderr
    found = figures(done.stdout)
    assert found["processes"] == "80"
    assert "Every process ended as expected" in done.stdout
    assert re.search(r"killed worker-\d \(kill -9 \d+\)", done.stdout)
    assert re.fullmatch(r"\d+\.\d\d s", found["time to rescue"])
    assert int(found["calls at the partner"]) >= int(found["distinct effects"]) > 0
    assert "Where to look next" in done.stdout


def test_without_examples_it_says_where_they_should_be(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", "--examples", str(tmp_path))

    assert done.returncode == 1
    assert str(tmp_path) in done.stderr
    assert "--examples" in done.stderr


def test_rows_take_every_way_and_every_payment() -> None:
    cases = rows.read_cases(EXAMPLES, "http://partner.example", None)

    assert {case.way for case in cases} == set(Way)
    assert {case.definition for case in cases} == {ONBOARDING, ORDERS}
    assert {case.payment for case in cases if case.definition == ORDERS} == {"early", "prompt", "late", None}
    assert {case.paid_by_sql for case in cases if case.payment} == {True, False}
    assert len({case.order_id for case in cases}) == len(cases)


def test_a_limit_takes_rows_of_both_definitions() -> None:
    cases = rows.read_cases(EXAMPLES, "http://partner.example", 41)

    assert len(cases) == 41
    assert {case.definition for case in cases} == {ONBOARDING, ORDERS}
