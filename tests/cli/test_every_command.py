"""What holds for every command there is, found by walking through all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from api.auth import REMEMBERED_S
from stepwell import access
from stepwell.client import sending
from stepwell.completion import SHELLS
from stepwell.main import cli

# They run until they are told to stop, hand the terminal over, or write a file or a script: there is nothing to tell.
WITHOUT_JSON = {"up", "demo", "api", "worker", "psql", "completion", "schema dump", "schema check"}


def leaves(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, *names, name)
        else:
            yield " ".join((*names, name)), command


COMMANDS = dict(leaves(cli))
PROCESS = "prc_0000000000001"


def test_the_commands_are_those_that_the_documentation_promises() -> None:
    promised = {
        "definition": "validate publish export enable disable delete trigger list show",
        "process": "start list show history watch cancel retry resume release",
        "task": "list show claim complete reject reassign",
        "signal": "send",
        **dict.fromkeys(("tenant", "environment", "key", "login"), "create list revoke"),
    }
    for group, names in promised.items():
        assert {f"{group} {name}" for name in names.split()} == {n for n in COMMANDS if n.startswith(f"{group} ")}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_with_a_sentence_and_words_for_each_option(runner: CliRunner, name: str) -> None:
    told = runner.invoke(cli, [*name.split(), "--help"])

    assert told.exit_code == 0
    assert (COMMANDS[name].help or "").strip().splitlines()[0][0].isupper()
    without = [
        option.name
        for option in COMMANDS[name].params
        if isinstance(option, click.Option) and not option.hidden and not option.help
    ]
    assert without == []


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - WITHOUT_JSON))
def test_a_command_prints_json_where_it_is_asked_to(name: str) -> None:
    assert "--json" in {flag for option in COMMANDS[name].params for flag in option.opts}


def test_what_prints_no_json_is_still_there() -> None:
    assert set(COMMANDS) >= WITHOUT_JSON


@pytest.mark.parametrize("name", [n for n, c in COMMANDS.items() if any(p.name == "url" for p in c.params)])
def test_a_command_that_needs_the_api_ends_with_3_where_it_is_away_and_with_2_where_it_is_called_wrongly(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sending, "FIRST_S", 0.0)
    wrong = runner.invoke(cli, [*name.split(), "--no-such-option"])
    needed = {"ID": PROCESS, "NAME": "n", "DEFINITION": "d", "ACTIVITY": "a", "FILE|-...": "-", "[ID]...": PROCESS}
    arguments = [
        needed.get(p.make_metavar(click.Context(COMMANDS[name])), "wf_0000000000000")
        for p in COMMANDS[name].params
        if isinstance(p, click.Argument)
    ]
    options = [f"--{p.name}=x" for p in COMMANDS[name].params if isinstance(p, click.Option) and p.required]
    options += ["--to=x"] if name == "task reassign" else []
    away = runner.invoke(
        cli,
        [*name.split(), *arguments, *options, "--url", "http://127.0.0.1:9", "--key", "k"],
        input="name: x\nsteps: []\n",
    )

    assert wrong.exit_code == 2
    assert away.exit_code == 3, away.stderr
    assert away.stderr.startswith("error: no API answers at http://127.0.0.1:9")
    assert "Traceback" not in away.output


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_is_told_how_to_complete(runner: CliRunner, shell: str) -> None:
    script = runner.invoke(cli, ["completion", shell])

    assert script.exit_code == 0
    assert f"_STEPWELL_COMPLETE={shell}_complete" in script.output


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("stepwell pro", {"process"}),
        ("stepwell process wa", {"watch"}),
        ("stepwell process list --failed", {"--failed-step"}),
        ("stepwell process list --status COM", {"completed"}),
        ("stepwell login create x --kind ", {"caller", "report", "api", "worker"}),
    ],
)
def test_commands_options_and_choices_are_completed(runner: CliRunner, words: str, wanted: set[str]) -> None:
    place = str(len(words.split(" ")) - 1)
    asked = {"_STEPWELL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": place}

    told = runner.invoke(cli, [], env=asked, prog_name="stepwell")

    assert {line.partition(",")[2] for line in told.output.splitlines()} == wanted


def test_the_help_names_the_exit_codes(runner: CliRunner) -> None:
    told = " ".join(runner.invoke(cli, ["--help"]).output.split())

    assert (
        "Exit codes: 0 done, 1 failed or refused, 2 called wrongly, 3 something that must be running cannot be reached"
        in told
    )


def test_the_promise_how_long_a_revoked_key_works_on_is_that_of_the_api() -> None:
    assert access.KEY_WORKS_ON_S == REMEMBERED_S


def test_json_is_one_document(runner: CliRunner) -> None:
    told = runner.invoke(cli, ["doctor", "--json"])

    assert isinstance(json.loads(told.stdout), dict)
