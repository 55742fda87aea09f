"""`stepwell bench`: what it lists, writes and prints, and that nothing is left of a run that is interrupted."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bench.result import read, write
from stepwell.bench import ELSEWHERE, bench
from stepwell.main import cli
from tests.bench.samples import entry, result, section
from tests.docs.pages import ROOT
from tests.house import eventually


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Return a runner of commands in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return CliRunner()


@pytest.fixture(autouse=True)
def left_alone() -> Iterator[None]:
    """Give pytest its signals and its environment back: the command has the process to itself."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    environment = dict(os.environ)
    yield
    os.environ.update(environment)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_what_libpq_would_heed_of_the_environment_is_gone_before_anything_is_measured(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c synchronous_commit=off")
    assert runner.invoke(cli, ["bench", "list"]).exit_code == 0
    assert "PGOPTIONS" not in os.environ


def test_scenarios_are_listed_with_their_contenders(runner: CliRunner) -> None:
    told = json.loads(runner.invoke(cli, ["bench", "list"]).stdout)
    assert any("stepwell" in one["contenders"] for one in told["items"])
    for one in told["items"]:
        assert one["title"]
        assert one["contenders"]


@pytest.mark.parametrize("arguments", [["no-such-scenario"], ["--contender", "no-such-contender"]])
def test_an_unknown_name_is_refused_with_those_that_there_are(runner: CliRunner, arguments: list[str]) -> None:
    told = runner.invoke(cli, ["bench", "run", *arguments])
    assert told.exit_code == 1
    assert arguments[-1] in told.stderr
    assert "Choose from: " in told.stderr
    assert not Path("bench-results").exists()


def test_a_machine_that_cannot_says_what_is_missing(
    runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.ground.SYSTEM_ROOT", tmp_path)
    told = runner.invoke(cli, ["bench", "run", "--system", "--contender", "stepwell", "fan-out"])
    assert told.exit_code == 1
    assert "no PostgreSQL with pgbench" in told.stderr
    assert "should not happen" not in told.stderr


def test_a_report_is_made_of_a_file_beside_it(runner: CliRunner, tmp_path: Path) -> None:
    folder = tmp_path / "two words"
    folder.mkdir()
    write(folder / "first.json", result(section(entry("stepwell", 100.0))))
    told = runner.invoke(cli, ["bench", "report", str(folder / "first.json")])
    assert told.exit_code == 0
    assert "| stepwell | 100 |" in told.stdout
    assert (folder / "first.md").read_text() == told.stdout.removesuffix("\n")
    assert "<!doctype html>" in (folder / "first.html").read_text()


def test_of_several_files_one_report_and_one_result_file_are_made(runner: CliRunner, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.json", result(section(entry("stepwell", 1.0), name=name)))
    told = runner.invoke(cli, ["bench", "report", "a.json", "b.json", "--out", "both"])
    assert told.exit_code == 0
    [made] = Path("both").glob("*.json")
    assert [one.name for one in read(made).scenarios] == ["a", "b"]


def test_what_is_no_result_file_is_refused(runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    told = runner.invoke(cli, ["bench", "report", "x.json"])
    assert told.exit_code == 1
    assert "x.json" in told.stderr


@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_commands_that_live_elsewhere_are_there(name: str) -> None:
    command = bench.get_command(click.Context(bench), name)
    assert command is not None
    assert command.help


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_ends_it_otherwise_than_by_ctrl_c_ends_it_in_the_same_order(runner: CliRunner, number: int) -> None:
    assert runner.invoke(cli, ["bench", "list"]).exit_code == 0
    assert signal.getsignal(number) is signal.default_int_handler


def _heed_ctrl_c() -> None:
    """Undo what the tests inherit where they run in the background: there SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_run_that_is_interrupted_leaves_its_figures_and_nothing_else(tmp_path: Path) -> None:
    note, out = tmp_path / "running.json", tmp_path / "two words"
    command = [sys.executable, "-m", "tests.bench.hanging", str(note), "bench", "run", "--quick", "--out", str(out)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_ctrl_c,  # noqa: PLW1509  it calls one function of the system's
    ) as program:
        eventually(lambda: note.exists() or program.poll() is not None, what="the second trial runs")
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=30)

    assert program.returncode == 130, said
    running = json.loads(note.read_text())
    assert not Path(running["folder"]).exists()
    for name, pid in running["pids"].items():
        eventually(lambda pid=pid: not Path(f"/proc/{pid}").exists(), what=f"{name} has ended")  # type: ignore[misc]
    [file] = out.glob("*.json")
    assert read(file).scenarios[0].median("stepwell", "steps_per_s") == 7.0
    assert len(list(out.iterdir())) == 3
    assert "password" not in said
