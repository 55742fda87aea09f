"""`stepwell signal`: send signals, through the API."""

from __future__ import annotations

from typing import Any

import click

from stepwell import documents
from stepwell.output import json_option, show
from stepwell.remote import Remote, api_options


@click.group()
def signal() -> None:
    """Send signals to processes that wait for them."""


@signal.command("send")
@click.argument("name")
@click.option("--correlation-key", help="Only waits with this key get it, also one that comes later.")
@click.option("--data", metavar="FILE|-|JSON", help="What it carries; {} if left out.")
@click.option("--id", "id_", help="The same id within a day is sent once.")
@api_options
@json_option
def send(name: str, data: str | None, id_: str | None, remote: Remote, as_json: bool, **more: str | None) -> None:
    """Send the signal NAME to whatever waits for it."""
    body: dict[str, Any] = {"name": name, "data": documents.read_value(data, "--data"), "id": id_, **more}
    with remote.client() as client:
        made = client.post("/signals", {field: value for field, value in body.items() if value is not None})
    show(made, lambda console: console.print(made["id"], style="bold"), as_json=as_json)
