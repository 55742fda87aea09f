"""What `stepwell doctor` looks at. Each check returns findings: `ok`, or what is wrong and what to do.

`bad` is for what breaks a promise (isolation, durability, a schema that does not fit), `hint` for what may hurt.
Checks only read. A check that a login may not make says so as a hint; the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psycopg
from msgspec import Struct
from psycopg.conninfo import conninfo_to_dict

import sql
from engine import db, standing
from engine.config import Settings, mask_url
from engine.migrate import schema_status
from stepwell.ask import maybe, one

OK, HINT, BAD = "ok", "hint", "bad"

CLOCK_SECONDS = (
    2.0  # signed tokens and "due in" texts stay sensible within this; the engine itself uses the server's clock
)
TRIP_SECONDS = 0.02  # a flush is one round trip; from here on batches fill up while it is away
CONNECTIONS = 50
TRANSACTION_SECONDS = 300
SLOT_TRANSACTIONS = 10_000_000


class Finding(Struct, frozen=True):
    """One line of the doctor's."""

    area: str
    state: str
    message: str
    advice: str = ""


Check = Callable[[db.Connection], Iterator[Finding]]


def database(url: str, checks: tuple[Check, ...], who: str) -> Iterator[Finding]:
    """Connect and run the checks."""
    began = time.monotonic()
    try:
        connection = db.connect(url, "doctor")
    except psycopg.OperationalError as error:
        message = str(error).strip().partition("\n")[0]
        yield Finding(who, BAD, f"cannot connect: {message}", f"Check {mask_url(url)}, and that the server runs.")
        return
    with connection:
        yield Finding(who, OK, f"connected as {connection.info.user} in {(time.monotonic() - began) * 1000:.0f} ms")
        for check in checks:
            try:
                yield from check(connection)
            except psycopg.errors.InsufficientPrivilege as error:
                yield Finding(who, HINT, f"not checked: {error.diag.message_primary}", "Ask again as the owner.")


def version(connection: db.Connection) -> Iterator[Finding]:
    """Look at release and encoding."""
    row = one(connection, "doctor.server")
    number, encoding = row[0], row[1]
    release = f"PostgreSQL {number // 10000}.{number % 10000}"
    if 150000 <= number < 190000:
        yield Finding("server", OK, release)
    else:
        yield Finding("server", BAD, f"{release} is not supported", "Use PostgreSQL 15, 16, 17 or 18.")
    if encoding != "UTF8":
        yield Finding("server", BAD, f"the database is in {encoding}", "Make it anew with encoding UTF8.")


def clock(connection: db.Connection) -> Iterator[Finding]:
    """Compare the clocks; measure a round trip on the way."""
    sent = time.time()
    row = one(connection, "doctor.server")
    trip = time.time() - sent
    middle = datetime.fromtimestamp(sent + trip / 2, UTC)
    apart = (row[2] - middle).total_seconds()
    said = f"{abs(apart):.3f} s {'ahead of' if apart > 0 else 'behind'} this machine's"
    if abs(apart) <= CLOCK_SECONDS:
        yield Finding("clock", OK, f"the server's is {said}")
    else:
        yield Finding("clock", BAD, f"the server's is {said}", "Synchronise both with NTP.")
    if trip <= TRIP_SECONDS:
        yield Finding("network", OK, f"a round trip takes {trip * 1000:.1f} ms")
    else:
        advice = "Run API and workers close to the database."
        yield Finding("network", HINT, f"a round trip takes {trip * 1000:.0f} ms", advice)


def tls(connection: db.Connection) -> Iterator[Finding]:
    """Look whether the connection is encrypted where it crosses a network."""
    row = one(connection, "doctor.server")
    host = connection.info.host
    if row[5]:
        mode = str(conninfo_to_dict(connection.info.dsn).get("sslmode", "prefer"))
        if mode == "verify-full" or is_local(host):
            yield Finding("tls", OK, f"encrypted, sslmode={mode}")
        else:
            whom = "whoever the authority has signed for" if mode == "verify-ca" else "any server"
            advice = "Use sslmode=verify-full, and sslrootcert with the authority that signed the server's certificate."
            yield Finding("tls", HINT, f"encrypted, but sslmode={mode} trusts {whom}", advice)
    elif is_local(host):
        yield Finding("tls", OK, "not needed: the server is on this machine")
    else:
        advice = "Switch TLS on at the server and use sslmode=verify-full."
        yield Finding("tls", BAD, f"passwords and data travel to {host} unencrypted", advice)


def is_local(host: str) -> bool:
    """Tell whether a host is this machine."""
    return host in ("", "localhost", "::1") or host.startswith(("/", "127.", "@"))


def pooler(lock_probe: bool) -> Check:
    """Return the check whether a session stays one."""

    def check(connection: db.Connection) -> Iterator[Finding]:
        if not db.is_pooled(connection):
            yield Finding("pooler", OK, "direct connection: a lost worker is noticed within about 2 s")
        elif lock_probe:
            advice = "Set STEPWELL_LOCK_PROBE=false, or connect directly."
            yield Finding("pooler", BAD, "a pooler is between; in transaction mode session locks mean nothing", advice)
        else:
            yield Finding("pooler", OK, "through a pooler: silence alone tells a lost worker")

    return check


# name → (is it bad?, how bad, what to do)
_DURABLE = "Switch it on: without it a crash of the server loses or corrupts what was committed."
SERVER_SETTINGS: dict[str, tuple[Callable[[str], bool], str, str]] = {
    "fsync": (lambda v: v == "off", BAD, _DURABLE),
    "full_page_writes": (lambda v: v == "off", BAD, _DURABLE),
    "synchronous_commit": (
        lambda v: v == "off",
        BAD,
        "Set it to on: an activity may be carried out whose decision a crash then forgets.",
    ),
    "autovacuum": (lambda v: v == "off", BAD, "Switch it on: the queue tables live by it."),
    "track_counts": (lambda v: v == "off", BAD, "Switch it on: autovacuum does nothing without it."),
    "max_connections": (lambda v: int(v) < CONNECTIONS, HINT, f"Raise it to {CONNECTIONS} or more, or use a pooler."),
    "idle_in_transaction_session_timeout": (
        lambda v: v == "0",
        HINT,
        "Set it (e.g. 60s): a forgotten transaction holds back vacuum and the feed.",
    ),
}


def server_settings(connection: db.Connection) -> Iterator[Finding]:
    """Look for settings of the server that hurt."""
    rows = connection.execute(sql.query("doctor.settings"), {"names": list(SERVER_SETTINGS)}).fetchall()
    for name, value in sorted(rows):
        hurts, state, advice = SERVER_SETTINGS[name]
        yield (
            Finding("setting", state, f"{name} = {value}", advice)
            if hurts(value)
            else Finding("setting", OK, f"{name} = {value}")
        )


def transactions(connection: db.Connection) -> Iterator[Finding]:
    """Look for what holds back vacuum and the feed."""
    parameters = {"seconds": TRANSACTION_SECONDS}
    rows = connection.execute(sql.query("doctor.old_transactions"), parameters).fetchall()
    for what, age in rows:
        advice = "End it if nobody needs it: it holds back vacuum and the feed."
        yield Finding("transactions", HINT, f"{what} has a transaction open for {age} s", advice)
    slots = connection.execute(sql.query("doctor.old_slots"), {"transactions": SLOT_TRANSACTIONS}).fetchall()
    for name, age in slots:
        advice = "Drop it if its reader is gone."
        yield Finding("transactions", HINT, f"the replication slot {name} is {age} transactions behind", advice)
    if one(connection, "doctor.sees_all") == (False,):
        advice = f"As superuser: grant pg_read_all_stats to {connection.info.user};"
        yield Finding("transactions", HINT, "those of other logins are invisible to this one", advice)
    elif not rows and not slots:
        yield Finding("transactions", OK, f"none open for more than {TRANSACTION_SECONDS} s")


def schema(connection: db.Connection) -> Iterator[Finding]:
    """Compare the schema with this release's."""
    status = schema_status(connection)
    if status.current:
        yield Finding("schema", OK, f"current ({status.applied[-1]})")
    if status.unknown:
        yield Finding("schema", BAD, f"newer than this release: {', '.join(status.unknown)}", "Run the newer release.")
    if status.altered:
        advice = "Restore the files: an applied migration is never edited."
        yield Finding("schema", BAD, f"migrations were edited after they ran: {', '.join(status.altered)}", advice)
    if status.pending or status.stale:
        names = ", ".join((*status.pending, *status.stale))
        yield Finding("schema", BAD, f"not yet applied: {names}", "Run: stepwell migrate")


def life(connection: db.Connection) -> Iterator[Finding]:
    """Look at workers, quarantine and partitions. Needs the schema, and the owner."""
    if not schema_status(connection).applied:
        return
    workers, silent = one(connection, "doctor.workers")
    if workers:
        yield Finding("workers", OK, f"{workers} registered, last seen {silent} s ago")
    else:
        yield Finding("workers", HINT, "none is running: processes do not move", "Start one: stepwell worker")
    (quarantined,) = one(connection, "doctor.quarantined")
    if quarantined:
        advice = (
            "Each took several workers down with it. List them: stepwell process list --quarantined; look at their "
            "history, and when the cause is mended let them go on: stepwell process release PROCESS"
        )
        yield Finding("quarantine", BAD, f"{quarantined} processes are in quarantine", advice)
    else:
        yield Finding("quarantine", OK, "no process is in quarantine")
    (ahead,) = one(connection, "doctor.partitions")
    if ahead:
        yield Finding("partitions", OK, "made ahead")
    else:
        yield Finding("partitions", BAD, "next month has none", "Run: stepwell migrate")


def past(connection: db.Connection) -> Iterator[Finding]:
    """Look where this database has come from: the feed's epoch, and ids that another server's clock has made."""
    if not schema_status(connection).current:
        return
    epoch, since = one(connection, "doctor.epoch")
    yield Finding("feed", OK, f"epoch {epoch}, since {since}")
    for (name,) in connection.execute(sql.query("doctor.left_prepared")).fetchall():
        advice = "Roll it back, or commit it: until then, no reader of the feed goes on."
        yield Finding("feed", BAD, f"the prepared transaction {name} is from before epoch {epoch}", advice)
    (ahead,) = one(connection, "doctor.ids_ahead")
    if ahead > CLOCK_SECONDS:
        advice = "Synchronise the server's clock: until it is past that, new processes are listed as older ones."
        yield Finding("clock", BAD, f"there are processes from {ahead} s ahead of the server's clock", advice)


def all_logins(connection: db.Connection) -> Iterator[Finding]:
    """Look at every login that is registered."""
    if not schema_status(connection).applied:
        return
    for name, kind in connection.execute(sql.query("doctor.logins")).fetchall():
        yield from login(connection, name, kind)


def own_login(connection: db.Connection) -> Iterator[Finding]:
    """Look at the login of the connection: it must be a program's."""
    yield from login(connection, connection.info.user, None)


def login(connection: db.Connection, name: str, kind: str | None) -> Iterator[Finding]:
    """Make sure that row-level security holds for a login, and that it is in its group and in no other."""
    row = maybe(connection, "doctor.role", name=name)
    if row is None:
        yield Finding("roles", HINT, f"{name} is registered, but the role is gone", "Make it again, or delete its row.")
        return
    fault = standing.passes_by(name, row, kind) or standing.misplaced(name, row, kind)
    if fault is not None:
        yield Finding("roles", BAD, fault.message, fault.advice)
    else:
        yield Finding("roles", OK, f"{name} is in {row[3][0]}, bound by row-level security")


def owners_checks(settings: Settings) -> tuple[Check, ...]:
    """Return what is checked as the owner."""
    return (
        version,
        clock,
        tls,
        pooler(settings.lock_probe),
        server_settings,
        transactions,
        schema,
        all_logins,
        life,
        past,
    )


def programs_checks(settings: Settings) -> tuple[Check, ...]:
    """Return what is checked with a program's login."""
    return (own_login, tls, pooler(settings.lock_probe))
