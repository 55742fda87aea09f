"""Processes: started, found, and read as their history tells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from engine.core.events import Event, decode_body
from engine.core.evolve import fold
from engine.core.ids import private_id
from engine.core.model import State
from engine.core.snapshot import OutdatedSnapshot, restore
from engine.db import Row
from engine.store.base import MAX_BIGINT, AsyncConnection, Scope, call, fetch_all, fetch_one, json_text
from engine.store.history import read_history

_MARGIN = timedelta(minutes=10)  # between a process's created_at and the clock in its id: lock waits, large bulks
_INDEXED = ("status", "definition_id", "business_key", "error_code", "failed_step", "ids")  # these can lead a search
_MAX_STATES = 2  # of those that process.executions has a part for
_TAIL = msgspec.json.Decoder(list[tuple[int, datetime, str, int, str | None, int | None, msgspec.Raw]])


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


async def start_process(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> str:
    """Start one process; return its public id. `values`: the arguments of stepwell.start_process."""
    given = {"labels": None, "trigger": None, "traceparent": None, **values}
    for name in ("input", "labels", "trigger"):
        given[name] = json_text(given[name]) if name == "input" or given[name] is not None else None
    return str(await call(connection, "process.start", given, scope))


async def start_processes(connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]) -> list[str]:
    """Start one process for each of `inputs`, all or nothing; return their public ids in the same order."""
    given = {"traceparent": None, **values, "inputs": json_text(values["inputs"])}
    given["labels"] = json_text(values["labels"]) if values.get("labels") is not None else None
    return list(await call(connection, "process.start_many", given, scope))


async def start_alike(
    connection: AsyncConnection, scope: Scope, values: Mapping[str, Any], inputs: Sequence[Any]
) -> list[ProcessRow]:
    """Start one process for each input; return their rows, alike but for their ids."""
    made = await start_processes(connection, scope, {**values, "inputs": inputs})
    ids = [private_id("prc", public) for public in made]
    row = await get_process_row(connection, scope, ids[0])
    if row is None:
        raise LookupError(made[0])
    return [msgspec.structs.replace(row, id=number) for number in ids]


async def get_process_row(connection: AsyncConnection, _scope: Scope, process_id: int) -> ProcessRow | None:
    """Return the narrow row of a process."""
    row = await fetch_one(connection, "process.row", {"id": process_id})
    return _process_row(row) if row else None


def _process_row(row: Row) -> ProcessRow:
    labels = msgspec.json.decode(row[10]) if row[10] else {}
    return ProcessRow(*(*row[:10], labels, *row[11:]))


async def load_process(connection: AsyncConnection, scope: Scope, process_id: int) -> tuple[ProcessRow, State] | None:
    """Return row and state: the snapshot and the history since, folded. Raises NewerEvent."""
    row = await fetch_one(connection, "process.get", {"id": process_id})
    if row is None:
        return None
    *narrow, snapshot, history = row
    return _process_row(tuple(narrow)), await _state(connection, scope, process_id, snapshot, history)


async def list_executions(
    connection: AsyncConnection, scope: Scope, values: Mapping[str, Any]
) -> list[tuple[ExecutionRow, State]]:
    """Return processes with their states, newest first, in one statement. Raises NewerEvent.

    `values`: definition_id and statuses (None = any, else one or two), before, limit, offset. What a state holds is
    bounded, not small: ask for a few at a time.
    """
    if len(values["statuses"] or ()) > _MAX_STATES:
        msg = f"a list of executions is of at most {_MAX_STATES} states: {values['statuses']}"
        raise ValueError(msg)
    given = {**scope.ids(), **values, "before": MAX_BIGINT if values["before"] is None else values["before"]}
    rows = await fetch_all(connection, "process.executions", given, planned_anew=True)
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


async def list_processes(
    connection: AsyncConnection, scope: Scope, wanted: ProcessFilter, before: int | None, limit: int
) -> list[ProcessRow]:
    """Return up to `limit` processes with an id below `before`, newest first."""
    given = {"before": MAX_BIGINT if before is None else before, "limit": limit}
    rows = await _search(connection, scope, wanted, given, ("process.list", "process.list_by_label"))
    return [_process_row(row) for row in rows]


async def count_processes(connection: AsyncConnection, scope: Scope, wanted: ProcessFilter) -> int:
    """Return how many processes match. Reads them all: for people, not for loops."""
    names = ("process.count", "process.count_by_label")
    return int((await _search(connection, scope, wanted, {"before": MAX_BIGINT}, names))[0][0])


async def _search(
    connection: AsyncConnection, scope: Scope, wanted: ProcessFilter, given: Mapping[str, Any], names: tuple[str, str]
) -> list[Row]:
    """Run the first statement of `names`, or the second where a label leads."""
    values = {**_filter(scope, wanted), **await _bounds(connection, wanted), **given}
    lead = await _lead(connection, wanted, values)
    rest = [label for label in wanted.labels if label != lead]
    values |= {"label_names": [name for name, _ in rest], "label_values": [value for _, value in rest]}
    values |= _label(lead) if lead else {}
    return await fetch_all(connection, names[1] if lead else names[0], values, planned_anew=True)


async def _lead(
    connection: AsyncConnection, wanted: ProcessFilter, values: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Return the label that leads the search, None where the process's own filters do: the rarest of them."""
    own = any(getattr(wanted, name) is not None for name in _INDEXED)
    if len(wanted.labels) + own < 2:
        return wanted.labels[0] if wanted.labels else None
    reaches: dict[tuple[str, str] | None, int] = {}
    for label in wanted.labels:
        reaches[label] = await _reach(connection, "process.label_reach", {**values, **_label(label)})
        if reaches[label] == 0:  # so few that no other needs to be looked at
            return label
    if own:
        reaches[None] = await _reach(connection, "process.reach", values)
    return min(reaches, key=lambda label: reaches[label])


async def _reach(connection: AsyncConnection, name: str, values: Mapping[str, Any]) -> int:
    return int((await fetch_all(connection, name, values, planned_anew=True))[0][0])


def _label(label: tuple[str, str]) -> dict[str, str]:
    return {"label_name": label[0], "label_value": label[1]}


def _filter(scope: Scope, wanted: ProcessFilter) -> dict[str, Any]:
    own = {name: getattr(wanted, name) for name in wanted.__struct_fields__ if name != "labels"}
    of_process = any(value is not None for value in own.values())
    ids = None if wanted.ids is None else list(wanted.ids)
    return {**scope.ids(), **own, "ids": ids, "of_process": of_process}


async def _bounds(connection: AsyncConnection, wanted: ProcessFilter) -> dict[str, int]:
    """Return what ids can match, `low` to below `high`, as constants: the planner guesses badly what it must look up.

    Ids have the wall clock: in a database marked test created_at may have another, and bounds nothing.
    """
    low, high = (0, MAX_BIGINT) if wanted.ids is None else (min(wanted.ids, default=0), max(wanted.ids, default=-1) + 1)
    after, before = wanted.created_after, wanted.created_before
    if (after or before) and not (await fetch_all(connection, "process.clock_may_move", {}))[0][0]:
        low = max(low, _first_id(after, -_MARGIN)) if after else low
        high = min(high, _first_id(before, _MARGIN)) if before else high
    return {"low": low, "high": high}


def _first_id(moment: datetime, margin: timedelta) -> int:
    """Return the smallest id of a moment moved by `margin`, as stepwell.first_id does."""
    seconds = moment.timestamp() + margin.total_seconds()  # not by way of UTC, whose years end where others go on
    return min(max(int(seconds * 1000) << 20, 0), MAX_BIGINT)


async def process_exists(connection: AsyncConnection, _scope: Scope, process_id: int) -> bool:
    """Tell whether the scope has this process."""
    return await fetch_one(connection, "process.exists", {"id": process_id}) is not None


async def quarantined(connection: AsyncConnection, scope: Scope) -> tuple[int, ...]:
    """Return the ids of the processes that are set aside, the newest 10,000: for ProcessFilter.ids."""
    return tuple(await call(connection, "process.quarantined", {}, scope))
