"""`stepwell process`: start processes, look at them, steer them, through the API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click
from rich.console import Console, Group
from rich.padding import Padding

from api.wire import ProcessDetail, RetriesView
from engine.core.model import Failure, ProcessStatus
from stepwell import documents, picture, timeline, watch
from stepwell.arguments import Moment, ProcessId, given, label_option, labels_of, limit_option, page_size, why_options
from stepwell.findings import failed_expression, tell_finding
from stepwell.output import (
    Terminal,
    as_row,
    as_text,
    cell,
    counted,
    day,
    facts,
    json_option,
    listing,
    say,
    show,
    typed,
)
from stepwell.remote import Remote, api_options, tell_outcome

LISTED = ("id", "definition", "version", "status", "created_at", "ended_at", "business_key", "error_code")
WITHOUT_END = ("id", "definition", "status", "created_at", "business_key", "error_code")
CHOICES = (LISTED, WITHOUT_END, WITHOUT_END[:4], ("id", "status", "created_at"), ("id", "status"))
EVENTS = 1000  # of a page of history
MOST_RETRIES = 1000  # in one request
INDENT = 2  # of what stands below a heading

process_argument = click.argument("process_id", metavar="ID", type=ProcessId())


@click.group()
def process() -> None:
    """Start processes, look at them, steer them."""


@process.command("start")
@click.argument("definition")
@click.option("--input", "input_", metavar="FILE|-|JSON", help="The input; {} if left out.")
@click.option("--business-key", help="At most one process of the definition that has not ended may have it.")
@label_option("To find it by; may be given several times.")
@click.option("--version", type=click.IntRange(1), help="Version of the definition; the latest if left out.")
@click.option("--priority", type=click.IntRange(-100, 100), help="Smaller is sooner; 0 if left out.")
@click.option("--traceparent", help="The W3C trace context it is part of.")
@why_options
@api_options
@json_option
def start(
    definition: str,
    input_: str | None,
    labels: Sequence[tuple[str, str]],
    remote: Remote,
    as_json: bool,
    **options: Any,
) -> None:
    """Start a process of DEFINITION (name or id)."""
    value = documents.read_value(input_, "--input")
    with remote.client() as client:
        made = client.start_process(definition, value, labels=labels_of(labels), **given(options))

    def human(console: Console) -> None:
        console.print(f"{made.id}  {made.status}", style="bold")
        console.print(f"Watch it with: {typed()} process watch {made.id}", soft_wrap=True)

    show(made, human, as_json=as_json)


@process.command("list")
@click.option("--status", type=click.Choice(ProcessStatus, case_sensitive=False), help="Only these.")
@click.option("--definition", help="Only those of this definition (name or id).")
@click.option("--business-key", help="Only those with this key.")
@label_option("Only those with this label; several must all match.")
@click.option("--error-code", help="Only those that FAILED with this code.")
@click.option("--failed-step", help="Only those that FAILED in this step.")
@click.option("--quarantined", is_flag=True, help="Only those that are set aside for an operator.")
@click.option("--created-after", type=Moment(), help="Time, or how long ago: 90m, 24h, 7d.")
@click.option("--created-before", type=Moment(), help="Time, or how long ago.")
@click.option("--ended-after", type=Moment(), help="Time, or how long ago.")
@click.option("--ended-before", type=Moment(), help="Time, or how long ago.")
@limit_option(50)
@api_options
@json_option
def list_(
    limit: int,
    labels: Sequence[tuple[str, str]],
    quarantined: bool,
    remote: Remote,
    as_json: bool,
    **wanted: Any,
) -> None:
    """List processes, newest first."""
    with remote.client() as client:
        matching = client.every(
            client.list_processes,
            limit=page_size(limit),
            label=labels_of(labels) or None,
            quarantined=True if quarantined else None,
            **wanted,
        )
        found = list(islice(matching, limit))
    rows = [
        as_row(one, definition=one.type, created_at=day(one.created_at), ended_at=day(one.ended_at)) for one in found
    ]
    show(found, lambda console: listing(console, rows, *CHOICES), as_json=as_json)


@process.command("show")
@process_argument
@api_options
@json_option
def show_(process_id: str, remote: Remote, as_json: bool) -> None:
    """Show the process ID: its state and that of each activity."""
    with remote.client() as client:
        found = client.get_process(process_id)
    show(found, lambda console: _print(console, found), as_json=as_json)


def _print(console: Console, found: ProcessDetail) -> None:
    now = datetime.now(UTC)
    console.print(picture.heading(found, now), "", picture.activities(found, now, console.width), sep="\n")
    _print_decided(console, found)
    if found.error is not None:
        _print_failure(console, found.error)
    for name in ("input", "output"):
        if getattr(found, name) is not None:
            console.print("", cell(name), cell(as_text(getattr(found, name))), sep="\n", soft_wrap=True)


def _print_decided(console: Console, found: ProcessDetail) -> None:
    lines = picture.decided(found, console.width - INDENT)
    if lines:
        console.print("", Padding(Group(*lines), (0, 0, 0, INDENT), expand=False), sep="\n")


def _print_failure(console: Console, error: Failure) -> None:
    where = f", in {error.step_id}" if error.step_id else ""
    say(console, f"\nfailed: {error.code} ({error.category}){where}", style="red")
    expression = failed_expression(error.details, error.message, error.advice)
    if expression is not None:
        tell_finding(console, expression)
        return
    say(console, error.message, INDENT)
    say(console, f"→ {error.advice}", INDENT)


@process.command("history")
@process_argument
@click.option("--text", is_flag=True, help="Draw the time line also into a pipe.")
@api_options
@json_option
def history(process_id: str, text: bool, remote: Remote, as_json: bool) -> None:
    """Show everything that happened to the process ID, in order: when, for how long, by whom and why."""
    with remote.client() as client:
        found = client.get_process(process_id)
        events = list(client.every(client.get_process_history, process_id, limit=EVENTS))

    def human(console: Console) -> None:
        console.print(picture.heading(found, datetime.now(UTC)), "", sep="\n")
        timeline.draw(console, timeline.read(events))

    if text and not as_json:
        human(Terminal())
    else:
        show(events, human, as_json=as_json)


@process.command("watch")
@process_argument
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 60),
    default=watch.LOOK_S,
    show_default=True,
    help="Seconds between two looks.",
)
@api_options
@json_option
def watch_(process_id: str, interval: float, remote: Remote, as_json: bool) -> None:
    """Watch the process ID until it ends. Exit code 0 if it is COMPLETED, else 1.

    On a terminal: its activities, live. Into a pipe: a line of text for each change; with --json a line of JSON.
    """
    with remote.client() as client:
        status = watch.watch(client, process_id, interval, as_json=as_json)
    if status != ProcessStatus.COMPLETED:
        raise SystemExit(1)


@process.command("cancel")
@process_argument
@why_options
@api_options
@json_option
def cancel(process_id: str, remote: Remote, as_json: bool, **why: str | None) -> None:
    """Ask the process ID to end. Calls that are under way are not taken back."""
    with remote.client() as client:
        done = client.cancel_process(process_id, **why)
    tell_outcome(done, as_json=as_json)


@process.command("retry")
@click.argument("ids", nargs=-1, metavar="[ID]...", type=ProcessId())
@click.option("--definition", help="Those of this definition (name or id).")
@click.option("--error-code", help="Those that FAILED with this code.")
@click.option("--failed-step", help="Those that FAILED in this step.")
@click.option("--created-after", type=Moment(), help="Time, or how long ago: 90m, 24h, 7d.")
@click.option("--created-before", type=Moment(), help="Time, or how long ago.")
@click.option("--limit", type=click.IntRange(1, MOST_RETRIES), help=f"At most so many.  [default: {MOST_RETRIES}]")
@why_options
@api_options
@json_option
def retry(
    ids: tuple[str, ...],
    by: str | None,
    reason: str | None,
    remote: Remote,
    as_json: bool,
    **wanted: str | int | datetime | None,
) -> None:
    """Let FAILED processes go on from where they failed: those named, or those that match all the options.

    Of one process it tells what became of it, of several which were asked. Exit code 1 if any is refused.
    """
    filters: dict[str, Any] = given(wanted)
    if bool(ids) == bool(filters):
        raise click.UsageError("name processes, or say with options which")
    if len(ids) > MOST_RETRIES:
        raise click.UsageError(f"at most {MOST_RETRIES} at a time")
    with remote.client() as client:
        if len(ids) == 1:
            tell_outcome(client.retry_process(ids[0], by=by, reason=reason), as_json=as_json)
            return
        done = client.retry_processes(ids=list(ids) or None, by=by, reason=reason, **filters)
    show(done, lambda console: _tell_retries(console, done), as_json=as_json)
    if done.refused:
        raise SystemExit(1)


def _tell_retries(console: Console, done: RetriesView) -> None:
    asked = counted(len(done.accepted), "process", "processes")
    say(console, f"asked to go on: {asked}; their histories will tell", style="green")
    for one in done.accepted:
        say(console, one.process_id, 2)
    if done.refused:
        say(console, f"refused: {len(done.refused)}", style="red")
        for refused in done.refused:
            say(console, f"{refused.process_id}  {refused.code}: {refused.detail}", 2)


@process.command("resume")
@process_argument
@click.argument("activity")
@click.option("--output", metavar="FILE|-|JSON", help="What the activity is to have brought; {} if left out.")
@why_options
@api_options
@json_option
def resume(
    process_id: str, activity: str, output: str | None, remote: Remote, as_json: bool, **why: str | None
) -> None:
    """End the WAITING ACTIVITY (step id or execution id) of the process ID with an output of your own."""
    value = documents.read_value(output, "--output")
    with remote.client() as client:
        done = client.resume_activity(process_id, activity, output=value, **why)
    tell_outcome(done, as_json=as_json)


@process.command("release")
@process_argument
@why_options
@api_options
@json_option
def release(process_id: str, remote: Remote, as_json: bool, **why: str | None) -> None:
    """Let the process ID out of quarantine: workers take it again. Look at its history first."""
    with remote.client() as client:
        done = client.release_process(process_id, **why)
    show(done, lambda console: facts(console, [("id", done.id), ("status", done.status)]), as_json=as_json)
