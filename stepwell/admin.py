"""`stepwell tenant` and `stepwell environment`, with the owner's database login."""

from __future__ import annotations

import click
from rich.console import Console

import sql
from engine import db
from engine.errors import Conflict, NotFound
from stepwell import place, provision
from stepwell.ask import maybe
from stepwell.output import confirmed, counted, day, json_option, listing, say, show, typed, yes_option
from stepwell.revoke import Revoked, revoke_scope

tenant_option = click.option("--tenant", default=provision.DEFAULT, show_default=True, help="Name of the tenant.")
environment_option = click.option(
    "--environment", default=provision.DEFAULT, show_default=True, help="Name of the environment."
)
reason_option = click.option("--reason", help="Why; it is kept in the audit trail.")


@click.group()
def tenant() -> None:
    """Make and list tenants: shares of an installation that do not see each other."""


@tenant.command("create")
@click.argument("name")
@json_option
def tenant_create(name: str, as_json: bool) -> None:
    """Make the tenant NAME with an environment `default`."""
    provision.check_slug("a tenant", name)
    with place.owner(place.settings()) as connection, connection.transaction():
        if maybe(connection, "admin.add_tenant", name=name) is None:
            raise Conflict(f"there is a tenant '{name}' already", advice="Choose another name.")
        maybe(connection, "admin.add_environment", tenant=name, name=provision.DEFAULT)
    value = {"tenant": name, "environment": provision.DEFAULT}
    next_step = f"Made tenant {name} with environment {provision.DEFAULT}.\nNext: {typed()} key create --tenant {name}"
    show(value, lambda console: say(console, next_step), as_json=as_json)


@tenant.command("list")
@json_option
def tenant_list(as_json: bool) -> None:
    """List all tenants and their environments."""
    with place.owner(place.settings()) as connection:
        rows = connection.execute(sql.query("admin.tenants")).fetchall()
    value = [{"tenant": name, "environments": environments, "created_at": at} for name, environments, at in rows]
    cells = [
        {**one, "created_at": day(one["created_at"]), "environments": ", ".join(one["environments"])} for one in value
    ]
    choices = (("tenant", "created_at", "environments"), ("tenant", "environments"))
    show(value, lambda console: listing(console, cells, *choices), as_json=as_json)


@tenant.command("revoke")
@click.argument("name")
@reason_option
@yes_option
@json_option
def tenant_revoke(name: str, reason: str | None, yes: bool, as_json: bool) -> None:
    """Revoke all keys and logins of the tenant NAME, in all its environments. Its data stays, its processes go on."""
    with place.owner_url(place.settings()) as url, provision.connected(url) as connection:
        tenant_id = _tenant_id(connection, name)
        confirmed(f"Revoke all keys and logins of tenant {name}, in all its environments?", yes=yes)
        done = revoke_scope(connection, tenant_id, None, name, reason)
        place.forget_logins(place.settings(), url, [login.name for login in done.logins])
    _tell(done, {"tenant": name}, as_json=as_json)


def _tenant_id(connection: db.Connection, name: str) -> int:
    found = maybe(connection, "admin.scope", tenant=name, environment="")
    if found is None:
        raise NotFound(f"no tenant '{name}'", advice="Look at: stepwell tenant list")
    return int(found[0])


@click.group()
def environment() -> None:
    """Stages of a tenant (prod, test): definitions, processes, keys of their own."""


@environment.command("create")
@click.argument("name")
@tenant_option
@json_option
def environment_create(name: str, tenant: str, as_json: bool) -> None:
    """Make the environment NAME."""
    provision.check_slug("an environment", name)
    with place.owner(place.settings()) as connection:
        if maybe(connection, "admin.add_environment", tenant=tenant, name=name) is None:
            provision.find_scope(connection, tenant, name)  # or there is no such tenant
            raise Conflict(f"tenant '{tenant}' has an environment '{name}' already", advice="Choose another name.")
    next_step = f"Made environment {name}.\nNext: {typed()} key create --tenant {tenant} --environment {name}"
    value = {"tenant": tenant, "environment": name}
    show(value, lambda console: say(console, next_step), as_json=as_json)


@environment.command("list")
@click.option("--tenant", help="Only those of this tenant.")
@json_option
def environment_list(tenant: str | None, as_json: bool) -> None:
    """List the environments of all tenants, or of one."""
    with place.owner(place.settings()) as connection:
        if tenant is not None:
            _tenant_id(connection, tenant)
        rows = connection.execute(sql.query("admin.environments"), {"tenant": tenant}).fetchall()
    value = [{"tenant": of, "environment": name, "created_at": at} for of, name, at in rows]
    cells = [{**one, "created_at": day(one["created_at"])} for one in value]
    choices = (("tenant", "environment", "created_at"), ("tenant", "environment"))
    show(value, lambda console: listing(console, cells, *choices), as_json=as_json)


@environment.command("revoke")
@click.argument("name")
@tenant_option
@reason_option
@yes_option
@json_option
def environment_revoke(name: str, tenant: str, reason: str | None, yes: bool, as_json: bool) -> None:
    """Revoke all keys and logins of the environment NAME. Its data stays, its processes go on."""
    with place.owner_url(place.settings()) as url, provision.connected(url) as connection:
        scope = provision.find_scope(connection, tenant, name)
        confirmed(f"Revoke all keys and logins of environment {name} of tenant {tenant}?", yes=yes)
        done = revoke_scope(connection, scope.tenant_id, scope.environment_id, name, reason)
        place.forget_logins(place.settings(), url, [login.name for login in done.logins])
    _tell(done, {"tenant": tenant, "environment": name}, as_json=as_json)


def _tell(done: Revoked, subject: dict[str, str], *, as_json: bool) -> None:
    def human(console: Console) -> None:
        say(console, f"Revoked {counted(len(done.keys), 'key')} and {counted(len(done.logins), 'login')}.")
        for key in done.keys:
            say(console, f"{key.id}  {key.name}", 2)
        for login in done.logins:
            say(console, f"{login.name}  {login.kind}{f'  the role is kept: {login.kept}' if login.kept else ''}", 2)

    show({**subject, "keys": done.keys, "logins": done.logins}, human, as_json=as_json)
