"""Fixtures of the command line's tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from stepwell import place
from tests.fix_servers import private_folder
from tests.house import House


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a working folder that the embedded server's account may pass through."""
    with private_folder() as path:
        yield path


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    """Return a runner of commands in this process, in an empty folder, with no settings."""
    for name in [name for name in os.environ if name.startswith("STEPWELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    place.settings.cache_clear()
    yield CliRunner()
    place.settings.cache_clear()


@pytest.fixture
def no_program_logins(house: House) -> None:
    """Take away the logins of API and worker that another test made, perhaps as superuser: roles outlive databases.

    A house's owner may not change what a superuser has made.
    """
    with psycopg.connect(house.dsn("superuser"), autocommit=True) as superuser:
        prefix = f"{superuser.info.dbname}_"
        found = "select quote_ident(rolname) from pg_roles where rolname = any(%s)"
        for (name,) in superuser.execute(found, [[f"{prefix}{kind}_login" for kind in ("api", "worker")]]).fetchall():
            superuser.execute(f"drop owned by {name}")
            superuser.execute(f"drop role {name}")
