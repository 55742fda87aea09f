"""A lot of data, made by set-based SQL as the owner: copies of one real process.

The engine makes one process (by its own functions, moved by its own worker); `pour` copies its rows under new ids of
the engine's own, in the partitions there are. So a copy is what the engine would have written, and it accepts it as
such: a ready one runs, a waiting one hears its signal. Nothing is switched off for it: indexes, constraints and WAL are
as always.

What a copy has of its own: its id, the transaction of its history rows, and, where the original has a `token` in its
input, the token followed by its id. Its times are the original's. Bounded and interruptible: portions of some seconds
at most, each a transaction, and what is there after Ctrl-C is whole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from msgspec import Struct
from psycopg import sql

from bench.cases import Unable
from bench.house import House
from bench.load.rest import AT_REST, none_left, stopping
from engine.core.ids import private_id

PORTION_ROWS = 200_000
WRITERS = 2  # one for each core that the measurements have
A_YEAR_S = 365 * 86_400
LEAST_URGENT = 100

Tell = Callable[[int], None]  # how many copies there are
_KEYS = {"process": ("id",), "job": ("id", "process_id")}  # what holds the id; else process_id alone
_OWN = frozenset({"tx"})  # comes from the transaction that writes the row
_COLUMNS = """
select attname from pg_attribute
where attrelid = ('stepwell.' || %s)::regclass and attnum > 0 and not attisdropped and attgenerated = ''
order by attnum
"""
_SPREAD = sql.SQL("m.due_at + random() * interval '30 days'")


class Mould(Struct, frozen=True):
    """One real process, which of its rows are to be copied, and how many rows that is."""

    process_id: int
    tables: tuple[str, ...]
    rows: int
    token: str = ""


def ready(
    house: House, definition: str, value: Any, tenant: str | None = None, *, priority: int = LEAST_URGENT
) -> Mould:
    """Start one process. No worker may run: its job is to be copied with it."""
    id_ = house.start(definition, [value], tenant, priority=priority)[0]
    return _mould(house, id_, "process", "history", "job")


def finished(house: House, definition: str, value: Any) -> Mould:
    """Run one process to its end; for that a worker is started and stopped."""
    return _mould(house, _moved(house, definition, value), "process", "history")


def waiting(house: House, signal: str = "later") -> Mould:
    """Park one process on a wait for a signal under a key of its own, with a deadline, so that it has a timer too.

    Its copies' keys are `key-` and their ids.
    """
    config = {"signal": signal, "correlation_key": "${input.key}"}
    step = {"id": "wait", "type": "wait", "config": config, "timeout_seconds": A_YEAR_S}
    house.publish({"name": "waiting", "steps": [step]})
    id_ = _moved(house, "waiting", {"key": "key-"})
    return _mould(house, id_, "process", "history", "wait", "timer", token="key-")  # noqa: S106  not a secret


def sleeping(house: House) -> Mould:
    """Park one process for a year. Only its timer is copied: until then nothing else is looked at."""
    house.publish({"name": "sleeping", "steps": [{"id": "sleep", "type": "wait", "config": {"seconds": A_YEAR_S}}]})
    return _mould(house, _moved(house, "sleeping", {}), "timer")


def _moved(house: House, definition: str, value: Any) -> str:
    """Start one process, and have a worker bring it as far as it goes by itself."""
    id_ = house.start(definition, [value])[0]
    with stopping(house.worker()) as worker:
        none_left(house, worker, AT_REST)
    return id_


def _mould(house: House, public_id: str, *tables: str, token: str = "") -> Mould:
    id_, rows = private_id("prc", public_id), 0
    for table in tables:
        place = {"table": sql.Identifier("stepwell", table), "key": sql.Identifier(_keys(table)[-1])}
        statement = sql.SQL("select count(*) from {table} where {key} = %s").format(**place)
        with psycopg.connect(house.dsn("owner")) as db:
            row = db.execute(statement, (id_,)).fetchone()
        if row is None or not row[0]:
            raise Unable(f"the process that was to be copied has no row in {table}")
        rows += row[0]
    return Mould(id_, tables, rows, token)


def _keys(table: str) -> tuple[str, ...]:
    return _KEYS.get(table, ("process_id",))


def pour(house: House, mould: Mould, count: int, tell: Tell | None = None) -> None:
    """Make `count` copies, by WRITERS connections side by side; then bring the statistics up to date."""
    stop, done, lock = threading.Event(), 0, threading.Lock()
    portions = _portions(count, max(1, PORTION_ROWS // mould.rows))

    def write() -> None:
        nonlocal done
        with psycopg.connect(house.dsn("owner"), autocommit=True) as db:
            db.execute("set work_mem = '256MB'")
            statement = _statement(db, mould)
            while not stop.is_set():
                with lock:
                    portion = next(portions, 0)
                if not portion:
                    return
                db.execute(statement, {"count": portion, "mould": mould.process_id, "token": mould.token})
                with lock:
                    done += portion
                    if tell is not None:
                        tell(done)

    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write) for _ in range(WRITERS)]
        try:
            for writer in writers:
                writer.result()
        finally:
            stop.set()
    with psycopg.connect(house.dsn("owner"), autocommit=True) as db:
        for table in mould.tables:
            db.execute(sql.SQL("analyze {}").format(sql.Identifier("stepwell", table)))


def _portions(count: int, most: int) -> Iterator[int]:
    while count > 0:
        yield min(count, most)
        count -= most


def _statement(db: psycopg.Connection[Any], mould: Mould) -> sql.Composed:
    """Return the statement that makes %(count)s copies: one insert for each table, under the same new ids."""
    parts = [
        sql.SQL("{} as ({})").format(sql.Identifier(f"in_{table}"), _insert(db, table, mould)) for table in mould.tables
    ]
    fresh = sql.SQL("with fresh as materialized (select stepwell.new_id() as id from generate_series(1, %(count)s))")
    return sql.SQL("{}, {} select").format(fresh, sql.SQL(", ").join(parts))


def _insert(db: psycopg.Connection[Any], table: str, mould: Mould) -> sql.Composed:
    columns = [row[0] for row in db.execute(_COLUMNS, (table,)).fetchall() if row[0] not in _OWN]
    order = [sql.SQL("f.id"), *([sql.SQL("m.seq")] if "seq" in columns else [])]
    return sql.SQL(
        "insert into {table} ({columns}) "
        "select {values} from fresh f, {table} m where m.{key} = %(mould)s order by {order}"
    ).format(
        table=sql.Identifier("stepwell", table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(_value(table, column, mould) for column in columns),
        key=sql.Identifier(_keys(table)[-1]),
        order=sql.SQL(", ").join(order),
    )


def _value(table: str, column: str, mould: Mould) -> sql.Composable:
    """Return where a copy's value comes from."""
    if column in _keys(table):
        return sql.SQL("f.id")
    if column == "due_at" and mould.tables == ("timer",):
        return _SPREAD
    if mould.token and column in ("data", "snapshot"):
        return sql.SQL("replace(m.{}::text, %(token)s, %(token)s || f.id)::jsonb").format(sql.Identifier(column))
    if mould.token and column == "correlation":
        return sql.SQL("replace(m.correlation, %(token)s, %(token)s || f.id)")
    return sql.SQL("m.{}").format(sql.Identifier(column))
