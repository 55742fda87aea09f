"""Who is asking: `Authorization: Bearer <key>`, looked up by hash, remembered for some seconds.

Remembering keeps a status query one primary-key read; a revoked key works for at most REMEMBERED_S longer. Unknown keys
are not remembered, so a new key works at once. What a handler needs is in its `opt["rights"]`: one of them suffices.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from api.database import Database
from engine.core.ids import public_id
from engine.errors import Forbidden, Unauthenticated
from engine.keys import hash_key, well_formed
from engine.store import Key, find_key

REMEMBERED_S = 10.0
MAX_REMEMBERED = 10_000  # keys; some 5 MB
_MAX_NAME = 100


class Keys:
    """Finds keys, remembering the good ones. One per application; used by one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[bytes, tuple[float, Key]] = OrderedDict()

    async def find(self, key: str) -> Key:
        """Return what a key stands for. Raises Unauthenticated, Unavailable."""
        if not well_formed(key):
            raise Unauthenticated("this is not an API key")
        digest = hash_key(key)
        remembered = self._known.get(digest)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        async with self._database.connection() as connection:
            found = await find_key(connection, digest)
        self._known.pop(digest, None)
        if found is None:
            raise Unauthenticated("the API key is not known, or was revoked")
        self._known[digest] = (time.monotonic() + REMEMBERED_S, found)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return found


async def authorize(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard of every route under /api/v1: set `connection.user` to the Key. Raises Unauthenticated, Forbidden."""
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("the request has no API key")
    found = await connection.app.state.api_keys.find(key.strip())
    # Absent where the framework itself answers: OPTIONS names the methods, to anybody who has a key.
    needed: tuple[str, ...] | None = handler.opt.get("rights")
    if needed is not None and "admin" not in found.rights and not found.rights.intersection(needed):
        raise Forbidden(f"the API key {found.name!r} lacks the scope {' or '.join(needed)}")
    connection.scope["user"] = found


def signed(key: Key, by: str | None = None) -> str:
    """Return who to record: the named person, else the key's name, always with the key's id: 'Ann (key_…)'."""
    return f"{by or key.name[:_MAX_NAME]} ({public_id('key', key.id)})"
