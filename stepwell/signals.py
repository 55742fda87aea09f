"""`stepwell signal`: send signals, through the API."""

from __future__ import annotations

from typing import Any

import click

from stepwell import documents
from stepwell.arguments import given
from stepwell.output import json_option, show
from stepwell.remote import Remote, api_options


@click.group()
def signal() -> None:
    """Send signals to processes that wait for them."""


@signal.command("send")
@click.argument("name")
@click.option("--correlation-key", help="Only waits with this key get it, also one that comes later.")
@click.option("--data", metavar="FILE|-|JSON", help="What it carries; {} if left out.")
@click.option("--id", help="The same id within a day is sent once.")
@click.option(
    "--ttl-seconds", type=click.IntRange(1), help="How long it is kept for a later wait.  [default: 604800, a week]"
)
@api_options
@json_option
def send(name: str, data: str | None, remote: Remote, as_json: bool, **more: Any) -> None:
    """Send the signal NAME to whatever waits for it."""
    value = documents.read_value(data, "--data")
    with remote.client() as client:
        made = client.send_signal(name, data=value, **given(more))
    show(made, lambda console: console.print(made.id, style="bold"), as_json=as_json)
