"""The previous release as it was: its own code, from this repository's history, run as real programs."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.embedded import EmbeddedServer
from tests.api.client import new_key
from tests.backup.sites import DATABASE
from tests.crash.test_outage import answers
from tests.docs.pages import ROOT
from tests.house import OWNER, PASSWORD, House, eventually

COMMIT = "898c992df3bd3d7bb72663413db0eaf65f682cdd"  # the last with migration 0006 as its newest
PARTS = ("sql", "engine", "api", "bridges", "bench", "stepwell", "tests", "pyproject.toml")


def unpack(into: Path) -> Path:
    """Write the previous release's files into a folder; skip the test where there is no history to take them from."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout: there is no history to take the previous release from")
    command = ["/usr/bin/env", "git", "-C", str(ROOT), "archive", COMMIT, *PARTS]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"the previous release is not in this checkout's history: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(into, filter="data")
    return into


def install(on: EmbeddedServer, release: Path) -> None:
    """Make the database as the previous release makes it."""
    with psycopg.connect(on.dsn, autocommit=True) as db:
        db.execute(f"create database {DATABASE}")
    parts = conninfo_to_dict(make_conninfo(on.dsn, dbname=DATABASE))
    script = f"from tests.house import load_schema; load_schema(**{parts!r})"
    run([sys.executable, "-c", script], release, PYTHONPATH=str(release))


@contextmanager
def migrating(house: House) -> Iterator[Callable[[], str]]:
    """Run this release's `stepwell migrate`; lend what it has told so far. At the end of the block it must succeed."""
    owner = make_conninfo(house.superuser_dsn, user=OWNER, password=PASSWORD)
    told = house.folder / "migrate.log"
    with told.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stepwell", "migrate"],
            cwd=house.folder,
            env={**clean(), "STEPWELL_OWNER_DATABASE_URL": owner},
            stdout=log,
            stderr=log,
        )
    try:
        yield told.read_text
        assert process.wait(60) == 0, told.read_text()
    finally:
        process.kill()
        process.wait()


def run(command: list[str], folder: Path, **environment: str) -> None:
    """Run a program to its end, which must be a good one."""
    done = subprocess.run(
        command, cwd=folder, env={**clean(), **environment}, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def clean() -> dict[str, str]:
    """Return our environment without settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("STEPWELL_")}


@contextmanager
def api(house: House, **environment: str) -> Iterator[httpx.Client]:
    """Run the API program, of the release that PYTHONPATH names if it does; return a client of it."""
    key = new_key(house, "acme_prod", ["admin"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (house.folder / f"api-{port}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stepwell", "api", "--port", str(port)],
            cwd=house.folder,
            env={**clean(), "STEPWELL_DATABASE_URL": house.dsn("house_api"), **environment},
            stdout=log,
            stderr=log,
        )
    url, headers = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {key}"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
            eventually(lambda: answers(client, 200), what="the API is ready")
            yield client
    finally:
        process.terminate()
        process.wait(10)
