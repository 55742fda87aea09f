"""Somebody who follows a page step by step, with an installation at hand.

A block is run if its fence says so: `sh run`, `sql run as LOGIN [returns VALUE]`, `yaml NAME.yaml`. Ids that no page can
know are written `prc_...` and `tsk_...`, and stand for the one seen last.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.docs.pages import Block
from tests.house import eventually

BIN = Path(sys.executable).parent


class Reader:
    """Somebody who follows a page step by step in a folder, with an installation at hand."""

    def __init__(self, folder: Path, superuser: str, **settings: str) -> None:
        self.folder = folder
        self.superuser = superuser
        self.seen: dict[str, str] = {}
        # Without COLUMNS, which pytest-xdist sets: a terminal has the width it has.
        clean = {n: value for n, value in os.environ.items() if not n.startswith("STEPWELL_") and n != "COLUMNS"}
        self.environment = {**clean, "PATH": f"{BIN}{os.pathsep}{clean['PATH']}", **settings}

    def follow(self, steps: list[Block]) -> None:
        """Do what the blocks say."""
        before: Block | None = None
        for step in steps:
            if step.title.endswith(".yaml"):
                (self.folder / step.title).write_text(step.text)
            elif (step.language, step.title) == ("sh", "run"):
                if before is not None:
                    self._await_ids(step, before)
                self.shell(step.text)
                before = step
            elif step.language == "sql" and step.title.startswith("run as"):
                self.sql(step)

    def shell(self, script: str) -> str:
        """Run a script; remember the ids it prints."""
        done = subprocess.run(
            ["/bin/sh", "-euc", self.filled(script)],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert '"urn:stepwell:problem' not in done.stdout, done.stdout
        self.remember(done.stdout)
        return done.stdout

    def remember(self, output: str) -> None:
        """Remember the ids and connection strings that were printed."""
        for found in re.findall(r"\b((?:prc|tsk)_[0-9a-z]{13,})\b", output):
            self.seen[found[:3]] = found
        for url in re.findall(r'"(postgresql://(\w+):[^"]+)"', output):
            self.seen[url[1]] = url[0]

    def sql(self, block: Block) -> None:
        """Execute a block as the login its fence names."""
        _, _, login, *rest = block.title.split()
        with psycopg.connect(self.seen.get(login, self.superuser), autocommit=True) as db:
            cursor = db.execute(self.filled(block.text))
            if rest:
                assert cursor.fetchone() == (int(rest[1]),), block.text

    def filled(self, text: str) -> str:
        """Return a text with the ids that it leaves open."""
        return re.sub(r"\b(prc|tsk)_\.\.\.", lambda found: self.seen[found[1]], text)

    def _await_ids(self, step: Block, before: Block) -> None:
        """Look again until the id that a step needs has come: a worker is faster than a reader, not than a test."""
        for prefix in re.findall(r"\b(prc|tsk)_\.\.\.", step.text):
            eventually(lambda p=prefix: p in self.seen or (self.shell(before.text) and p in self.seen), what=prefix)  # type: ignore[misc]


@contextmanager
def installed(reader: Reader, command: str) -> Iterator[None]:
    """Run `stepwell up` as a page says, on the reader's own database, with one worker and on a port of its own."""
    written = reader.folder / "up.log"
    with written.open("w") as log:
        up = subprocess.Popen(
            ["/bin/sh", "-c", f"exec env {command.strip()} --workers 1 --port {free_port()}"],
            cwd=reader.folder, env=reader.environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        eventually(
            lambda: up.poll() is not None or "Ctrl-C stops everything" in written.read_text(), what="stepwell up"
        )
        assert up.poll() is None, written.read_text()
        kept = json.loads((reader.folder / ".stepwell" / "connection.json").read_text())
        reader.environment |= {"STEPWELL_URL": kept["url"], "STEPWELL_API_KEY": kept["key"]}
        yield
    finally:
        up.terminate()
        up.wait(20)


def free_port() -> int:
    """Return a port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def drop_login(superuser: str, name: str) -> None:
    """Take a login away again: roles outlive the test's database."""
    with psycopg.connect(superuser, autocommit=True) as db:
        if db.execute("select from pg_roles where rolname = %s", (name,)).fetchone() is not None:
            db.execute(f"drop owned by {name}; drop role {name}")
