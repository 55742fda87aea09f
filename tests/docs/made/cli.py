"""docs/cli.md: every command with its arguments and options, read off the program itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import click

from stepwell.main import cli
from tests.docs.made.markdown import block, code, table


def commands() -> str:
    """Return a section for each command."""
    return "\n\n".join(_section(path, context) for path, context in walk())


def walk() -> Iterator[tuple[str, click.Context]]:
    """Yield (full name, context) of the program and of every command that is not hidden."""
    yield from _below("stepwell", click.Context(cli, info_name="stepwell"))


def _below(path: str, context: click.Context) -> Iterator[tuple[str, click.Context]]:
    yield path, context
    command = context.command
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        if child is not None and not child.hidden:
            yield from _below(f"{path} {name}", click.Context(child, info_name=name, parent=context))


def _section(path: str, context: click.Context) -> str:
    command = context.command
    parts = [f"{'##' if path.count(' ') < 2 else '###'} {path}", _help(command)]
    if not isinstance(command, click.Group):
        usage = " ".join([path, *command.collect_usage_pieces(context)])
        parts.append(block("", usage))
    rows = [row for one in command.get_params(context) if (row := _option(one, context)) is not None]
    if rows:
        parts.append(table(("option", "default", "meaning"), rows))
    return "\n\n".join(part for part in parts if part)


def _help(command: click.Command) -> str:
    """Return the help of a command; `\\b` keeps lines as they are, for a terminal only."""
    text = inspect.cleandoc(command.help or "")
    paragraphs = re.split(r"\n\s*\n", text)
    return "\n\n".join(_literal(part) if part.startswith("\b") else part for part in paragraphs)


def _literal(paragraph: str) -> str:
    return block("", paragraph.removeprefix("\b").strip("\n"))


def _option(said: click.Parameter, context: click.Context) -> tuple[str, str, str] | None:
    """Return the row of an option; arguments are in the usage line and the text."""
    if not isinstance(said, click.Option) or said.hidden or "--help" in said.opts:
        return None
    names = ", ".join(said.opts + said.secondary_opts)
    if not (said.is_flag or said.count):
        names += " " + said.make_metavar(context).replace(" RANGE", "")
    extra = said.get_help_extra(context)
    notes = [_range(extra["range"])] if "range" in extra else []
    notes += ["Required."] if said.required else []
    return code(names), _default(said, context), " ".join([said.help or "", *notes])


def _range(said: str) -> str:
    """Return click's `1<=x<=64` as a sentence."""
    low, _, rest = said.partition("x")
    least, most = low.removesuffix("<=").removesuffix("<"), rest.removeprefix("<=").removeprefix("<")
    if rest.startswith(">"):
        return f"At least {rest.lstrip('>=')}."
    return f"{least} to {most}." if least else f"At most {most}."


def _default(said: click.Option, context: click.Context) -> str:
    value: Any = said.get_default(context, call=False)
    known = isinstance(value, str | int | float) and not isinstance(value, bool)
    return code(str(value)) if known and not (said.is_flag or said.count) else ""
