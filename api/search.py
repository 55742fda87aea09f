"""What processes are searched by: filters as they travel, and as the store takes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from api.catalogue import find_definition
from api.queries import refused
from engine.core.ids import private_id
from engine.store.base import AsyncConnection, Scope

MAX_LABELS = 4  # in one search
MAX_TEXT = MAX_LABELS * 500

_ADVICE = (
    "Write label=name:value, several separated by commas, at most four; a comma in a value as \\, and a backslash as "
    "\\\\. The name has letters, digits and _ . - only."
)
_PART = re.compile(r"(?P<name>[A-Za-z0-9_.-]{1,63}):(?P<value>(?:[^\\,]|\\[\\,])+)(?P<more>,|\Z)")
_ESCAPED = re.compile(r"\\([\\,])")


def labels_of(text: str | None) -> tuple[tuple[str, str], ...]:
    """Return the (name, value) pairs of `name:value,name:value`. Raises BadInput."""
    if text is None:
        return ()
    found: list[tuple[str, str]] = []
    place, more = 0, ","
    while more:
        part = _PART.match(text, place)
        if part is None:
            raise refused(f"this is no label with a value: {text[place : place + 100]!r}", "label", _ADVICE)
        found.append((part["name"], _ESCAPED.sub(r"\1", part["value"])))
        place, more = part.end(), part["more"]
    if len(found) > MAX_LABELS:
        raise refused(f"at most {MAX_LABELS} labels are searched for at once", "label", _ADVICE)
    return tuple(found)


def in_utc(moment: datetime | None, name: str) -> datetime | None:
    """Return the moment in UTC. Raises BadInput."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        advice = "Write it as 2026-01-31T12:00:00Z; in a URL a + must be written %2B."
        raise refused("the time names no zone", name, advice)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise refused("the time is out of range", name, "In UTC its year must be from 1 to 9999.") from None


async def definition_number(connection: AsyncConnection, scope: Scope, wanted: str | None) -> int | None:
    """Return the number of the definition that a filter names: None without a filter, -1 where there is none.

    A deleted one has its name no more, but its id: what it has left can still be found.
    """
    if wanted is None:
        return None
    found = await find_definition(connection, scope, wanted)
    if found is not None:
        return found[0]
    try:
        return private_id("wf", wanted)
    except ValueError:
        return -1
