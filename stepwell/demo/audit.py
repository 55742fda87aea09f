"""What came of the demo: read from the database by its owner and from the partner's log, compared with what must be.

The engine is not asked: ids of executions are computed here, from the process ids and the business rules in
`expectations`. Every deviation is a fault; without any the demo has succeeded.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct, field

import sql
from engine import db
from engine.core.ids import execution_id, public_id
from stepwell.ask import one
from stepwell.demo import expectations as expected
from stepwell.demo.rows import Case, Way

SHOWN = 5  # faults of one kind that are named


class Call(Struct, frozen=True):
    """What of a line of the partner's log matters here."""

    idempotency_key: str
    body_sha256: str
    effect: bool


class Attempts(Struct, frozen=True):
    """Why an execution may have been called more than once."""

    retries: int = 0  # failed and tried again, on record in history
    lost: int = 0  # in flight when its worker was killed


class Report(Struct):
    """All figures of the table, and the faults."""

    by_state: dict[tuple[str, str], int]  # (definition, status) → processes
    activities: int = 0
    retries: int = 0
    calls: int = 0
    executions: int = 0  # distinct idempotency keys at the partner
    effects: int = 0  # calls that did their work
    repeats: int = 0
    repeats_by_retry: int = 0
    repeats_by_kill: int = 0
    lost: int = 0  # executions in flight at the kill
    seconds: float = 0.0  # first start to last end
    p50_s: float = 0.0
    p95_s: float = 0.0
    rolled_back: int = 0
    faults: list[str] = field(default_factory=list)


def audit(owner: db.Connection, log: Path, cases: list[Case], rolled_back: list[int]) -> Report:
    """Return figures and faults. Transaction: none needed; everything has come to rest."""
    outcomes = owner.execute(sql.query("demo.outcomes")).fetchall()
    attempts = _attempts(owner)
    calls = read_calls(log)
    report = Report(Counter((name, status) for _, name, status, _ in outcomes), rolled_back=len(rolled_back))
    _figures(owner, report, calls, attempts)
    known = {case.process_id: case for case in cases if case.process_id}
    faults = [
        *_wrong_ends(outcomes, dict(known)),
        *_wrong_executions(calls, known),
        *_wrong_repeats(calls, attempts, report),
        *_wrong_bodies(calls),
        *_wrong_sql(owner, cases, rolled_back),
    ]
    report.faults = faults
    return report


def read_calls(log: Path) -> dict[str, list[Call]]:
    """Return the partner's calls by idempotency key."""
    calls: dict[str, list[Call]] = defaultdict(list)
    decoder = msgspec.json.Decoder(Call)
    for line in log.read_bytes().splitlines() if log.exists() else ():
        call = decoder.decode(line)
        calls[call.idempotency_key].append(call)
    return dict(calls)


def count_calls(log: Path) -> int:
    """Return how many calls the partner has had so far."""
    return log.read_bytes().count(b"\n") if log.exists() else 0


def _attempts(owner: db.Connection) -> dict[str, Attempts]:
    rows = owner.execute(sql.query("demo.attempts")).fetchall()
    return {execution_id(process_id, path): Attempts(retries, lost) for process_id, path, retries, lost in rows}


def _figures(owner: db.Connection, report: Report, calls: dict[str, list[Call]], attempts: dict[str, Attempts]) -> None:
    (report.activities,) = one(owner, "demo.activities")
    span = one(owner, "demo.span")
    report.seconds, report.p50_s, report.p95_s = (float(value or 0) for value in span)
    report.retries = sum(one.retries for one in attempts.values())
    report.lost = sum(one.lost for one in attempts.values())
    report.calls = sum(map(len, calls.values()))
    report.executions = len(calls)
    report.effects = sum(call.effect for made in calls.values() for call in made)
    report.repeats = report.calls - report.executions


def _wrong_ends(outcomes: list[db.Row], known: dict[int, Case]) -> Iterator[str]:
    """Yield each process that did not end as its row says, and each that should not be or is missing."""
    for process_id, _, status, _ in outcomes:
        case = known.pop(process_id, None)
        if case is None:
            yield f"process {public_id('prc', process_id)} belongs to no row"
            continue
        wanted = expected.expected_status(case.definition, case.row)
        if status != wanted:
            yield f"{case.order_id}: {public_id('prc', process_id)} is {status}, expected {wanted}"
    yield from (f"{case.order_id}: its process is gone" for case in known.values())


def _wrong_executions(calls: dict[str, list[Call]], known: dict[int, Case]) -> Iterator[str]:
    """Yield the executions that the partner should have seen and did not, or saw and should not have."""
    wanted = {
        execution_id(process_id, step): f"{case.order_id}/{step}"
        for process_id, case in known.items()
        for step in expected.expected_executions(case.definition, case.row)
    }
    yield from (f"{name}: the partner was never called" for key, name in wanted.items() if key not in calls)
    yield from (f"the partner was called with {key}, which nobody expects" for key in calls if key not in wanted)
    for key, made in calls.items():
        effects = sum(call.effect for call in made)
        if effects > 1:
            yield f"{wanted.get(key, key)}: took effect {effects} times"


def _wrong_repeats(calls: dict[str, list[Call]], attempts: dict[str, Attempts], report: Report) -> Iterator[str]:
    """Count why calls were repeated; yield each execution that was called more often than history explains."""
    for key, made in calls.items():
        repeats = len(made) - 1
        reasons = attempts.get(key, Attempts())
        by_retry = min(repeats, reasons.retries)
        by_kill = min(repeats - by_retry, reasons.lost)
        report.repeats_by_retry += by_retry
        report.repeats_by_kill += by_kill
        if repeats > by_retry + by_kill:
            yield f"{key}: called {len(made)} times, with {reasons.retries} retries and {reasons.lost} losses on record"


def _wrong_bodies(calls: dict[str, list[Call]]) -> Iterator[str]:
    for key, made in calls.items():
        if len({call.body_sha256 for call in made}) > 1:
            yield f"{key}: its calls differ in their bodies"


def _wrong_sql(owner: db.Connection, cases: list[Case], rolled_back: list[int]) -> Iterator[str]:
    """Yield what a rollback left behind, orders without their process, and histories with gaps."""
    public = [public_id("prc", number) for number in rolled_back]
    (left,) = one(owner, "demo.left_by", ids=rolled_back, public_ids=public)
    if left:
        yield f"{left} rows are left of transactions that were rolled back"
    stored: dict[str, str] = dict(owner.execute(sql.query("demo.orders")).fetchall())
    by_sql = [case for case in cases if case.way in (Way.SQL, Way.SQL_TWICE)]
    wanted = {case.order_id: public_id("prc", case.process_id) for case in by_sql}
    if stored != wanted:
        yield f"the shop's table has {len(stored)} orders with their processes, expected {len(wanted)}, or others"
    (gaps,) = one(owner, "demo.gaps")
    if gaps:
        yield f"{gaps} histories have gaps or doubles"


def shown(faults: list[str]) -> list[str]:
    """Return the faults worth printing."""
    more = len(faults) - SHOWN
    return faults[:SHOWN] + ([f"… and {more} more"] if more > 0 else [])
