"""The `newcomer` fixture: somebody with `stepwell up` running, as the first pages tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.reader import Reader, drop_login, installed


@pytest.fixture
def newcomer(database_url: str, tmp_path: Path) -> Iterator[Reader]:
    """Return a reader with `stepwell up` running, on the test's own database."""
    reader = Reader(tmp_path, database_url, STEPWELL_OWNER_DATABASE_URL=database_url)
    try:
        with installed(reader, "stepwell up"):
            yield reader
    finally:
        drop_login(database_url, "shop")
