"""The `api` fixture: the real application, without a worker, on the test's own installation."""

from collections.abc import AsyncIterator

import pytest

from tests.api.client import Api, serving
from tests.house import House


@pytest.fixture
async def api(house: House) -> AsyncIterator[Api]:
    """Return the API; nothing but a worker is missing, and none is played."""
    async with serving(house) as made:
        yield made
