"""What cannot work through a pooler says so and changes nothing; doctor notices one."""

from __future__ import annotations

import pytest
from psycopg.conninfo import make_conninfo

from engine import db
from engine.errors import SchemaError
from engine.migrate import migrate
from stepwell.checks import BAD, OK, pooler
from tests.house import OWNER, PASSWORD
from tests.pooler.bouncer import PooledHouse

LOCKS = "select count(*) from pg_locks l join pg_database d on d.oid = l.database where locktype = 'advisory' and datname = current_database()"


def test_a_migration_wants_a_direct_connection_and_leaves_no_lock_in_a_session_of_the_pooler(
    pooled: PooledHouse,
) -> None:
    """Without this refusal the lock stays in a session that nobody has: the next migrate waits for it in vain."""
    owner_url = pooled.pooled(make_conninfo(pooled.superuser_dsn, user=OWNER, password=PASSWORD))
    pooled.owner.execute("delete from stepwell.migration where kind = 'function'")
    with db.connect(owner_url, "test") as through, pytest.raises(SchemaError) as refused:
        migrate(through)
    assert "a pooler is between" in refused.value.message
    assert "STEPWELL_OWNER_DATABASE_URL" in str(refused.value.advice)
    assert pooled.value(LOCKS) == 0


@pytest.mark.parametrize(("lock_probe", "state"), [(True, BAD), (False, OK)])
def test_doctor_notices_a_pooler(pooled: PooledHouse, *, lock_probe: bool, state: str) -> None:
    with db.connect(pooled.dsn("house_worker"), "test") as through:
        (finding,) = pooler(lock_probe)(through)
    assert finding.state == state
    assert "a pooler" in finding.message
