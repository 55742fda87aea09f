"""History rows, and the values over 8 KB that they refer to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from engine.store.base import AsyncConnection, Scope, fetch_all, fetch_one

MAX_PAYLOADS = 8 << 20  # characters of values over 8 KB in one answer
_PORTION = 4  # values of which nothing is known yet: 4 MiB, as a rule


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


async def read_history(
    connection: AsyncConnection, _scope: Scope, process_id: int, after: int, limit: int
) -> list[HistoryRow]:
    """Return up to `limit` history rows after a seq, in order."""
    values = {"id": process_id, "after": after, "limit": limit}
    return [HistoryRow(*row) for row in await fetch_all(connection, "process.history", values)]


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
    return {(row[0], row[1]): row[2] for row in await fetch_all(connection, "process.payloads", values)}


async def last_seq(connection: AsyncConnection, _scope: Scope, process_id: int) -> int:
    """Return the number of the newest history row, 0 where there is none."""
    row = await fetch_one(connection, "process.last_seq", {"id": process_id})
    return int(row[0]) if row else 0


async def find_outcome(
    connection: AsyncConnection, _scope: Scope, process_id: int, after: int, command: int
) -> OutcomeRow | None:
    """Return the event after `after` that carries a command's id, None as long as there is none."""
    values = {"id": process_id, "after": after, "command": str(command)}
    row = await fetch_one(connection, "process.outcome", values)
    return OutcomeRow(*row) if row else None
