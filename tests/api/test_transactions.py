"""The transaction of a request: its settings are its own, and the connection it had carries none of them further."""

from collections.abc import AsyncIterator

import pytest
from psycopg.conninfo import make_conninfo

from api.database import Database
from engine.store.base import AsyncConnection, Scope
from tests.house import House

# Of the session: each unlike what a transaction sets.
DEFAULTS = {
    "enable_seqscan": "on",
    "jit": "on",
    "lock_timeout": "7s",
    "statement_timeout": "8s",
    "TimeZone": "Asia/Tokyo",
    "stepwell.tenant_id": "",
    "stepwell.environment_id": "",
}


@pytest.fixture
async def database(house: House) -> AsyncIterator[Database]:
    """Return a pool of one connection, so that one request has it after the other."""
    options = " ".join(f"-c {name}={value}" for name, value in DEFAULTS.items() if value)
    made = Database(make_conninfo(house.dsn("house_api"), options=options), 1)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def scope(house: House) -> Scope:
    return Scope(*house.scopes["acme_prod"], "acme", "prod")


async def settings(connection: AsyncConnection) -> dict[str, str]:
    """Return what the connection has set of these."""
    cursor = await connection.execute(
        "select name, coalesce(current_setting(name, true), '') from unnest(%s::text[]) as name", (list(DEFAULTS),)
    )
    return dict(await cursor.fetchall())


async def test_a_request_reads_by_indexes_compiles_nothing_and_waits_for_no_lock_without_end(
    database: Database, scope: Scope
) -> None:
    async with database.transaction(scope) as connection:
        assert await settings(connection) == {
            "enable_seqscan": "off",
            "jit": "off",
            "lock_timeout": "2s",
            "statement_timeout": "10s",
            "TimeZone": "UTC",
            "stepwell.tenant_id": str(scope.tenant_id),
            "stepwell.environment_id": str(scope.environment_id),
        }


async def test_the_next_request_finds_the_connection_as_it_was_made(database: Database, scope: Scope) -> None:
    async with database.connection() as connection:
        first = connection.info.backend_pid
        assert await settings(connection) == DEFAULTS
    async with database.transaction(scope) as connection:
        assert await settings(connection) != DEFAULTS

    async with database.connection() as connection:
        assert connection.info.backend_pid == first
        assert await settings(connection) == DEFAULTS
