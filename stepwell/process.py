"""`stepwell process`: start processes, look at them, cancel and retry them, through the API."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from engine.core.model import ProcessStatus
from stepwell import documents
from stepwell.output import as_text, cell, clock, day, facts, json_option, listing, show, typed
from stepwell.remote import Remote, api_options, tell_outcome

SKIPS_NAMED = 3  # more of them are only counted
LISTED = ("id", "type", "version", "status", "created_at", "ended_at", "business_key")
SHORTLY = ("id", "status", "type", "business_key")


@click.group()
def process() -> None:
    """Start processes, look at them, cancel and retry them."""


@process.command("start")
@click.argument("definition")
@click.option("--input", "given", metavar="FILE|-|JSON", help="The input; {} if left out.")
@click.option("--business-key", help="At most one process of the definition that has not ended may have it.")
@click.option("--version", type=int, help="Version of the definition; the latest if left out.")
@click.option("--priority", type=click.IntRange(-100, 100), help="Smaller is sooner; 0 if left out.")
@api_options
@json_option
def start(definition: str, given: str | None, remote: Remote, as_json: bool, **options: Any) -> None:
    """Start a process of DEFINITION (name or id)."""
    body = {"definition": definition, "input": documents.read_value(given, "--input")}
    body |= {name: value for name, value in options.items() if value is not None}
    with remote.client() as client:
        made = client.post("/processes", body)

    def human(console: Console) -> None:
        console.print(f"{made['id']}  {made['status']}", style="bold")
        console.print(f"Watch it with: {typed()} process show {made['id']}", soft_wrap=True)

    show(made, human, as_json=as_json)


@process.command("list")
@click.option("--status", type=click.Choice(list(ProcessStatus), case_sensitive=False), help="Only these.")
@click.option("--definition", help="Only those of this definition (name or id).")
@click.option("--business-key", help="Only those with this key.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@api_options
@json_option
def list_(limit: int, remote: Remote, as_json: bool, **wanted: str | None) -> None:
    """List processes, newest first."""
    with remote.client() as client:
        found = list(client.pages("/processes", limit, **wanted))
    rows = [{**one, **{name: day(one[name]) for name in ("created_at", "ended_at")}} for one in found]
    without_end = tuple(name for name in LISTED if name not in ("ended_at", "version"))
    show(found, lambda console: listing(console, rows, LISTED, without_end, SHORTLY), as_json=as_json)


@process.command("show")
@click.argument("process_id", metavar="ID")
@api_options
@json_option
def show_(process_id: str, remote: Remote, as_json: bool) -> None:
    """Show the process ID: its state and that of each activity."""
    with remote.client() as client:
        found = client.get(f"/processes/{process_id}")
    show(found, lambda console: _print_process(console, found), as_json=as_json)


@process.command("history")
@click.argument("process_id", metavar="ID")
@api_options
@json_option
def history(process_id: str, remote: Remote, as_json: bool) -> None:
    """Show everything that happened to the process ID, in order."""
    with remote.client() as client:
        events = list(client.pages(f"/processes/{process_id}/history"))
    rows = [{**event, "at": clock(event["at"]), "what": _gist(event)} for event in events]
    for row in rows:
        row["time"] = row["at"].partition(".")[0]
    wide, narrow = ("seq", "at", "type", "path", "attempt", "what"), ("seq", "time", "type", "path", "what")
    show(events, lambda console: listing(console, rows, wide, narrow), as_json=as_json)


@process.command("cancel")
@click.argument("process_id", metavar="ID")
@click.option("--by", help="In whose name; the key's if left out.")
@click.option("--reason", help="Why; it is kept in the history.")
@api_options
@json_option
def cancel(process_id: str, remote: Remote, as_json: bool, **said: str | None) -> None:
    """Ask the process ID to end. Calls that are under way are not taken back."""
    tell_outcome(remote, f"/processes/{process_id}/cancel", said, as_json=as_json)


@process.command("retry")
@click.argument("process_id", metavar="ID")
@click.option("--by", help="In whose name; the key's if left out.")
@click.option("--reason", help="Why; it is kept in the history.")
@api_options
@json_option
def retry(process_id: str, remote: Remote, as_json: bool, **said: str | None) -> None:
    """Let the FAILED process ID go on from where it failed."""
    tell_outcome(remote, f"/processes/{process_id}/retry", said, as_json=as_json)


def _print_process(console: Console, found: dict[str, Any]) -> None:
    times = {name: day(found.get(name)) for name in ("created_at", "started_at", "ended_at")}
    names = ("id", "type", "version", "status", "business_key", *times)
    values = {**found, **times}
    facts(console, [(name, values[name]) for name in names if values.get(name) is not None])
    rows = [
        {
            **one,
            "attempts": one.get("attempt"),
            "started_at": clock(one.get("started_at")),
            "ended_at": clock(one.get("ended_at")),
        }
        for one in found.get("activities") or ()
    ]
    columns = ("path", "status", "attempts", "started_at", "ended_at")
    console.print()
    listing(console, rows, columns, columns[:2])
    for name in ("error", "output"):
        if found.get(name) is not None:
            console.print()
            console.print(cell(name), cell(as_text(found[name])), sep="\n")


def _gist(event: dict[str, Any]) -> str:
    """Return what an event says in a few words."""
    data = event.get("data") or {}
    parts = [f"→ {data['status']}"] if data.get("status") else []
    if data.get("error"):
        parts.append(f"{data['error'].get('code')}: {data['error'].get('message', '')[:80]}")
    if data.get("retry_at"):
        parts.append(f"again at {clock(data['retry_at'])}")
    if data.get("lost"):
        parts.append("lost with its worker")
    parts += [f"starts {s['path']}" for s in data.get("starts", ())]
    skips = [s["path"] for s in data.get("skips", ())]
    if skips:
        parts.append(f"skips {', '.join(skips)}" if len(skips) <= SKIPS_NAMED else f"skips {len(skips)} steps")
    if data.get("by"):
        parts.append(f"by {data['by']}")
    return ", ".join(parts)
