"""`stepwell task`: what waits for a person, through the API."""

from __future__ import annotations

import click

from stepwell import documents
from stepwell.output import day, json_option, listing, show
from stepwell.remote import Remote, api_options, tell_outcome

LISTED = ("id", "definition", "group", "assignee", "due_at", "title")
SHORTLY = ("id", "group", "title")


@click.group()
def task() -> None:
    """List, complete and reject tasks: what waits for a person."""


@task.command("list")
@click.option("--group", help="Only those of this group.")
@click.option("--assignee", help="Only those of this person.")
@click.option("--definition", help="Only those of this definition (name or id).")
@click.option("--process", help="Only those of this process.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@api_options
@json_option
def list_(limit: int, remote: Remote, as_json: bool, **wanted: str | None) -> None:
    """List open tasks, oldest process first."""
    with remote.client() as client:
        found = list(client.pages("/tasks", limit, **wanted))
    rows = [{**one, "due_at": day(one["due_at"])} for one in found]
    show(found, lambda console: listing(console, rows, LISTED, SHORTLY, SHORTLY[::2]), as_json=as_json)


@task.command("complete")
@click.argument("task_id", metavar="ID")
@click.option("--by", required=True, help="In whose name.")
@click.option("--data", metavar="FILE|-|JSON", help="What the task's form asks for; {} if left out.")
@click.option("--reason", help="Why; it is kept in the history.")
@api_options
@json_option
def complete(task_id: str, by: str, data: str | None, reason: str | None, remote: Remote, as_json: bool) -> None:
    """Complete the task ID in the name of a person."""
    body = {"by": by, "data": documents.read_value(data, "--data"), "reason": reason}
    tell_outcome(remote, f"/tasks/{task_id}/complete", body, as_json=as_json)


@task.command("reject")
@click.argument("task_id", metavar="ID")
@click.option("--by", required=True, help="In whose name.")
@click.option("--reason", required=True, help="Why; it is kept in the history.")
@api_options
@json_option
def reject(task_id: str, by: str, reason: str, remote: Remote, as_json: bool) -> None:
    """Reject the task ID in the name of a person."""
    tell_outcome(remote, f"/tasks/{task_id}/reject", {"by": by, "reason": reason}, as_json=as_json)
