"""The flush document: what a batch of holds decided, as the one JSON value `stepwell.flush` writes.

A `Slip` is one process's part. `document` joins slips; `send` writes them and, when PostgreSQL refuses, halves the
batch until the guilty process is alone: a poison value fails its own process, never its neighbours.
Nothing here decides; a slip is built by the hold from events already decided.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from msgspec import Struct, field

from engine import queue
from engine.core.events import Event, encode_body
from engine.db import Link
from engine.observe import Flushed, Observer

MOST_EVENTS = 500  # per flush: beyond this only latency grows (reference measurement: 100 to 200 rows are enough)
MOST_BYTES = 1 << 20
# What one process's rows can be to blame for: data exceptions, violated constraints, limits, rows not written (SW002).
# Anything else (disk full, shutdown, out of memory) is nobody's fault: the session ends and all of it is done again.
BLAME = ("22", "23", "54", "SW")

_encode = msgspec.json.Encoder().encode


class Row(Struct, omit_defaults=True):
    """One row of history."""

    process_id: int
    tenant_id: int
    environment_id: int
    seq: int
    at: datetime
    type: str
    v: int
    data: msgspec.Raw
    path: str | None = None
    attempt: int | None = None


class Slip(Struct):
    """What one flush writes for one process; lists as in sql/functions/041_flush.sql, without the process id."""

    process_id: int
    tenant_id: int
    environment_id: int
    events: list[Row] = field(default_factory=list)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # all else, by its key in the document
    size: int = 0  # bytes of the values among them
    park: bool = False
    give_back: bool = False

    def put(self, key: str, rows: list[dict[str, Any]]) -> None:
        """Add rows of one kind."""
        if rows:
            self.rows.setdefault(key, []).extend(rows)


class Refused(Struct, frozen=True):
    """A slip PostgreSQL would not write, and why."""

    slip: Slip
    error: psycopg.Error

    @property
    def poison(self) -> bool:
        """A value is to blame; otherwise what we wrote contradicts what is there, and reading it again is the cure."""
        return (self.error.sqlstate or "").startswith(("22", "54"))


def document(slips: list[Slip]) -> bytes:
    """Return the JSON document of a batch, absent keys left out, rows ordered by process id (all writers alike)."""
    whole: dict[str, list[Any]] = {}
    for slip in sorted(slips, key=lambda s: s.process_id):
        if slip.events:
            whole.setdefault("events", []).extend(slip.events)
        for key, rows in slip.rows.items():
            whole.setdefault(key, []).extend({"process_id": slip.process_id, **row} for row in rows)
    return _encode(whole)


def event_row(process_id: int, tenant_id: int, environment_id: int, event: Event) -> Row:
    """Return one history row. Raises UnicodeEncodeError for a text that is no UTF-8."""
    return Row(
        process_id,
        tenant_id,
        environment_id,
        event.seq,
        event.at,
        event.type,
        event.v,
        msgspec.Raw(encode_body(event.body)),
        event.path,
        event.attempt if event.path is not None else None,
    )


async def send(link: Link, me: int, slips: list[Slip], observe: Observer) -> tuple[frozenset[int], list[Refused]]:
    """Write the slips; return which processes are parked, and the slips PostgreSQL refused.

    An error that a row can be to blame for halves the batch. Raises Fenced, LinkLost,
    psycopg.Error for all others.
    """
    try:
        return await _send_once(link, me, slips, observe), []
    except psycopg.Error as error:
        if not (error.sqlstate or "").startswith(BLAME):
            raise
        if len(slips) == 1:
            return frozenset(), [Refused(slips[0], error)]
    middle = len(slips) // 2
    parked: frozenset[int] = frozenset()
    refused: list[Refused] = []
    for half in (slips[:middle], slips[middle:]):
        done, bad = await send(link, me, half, observe)
        parked |= done
        refused += bad
    return parked, refused


async def _send_once(link: Link, me: int, slips: list[Slip], observe: Observer) -> frozenset[int]:
    """Write the slips in one statement; return which processes are parked. Raises Fenced, LinkLost, psycopg.Error."""
    whole = document(slips)
    begun = time.monotonic()
    parked = await queue.flush(link, me, whole)
    seconds, events = time.monotonic() - begun, sum(len(slip.events) for slip in slips)
    observe(Flushed(level="debug", processes=len(slips), events=events, size_bytes=len(whole), duration_s=seconds))
    return parked
