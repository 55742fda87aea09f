"""`stepwell process`: start processes and look at them, through the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click
from rich.console import Console

from stepwell import documents
from stepwell.output import as_text, cell, json_option, show, table
from stepwell.remote import Remote, api_options

SKIPS_NAMED = 3  # more of them are only counted


@click.group()
def process() -> None:
    """Start processes and look at them."""


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
    body = {"definition": definition, "input": documents.read_input(given)}
    body |= {name: value for name, value in options.items() if value is not None}
    with remote.client() as client:
        made = client.post("/processes", body)

    def human(console: Console) -> None:
        console.print(f"{made['id']}  {made['status']}", style="bold")
        console.print(f"Watch it with: stepwell process show {made['id']}")

    show(made, human, as_json=as_json)


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
    rows = [[e["seq"], _clock(e["at"]), e["type"], e.get("path"), e.get("attempt"), _gist(e)] for e in events]
    made = table(None, ("seq", "at", "type", "path", "attempt", "what"), rows)
    show(events, lambda console: console.print(made), as_json=as_json)


def _print_process(console: Console, found: dict[str, Any]) -> None:
    facts = [
        (name, found[name])
        for name in ("id", "type", "version", "status", "business_key", "created_at", "started_at", "ended_at")
        if found.get(name) is not None
    ]
    console.print(table(None, ("", ""), facts))
    activities = found.get("activities") or []
    if isinstance(activities, dict):
        activities = [{"path": path, **one} for path, one in activities.items()]
    columns = ("path", "status", "attempts", "started_at", "ended_at")
    rows = [[one.get("path"), one.get("status"), one.get("attempt"), *_span(one)] for one in activities]
    console.print()
    console.print(table(None, columns, rows))
    for name in ("error", "output"):
        if found.get(name) is not None:
            console.print()
            console.print(cell(name), cell(as_text(found[name])), sep="\n")


def _span(activity: dict[str, Any]) -> list[str | None]:
    return [_clock(activity.get(name)) for name in ("started_at", "ended_at")]


def _clock(at: str | None) -> str | None:
    """Return a moment as a person reads it: local time of day; the date is in --json."""
    if at is None:
        return None
    return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _gist(event: dict[str, Any]) -> str:
    """Return what an event says in a few words."""
    data = event.get("data") or {}
    parts = [f"→ {data['status']}"] if data.get("status") else []
    if data.get("error"):
        parts.append(f"{data['error'].get('code')}: {data['error'].get('message', '')[:80]}")
    if data.get("retry_at"):
        parts.append(f"again at {_clock(data['retry_at'])}")
    if data.get("lost"):
        parts.append("lost with its worker")
    parts += [f"starts {s['path']}" for s in data.get("starts", ())]
    skips = [s["path"] for s in data.get("skips", ())]
    if skips:
        parts.append(f"skips {', '.join(skips)}" if len(skips) <= SKIPS_NAMED else f"skips {len(skips)} steps")
    if data.get("by"):
        parts.append(f"by {data['by']}")
    return ", ".join(parts)
