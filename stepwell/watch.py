"""Watch a process until it ends: live where a person looks, a line for each change where a program does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from api.wire import EventView, Page, ProcessDetail
from engine.core.model import TERMINAL
from engine.errors import Unavailable
from stepwell import picture, timeline
from stepwell.client import Client
from stepwell.output import Terminal, escaped

T = TypeVar("T")

LOOK_S = 0.5
PATIENCE_S = 60.0  # how long the API may be away meanwhile
EVENTS = 1000
OUTSIDE = 4  # lines of the terminal beside heading and activities: blank, header, what is left out, cursor


def watch(client: Client, process_id: str, interval_s: float, *, as_json: bool) -> str:
    """Show a process until it ends; return its status then. Raises StepwellError."""
    if sys.stdout.isatty() and not as_json:
        return _live(client, process_id, interval_s)
    return _lines(client, process_id, interval_s, as_json=as_json)


def _live(client: Client, process_id: str, interval_s: float) -> str:
    console = Terminal()
    found = client.get_process(process_id)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as shown:
        while True:
            shown.update(_picture(found, console), refresh=True)
            if found.status in TERMINAL:
                return found.status
            time.sleep(interval_s)
            found = _patiently(lambda: client.get_process(process_id))


def _picture(found: ProcessDetail, console: Console) -> RenderableType:
    now = datetime.now(UTC)
    above = picture.heading(found, now)
    room = max(console.height - above.row_count - OUTSIDE, 1)
    return Group(above, Text(""), picture.activities(found, now, console.width, room))


def _lines(client: Client, process_id: str, interval_s: float, *, as_json: bool) -> str:
    reader = timeline.Reader()
    for event in _events(client, process_id, interval_s, reader):
        line = reader.line(event)
        text = escaped(msgspec.json.encode(event).decode()) if as_json else timeline.as_line(line)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    return reader.status


def _events(client: Client, process_id: str, interval_s: float, reader: timeline.Reader) -> Iterator[EventView]:
    """Yield the events of a process as they come, until one that the reader has read ends it."""
    seen = "0"

    def fetch() -> Page[EventView]:
        return client.get_process_history(process_id, cursor=seen, limit=EVENTS)

    page = fetch()
    while True:
        for event in page.items:
            yield event
            seen = str(event.seq)
        if page.next_cursor is None:
            if reader.status in TERMINAL:
                return
            time.sleep(interval_s)
        page = _patiently(fetch)


def _patiently(ask: Callable[[], T]) -> T:
    """Return what the API answers; while it is away ask again, for a while. Raises Unavailable."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except Unavailable:
            if time.monotonic() >= end:
                raise
            time.sleep(LOOK_S)
