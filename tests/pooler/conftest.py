"""The `pooled` fixture: a whole installation behind pgbouncer in transaction mode."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pooler.bouncer import PooledHouse, pooling


@pytest.fixture
def pooled(database_url: str, tmp_path: Path) -> Iterator[PooledHouse]:
    """Return the test's own installation, its programs behind a pooler."""
    with pooling(database_url) as port:
        made = PooledHouse(database_url, tmp_path, port)
        yield made
        made.close()
