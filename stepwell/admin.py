"""Administration with the owner's database login: tenants, environments, logins, keys.

What is secret is shown once, when it is made: the database keeps hashes and verifiers only.
"""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Console

import sql
from engine import db
from engine.errors import BadInput, Conflict, NotFound
from engine.keys import SCOPES
from stepwell import place, provision
from stepwell.output import day, json_option, listing, show, table, typed

tenant_option = click.option("--tenant", default=provision.DEFAULT, show_default=True, help="Name of the tenant.")
environment_option = click.option(
    "--environment", default=provision.DEFAULT, show_default=True, help="Name of the environment."
)


@click.group()
def tenant() -> None:
    """Make and list tenants: shares of an installation that do not see each other."""


@tenant.command("create")
@click.argument("name")
@json_option
def tenant_create(name: str, as_json: bool) -> None:
    """Make the tenant NAME with an environment `default`."""
    with place.owner(place.settings()) as connection, connection.transaction():
        made = connection.execute(sql.query("admin.add_tenant"), {"name": name}).fetchone()
        if made is None:
            raise Conflict(f"there is a tenant '{name}' already", advice="Choose another name.")
        values = {"tenant": name, "name": provision.DEFAULT}
        connection.execute(sql.query("admin.add_environment"), values)
    value = {"tenant": name, "environment": provision.DEFAULT}
    next_step = f"Made tenant {name} with environment {provision.DEFAULT}.\nNext: {typed()} key create --tenant {name}"
    show(value, lambda console: console.print(next_step, soft_wrap=True, markup=False), as_json=as_json)


@tenant.command("list")
@json_option
def tenant_list(as_json: bool) -> None:
    """List all tenants and their environments."""
    with place.owner(place.settings()) as connection:
        rows = connection.execute(sql.query("admin.tenants")).fetchall()
    value = [{"tenant": name, "environments": environments, "created_at": at} for name, environments, at in rows]
    cells = [(name, day(at), ", ".join(environments)) for name, environments, at in rows]
    made = table(None, ("tenant", "created_at", "environments"), cells)
    show(value, lambda console: console.print(made), as_json=as_json)


@click.group()
def environment() -> None:
    """Stages of a tenant (prod, test): definitions, processes, keys of their own."""


@environment.command("create")
@click.argument("name")
@tenant_option
@json_option
def environment_create(name: str, tenant: str, as_json: bool) -> None:
    """Make the environment NAME."""
    with place.owner(place.settings()) as connection:
        values = {"tenant": tenant, "name": name}
        made = connection.execute(sql.query("admin.add_environment"), values).fetchone()
        if (
            made is None
            and connection.execute(sql.query("admin.scope"), {**values, "environment": name}).fetchone() is None
        ):
            raise NotFound(f"no tenant '{tenant}'", advice=f"Make it with: stepwell tenant create {tenant}")
        if made is None:
            raise Conflict(f"tenant '{tenant}' has an environment '{name}' already", advice="Choose another name.")
    next_step = f"Made environment {name}.\nNext: {typed()} key create --tenant {tenant} --environment {name}"
    show(
        {"tenant": tenant, "environment": name},
        lambda console: console.print(next_step, soft_wrap=True, markup=False),
        as_json=as_json,
    )


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
    with place.owner(place.settings()) as connection:
        scope = provision.find_scope(connection, tenant, environment)
        wanted = [part.strip() for part in scopes.split(",") if part.strip()]
        made = provision.add_key(connection, scope, name, wanted)
    _once(
        {**made, "name": name, "scopes": wanted, "tenant": tenant, "environment": environment}, "key", as_json=as_json
    )


def _once(value: dict[str, Any], secret: str, *, as_json: bool) -> None:
    """Show what was made and its secret, which nobody can show again."""

    def human(console: Console) -> None:
        console.print(value[secret], style="bold", soft_wrap=True)
        console.print("Keep it now: it is not shown again.", style="yellow")

    show(value, human, as_json=as_json)
