"""What all lists share: limit, cursor, the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from litestar.params import QueryParameter

from api.queries import refused
from api.wire import Page
from engine.core.ids import private_id
from engine.errors import BadInput

T = TypeVar("T")

MAX_LIMIT = 200
MAX_OFFSET = 10_000  # rows that are read for nothing

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="Items on a page.")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=1700, description="`next_cursor` of the page before; absent: the first.")
]

Offset = Annotated[
    int | None,
    QueryParameter(
        ge=0, le=MAX_OFFSET, description="Items to pass over; not together with `cursor`, which costs less."
    ),
]


def check_offset(offset: int | None, cursor: str | None) -> int:
    """Return how many items to pass over. Raises BadInput."""
    if offset is not None and cursor is not None:
        raise refused("offset and cursor exclude each other", "offset", "Go on with the cursor alone.")
    return offset or 0


def cursor_id(prefix: str, cursor: str | None) -> int | None:
    """Return the id a cursor stands for. Raises BadInput."""
    if cursor is None:
        return None
    try:
        return private_id(prefix, cursor)
    except ValueError:
        raise bad_cursor() from None


def bad_cursor() -> BadInput:
    """Return the error for a cursor that none of our pages gave."""
    return refused("this is not a cursor of this list", "cursor", "Pass next_cursor of the page before, as it is.")


def page(items: list[T], limit: int, cursor: Callable[[T], str], count: int | None = None) -> Page[T]:
    """Return the page for up to `limit` + 1 items: the last one tells whether there are more."""
    more = len(items) > limit
    items = items[:limit]
    return Page(items, cursor(items[-1]) if more else None, count)
