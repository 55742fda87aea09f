"""What must be true of an installation whose work is done, in SQL: nothing left over, nothing lost, nothing twice.

Each check counts what breaks it. Those that look into the events' data take one process of every `every`: a sample that
is spread over the whole run.
"""

from __future__ import annotations

from typing import Any

import psycopg
from msgspec import Struct

from bench.house import House

SAMPLED = 200_000  # processes whose events are looked into


class Check(Struct, frozen=True):
    """A statement that counts faults, and what those are called. %(every)s: of how many processes it looks at one."""

    words: str
    statement: str


CHECKS = (
    Check("processes have not ended", "select count(*) from stepwell.process where ended_at is null"),
    Check("processes did not end COMPLETED", "select count(*) from stepwell.process where status <> 'COMPLETED'"),
    Check(
        "events have a gap before them, or a time before their predecessor's",
        """
        select count(*)
        from (
          select seq, at, lag(seq, 1, 0) over w as seq_before, lag(at) over w as at_before
          from stepwell.history
          window w as (partition by process_id order by seq)
        ) e
        where seq <> seq_before + 1 or at < at_before
        """,
    ),
    Check(
        "processes have another status than their history",
        """
        select count(*)
        from stepwell.process p
        left join lateral (
          select h.type from stepwell.history h
          where h.process_id = p.id and h.type like 'process.%%'
          order by h.seq desc
          limit 1
        ) last on true
        where last.type is distinct from 'process.' || lower(p.status)
        """,
    ),
    Check(
        "attempts were begun twice without being lost",
        """
        select count(*)
        from (
          select process_id, path, attempt
          from (
            select h.process_id, s ->> 'path' as path, coalesce((s ->> 'attempt')::integer, 1) as attempt
            from stepwell.history h, jsonb_array_elements(h.data -> 'starts') s
            where h.process_id %% %(every)s = 0 and h.data ? 'starts'
            union all
            select h.process_id, h.path, coalesce(h.attempt, 1)
            from stepwell.history h
            where h.process_id %% %(every)s = 0 and h.type = 'activity.started' and not h.data ? 'lost'
          ) begun
          group by process_id, path, attempt
          having count(*) > 1
        ) twice
        """,
    ),
    Check(
        "activities ended twice",
        """
        select count(*)
        from (
          select from stepwell.history
          where process_id %% %(every)s = 0 and type = 'activity.completed'
          group by process_id, path
          having count(*) > 1
        ) twice
        """,
    ),
    Check(
        "commands have two outcomes",
        """
        select count(*)
        from (
          select from stepwell.history
          where process_id %% %(every)s = 0 and data ? 'command'
          group by process_id, data -> 'command'
          having count(*) > 1
        ) twice
        """,
    ),
    *(
        Check(f"rows are left in {table}", f"select count(*) from stepwell.{table}")  # noqa: S608  names from here
        for table in ("job", "lease", "inbox", "loss", "signal_job", "wait", "timer", "task")
    ),
)


def faults(house: House) -> list[str]:
    """Return what is wrong, as sentences; nothing where all is as it should be."""
    values = {"every": max(1, house.count("select count(*) from stepwell.process") // SAMPLED)}
    with house.connect("superuser") as db:
        return [f"{found:,} {check.words}" for check in CHECKS if (found := _count(db, check, values))]


def _count(db: psycopg.Connection[Any], check: Check, values: dict[str, int]) -> int:
    row = db.execute(check.statement.encode(), values).fetchone()
    return int(row[0]) if row else 0
