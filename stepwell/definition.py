"""`stepwell definition`: publish and list definitions, through the API."""

from __future__ import annotations

import click

from stepwell import documents
from stepwell.output import day, json_option, listing, show
from stepwell.remote import Remote, api_options

PATH = "/workflows/definitions"
APPLIED = ("id", "name", "version", "status")
LISTED = ("id", "name", "version", "status", "updated_at", "created_by")


@click.group()
def definition() -> None:
    """Publish and list definitions: versioned documents that processes follow."""


@definition.command("apply")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=False, dir_okay=False, allow_dash=True))
@api_options
@json_option
def apply(files: tuple[str, ...], remote: Remote, as_json: bool) -> None:
    """Publish each FILE as a new definition, or as the next version of the one of its name."""
    read = [documents.read_file(path) for path in files]  # all of them before the first is sent
    with remote.client() as client:
        answers = [client.post(PATH, document) for document in read]
    made = [{name: value for name, value in answer.items() if name != "document"} for answer in answers]
    show(made, lambda console: listing(console, made, APPLIED, APPLIED[:2]), as_json=as_json)


@definition.command("list")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="At most so many.")
@api_options
@json_option
def list_(limit: int, remote: Remote, as_json: bool) -> None:
    """List the definitions of the key's tenant and environment."""
    with remote.client() as client:
        found = list(client.pages(PATH, limit))
    rows = [{**one, "updated_at": day(one["updated_at"])} for one in found]
    narrower = (LISTED, LISTED[:-1], LISTED[:-2], LISTED[:2])
    show(found, lambda console: listing(console, rows, *narrower), as_json=as_json)
