"""What every command has in common: help, exit codes, one clear line where something is wrong."""

import importlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.errors import BadInput, Finding, IdempotencyMismatch, InvalidDefinition, tree
from stepwell import connection, failure
from stepwell.connection import Connection
from stepwell.main import COMMANDS, cli

UNREACHABLE = "http://127.0.0.1:9"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(runner: CliRunner, command: str) -> None:
    told = runner.invoke(cli, [command, "--help"])

    assert told.exit_code == 0
    assert told.output.startswith(f"Usage: cli {command}")


def test_the_help_lists_every_command(runner: CliRunner) -> None:
    told = runner.invoke(cli, ["--help"]).output

    assert [name for name in COMMANDS if f"\n  {name} " not in told] == []


def test_the_version_is_told(runner: CliRunner) -> None:
    assert runner.invoke(cli, ["--version"]).output.startswith("stepwell 0.")


def test_a_wrong_call_ends_with_2(runner: CliRunner) -> None:
    assert runner.invoke(cli, ["process", "show"]).exit_code == 2
    assert runner.invoke(cli, ["no-such-command"]).exit_code == 2


def test_an_api_that_is_away_ends_with_3_and_says_what_to_do(runner: CliRunner) -> None:
    told = runner.invoke(cli, ["process", "show", "prc_0000000000001", "--url", UNREACHABLE, "--key", "swk_x"])

    assert told.exit_code == 3
    assert told.stderr.startswith(f"error: no API answers at {UNREACHABLE}")
    assert "stepwell up" in told.stderr
    assert "Traceback" not in told.stderr


def test_without_a_key_nothing_is_sent(runner: CliRunner) -> None:
    told = runner.invoke(cli, ["definition", "list", "--url", UNREACHABLE])

    assert told.exit_code == 1
    assert "no API key" in told.stderr
    assert "stepwell key create" in told.stderr


def test_where_nothing_says_which_api_is_meant_it_ends_with_3_and_says_that_none_runs_here(runner: CliRunner) -> None:
    kept = Connection(owner_url="postgresql://o@h/d", api_url="x", worker_url="x", key="swk_kept", url=None)
    Path(".stepwell").mkdir()
    for stopped in (False, True):  # another folder, and one in which `up` was stopped
        if stopped:
            connection.write(Path(".stepwell"), kept)
        told = runner.invoke(cli, ["definition", "list"])

        assert told.exit_code == 3
        assert told.stderr.startswith("error: no `stepwell up` runs in this folder (.stepwell)")
        assert "STEPWELL_URL" in told.stderr
        assert "STEPWELL_API_KEY" in told.stderr


def test_with_json_an_error_is_an_object_with_its_code(runner: CliRunner) -> None:
    Path("wrong.yaml").write_text("name: [")

    away = runner.invoke(cli, ["definition", "list", "--json"])
    wrong = runner.invoke(cli, ["definition", "publish", "--json", "wrong.yaml"])

    said = json.loads(away.stderr)
    assert (away.exit_code, said["code"], said["pointer"], said["findings"]) == (3, "unavailable", None, [])
    assert "stepwell up" in said["advice"]
    assert said["message"].startswith("no `stepwell up` runs")
    assert json.loads(wrong.stderr)["message"].startswith("wrong.yaml is neither")
    assert away.stdout == wrong.stdout == ""


def test_an_error_in_json_has_all_findings_and_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding("/name", "is \x1b[2Jno text", "Mend it.")

    failure.tell(InvalidDefinition("1 fault", findings=(finding,)), as_json=True)

    shown = capsys.readouterr().err
    said = json.loads(shown)
    assert said["code"] == "invalid_definition"
    assert said["findings"][0]["message"] == finding.message
    assert "publish it again" in said["advice"]
    assert "\x1b" not in shown


@pytest.mark.parametrize("id_", ["parcel", "wf_0000000000001", "prc_1m7", "", "prc_" + "0" * 500])
@pytest.mark.parametrize("command", ["show", "history", "watch", "retry", "cancel"])
def test_what_is_no_process_id_is_told_before_anything_is_asked(runner: CliRunner, command: str, id_: str) -> None:
    told = runner.invoke(cli, ["process", command, id_, "--url", UNREACHABLE, "--key", "swk_x"])

    assert told.exit_code == 2
    assert "is not a process id (prc_…)" in told.stderr
    assert len(told.stderr) < 500


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        ("tenant create Ac/me", "lower-case letters"),
        (f"tenant create {'a' * 64}", "lower-case letters"),
        ("environment create Te.st", "lower-case letters"),
        ("key create --name=", "printable characters"),
        (f"key create --name={'k' * 201}", "printable characters"),
        ("login create bad!name --kind report", "letters a-z"),
        (f"login create {'a' * 64} --kind report", "letters a-z"),
        ("login create pg_mine --kind report", "not pg_"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_the_rule_before_the_database_is_asked(
    runner: CliRunner, command: str, rule: str
) -> None:
    away = {"STEPWELL_OWNER_DATABASE_URL": "postgresql://owner@127.0.0.1:9/stepwell"}

    told = runner.invoke(cli, command.split(), env=away)

    assert told.exit_code == 1
    assert "[invalid_input]" in told.stderr
    assert rule in told.stderr


def test_a_misspelt_setting_is_refused_with_the_right_name(runner: CliRunner) -> None:
    told = runner.invoke(cli, ["definition", "list"], env={"STEPWELL_API_KEI": "x"})

    assert told.exit_code == 1
    assert "STEPWELL_API_KEI" in told.stderr
    assert "STEPWELL_API_KEY" in told.stderr


@pytest.mark.parametrize("command", [("tenant", "list"), ("key", "create"), ("login", "list")])
def test_administration_without_a_database_says_how_to_name_one(runner: CliRunner, command: tuple[str, ...]) -> None:
    told = runner.invoke(cli, command)

    assert told.exit_code == 1
    assert "STEPWELL_OWNER_DATABASE_URL" in told.stderr


def test_a_server_that_is_away_ends_with_3_without_its_password(runner: CliRunner) -> None:
    url = "postgresql://owner:secret-word@127.0.0.1:9/stepwell"

    told = runner.invoke(cli, ["tenant", "list"], env={"STEPWELL_OWNER_DATABASE_URL": url})

    assert told.exit_code == 3
    assert "PostgreSQL cannot be reached" in told.stderr
    assert "secret-word" not in told.output


def test_a_broken_file_is_refused_before_anything_is_sent(runner: CliRunner) -> None:
    Path("broken.yaml").write_text("name: [")

    told = runner.invoke(cli, ["definition", "publish", "broken.yaml", "--url", UNREACHABLE, "--key", "swk_x"])

    assert told.exit_code == 1
    assert "broken.yaml is neither JSON nor YAML" in told.stderr


def test_a_problem_is_told_with_its_place_each_finding_and_advice_for_a_person(
    capsys: pytest.CaptureFixture[str],
) -> None:
    findings = (Finding("/steps/0/id", "is missing", "Add it."), Finding("/name", "is \x1b[2Jno text"))

    failure.tell(BadInput("the input is wrong", pointer="/input/amount"))
    failure.tell(InvalidDefinition("2 faults", findings=findings))

    assert capsys.readouterr().err.splitlines() == [
        "error: the input is wrong [invalid_input]",
        "  at /input/amount",
        "  → Correct that place and run the command again.",
        "error: 2 faults [invalid_definition]",
        "  /steps/0/id",
        "      is missing",
        "      → Add it.",
        "  /name",
        "      is \ufffd[2Jno text",
        "  → Correct each of these places in the file and publish it again.",
    ]


def test_no_advice_of_the_error_tree_speaks_of_requests() -> None:
    importlib.import_module("api.app")  # it adds errors of its own to the tree
    told = [failure.ADVICE.get(error.advice, error.advice) for error in tree()]

    assert [advice for advice in told if "request" in advice or "same Idempotency" in advice] == [
        IdempotencyMismatch.advice
    ]


def test_debug_lets_the_error_through(runner: CliRunner) -> None:
    told = runner.invoke(cli, ["--debug", "tenant", "list"])

    assert type(told.exception).__name__ == "OperatorError"


def test_doctor_prints_json_where_it_is_piped_and_ends_with_1_if_anything_is_bad(runner: CliRunner) -> None:
    secret = "postgresql://api:secret-word@127.0.0.1:9/stepwell"

    told = runner.invoke(cli, ["doctor"], env={"STEPWELL_DATABASE_URL": secret, "STEPWELL_API_KEY": "swk_private"})

    said = json.loads(told.output)
    assert told.exit_code == 1
    assert said["ok"] is False
    assert [f for f in said["findings"] if f["state"] == "bad" and "cannot connect" in f["message"]]
    assert "secret-word" not in told.output
    assert "swk_private" not in told.output
