"""Migrating while others work: it waits without making anybody wait, tells for whom, and builds indexes beside writers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.errors import SchemaError
from engine.migrate import migrate, schema_status
from tests.house import OWNER, House, eventually, start

PLAIN = {"name": "plain", "steps": [{"id": "only", "type": "transform", "config": {"mapping": {"x": 1}}}]}
PARTS = """
select p.relname, x.relname, i.indisvalid
from pg_inherits h
join pg_class p on p.oid = h.inhrelid
left join (
  pg_index i
  join pg_class x on x.oid = i.indexrelid
  join pg_inherits of_index on of_index.inhrelid = i.indexrelid
    and of_index.inhparent = 'stepwell.process_by_version'::regclass) on i.indrelid = p.oid
where h.inhparent = 'stepwell.process'::regclass
order by p.relname
"""


def own(house: House) -> None:
    """Make the owner the database's owner, as it is outside of tests, where databases are copies."""
    with house.connect("superuser") as db:
        db.execute(f"alter database {db.info.dbname} owner to {OWNER}")


def outdated(house: House) -> None:
    """Make one function look as if a newer release had changed it."""
    house.owner.execute("update stepwell.migration set checksum = 'of an earlier release' where name = '031_mail'")


@contextmanager
def migrating(house: House) -> Iterator[list[str]]:
    """Migrate in a thread; what it tells is in the list. At the end of the block it must have succeeded."""
    own(house)
    told: list[str] = []
    failures: list[BaseException] = []

    def go() -> None:
        try:
            with house.connect(OWNER) as connection:
                migrate(connection, told.append)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield told
    finally:
        thread.join(60)
        assert not thread.is_alive()
        assert failures == []


def test_a_migration_that_cannot_have_a_lock_lets_others_by_tells_for_whom_it_waits_and_goes_on_when_they_have_ended(
    house: House,
) -> None:
    """Fails where it waits as long as it takes (whoever comes behind it waits as well), or gives up at once."""
    outdated(house)
    holder = house.connect(OWNER, autocommit=False)
    holder.execute("lock table stepwell.migration in share mode")
    with migrating(house) as told:
        eventually(lambda: len(told) >= 2, what="it has tried twice")
        assert f"session {holder.info.backend_pid} of {OWNER}" in told[0]
        with house.connect(
            OWNER, autocommit=False
        ) as other:  # this lock goes with the holder's, not with the migration's
            other.execute("set lock_timeout = '3s'")
            other.execute("lock table stepwell.migration in share mode")
        holder.rollback()

    assert schema_status(house.owner).current


def test_a_migration_gives_up_when_its_patience_is_over_names_the_holder_and_has_changed_nothing(house: House) -> None:
    """Fails where a part of it stays, or where nobody is told whom to end."""
    own(house)
    outdated(house)
    holder = house.connect(OWNER, autocommit=False)
    holder.execute("lock table stepwell.migration in share mode")
    with house.connect(OWNER) as connection, pytest.raises(SchemaError, match=str(holder.info.backend_pid)):
        migrate(connection, patience=1)
    holder.rollback()

    assert schema_status(house.owner).stale == ("031_mail",)


def test_an_index_declared_on_only_the_parent_is_built_beside_writers_and_one_that_was_left_invalid_is_built_anew(
    house: House,
) -> None:
    """Fails where writers wait for it, where a partition is left out, or a broken part of an earlier attempt is kept."""
    house.publish(PLAIN)
    house.start("plain")
    house.owner.execute(
        "create index process_by_version on only stepwell.process (tenant_id, environment_id, version, id)"
    )
    first, *_ = [row[0] for row in house.rows(PARTS)]
    broken = first.replace("process", "process_by_version")
    house.owner.execute(f"create index {broken} on stepwell.{first} (version)")
    with house.connect("superuser") as db:
        db.execute("update pg_index set indisvalid = false where indexrelid = %s::regclass", (f"stepwell.{broken}",))

    caller = house.caller(autocommit=False)
    start(caller, "plain")
    with migrating(house) as told:
        eventually(lambda: told, what="it builds")
        with house.caller() as other:
            other.execute("set lock_timeout = '2s'")
            late = start(other, "plain")
        caller.commit()

    assert house.status(late) == "CREATED"
    parts = house.rows(PARTS)
    assert [(name, name.replace("process", "process_by_version"), True) for name, _, _ in parts] == parts
    assert house.value("select indisvalid from pg_index where indexrelid = 'stepwell.process_by_version'::regclass")
    assert len(told) == len(parts)
    with house.connect(OWNER) as connection:
        again: list[str] = []
        migrate(connection, again.append)
    assert again == []


AUDIT = "insert into stepwell.audit (id, at, tenant_id, actor, action, subject) values (stepwell.new_id(), now(), 1, 'a', 'b', 'c')"


@pytest.mark.parametrize("left", [None, "valid", "broken"])
def test_the_index_of_the_audit_is_built_beside_writers_and_the_one_it_replaces_is_dropped(
    house: House, left: str | None
) -> None:
    """Fails where writers wait for it, where one that was left invalid is kept, or the old one stays behind it."""
    if left is None:
        house.owner.execute("drop index stepwell.audit_in_feed_order")
    if left == "broken":
        with house.connect("superuser") as db:
            db.execute(
                "update pg_index set indisvalid = false where indexrelid = 'stepwell.audit_in_feed_order'::regclass"
            )
    house.owner.execute("create index audit_in_commit_order on stepwell.audit (tx, id)")
    writer = house.connect(OWNER, autocommit=False)
    writer.execute(AUDIT)
    with migrating(house) as told:
        eventually(lambda: told, what="it builds")
        with house.connect(OWNER) as other:
            other.execute("set lock_timeout = '2s'")
            other.execute(AUDIT)
        writer.commit()

    assert told == ["building the index audit_in_feed_order; writers go on meanwhile"]
    assert house.rows(
        "select c.relname, i.indisvalid from pg_index i join pg_class c on c.oid = i.indexrelid "
        "where i.indrelid = 'stepwell.audit'::regclass order by 1"
    ) == [("audit_in_feed_order", True), ("audit_pkey", True)]


def test_making_partitions_waits_for_no_lock_as_long_as_postgresql_waits_before_it_looks_for_a_deadlock(
    house: House,
) -> None:
    """Fails where a function that migrate calls is more patient than migrate: in a circle of waits, a worker would be ended."""
    house.owner.execute(
        "select set_config('lock_timeout', split_part(c, '=', 2), false) from pg_proc, unnest(proconfig) c "
        "where oid = 'stepwell.ensure_partitions'::regproc and c like 'lock_timeout=%'"
    )
    milliseconds = dict(
        house.rows("select name, setting::integer from pg_settings where name in ('lock_timeout', 'deadlock_timeout')")
    )

    assert 0 < milliseconds["lock_timeout"] < milliseconds["deadlock_timeout"]
