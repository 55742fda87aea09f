"""`Idempotency-Key`: the same request sent twice acts once. PostgreSQL is the truth.

The key is taken in the transaction that acts, so key and effects are committed together or not at all; a duplicate
that comes meanwhile waits for the first. A refused request (4xx) leaves no key: corrected, it may be sent again under
the same one. What is stored is the answer, or for a command its id: a replay then tells what became of that command.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from litestar import Response
from msgspec import Struct

from api.bodies import Asked
from api.database import Database
from engine.errors import BadInput, Conflict, IdempotencyMismatch
from engine.store.access import Key, claim_answer, keep_answer, keep_answers
from engine.store.base import AsyncConnection, Scope

HEADER = "Idempotency-Key"
REPLAYED = {"Idempotency-Replayed": "true"}
_FORM = re.compile(r"[\x21-\x7e]{1,200}")
_SPACE = "http:"  # ids of signals live in the same table


class Follow(Struct, frozen=True):
    """A command whose outcome is to be awaited after the commit."""

    process_id: int
    after: int  # seq of the newest history row before the command was sent
    command: int
    task: str | None = None  # public id, where it was asked of a task
    activity: str | None = None  # step id or execution id, where it was asked of an activity


class Answer(Struct, frozen=True, omit_defaults=True):
    """What a request is answered, as stored under its key."""

    status: int = 201
    body: Any = None
    location: str | None = None
    follow: Follow | None = None


class Named(Struct, frozen=True):
    """A request's Idempotency-Key, and what tells this request from others that bear the same."""

    key: str
    fingerprint: bytes


Act = Callable[[AsyncConnection, Scope], Awaitable[Answer]]
_encode = msgspec.json.Encoder().encode


async def once(request: Asked, database: Database, key: Key, act: Act) -> tuple[Answer, bool]:
    """Run `act` in a transaction of the key's scope, once per Idempotency-Key; return (answer, whether replayed)."""
    mine = await named(request)
    if mine is None:
        async with database.transaction(key.scope) as connection:
            return await act(connection, key.scope), False
    async with database.transaction(key.scope) as connection:
        known = await _claim(connection, key.scope, mine)
        if known is not None:
            return known, True
        answer = await act(connection, key.scope)
        await keep_answer(connection, key.scope, mine.key, _encode(answer))
        return answer, False


async def named(request: Asked) -> Named | None:
    """Return the request's key, None without one. Raises BadInput."""
    key = _idempotency_key(request)
    return None if key is None else Named(key, await request.fingerprint())


async def keep_new(connection: AsyncConnection, scope: Scope, answers: Sequence[tuple[Named, Answer]]) -> None:
    """Store answers under keys that nobody had taken.

    Raises psycopg.errors.UniqueViolation where somebody has meanwhile, Conflict where somebody is about to.
    """
    if answers:
        rows = [(mine.key, mine.fingerprint, _encode(answer).decode()) for mine, answer in answers]
        with _held():
            await keep_answers(connection, scope, rows)


def respond(answer: Answer, replayed: bool) -> Response[Any]:
    """Return the response for an answer."""
    headers = dict(REPLAYED) if replayed else {}
    if answer.location is not None:
        headers["Location"] = answer.location
    return Response(answer.body, status_code=answer.status, headers=headers, media_type="application/json")


def _idempotency_key(request: Asked) -> str | None:
    given = request.headers.get(HEADER)
    if given is None:
        return None
    if not _FORM.fullmatch(given):
        raise BadInput(
            f"{HEADER} must have 1 to 200 printable ASCII characters without spaces",
            advice="A random UUID is a good key.",
            code="invalid_idempotency_key",
        )
    return _SPACE + given


async def _claim(connection: AsyncConnection, scope: Scope, mine: Named) -> Answer | None:
    with _held():
        known = await claim_answer(connection, scope, mine.key, mine.fingerprint)
    if known is None:
        return None
    if known.fingerprint != mine.fingerprint:
        raise IdempotencyMismatch(f"this {HEADER} came with another request before")
    return msgspec.convert(known.answer, Answer)


@contextmanager
def _held() -> Iterator[None]:
    """Raise Conflict where a lock on a key was waited for in vain."""
    try:
        yield
    except psycopg.errors.LockNotAvailable:
        raise Conflict(
            "a request with the same Idempotency-Key is still being worked on",
            code="idempotency_in_progress",
            advice="Wait a moment and send the same request again.",
        ) from None
