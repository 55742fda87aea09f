"""Fixtures of the command line's tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from stepwell import place
from tests.fix_servers import private_folder


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
