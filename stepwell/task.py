"""`stepwell task`: what waits for a person, through the API."""

from __future__ import annotations

from itertools import islice
from typing import Any

import click
from rich.console import Console

from api.wire import TaskView
from stepwell import documents
from stepwell.arguments import limit_option, name_options, page_size
from stepwell.output import as_row, as_text, cell, day, facts, json_option, listing, show
from stepwell.remote import Remote, api_options, tell_outcome

LISTED = ("id", "definition", "group", "assignee", "due_at", "title")
SHORTLY = ("id", "group", "title")
CHOICES = (LISTED, SHORTLY, SHORTLY[::2])
SHOWN = ("id", "title", "process_id", "definition", "path", "assignee", "group", "created_at", "due_at", "overdue")

task_argument = click.argument("task_id", metavar="ID")


@click.group()
def task() -> None:
    """Find tasks, hand them out, complete and reject them: what waits for a person."""


@task.command("list")
@click.option("--group", help="Only those of this group.")
@click.option("--assignee", help="Only those of this person.")
@click.option("--definition", help="Only those of this definition (name or id).")
@click.option("--process", help="Only those of this process.")
@limit_option(50)
@api_options
@json_option
def list_(limit: int, remote: Remote, as_json: bool, **wanted: str | None) -> None:
    """List open tasks, oldest process first."""
    with remote.client() as client:
        found = list(islice(client.every(client.list_tasks, limit=page_size(limit), **wanted), limit))
    rows = [as_row(one, due_at=day(one.due_at)) for one in found]
    show(found, lambda console: listing(console, rows, *CHOICES), as_json=as_json)


@task.command("show")
@task_argument
@api_options
@json_option
def show_(task_id: str, remote: Remote, as_json: bool) -> None:
    """Show the open task ID and the form of what completes it."""
    with remote.client() as client:
        found = client.get_task(task_id)
    show(found, lambda console: _print(console, found), as_json=as_json)


def _print(console: Console, found: TaskView) -> None:
    values = as_row(found, created_at=day(found.created_at), due_at=day(found.due_at), overdue=found.overdue or None)
    facts(console, [(name, values[name]) for name in SHOWN if values[name] is not None])
    if found.form is not None:
        console.print("", "form", cell(as_text(found.form)), sep="\n", soft_wrap=True)


@task.command("claim")
@task_argument
@name_options
@api_options
@json_option
def claim(task_id: str, by: str, reason: str | None, remote: Remote, as_json: bool) -> None:
    """Take the task ID for a person. Refused where another has it."""
    with remote.client() as client:
        done = client.claim_task(task_id, by=by, reason=reason)
    tell_outcome(done, as_json=as_json)


@task.command("reassign")
@task_argument
@click.option("--to", help="Whose it is from now on.")
@click.option("--to-group", is_flag=True, help="Nobody's: anybody of its group may take it.")
@name_options
@api_options
@json_option
def reassign(task_id: str, to: str | None, to_group: bool, remote: Remote, as_json: bool, **why: Any) -> None:
    """Put the task ID into somebody's hands, or back to its group."""
    if (to is None) != to_group:
        raise click.UsageError("use either --to or --to-group")
    with remote.client() as client:
        done = client.reassign_task(task_id, to=to, **why)
    tell_outcome(done, as_json=as_json)


@task.command("complete")
@task_argument
@click.option("--data", metavar="FILE|-|JSON", help="What the task's form asks for; {} if left out.")
@name_options
@api_options
@json_option
def complete(task_id: str, by: str, data: str | None, reason: str | None, remote: Remote, as_json: bool) -> None:
    """Complete the task ID in the name of a person."""
    value = documents.read_value(data, "--data")
    with remote.client() as client:
        done = client.complete_task(task_id, by=by, data=value, reason=reason)
    tell_outcome(done, as_json=as_json)


@task.command("reject")
@task_argument
@click.option("--by", required=True, help="In whose name.")
@click.option("--reason", required=True, help="Why; it is kept.")
@api_options
@json_option
def reject(task_id: str, by: str, reason: str, remote: Remote, as_json: bool) -> None:
    """Reject the task ID in the name of a person."""
    with remote.client() as client:
        done = client.reject_task(task_id, by=by, reason=reason)
    tell_outcome(done, as_json=as_json)
