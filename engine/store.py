"""Verbs and reads of the API under a `Scope`: the only place where it touches tables.

Every function takes a connection on which the caller has opened a transaction with `begin`; it commits, nothing here
does. The database sees only the scope's rows (row-level security); the scope is passed all the same, for indexes, and
so that no function can be written without one. Writes go through the same SQL functions that SQL callers use. Locks are
those of the functions: no row that a worker writes is ever locked here.

Must not: run an activity, decide anything, or hand out a row of another scope. psycopg.Error passes through: the caller
turns it into one of ours with `engine.db.translate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
from msgspec import Struct

import sql
from engine.core.events import Event, decode_body
from engine.core.evolve import fold
from engine.core.model import State
from engine.core.snapshot import OutdatedSnapshot, restore
from engine.db import Row

AsyncConnection = psycopg.AsyncConnection[Row]

_MARGIN = timedelta(minutes=10)  # between a process's created_at and the clock in its id: lock waits, large bulks
_MAX_BIGINT = 2**63 - 1
MAX_PAYLOADS = 8 << 20  # characters of values over 8 KB in one answer
_PORTION = 4  # values of which nothing is known yet: 4 MiB, as a rule
_json = msgspec.json.Encoder().encode


class Scope(Struct, frozen=True):
    """One environment of one tenant: ids for the database, names for people."""

    tenant_id: int
    environment_id: int
    tenant: str
    environment: str

    def ids(self) -> dict[str, int]:
        """Return what every statement is given."""
        return {"tenant_id": self.tenant_id, "environment_id": self.environment_id}


class Key(Struct, frozen=True):
    """An API key as the database knows it."""

    id: int
    name: str
    scope: Scope
    rights: frozenset[str]


class DefinitionRow(Struct, frozen=True):
    id: int
    name: str
    version: int
    enabled: bool
    created_at: datetime
    updated_at: datetime
    created_by: str
    document: str | None = None  # JSON text


class ProcessRow(Struct, frozen=True):
    id: int
    definition_id: int
    definition: str
    version: int
    status: str
    business_key: str | None
    priority: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class TaskRow(Struct, frozen=True):
    process_id: int
    path: str
    run: int
    definition_id: int
    definition: str
    title: str
    assignee: str | None
    group: str | None
    form: str | None  # JSON text
    due_at: datetime | None
    created_at: datetime
    overdue: bool


class HistoryRow(Struct, frozen=True):
    seq: int
    at: datetime
    type: str
    v: int
    path: str | None
    attempt: int | None
    data: str  # JSON text


class OutcomeRow(Struct, frozen=True):
    type: str
    v: int
    path: str | None
    data: str


class ProcessFilter(Struct, frozen=True, kw_only=True):
    """Which processes; None = any."""

    status: str | None = None
    definition_id: int | None = None
    business_key: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class Known(Struct, frozen=True):
    """What is stored under an idempotency key."""

    fingerprint: bytes
    answer: Any


async def begin(connection: AsyncConnection, scope: Scope) -> None:
    """Open a transaction that sees and writes only `scope`. One message; nothing else may be in it before."""
    if not connection.autocommit:
        await connection.set_autocommit(True)  # no round trip; the transaction is opened and closed by hand
    cursor = psycopg.AsyncClientCursor(connection)
    await cursor.execute(sql.query("api.begin"), scope.ids())


async def find_key(connection: AsyncConnection, key_hash: bytes) -> Key | None:
    """Return who a key's hash belongs to, None for unknown and revoked. Needs no scope and no transaction."""
    row = await _row(connection, "api.authenticate", {"hash": key_hash})
    if row is None:
        return None
    key_id, name, tenant_id, environment_id, tenant, environment, rights = row
    return Key(key_id, name, Scope(tenant_id, environment_id, tenant, environment), frozenset(rights))


async def reachable(connection: AsyncConnection) -> bool:
    """Tell whether the schema can be read with this login. Needs no scope and no transaction."""
    return await _row(connection, "api.schema", {}) is not None


async def claim_answer(connection: AsyncConnection, scope: Scope, key: str, fingerprint: bytes) -> Known | None:
    """Take an idempotency key; None = it is ours now, else what the first request left.

    Waits for a transaction that holds the same key. Raises psycopg.errors.LockNotAvailable after 2 s of that.
    """
    values = {**scope.ids(), "key": key, "fingerprint": fingerprint}
    while await _row(connection, "idempotency.claim", values) is None:
        known = await _row(connection, "idempotency.get", values)
        if known is not None:
            return Known(bytes(known[0]), known[1])
    return None


async def keep_answer(connection: AsyncConnection, scope: Scope, key: str, answer: bytes) -> None:
    """Store what a request with this key was answered (JSON). Same transaction as its effects."""
    await connection.execute(sql.query("idempotency.answer"), {**scope.ids(), "key": key, "answer": answer.decode()})


async def publish_definition(connection: AsyncConnection, scope: Scope, document: Any, by: str) -> int:
    """Publish a checked document as the next version of its name; return the definition's id. Locks its row."""
    return int(await _value(connection, "definition.publish", {"document": _text(document), "by": by}, scope))


async def get_definition(
    connection: AsyncConnection, _scope: Scope, definition_id: int, version: int | None = None
) -> DefinitionRow | None:
    """Return a definition with its document; the latest version unless one is named."""
    row = await _row(connection, "definition.get", {"id": definition_id, "version": version})
    return DefinitionRow(*row) if row else None


async def list_definitions(
    connection: AsyncConnection,
    scope: Scope,
    *,
    name: str | None,
    enabled: bool | None,
    before: int | None,
    limit: int,
) -> list[DefinitionRow]:
    """Return up to `limit` definitions with an id below `before`, newest first, without documents."""
    values = {**scope.ids(), "name": name, "enabled": enabled, "before": before, "limit": limit}
    return [DefinitionRow(*row) for row in await _rows(connection, "definition.list", values)]


async def resolve_definition(
    connection: AsyncConnection, scope: Scope, *, name: str | None = None, definition_id: int | None = None
) -> tuple[int, int] | None:
    """Return (id, latest version) of a definition by name or id, None where there is none."""
    which = "definition.by_id" if definition_id is not None else "definition.by_name"
    row = await _row(connection, which, {**scope.ids(), "name": name, "id": definition_id})
    return (row[0], row[1]) if row else None


async def get_document(
    connection: AsyncConnection, _scope: Scope, definition_id: int, version: int
) -> tuple[str, Any] | None:
    """Return (name, document) of a published version, which never changes."""
    row = await _row(connection, "definition.document", {"id": definition_id, "version": version})
    return (row[0], msgspec.json.decode(row[1])) if row else None


async def start_process(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> str:
    """Start one process; return its public id. `values`: the arguments of stepwell.start_process."""
    return str(await _value(connection, "process.start", {**values, "input": _text(values["input"])}, scope))


async def start_processes(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> list[str]:
    """Start one process for each of `inputs`, all or nothing; return their public ids in the same order."""
    given = {**values, "inputs": _text(values["inputs"])}
    return list(await _value(connection, "process.start_many", given, scope))


async def get_process_row(connection: AsyncConnection, _scope: Scope, process_id: int) -> ProcessRow | None:
    """Return the narrow row of a process."""
    row = await _row(connection, "process.row", {"id": process_id})
    return ProcessRow(*row) if row else None


async def load_process(connection: AsyncConnection, scope: Scope, process_id: int) -> tuple[ProcessRow, State] | None:
    """Return row and state: the snapshot and the history since, folded. Raises NewerEvent."""
    row = await _row(connection, "process.get", {"id": process_id})
    if row is None:
        return None
    *narrow, snapshot, history = row
    try:
        state = restore(snapshot)
    except (OutdatedSnapshot, msgspec.ValidationError):  # written by another release: the history says the same
        rows = await read_history(connection, scope, process_id, 0, 1_000_000)
        return ProcessRow(*narrow), fold(_event(r.seq, r.at, r.type, r.v, r.path, r.attempt, r.data) for r in rows)
    return ProcessRow(*narrow), fold(_events(history), state)


def _events(history: str | None) -> Iterator[Event]:
    for seq, at, type_, v, path, attempt, data in _TAIL.decode(history) if history else ():
        yield _event(seq, at, type_, v, path, attempt, bytes(data))


def _event(
    seq: int, at: datetime, type_: str, v: int, path: str | None, attempt: int | None, data: bytes | str
) -> Event:
    body = decode_body(type_, v, data)
    return Event(seq=seq, at=at, type=type_, body=body, path=path, attempt=attempt, v=v)


_TAIL = msgspec.json.Decoder(list[tuple[int, datetime, str, int, str | None, int | None, msgspec.Raw]])


async def list_processes(
    connection: AsyncConnection, scope: Scope, wanted: ProcessFilter, before: int | None, limit: int
) -> list[ProcessRow]:
    """Return up to `limit` processes with an id below `before`, newest first."""
    values = {**_filter(scope, wanted), "before": _MAX_BIGINT if before is None else before, "limit": limit}
    return [ProcessRow(*row) for row in await _rows(connection, "process.list", values, planned_anew=True)]


async def count_processes(connection: AsyncConnection, scope: Scope, wanted: ProcessFilter) -> int:
    """Return how many processes match. Reads them all: for people, not for loops."""
    return int((await _rows(connection, "process.count", _filter(scope, wanted), planned_anew=True))[0][0])


def _filter(scope: Scope, wanted: ProcessFilter) -> dict[str, Any]:
    low = _first_id(wanted.created_after, -_MARGIN) if wanted.created_after else 0
    high = _first_id(wanted.created_before, _MARGIN) if wanted.created_before else _MAX_BIGINT
    return {**scope.ids(), **msgspec.structs.asdict(wanted), "low": low, "high": high}


def _first_id(moment: datetime, margin: timedelta) -> int:
    """Return the smallest id of a moment moved by `margin`, as stepwell.first_id does."""
    seconds = moment.timestamp() + margin.total_seconds()  # not by way of UTC, whose years end where others go on
    return min(max(int(seconds * 1000) << 20, 0), _MAX_BIGINT)


async def process_exists(connection: AsyncConnection, _scope: Scope, process_id: int) -> bool:
    """Tell whether the scope has this process."""
    return await _row(connection, "process.exists", {"id": process_id}) is not None


async def read_history(
    connection: AsyncConnection, _scope: Scope, process_id: int, after: int, limit: int
) -> list[HistoryRow]:
    """Return up to `limit` history rows after a seq, in order."""
    values = {"id": process_id, "after": after, "limit": limit}
    return [HistoryRow(*row) for row in await _rows(connection, "process.history", values)]


async def read_payloads(
    connection: AsyncConnection, _scope: Scope, process_id: int, numbers: Iterable[int], most: int = MAX_PAYLOADS
) -> dict[int, str]:
    """Return the values over 8 KB with these numbers, as JSON text: in this order, until they take `most` characters.

    The first is returned whatever it takes. Sizes are known only when values are here, so they come in small portions.
    """
    waiting = list(dict.fromkeys(numbers))
    found: dict[int, str] = {}
    left, portion = most, _PORTION
    while waiting and left > 0:
        asked, waiting = waiting[:portion], waiting[portion:]
        texts: dict[int, str] = dict(await _rows(connection, "process.payloads", {"id": process_id, "numbers": asked}))
        for number in asked:
            text = texts.get(number, "")
            if found and len(text) > left:
                return found
            if text:
                found[number] = text
                left -= len(text)
        portion = max(1, left // max(map(len, texts.values()), default=1))
    return found


async def last_seq(connection: AsyncConnection, _scope: Scope, process_id: int) -> int:
    """Return the number of the newest history row, 0 where there is none."""
    row = await _row(connection, "process.last_seq", {"id": process_id})
    return int(row[0]) if row else 0


async def find_outcome(
    connection: AsyncConnection, _scope: Scope, process_id: int, after: int, command: int
) -> OutcomeRow | None:
    """Return the event after `after` that carries a command's id, None as long as there is none."""
    values = {"id": process_id, "after": after, "command": str(command)}
    row = await _row(connection, "process.outcome", values)
    return OutcomeRow(*row) if row else None


async def order_process(
    connection: AsyncConnection, scope: Scope, verb: str, process: str, by: str, reason: str | None
) -> int:
    """Send a process the order `verb` (cancel, retry); return the command's id. One mail, one job."""
    name = {"cancel": "process.cancel", "retry": "process.retry"}[verb]
    return int(await _value(connection, name, {"process": process, "by": by, "reason": reason}, scope))


async def complete_task(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> int:
    """Complete a task with data; return the command's id. One mail, one job."""
    return int(await _value(connection, "task.complete", {**values, "data": _text(values["data"])}, scope))


async def reject_task(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> int:
    """Reject a task with a reason; return the command's id. One mail, one job."""
    return int(await _value(connection, "task.reject", values, scope))


async def send_signal(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> str:
    """Send a signal; return its public id. `values`: the arguments of stepwell.send_signal."""
    return str(await _value(connection, "process.signal", {**values, "data": _text(values["data"])}, scope))


async def list_tasks(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> list[TaskRow]:
    """Return open tasks after (after_process, after_path). `values`: the filters and limit of task.list."""
    rows = await _rows(connection, "task.list", {**scope.ids(), **values}, planned_anew=True)
    return [TaskRow(*row) for row in rows]


async def _rows(
    connection: AsyncConnection, name: str, values: Mapping[str, Any], *, planned_anew: bool = False
) -> list[Row]:
    prepare = False if planned_anew else None
    cursor = await connection.execute(sql.query(name), values, prepare=prepare)
    return await cursor.fetchall()


async def _row(connection: AsyncConnection, name: str, values: Mapping[str, Any]) -> Row | None:
    cursor = await connection.execute(sql.query(name), values)
    return await cursor.fetchone()


async def _value(connection: AsyncConnection, name: str, values: Mapping[str, Any], _scope: Scope) -> Any:
    """Call a SQL function, which takes the scope from the transaction and returns one value."""
    row = await _row(connection, name, values)
    if row is None:
        raise LookupError(name)
    return row[0]


def _text(value: Any) -> str:
    return _json(value).decode()
