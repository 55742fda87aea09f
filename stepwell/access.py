"""`stepwell login` and `stepwell key`: who may get in, with the owner's database login.

What is secret is shown once, when it is made: the database keeps hashes and verifiers only.
"""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Console

import sql
from engine import db
from engine.errors import BadInput
from engine.keys import SCOPES
from stepwell import place, provision
from stepwell.admin import environment_option, reason_option, tenant_option
from stepwell.output import confirmed, counted, day, json_option, listing, say, show, yes_option
from stepwell.revoke import known_key, known_login, revoke_key, revoke_login

KEY_WORKS_ON_S = 10  # api.auth.REMEMBERED_S


@click.group()
def login() -> None:
    """Database logins: for SQL callers and reports of a tenant, and for the programs."""


@login.command("create")
@click.argument("name")
@click.option("--kind", type=click.Choice(provision.KINDS), required=True, help="What it may do.")
@click.option("--tenant", help="Tenant of a caller or report login.  [default: default]")
@click.option("--environment", help="Environment of a caller or report login.  [default: default]")
@click.option(
    "--connections",
    type=click.IntRange(1, 10_000),
    help=f"How many it may have at a time.  [default: {provision.CONNECTIONS} for caller and report]",
)
@click.option("--existing", is_flag=True, help="Register a role that exists already; its password stays.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input; none is printed.")
@json_option
def login_create(
    name: str, kind: str, tenant: str | None, environment: str | None, as_json: bool, **options: Any
) -> None:
    """Make the database login NAME and print its connection string, once.

    caller: starts processes and sends commands in its own transactions, by SQL functions.
    report: reads. api, worker: what these programs use as STEPWELL_DATABASE_URL.

    Where `stepwell up` keeps this database, the connection string is kept beside it, for `stepwell psql --login NAME`.
    """
    customers = kind in ("caller", "report")
    if not customers and (tenant or environment):
        raise BadInput(f"a login of kind {kind} spans all tenants", advice="Leave --tenant and --environment out.")
    if not options["existing"]:
        provision.check_login_name(name)
    with place.owner_url(place.settings()) as url, provision.connected(url) as connection:
        names = (tenant or provision.DEFAULT, environment or provision.DEFAULT)
        scope = provision.find_scope(connection, *names) if customers else None
        _make_login(connection, url, name, kind, scope, as_json=as_json, **options)


def _make_login(  # noqa: PLR0913  the options of the command
    connection: db.Connection,
    owner_url: str,
    name: str,
    kind: str,
    scope: provision.Scope | None,
    *,
    connections: int | None,
    existing: bool,
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Make or register a login and show it."""
    if existing and password_stdin:
        raise BadInput("--existing leaves the password as it is", advice="Leave --password-stdin out.")
    value = {"name": name, "kind": kind, "url": provision.login_url(owner_url, name, None)}
    if existing:
        provision.register_login(connection, name, kind, scope, connections)
    else:
        given = _password_given() if password_stdin else None
        password = provision.add_login(connection, name, kind, scope, given, connections)
        complete = provision.login_url(owner_url, name, password)
        place.keep_login(place.settings(), owner_url, name, complete)
        if given is None:
            _once({**value, "url": complete}, "url", as_json=as_json)
            return
    show(value, lambda console: console.print(value["url"], style="bold", soft_wrap=True), as_json=as_json)


def _password_given() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise BadInput("no password came on standard input", advice="Pipe it in, as one line.")
    return password


@login.command("list")
@json_option
def login_list(as_json: bool) -> None:
    """List the database logins and what they speak for."""
    with place.owner(place.settings()) as connection:
        rows = connection.execute(sql.query("admin.logins")).fetchall()
    columns = ("name", "kind", "tenant", "environment", "created_at")
    value = [dict(zip(columns, row, strict=True)) for row in rows]
    cells = [{**one, "created_at": day(one["created_at"])} for one in value]
    show(value, lambda console: listing(console, cells, columns, columns[:-1], columns[:2]), as_json=as_json)


@login.command("revoke")
@click.argument("name")
@reason_option
@yes_option
@json_option
def login_revoke(name: str, reason: str | None, yes: bool, as_json: bool) -> None:
    """Take the login NAME back: it speaks for nobody any more, its sessions end, its role is dropped.

    A role that was registered with --existing, or that owns something, stays; it only leaves its group.
    """
    with place.owner_url(place.settings()) as url, provision.connected(url) as connection:
        known_login(connection, name)
        confirmed(f"Revoke the login {name} and drop its role?", yes=yes)
        done = revoke_login(connection, name, reason)
        place.forget_logins(place.settings(), url, [name])
    told = f"The role is kept: {done.kept}" if done.kept else f"{counted(done.sessions_ended, 'session')} ended."
    show(done, lambda console: say(console, f"Revoked {done.name}. {told}"), as_json=as_json)


@click.group()
def key() -> None:
    """Keys of the REST API."""


@key.command("create")
@click.option("--name", default="key", show_default=True, help="What it is for; shown beside what it did.")
@click.option(
    "--scopes",
    default=",".join(s for s in SCOPES if s != "admin"),
    show_default=True,
    help="What it may do, separated by commas; `admin` may do everything.",
)
@tenant_option
@environment_option
@json_option
def key_create(name: str, scopes: str, tenant: str, environment: str, as_json: bool) -> None:
    """Make an API key and print it, once."""
    provision.check_key_name(name)
    with place.owner(place.settings()) as connection:
        scope = provision.find_scope(connection, tenant, environment)
        wanted = [part.strip() for part in scopes.split(",") if part.strip()]
        made = provision.add_key(connection, scope, name, wanted)
    _once(
        {**made, "name": name, "scopes": wanted, "tenant": tenant, "environment": environment}, "key", as_json=as_json
    )


@key.command("list")
@click.option("--tenant", help="Only those of this tenant.")
@click.option("--environment", help="Only those of environments of this name.")
@click.option("--revoked", is_flag=True, help="Also those that were revoked.")
@json_option
def key_list(tenant: str | None, environment: str | None, revoked: bool, as_json: bool) -> None:
    """List API keys by their ids. The keys themselves are not kept."""
    values = {"tenant": tenant, "environment": environment, "revoked": revoked}
    with place.owner(place.settings()) as connection:
        rows = connection.execute(sql.query("admin.keys"), values).fetchall()
    columns = ("id", "name", "tenant", "environment", "scopes", "created_at", "revoked_at")
    value = [dict(zip(columns, row, strict=True)) for row in rows]
    cells = [
        {**one, "created_at": day(one["created_at"]), "revoked_at": day(one["revoked_at"])}
        | {"scopes": " ".join(one["scopes"])}
        for one in value
    ]
    when = ("revoked_at",) * revoked
    most = (*columns[:4], "created_at", *when)
    choices = ((*most, "scopes"), most, (*columns[:4], *when), (*columns[:2], *when))
    show(value, lambda console: listing(console, cells, *choices), as_json=as_json)


@key.command("revoke")
@click.argument("key_id", metavar="ID")
@reason_option
@yes_option
@json_option
def key_revoke(key_id: str, reason: str | None, yes: bool, as_json: bool) -> None:
    """Revoke the API key ID (key_…). An API that knows it accepts it for ten seconds more."""
    with place.owner(place.settings()) as connection:
        known_key(connection, key_id)
        confirmed(f"Revoke the key {key_id}?", yes=yes)
        done = revoke_key(connection, key_id, reason)
    told = f"Revoked {done.id} ({done.name}); an API that knows it accepts it for {KEY_WORKS_ON_S} s more."
    show(done, lambda console: say(console, told), as_json=as_json)


def _once(value: dict[str, Any], secret: str, *, as_json: bool) -> None:
    """Show what was made and its secret, which nobody can show again."""

    def human(console: Console) -> None:
        console.print(value[secret], style="bold", soft_wrap=True)
        console.print("Keep it now: it is not shown again.", style="yellow")

    show(value, human, as_json=as_json)
