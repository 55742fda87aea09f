"""The program: `stepwell COMMAND`. Finds the module of a command and turns errors into one line with advice.

Imports nothing of ours before the guard has passed, and only the module of the command that was asked for.

Exit codes: 0 done, 1 failed or refused, 2 called wrongly, 3 something that must be running cannot be reached.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from stepwell import guard

COMMANDS = {
    "up": "up:up",
    "demo": "demo.command:demo",
    "api": "programs:api",
    "worker": "programs:worker",
    "migrate": "programs:migrate",
    "doctor": "doctor:doctor",
    "definition": "definition:definition",
    "expression": "expression:expression",
    "process": "process:process",
    "task": "task:task",
    "signal": "signals:signal",
    "psql": "psql:psql",
    "tenant": "admin:tenant",
    "environment": "admin:environment",
    "login": "access:login",
    "key": "access:key",
    "schema": "schema:schema",
    "bench": "bench:bench",
    "completion": "completion:completion",
}


class Program(click.Group):
    """A group that imports a command's module when it is asked for."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Return the command of that name."""
        place = COMMANDS.get(name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(importlib.import_module(f"stepwell.{module}"), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; answer an error with a line, advice and an exit code."""
        from stepwell import failure

        with failure.told(ctx.meta, debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


def _version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"stepwell {version('stepwell')}")
        ctx.exit()


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show where an error comes from.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def cli(debug: bool) -> None:
    """Stepwell: processes that run to their end, in PostgreSQL.

    Start with `stepwell up`, or watch everything at work with `stepwell demo`.

    Tables where a person looks, JSON with --json or when piped. Exit codes: 0 done, 1 failed or refused,
    2 called wrongly, 3 something that must be running cannot be reached.
    """


def main() -> None:
    """Run the command line. Entry point of the script `stepwell`."""
    guard.check()
    try:
        cli(prog_name="stepwell")
    except BrokenPipeError:
        # The reader of a pipe (head, less) left: nobody is there to be told. Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
