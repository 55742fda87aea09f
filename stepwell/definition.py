"""`stepwell definition`: publish definitions, look at them, manage them, through the API."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console

from api.wire import DefinitionView, ValidationView
from engine.core.ids import private_id
from engine.errors import NotFound, OperatorError
from stepwell import documents
from stepwell.arguments import given, limit_option, page_size, why_options
from stepwell.client import Client
from stepwell.findings import tell_finding
from stepwell.output import as_row, confirmed, counted, day, facts, json_option, listing, say, show, typed, yes_option
from stepwell.remote import Remote, api_options

F = TypeVar("F", bound=Callable[..., Any])

PUBLISHED = ("id", "name", "version", "status")
LISTED = ("id", "name", "version", "enabled", "updated_at", "created_by")
CHOICES = (LISTED, LISTED[:-1], LISTED[:-2])
SHOWN = ("id", "name", "version", "status", "enabled", "created_at", "updated_at", "created_by")

definition_argument = click.argument("wanted", metavar="NAME|ID")
files_argument = click.argument(
    "files", nargs=-1, required=True, metavar="FILE|-...", type=click.Path(dir_okay=False, allow_dash=True)
)


@click.group()
def definition() -> None:
    """Publish and manage definitions: versioned documents that processes follow."""


@definition.command("validate")
@files_argument
@api_options
@json_option
def validate(files: tuple[str, ...], remote: Remote, as_json: bool) -> None:
    """Say what publishing each FILE (JSON or YAML) would find wrong. Exit code 1 if anything is."""
    read = [(path, documents.read_file(path)) for path in files]
    with remote.client() as client:
        answers = [(path, client.validate_definition(document)) for path, document in read]
    value = [{"file": path, **msgspec.to_builtins(found)} for path, found in answers]

    def human(console: Console) -> None:
        for path, found in answers:
            _tell_validation(console, path, found)

    show(value, human, as_json=as_json)
    if not all(found.valid for _, found in answers):
        raise SystemExit(1)


def _tell_validation(console: Console, path: str, found: ValidationView) -> None:
    if found.valid:
        say(console, f"{path}: valid  {found.name}, steps {', '.join(found.steps or ())}", style="green")
        return
    say(console, f"{path}: not valid", style="red")
    for finding in found.findings:
        tell_finding(console, finding)


@definition.command("publish")
@files_argument
@click.option("--as", "wanted", metavar="NAME|ID", help="As the next version of this one; FILE may rename it.")
@api_options
@json_option
def publish(files: tuple[str, ...], wanted: str | None, remote: Remote, as_json: bool) -> None:
    """Publish each FILE (JSON or YAML) as a new definition, or as the next version of the one of its name."""
    if wanted is not None and len(files) != 1:
        raise click.UsageError("--as takes one FILE")
    read = [documents.read_file(path) for path in files]  # all of them before the first is sent
    with remote.client() as client:
        if wanted is None:
            answers = [client.publish_definition(document) for document in read]
        else:
            answers = [client.publish_version(find_id(client, wanted), read[0])]
    _tell(answers, as_json=as_json)


@definition.command("list")
@click.option("--name", help="Only the one of this name.")
@click.option("--enabled/--disabled", default=None, help="Only these.")
@limit_option(200)
@api_options
@json_option
def list_(limit: int, remote: Remote, as_json: bool, **wanted: Any) -> None:
    """List the definitions of the key's tenant and environment."""
    with remote.client() as client:
        found = list(islice(client.every(client.list_definitions, limit=page_size(limit), **wanted), limit))
    rows = [as_row(one, updated_at=day(one.updated_at)) for one in found]
    show(found, lambda console: listing(console, rows, *CHOICES), as_json=as_json)


@definition.command("show")
@definition_argument
@click.option("--version", type=click.IntRange(1), help="The latest if left out.")
@api_options
@json_option
def show_(wanted: str, version: int | None, remote: Remote, as_json: bool) -> None:
    """Show a definition and its steps. `export` writes the document itself."""
    found = _read(remote, wanted, version)
    show(found, lambda console: _print(console, found), as_json=as_json)


def _print(console: Console, found: DefinitionView) -> None:
    values = as_row(found, created_at=day(found.created_at), updated_at=day(found.updated_at))
    document = found.document
    rows = [*((name, values[name]) for name in SHOWN), ("description", document.get("description"))]
    facts(console, [row for row in rows if row[1] is not None])
    steps = [{**step, "depends on": ", ".join(step.get("depends_on") or ())} for step in document["steps"]]
    depends = ("depends on",) if any(step["depends on"] for step in steps) else ()
    console.print()
    listing(console, steps, ("id", "type", *depends, "name"), ("id", "type", *depends), ("id", "type"))


@definition.command("export")
@definition_argument
@click.option("--version", type=click.IntRange(1), help="The latest if left out.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; else standard output.")
@api_options
@json_option
def export(wanted: str, version: int | None, output: Path | None, remote: Remote, as_json: bool) -> None:
    """Write a definition's document: as YAML, also into a pipe; as JSON with --json or for a FILE.json.

    Published again it makes the same definition.
    """
    document = documents.in_order(_read(remote, wanted, version).document)
    in_json = as_json or (output is not None and output.suffix == ".json")
    text = documents.as_json(document) if in_json else documents.as_yaml(document)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        raise OperatorError(f"{output} cannot be written: {error.strerror}", advice="Name another file.") from None


@definition.command("enable")
@definition_argument
@why_options
@api_options
@json_option
def enable(wanted: str, remote: Remote, as_json: bool, **why: str | None) -> None:
    """Let processes of a definition be started."""
    with remote.client() as client:
        done = client.enable_definition(find_id(client, wanted), **why)
    _tell([done], as_json=as_json)


@definition.command("disable")
@definition_argument
@why_options
@api_options
@json_option
def disable(wanted: str, remote: Remote, as_json: bool, **why: str | None) -> None:
    """Let no more processes of a definition be started. Those there are go on."""
    with remote.client() as client:
        done = client.disable_definition(find_id(client, wanted), **why)
    _tell([done], as_json=as_json)


@definition.command("delete")
@definition_argument
@click.option("--force", is_flag=True, help="Also while processes of it run: they are cancelled.")
@why_options
@yes_option
@api_options
@json_option
def delete(wanted: str, force: bool, yes: bool, remote: Remote, as_json: bool, **why: str | None) -> None:
    """Delete a definition. History stays, and its name is free again."""
    also = " and cancel all its processes that have not ended" if force else ""
    with remote.client() as client:
        number = find_id(client, wanted)
        confirmed(f"Delete the definition {wanted}{also}?", yes=yes)
        done = client.delete_definition(number, force=force or None, **why)
    cancelled = f"  asked to end: {counted(done.cancelled, 'process', 'processes')}" if done.cancelled else ""
    show(done, lambda console: say(console, f"{done.id}  deleted{cancelled}"), as_json=as_json)


@definition.command("trigger")
@definition_argument
@click.option("--data", metavar="FILE|-|JSON", help="The input; {} if left out.")
@why_options
@api_options
@json_option
def trigger(wanted: str, data: str | None, remote: Remote, as_json: bool, **why: str | None) -> None:
    """Start a process of a definition by hand."""
    value = documents.read_value(data, "--data")
    with remote.client() as client:
        done = client.trigger_definition(find_id(client, wanted), trigger_data=value, **why)

    def human(console: Console) -> None:
        console.print(f"{done.execution_id}  {done.status}", style="bold")
        console.print(f"Watch it with: {typed()} process watch {done.execution_id}", soft_wrap=True)

    show(done, human, as_json=as_json)


def find_id(client: Client, wanted: str) -> str:
    """Return the id of a definition by name or id. Raises NotFound."""
    try:
        private_id("wf", wanted)
    except ValueError:
        found = client.list_definitions(name=wanted, limit=1).items
        if not found:
            raise NotFound(f"no definition '{wanted}'", advice="Look at: stepwell definition list") from None
        return found[0].id
    return wanted


def _read(remote: Remote, wanted: str, version: int | None) -> DefinitionView:
    with remote.client() as client:
        return client.get_definition(find_id(client, wanted), version=version)


def _tell(done: list[DefinitionView], *, as_json: bool) -> None:
    """Tell what definitions are now."""
    made = [given(msgspec.to_builtins(one)) for one in done]
    for one in made:
        one.pop("document", None)
    rows = [{**one, "enabled": "enabled" if one["enabled"] else "disabled"} for one in made]
    show(made, lambda console: listing(console, rows, (*PUBLISHED, "enabled"), PUBLISHED), as_json=as_json)
