"""Who an API key belongs to, and what was answered under an idempotency key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

import sql
from engine.store.base import AsyncConnection, Scope, fetch_all, fetch_one


class Key(Struct, frozen=True):
    """An API key as the database knows it."""

    id: int
    name: str
    scope: Scope
    rights: frozenset[str]


class Known(Struct, frozen=True):
    """What is stored under an idempotency key."""

    fingerprint: bytes
    answer: Any


async def find_key(connection: AsyncConnection, key_hash: bytes) -> Key | None:
    """Return who a key's hash belongs to, None for unknown and revoked. Needs no scope and no transaction."""
    row = await fetch_one(connection, "api.authenticate", {"hash": key_hash})
    if row is None:
        return None
    key_id, name, tenant_id, environment_id, tenant, environment, rights = row
    return Key(key_id, name, Scope(tenant_id, environment_id, tenant, environment), frozenset(rights))


async def reachable(connection: AsyncConnection) -> bool:
    """Tell whether the schema can be read with this login. Needs no scope and no transaction."""
    return await fetch_one(connection, "api.schema", {}) is not None


async def claim_answer(connection: AsyncConnection, scope: Scope, key: str, fingerprint: bytes) -> Known | None:
    """Take an idempotency key; None = it is ours now, else what the first request left.

    Waits for a transaction that holds the same key. Raises psycopg.errors.LockNotAvailable after 2 s of that.
    """
    values = {**scope.ids(), "key": key, "fingerprint": fingerprint}
    while await fetch_one(connection, "idempotency.claim", values) is None:
        known = await fetch_one(connection, "idempotency.get", values)
        if known is not None:
            return Known(bytes(known[0]), known[1])
    return None


async def keep_answer(connection: AsyncConnection, scope: Scope, key: str, answer: bytes) -> None:
    """Store what a request with this key was answered (JSON). Same transaction as its effects."""
    await connection.execute(sql.query("idempotency.answer"), {**scope.ids(), "key": key, "answer": answer.decode()})


async def known_keys(connection: AsyncConnection, scope: Scope, keys: Sequence[str]) -> set[str]:
    """Return those of some idempotency keys that were used before, by transactions that have ended."""
    if not keys:
        return set()
    return {row[0] for row in await fetch_all(connection, "idempotency.known", {**scope.ids(), "keys": list(keys)})}


async def keep_answers(connection: AsyncConnection, scope: Scope, answers: Iterable[tuple[str, bytes, str]]) -> None:
    """Take keys and store the answers (JSON) at once: (key, fingerprint, answer) each, no key twice.

    Waits for a transaction that holds one of the keys. Raises psycopg.errors.UniqueViolation where one is taken,
    psycopg.errors.LockNotAvailable after 2 s of waiting.
    """
    keys, fingerprints, texts = zip(
        *sorted(answers), strict=True
    )  # in order: so two of these never wait for each other
    values = {**scope.ids(), "keys": list(keys), "fingerprints": list(fingerprints), "answers": list(texts)}
    await connection.execute(sql.query("idempotency.keep"), values)
