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
from engine.core.snapshot import Snapshot
from engine.db import Link
from engine.observe import Flushed, Observer

MOST_EVENTS = 500  # per flush: beyond this only latency grows (reference measurement: 100 to 200 rows are enough)
MOST_BYTES = 1 << 20
# What one process's rows can be to blame for: data exceptions, violated constraints, limits, rows not written (SW002).
# Anything else (disk full, shutdown, out of memory) is nobody's fault: the session ends and all of it is done again.
BLAME = ("22", "23", "54", "SW")

_encode = msgspec.json.Encoder().encode


class Slip(Struct):
    """What one flush writes for one process; lists as in sql/functions/041_flush.sql, without the process id."""

    process_id: int
    tenant_id: int
    environment_id: int
    events: list[dict[str, Any]] = field(default_factory=list)  # whole rows, from `event_row`
    mail: list[int] = field(default_factory=list)
    payloads: dict[int, msgspec.Raw] = field(default_factory=dict)
    waits: list[dict[str, Any]] = field(default_factory=list)
    unwaits: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    untasks: list[dict[str, Any]] = field(default_factory=list)
    assignments: list[dict[str, Any]] = field(default_factory=list)
    undeliveries: list[dict[str, Any]] = field(default_factory=list)
    status: dict[str, Any] | None = None
    snapshot: Snapshot | None = None
    snapshot_seq: int = 0
    ended: dict[str, Any] | None = None
    park: bool = False
    park_bell: int = 0
    park_due: datetime | None = None
    give_back: bool = False


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
    rows: dict[str, list[Any]] = {}
    for slip in sorted(slips, key=lambda s: s.process_id):
        _add(rows, slip)
    return _encode(rows)


def _add(rows: dict[str, list[Any]], slip: Slip) -> None:
    """Add one slip's rows, each with its process id."""
    parts: dict[str, list[dict[str, Any]]] = {
        "mail": [{"id": id_} for id_ in slip.mail],
        "undeliveries": slip.undeliveries,
        "payloads": [{"n": n, "body": body} for n, body in slip.payloads.items()],
        "waits": slip.waits,
        "unwaits": slip.unwaits,
        "tasks": slip.tasks,
        "untasks": slip.untasks,
        "assignments": slip.assignments,
        "processes": [slip.status] if slip.status else [],
        "snapshots": [{"seq": slip.snapshot_seq, "state": slip.snapshot}] if slip.snapshot else [],
        "ended": [slip.ended] if slip.ended else [],
        "parks": [{"bell": slip.park_bell, "due_at": slip.park_due}] if slip.park else [],
        "give_backs": [{}] if slip.give_back else [],
    }
    if slip.events:
        rows.setdefault("events", []).extend(slip.events)
    for key, found in parts.items():
        if found:
            rows.setdefault(key, []).extend({"process_id": slip.process_id, **row} for row in found)


def event_row(process_id: int, tenant_id: int, environment_id: int, event: Event) -> dict[str, Any]:
    """Return one history row. Raises UnicodeEncodeError for a text that is no UTF-8."""
    row: dict[str, Any] = {
        "process_id": process_id,
        "tenant_id": tenant_id,
        "environment_id": environment_id,
        "seq": event.seq,
        "at": event.at,
        "type": event.type,
        "v": event.v,
        "data": msgspec.Raw(encode_body(event.body)),
    }
    if event.path is not None:
        row["path"] = event.path
        row["attempt"] = event.attempt
    return row


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
