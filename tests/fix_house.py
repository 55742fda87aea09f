"""The `house` fixture: a whole installation on the test's own database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import House


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    """Return the test's own installation."""
    made = House(database_url, tmp_path)
    yield made
    made.close()
