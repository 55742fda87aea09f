"""Where this command's database and API are: from the settings, else from what `stepwell up` left in the data folder.

The commands ask here; none of them reads the environment or the connection file by itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import msgspec
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine import db
from engine.config import Settings, read_settings
from engine.embedded import EmbeddedServer
from engine.errors import OperatorError, Unavailable
from stepwell import connection, provision
from stepwell.connection import Connection

CLUSTER = "postgres"  # folder of the embedded server within the data folder


@cache
def settings() -> Settings:
    """Return the settings of this run."""
    return read_settings(os.environ)


def embedded_exists(data_dir: Path) -> bool:
    """Tell whether the data folder holds an embedded server."""
    return (data_dir / CLUSTER / "server.json").exists()


@contextlib.contextmanager
def owner_url(chosen: Settings) -> Iterator[str]:
    """Lend the owner's connection string, with the embedded server running where that is meant."""
    if chosen.owner_database_url:
        yield chosen.owner_database_url
    elif chosen.database_url is None and embedded_exists(chosen.data_dir):
        with EmbeddedServer(chosen.data_dir / CLUSTER) as server:
            yield provision.database_of_our_own(server.dsn, connection.read(chosen.data_dir))
    elif (kept := connection.read(chosen.data_dir)) is not None and _is_meant(kept, chosen):
        yield kept.owner_url
    else:
        raise OperatorError(
            "which database is meant?",
            advice="Set STEPWELL_OWNER_DATABASE_URL to its owner's login, or run 'stepwell up' here first.",
        )


def _is_meant(kept: Connection, chosen: Settings) -> bool:
    """Tell whether the database kept by `up` on somebody's server is the one of the settings."""
    if embedded_exists(chosen.data_dir):
        return False
    return chosen.database_url is None or same_place(kept.owner_url, chosen.database_url)


@contextlib.contextmanager
def owner(chosen: Settings) -> Iterator[db.Connection]:
    """Lend an autocommitting connection as the owner. Raises psycopg.OperationalError."""
    with owner_url(chosen) as url, provision.connected(url) as opened:
        yield opened


@contextlib.contextmanager
def login_url(chosen: Settings, login: str | None) -> Iterator[str]:
    """Lend the connection string of a login that was made here, the owner's without a name."""
    with owner_url(chosen) as owners:
        kept = connection.read(chosen.data_dir)
        made = kept.logins if kept and _same_login_place(kept, owners, chosen) else {}
        if login is None:
            yield owners
        elif login in made:
            parts = conninfo_to_dict(made[login])
            yield provision.login_url(owners, login, str(parts["password"]))
        else:
            raise OperatorError(
                f"the password of '{login}' is not kept here",
                advice="Use the connection string that 'stepwell login create' printed. "
                + (f"Kept are: {', '.join(made)}" if made else "None is kept here."),
            )


def keep_login(chosen: Settings, owners: str, name: str, url: str) -> None:
    """Keep the connection string of a login beside the owner's, if it is of the database that `up` keeps here."""
    kept = connection.read(chosen.data_dir)
    if kept is not None and _same_login_place(kept, owners, chosen):
        made = msgspec.structs.replace(kept, logins={**kept.logins, name: url})
        connection.write(chosen.data_dir, made)


def forget_logins(chosen: Settings, owners: str, names: Collection[str]) -> None:
    """Forget the connection strings of logins that are no more, if they are of the database that `up` keeps here."""
    kept = connection.read(chosen.data_dir)
    if kept is not None and _same_login_place(kept, owners, chosen):
        left = {name: url for name, url in kept.logins.items() if name not in names}
        connection.write(chosen.data_dir, msgspec.structs.replace(kept, logins=left))


def _same_login_place(kept: Connection, owners: str, chosen: Settings) -> bool:
    """Tell whether the owner's URL is of the database kept here; the embedded server's port may have changed."""
    ours = not chosen.owner_database_url and embedded_exists(chosen.data_dir)
    return ours or same_place(kept.owner_url, owners)


@contextlib.contextmanager
def program(chosen: Settings, kind: str) -> Iterator[Settings]:
    """Lend the settings with the login that a program (api, worker) uses, the embedded server running if need be."""
    if chosen.database_url is not None:
        yield chosen
        return
    kept = connection.read(chosen.data_dir)
    if kept is None:
        raise OperatorError(
            f"no database: STEPWELL_DATABASE_URL is not set, and {chosen.data_dir} holds none",
            advice="Set it to the program's login, or run 'stepwell up' or 'stepwell migrate' here first.",
        )
    with contextlib.ExitStack() as stack:
        if embedded_exists(chosen.data_dir):
            server = stack.enter_context(EmbeddedServer(chosen.data_dir / CLUSTER))
            kept = at_port(kept, server.port)
        yield msgspec.structs.replace(chosen, database_url=getattr(kept, f"{kind}_url"))


def same_place(one: str, other: str) -> bool:
    """Tell whether two connection strings name the same database."""
    names = ("host", "port", "dbname")
    first, second = conninfo_to_dict(one), conninfo_to_dict(other)
    return all(str(first.get(name, "")) == str(second.get(name, "")) for name in names)


def at_port(kept: Connection, port: int) -> Connection:
    """Return the connection with another port of the embedded server."""
    names = ("owner_url", "api_url", "worker_url")
    return msgspec.structs.replace(kept, **{name: _with_port(getattr(kept, name), port) for name in names})


def _with_port(url: str, port: int) -> str:
    parts = conninfo_to_dict(make_conninfo(url, port=port))
    return provision.login_url(make_conninfo(url, port=port), str(parts["user"]), str(parts["password"]))


def api(chosen: Settings, url: str | None, key: str | None) -> tuple[str, str | None]:
    """Return the API's URL and a key: from the options, the settings, else from `stepwell up` of this folder."""
    kept = connection.read(chosen.data_dir) if url is None or key is None else None
    told = chosen.url if chosen.url != Settings().url else None
    found = url or told or (kept.url if kept else None) or chosen.url
    # The kept key is sent to the API that it was made for, and to no other.
    own = kept.key if kept and kept.url == found else None
    return found, key or chosen.api_key or own


def meant_api(chosen: Settings, url: str | None, key: str | None) -> tuple[str, str | None]:
    """Return `api`. Raises Unavailable where nothing says which one: no option, no setting, no `up` that runs here."""
    found, with_key = api(chosen, url, key)
    if with_key is None and url is None and chosen.url == Settings().url:
        raise Unavailable(
            f"no `stepwell up` runs in this folder ({chosen.data_dir})",
            advice="Start it with 'stepwell up', go to the folder where it runs, "
            "or name an API with STEPWELL_URL and STEPWELL_API_KEY.",
        )
    return found, with_key
