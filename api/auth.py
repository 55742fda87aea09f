"""Who is asking: `Authorization: Bearer <key>`, looked up by hash, remembered for some seconds.

Remembering keeps a status query one primary-key read; a revoked key works for at most REMEMBERED_S longer. Unknown keys
are not remembered, so a new key works at once. What a handler needs is in its `opt["rights"]`: one of them suffices.

A flood of unknown keys costs a look at the database each, but LOOKUPS at a time, in the order they came: the other
connections stay with those whose key is remembered. There is no bucket by client address: behind a proxy all callers
have one address, and whoever floods it would lock out every key that is not remembered yet.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from api.database import WAIT_S, Database
from engine.core.ids import public_id
from engine.errors import Forbidden, Unauthenticated, Unavailable
from engine.keys import hash_key, well_formed
from engine.store.access import Key, find_key

REMEMBERED_S = 10.0
MAX_REMEMBERED = 10_000  # keys; some 5 MB
LOOKUPS = 4  # at a time; fewer than the pool has connections
_MAX_NAME = 100


class Keys:
    """Finds keys, remembering the good ones. One per application; used by one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[bytes, tuple[float, Key]] = OrderedDict()
        self._turns = asyncio.Semaphore(LOOKUPS)

    async def find(self, key: str) -> Key:
        """Return what a key stands for. Raises Unauthenticated, Unavailable."""
        if not well_formed(key):
            raise Unauthenticated("this is not an API key")
        digest = hash_key(key)
        return self._remembered(digest) or await self._in_turn(digest)

    def _remembered(self, digest: bytes) -> Key | None:
        until, key = self._known.get(digest, (0.0, None))
        return key if until > time.monotonic() else None

    async def _in_turn(self, digest: bytes) -> Key:
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turns.acquire()
        except TimeoutError:
            raise Unavailable("too many keys are being looked up at the moment") from None
        try:
            return self._remembered(digest) or await self._look_up(digest)  # found meanwhile by another request
        finally:
            self._turns.release()

    async def _look_up(self, digest: bytes) -> Key:
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
    """Guard of every route under /api/v1: set `connection.user` to the Key.

    Raises Unauthenticated, RateLimited, Forbidden.
    """
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("the request has no API key")
    found = await connection.app.state.api_keys.find(key.strip())
    connection.app.state.rate_limit.take(found.id)
    connection.app.state.under_way.begin(connection.scope, found.id)
    # Absent where the framework itself answers: OPTIONS names the methods, to anybody who has a key.
    needed: tuple[str, ...] | None = handler.opt.get("rights")
    if needed is not None and "admin" not in found.rights and not found.rights.intersection(needed):
        raise Forbidden(f"the API key {found.name!r} lacks the scope {' or '.join(needed)}")
    connection.scope["user"] = found


def signed(key: Key, by: str | None = None) -> str:
    """Return who to record: the named person, else the key's name, always with the key's id: 'Ann (key_…)'."""
    return f"{by or key.name[:_MAX_NAME]} ({public_id('key', key.id)})"
