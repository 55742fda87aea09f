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
    labels: dict[str, str]
    error_code: str | None  # these two while FAILED
    failed_step: str | None


class ExecutionRow(Struct, frozen=True):
    """What a list of executions needs beside the state."""

    id: int
    definition_id: int
    definition: str
    version: int


class RetryRow(Struct, frozen=True):
    """What became of one process of a bulk retry: a command was sent, or `code` and `detail` say why not."""

    process: str
    command: int | None
    code: str | None
    detail: str | None


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
    ended_after: datetime | None = None
    ended_before: datetime | None = None
    failed_step: str | None = None
    error_code: str | None = None
    labels: tuple[tuple[str, str], ...] = ()  # all must match
    ids: tuple[int, ...] | None = None  # only some of these


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


async def publish_version(connection: AsyncConnection, scope: Scope, definition_id: int, document: Any, by: str) -> int:
    """Publish a checked document as the next version of one definition; return its id. Locks its row."""
    values = {"id": definition_id, "document": _text(document), "by": by}
    return int(await _value(connection, "definition.publish_version", values, scope))


async def enable_definition(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> None:
    """Let a definition take new processes, or none. `values`: id, enabled, by, reason. Locks its row."""
    await _value(connection, "definition.enable", values, scope)


async def delete_definition(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> int:
    """Delete a definition; return how many processes were sent a cancel. `values`: id, force, by, reason.

    Locks its advisory lock exclusively: waits up to 2 s for the transactions that have started processes of it.
    """
    return int(await _value(connection, "definition.delete", values, scope))


async def get_definition(
    connection: AsyncConnection, _scope: Scope, definition_id: int, version: int | None = None
) -> DefinitionRow | None:
    """Return a definition with its document; the latest version unless one is named."""
    row = await _row(connection, "definition.get", {"id": definition_id, "version": version})
    return DefinitionRow(*row) if row else None


async def list_definitions(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> list[DefinitionRow]:
    """Return definitions, newest first, without documents. `values`: the filters, limit and offset of the statement."""
    return [DefinitionRow(*row) for row in await _rows(connection, "definition.list", {**scope.ids(), **values})]


async def resolve_definition(
    connection: AsyncConnection, scope: Scope, *, name: str | None = None, definition_id: int | None = None
) -> tuple[int, int] | None:
    """Return (id, latest version) of a definition by name or id, None where there is none."""
    which = "definition.by_id" if definition_id is not None else "definition.by_name"
    row = await _row(connection, which, {**scope.ids(), "name": name, "id": definition_id})
    return (row[0], row[1]) if row else None


async def get_document(connection: AsyncConnection, _scope: Scope, definition_id: int, version: int) -> Any:
    """Return the document of a published version, which never changes; None where there is none."""
    row = await _row(connection, "definition.document", {"id": definition_id, "version": version})
    return msgspec.json.decode(row[0]) if row else None


async def start_process(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> str:
    """Start one process; return its public id. `values`: the arguments of stepwell.start_process."""
    given = {"labels": None, "trigger": None, "traceparent": None, **values}
    for name in ("input", "labels", "trigger"):
        given[name] = _text(given[name]) if name == "input" or given[name] is not None else None
    return str(await _value(connection, "process.start", given, scope))


async def start_processes(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> list[str]:
    """Start one process for each of `inputs`, all or nothing; return their public ids in the same order."""
    given = {"traceparent": None, **values, "inputs": _text(values["inputs"])}
    given["labels"] = _text(values["labels"]) if values.get("labels") is not None else None
    return list(await _value(connection, "process.start_many", given, scope))


async def get_process_row(connection: AsyncConnection, _scope: Scope, process_id: int) -> ProcessRow | None:
    """Return the narrow row of a process."""
    row = await _row(connection, "process.row", {"id": process_id})
    return _process_row(row) if row else None


def _process_row(row: Row) -> ProcessRow:
    labels = msgspec.json.decode(row[10]) if row[10] else {}
    return ProcessRow(*(*row[:10], labels, *row[11:]))


async def load_process(connection: AsyncConnection, scope: Scope, process_id: int) -> tuple[ProcessRow, State] | None:
    """Return row and state: the snapshot and the history since, folded. Raises NewerEvent."""
    row = await _row(connection, "process.get", {"id": process_id})
    if row is None:
        return None
    *narrow, snapshot, history = row
    return _process_row(tuple(narrow)), await _state(connection, scope, process_id, snapshot, history)


async def list_executions(
    connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]
) -> list[tuple[ExecutionRow, State]]:
    """Return processes with their states, newest first, in one statement. Raises NewerEvent.

    `values`: definition_id and statuses (None = any), before, limit, offset. What a state holds is bounded, not small:
    ask for a few at a time.
    """
    given = {**scope.ids(), **values, "before": _MAX_BIGINT if values["before"] is None else values["before"]}
    rows = await _rows(connection, "process.executions", given, planned_anew=True)
    return [
        (ExecutionRow(*narrow), await _state(connection, scope, narrow[0], snapshot, history))
        for *narrow, snapshot, history in rows
    ]


async def _state(
    connection: AsyncConnection, scope: Scope, process_id: int, snapshot: str | None, history: str | None
) -> State:
    try:
        state = restore(snapshot)
    except (OutdatedSnapshot, msgspec.ValidationError):  # written by another release: the history says the same
        rows = await read_history(connection, scope, process_id, 0, 1_000_000)
        return fold(_event(r.seq, r.at, r.type, r.v, r.path, r.attempt, r.data) for r in rows)
    return fold(_events(history), state)


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
    name = "process.list_by_label" if wanted.labels else "process.list"
    return [_process_row(row) for row in await _rows(connection, name, values, planned_anew=True)]


async def count_processes(connection: AsyncConnection, scope: Scope, wanted: ProcessFilter) -> int:
    """Return how many processes match. Reads them all: for people, not for loops."""
    name = "process.count_by_label" if wanted.labels else "process.count"
    return int((await _rows(connection, name, _filter(scope, wanted), planned_anew=True))[0][0])


def _filter(scope: Scope, wanted: ProcessFilter) -> dict[str, Any]:
    low = _first_id(wanted.created_after, -_MARGIN) if wanted.created_after else 0
    high = _first_id(wanted.created_before, _MARGIN) if wanted.created_before else _MAX_BIGINT
    labels = {
        "label_name": wanted.labels[0][0] if wanted.labels else None,  # one drives the search, the others narrow it
        "label_value": wanted.labels[0][1] if wanted.labels else None,
        "label_names": [name for name, _ in wanted.labels[1:]],
        "label_values": [value for _, value in wanted.labels[1:]],
    }
    ids = None if wanted.ids is None else list(wanted.ids)
    return {**scope.ids(), **msgspec.structs.asdict(wanted), **labels, "ids": ids, "low": low, "high": high}


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
    connection: AsyncConnection, scope: Scope, process_id: int, numbers: Iterable[int], most: int = MAX_PAYLOADS
) -> dict[int, str]:
    """Return the values over 8 KB of a process with these numbers, as JSON text; see `read_values`."""
    found = await read_values(connection, scope, ((process_id, number) for number in numbers), most)
    return {number: text for (_, number), text in found.items()}


async def read_values(
    connection: AsyncConnection, _scope: Scope, wanted: Iterable[tuple[int, int]], most: int = MAX_PAYLOADS
) -> dict[tuple[int, int], str]:
    """Return the values over 8 KB named (process id, number), as JSON text: in this order, until `most` characters.

    The first is returned whatever it takes. Sizes are known only when values are here, so they come in small portions.
    """
    waiting = list(dict.fromkeys(wanted))
    found: dict[tuple[int, int], str] = {}
    left, portion = most, _PORTION
    while waiting and left > 0:
        asked, waiting = waiting[:portion], waiting[portion:]
        texts = await _payloads(connection, asked)
        for name in asked:
            text = texts.get(name, "")
            if found and len(text) > left:
                return found
            if text:
                found[name] = text
                left -= len(text)
        portion = max(1, left // max(map(len, texts.values()), default=1))
    return found


async def _payloads(connection: AsyncConnection, asked: list[tuple[int, int]]) -> dict[tuple[int, int], str]:
    values = {"ids": [process_id for process_id, _ in asked], "numbers": [number for _, number in asked]}
    return {(row[0], row[1]): row[2] for row in await _rows(connection, "process.payloads", values)}


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


async def resume_activity(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> int:
    """End a waiting activity with an output; return the command's id. One mail, one job."""
    return int(await _value(connection, "process.resume", {**values, "output": _text(values["output"])}, scope))


async def retry_processes(
    connection: AsyncConnection, _scope: Scope, processes: list[str], by: str, reason: str | None
) -> list[RetryRow]:
    """Send each of up to 1,000 processes that is FAILED a retry; say of the others why not."""
    values = {"processes": processes, "by": by, "reason": reason}
    return [RetryRow(*row) for row in await _rows(connection, "process.retry_many", values)]


async def quarantined(connection: AsyncConnection, scope: Scope) -> tuple[int, ...]:
    """Return the ids of the processes that are set aside, the newest 10,000: for ProcessFilter.ids."""
    return tuple(await _value(connection, "process.quarantined", {}, scope))


async def release_process(connection: AsyncConnection, scope: Scope, process: str, by: str, reason: str | None) -> None:
    """Let a process out of the quarantine. Locks its lease, which nobody holds."""
    await _value(connection, "process.release", {"process": process, "by": by, "reason": reason}, scope)


async def complete_task(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> int:
    """Complete a task with data; return the command's id. One mail, one job."""
    return int(await _value(connection, "task.complete", {**values, "data": _text(values["data"])}, scope))


async def reject_task(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> int:
    """Reject a task with a reason; return the command's id. One mail, one job."""
    return int(await _value(connection, "task.reject", values, scope))


async def assign_task(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> int:
    """Put a task into somebody's hands; return the command's id. `values`: those of stepwell.assign_task."""
    return int(await _value(connection, "task.assign", values, scope))


async def get_task(connection: AsyncConnection, scope: Scope, process_id: int, path: str) -> TaskRow | None:
    """Return an open task, None where there is none."""
    row = await _row(connection, "task.get", {**scope.ids(), "process_id": process_id, "path": path})
    return TaskRow(*row) if row else None


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
