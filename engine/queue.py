"""The worker's statements as typed calls: register, tick (claim and heartbeat), load, look, flush.

One call = one autocommitted statement on the worker's own link. Nothing here decides or keeps anything.
Errors: psycopg.Error from the statement, LinkLost when the connection went away, Fenced when the worker row is gone.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar, get_args

import msgspec
import psycopg
from msgspec import Struct

import sql
from engine.core.commands import Cancel, Mail, Orders, Unreadable
from engine.core.events import Event, decode_body
from engine.core.evolve import fold
from engine.core.model import State
from engine.core.snapshot import restore
from engine.db import Link
from engine.lanes import Taken

T = TypeVar("T")
Row = tuple[Any, ...]  # of a process, as stepwell.load returns it
DEADLOCK = "40P01"
CANCEL = str(Cancel.__struct_config__.tag)
KINDS = frozenset(kind.__struct_config__.tag for kind in get_args(Orders))
ALONE_FROM = 2  # losses from which a process is loaded alone; the same number stands in stepwell.load


class Fenced(Exception):
    """Our worker row is gone: we were judged dead. Drop everything and register anew."""


class Claimed(Struct, frozen=True, array_like=True):
    """A new hold of ours. `handed`: if its history ends with that event, nothing of what is RUNNING has begun."""

    process_id: int
    tenant_id: int
    environment_id: int
    handed: int | None = None


class Ring(Struct, frozen=True, array_like=True):
    """A held process somebody rang for, or (where rings may be unclaimed) one with mail."""

    process_id: int
    bell: int
    mail: bool


class Rung(Struct, frozen=True, array_like=True):
    """Bell and mail of a held process, read together."""

    process_id: int
    bell: int
    mail: tuple[tuple[int, msgspec.Raw], ...]


class Kind(Struct, frozen=True):
    """What can be read of any mail."""

    kind: str


class Tick(Struct, frozen=True):
    """Answer of a tick."""

    alive: bool
    now: datetime | None = None
    took: float = 0.0  # seconds of PostgreSQL's, without the wait for what was sent before
    claimed: tuple[Claimed, ...] = ()
    loaded: tuple[Row, ...] = ()
    rung: tuple[Ring, ...] = ()
    taken: tuple[Taken, ...] = ()
    waiting: tuple[int, ...] = ()


class Loaded(Struct, frozen=True):
    """What a hold begins from, beside its state."""

    process_id: int
    definition_id: int
    version: int
    losses: int
    bell: int
    snapshot_seq: int
    mail: tuple[tuple[int, msgspec.Raw], ...]
    size: int = 0  # characters of JSON that its state was read from


class Recalled(Struct, frozen=True):
    """A state we still have of a process that we held lately, and the characters of JSON it was read from."""

    state: State
    size: int


_tick = msgspec.json.Decoder(Tick)
_history = msgspec.json.Decoder(list[tuple[int, datetime, str, int, str | None, int | None, msgspec.Raw]])
_mail = msgspec.json.Decoder(tuple[tuple[int, msgspec.Raw], ...])
_ids = msgspec.json.Decoder(list[int])
_order = msgspec.json.Decoder(Orders)
_kind = msgspec.json.Decoder(Kind)
_parked = msgspec.json.Decoder(dict[str, list[int]])


class NewerOrder(Exception):
    """The mail is of a kind this release does not know: a newer one must read it."""


def read_mail(id_: int, order: msgspec.Raw) -> Mail:
    """Return one mail. Raises NewerOrder; what is of a known kind and cannot be read is to be rejected."""
    try:
        return Mail(id_, _order.decode(order))
    except msgspec.MsgspecError as error:
        kind = _kind.decode(order).kind
        if kind not in KINDS:
            raise NewerOrder(f"an order of kind {kind!r}") from None
        return Mail(id_, Unreadable(why=str(error)))


def comes_first(order: msgspec.Raw) -> bool:
    """Tell whether an order must be read before its process begins: a cancel, or what only a newer release can read."""
    kind = _kind.decode(order).kind
    return kind == CANCEL or kind not in KINDS


async def register(link: Link, release: str, *, lock: bool) -> tuple[int, datetime]:
    """Make a worker row of our own; with `lock` also take the session lock others watch. Returns its id and now."""
    row = await link.only(
        sql.query("worker.register"), {"host": socket.gethostname(), "pid": os.getpid(), "release": release}
    )
    if lock:
        await link.one(sql.query("worker.lock"), {"me": row[0]})
    return row[0], row[1]


class Asked(Struct, frozen=True):
    """What a tick is to do; see stepwell.tick. `held`: whose bells are read by a whole one."""

    slots: int = 0
    lanes: dict[str, Any] | None = None
    whole: bool = True
    sleeping: bool = False
    held: list[int] = []
    net: bool = True
    old: bool = True


async def tick(link: Link, me: int, asked: Asked) -> Tick:
    """Beat, match, claim what is asked for; a whole tick also fires timers and reads bells. Raises Fenced."""
    lanes = None if asked.lanes is None else msgspec.json.encode(asked.lanes).decode()
    parameters = {**msgspec.structs.asdict(asked), "lanes": lanes, "me": me}
    row = await again(lambda: link.only(sql.query("worker.tick"), parameters))
    answer = _tick.decode(row[0])
    if not answer.alive:
        raise Fenced
    return answer


async def again(work: Callable[[], Awaitable[T]]) -> T:
    """Do it; a deadlock's victim tries once more (lock order makes one a bug, but not a reason to drop anything)."""
    try:
        return await work()
    except psycopg.Error as error:
        if error.sqlstate != DEADLOCK:
            raise
        return await work()


async def flush(link: Link, me: int, document: bytes) -> frozenset[int]:
    """Write one document; return the processes that are parked now. Raises Fenced, psycopg.Error."""
    try:
        row = await again(lambda: link.only(sql.query("worker.flush"), {"me": me, "doc": document.decode()}))
    except psycopg.Error as error:
        if error.sqlstate == "SW001":
            raise Fenced from error
        raise
    return frozenset(_parked.decode(row[0])["parked"])


async def load(link: Link, me: int, ids: list[int], *, alone: bool, known: list[int] | None = None) -> list[Row]:
    """Return the raw rows of newly claimed processes, to be read one by one (`read_loaded`): one may be unreadable.

    `known`: for each id the seq of the state we still have, 0 for none.
    """
    return await link.all(sql.query("worker.load"), {"me": me, "ids": ids, "alone": alone, "known": known or []})


def is_suspect(row: Row) -> bool:
    """Tell whether a row came without its history, since the process was lost too often to be loaded with others."""
    return bool(row[5] >= ALONE_FROM)


def without_snapshot(row: Row, history: str | None) -> Row:
    """Return a loaded row with its whole history instead of snapshot and tail."""
    return (*row[:3], None, 0, row[5], history, *row[7:])


def read_loaded(row: Row, known: Recalled | None = None) -> tuple[Loaded, State]:
    """Read and fold one loaded row, upon the state that was named as `known`. Raises NewerEvent, OutdatedSnapshot,
    ValueError.
    """
    id_, definition_id, version, snapshot, snapshot_seq, losses, history, inbox, bell = row
    mail = _mail.decode(inbox) if inbox else ()
    begin, size = (known.state, known.size) if known and snapshot is None else (restore(snapshot), len(snapshot or ""))
    size += len(history or "")
    return Loaded(id_, definition_id, version, losses, bell, snapshot_seq, mail, size), fold(_events(history), begin)


def _events(history: str | None) -> Iterator[Event]:
    for seq, at, type_, v, path, attempt, data in _history.decode(history) if history else ():
        yield Event(seq, at, type_, decode_body(type_, v, data), path, attempt, v)


async def whole_history(link: Link, process_id: int) -> str | None:
    """Return the complete history of one process as `fold` reads it."""
    row = await link.one(sql.query("worker.history"), {"id": process_id})
    return None if row is None else row[0]


async def quarantine(link: Link, me: int, process_id: int) -> None:
    """Set aside a held process that can neither go on nor fail."""
    await link.do(sql.query("worker.quarantine"), {"me": me, "id": process_id})


async def inbox(link: Link, me: int, ids: list[int]) -> list[Rung]:
    """Return bell and mail of held processes, read together; none for a lease that is not ours."""
    rows = await link.all(sql.query("worker.inbox"), {"me": me, "ids": ids})
    return [Rung(id_, bell, _mail.decode(mail)) for id_, bell, mail in rows]


async def look_for_signals(link: Link, me: int, waits: list[dict[str, Any]]) -> list[int]:
    """Take kept signals for these waits; return the processes that have mail now."""
    document = msgspec.json.encode(waits).decode()
    row = await link.only(sql.query("worker.look_for_signals"), {"me": me, "waits": document})
    return _ids.decode(row[0])


async def payload(link: Link, process_id: int, n: int) -> Any:
    """Return one value over 8 KB."""
    row = await link.only(sql.query("worker.payload"), {"id": process_id, "n": n})
    return msgspec.json.decode(row[0])


async def definition(link: Link, definition_id: int, version: int) -> str:
    """Return a published document as JSON."""
    row = await link.only(sql.query("worker.definition"), {"definition_id": definition_id, "version": version})
    return str(row[0])
