"""What every command that talks to the API has: --url and --key, and how the outcome of an order is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click
from msgspec import Struct

from api.wire import CommandView
from stepwell import place
from stepwell.client import Client
from stepwell.output import show

F = TypeVar("F", bound=Callable[..., Any])

ACCEPTED = "accepted"  # a command that is not decided yet
RETRIES = 2  # a person waits


class Remote(Struct, frozen=True):
    """Which API is meant."""

    url: str | None
    key: str | None

    def client(self) -> Client:
        """Return a client for it: by option, by setting, else the one that `stepwell up` of this folder serves.

        Raises Unavailable where none is meant.
        """
        chosen = place.settings()
        return Client(*place.meant_api(chosen, self.url, self.key), ca_file=chosen.ca_file, retries=RETRIES)


def api_options(command: F) -> Callable[..., Any]:
    """Add --url and --key; the command gets them as `remote`."""

    @click.option("--url", metavar="URL", help="Of the API.  [STEPWELL_URL; else that of `stepwell up` here]")
    @click.option("--key", metavar="KEY", help="API key.  [STEPWELL_API_KEY; else that of `stepwell up` here]")
    @wraps(command)
    def with_remote(url: str | None, key: str | None, **rest: Any) -> Any:
        return command(remote=Remote(url, key), **rest)

    return with_remote


def tell_outcome(done: CommandView, *, as_json: bool) -> None:
    """Tell what became of an order to a process or task."""
    later = "  not decided yet; the process's history will tell" if done.status == ACCEPTED else ""
    show(done, lambda console: console.print(f"{done.id}  {done.status}{later}", soft_wrap=True), as_json=as_json)
