"""The demo does what it says, and says so when something is wrong."""

import contextlib
import re
import subprocess
from pathlib import Path

import pytest

from stepwell.demo import rows
from stepwell.demo.expectations import ONBOARDING, ORDERS
from stepwell.demo.rows import Way
from tests.cli.program import COMMAND, environment, run
from tests.cli.test_up import gone
from tests.fix_servers import private_folder
from tests.house import eventually

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


def commands() -> list[str]:
    """Return the command line of every process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_demo_that_is_killed_leaves_no_program_and_no_folder(tmp_path: Path) -> None:
    with private_folder() as temp:
        command = [*COMMAND, "demo", "--examples", str(EXAMPLES)]
        with (tmp_path / "out").open("w") as out:
            demo = subprocess.Popen(
                command, cwd=tmp_path, env=environment(TMPDIR=str(temp)), stdout=out, stderr=out, start_new_session=True
            )
        try:
            calls = eventually(lambda: list(temp.glob("*/partner-calls.jsonl")), what="the demo's world", seconds=60)
            assert {path.stat().st_mode & 0o077 for path in calls} == {0}
            postmasters = [
                pid for path in temp.glob("*/postgres/data/postmaster.pid") for pid in path.read_text().split()[:1]
            ]
        finally:
            demo.kill()
            demo.wait()
        eventually(lambda: not list(temp.iterdir()), what="the folder is gone", seconds=60)
        eventually(lambda: not [c for c in commands() if str(temp) in c], what="no partner is left", seconds=20)
        assert len(postmasters) == 1
        assert gone(int(postmasters[0]))
