"""Fixtures of the harness's tests: a real ground, shared by all of them."""

from collections.abc import Iterator

import pytest

from bench.ground import Ground


@pytest.fixture(scope="package")
def ground() -> Iterator[Ground]:
    """Return a running server with the settings of every run."""
    with Ground() as made:
        yield made
