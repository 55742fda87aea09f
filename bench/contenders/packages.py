"""Which peers are installed: Python's beside us, by the extra `bench-peers`. Nothing is imported to find out."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec

EXTRA = "bench-peers"


def needs(*modules: str) -> Callable[[], str | None]:
    """Return what says whether top-level modules can be imported."""

    def missing() -> str | None:
        absent = [module for module in modules if find_spec(module) is None]
        return f"{', '.join(absent)} not installed: pip install -e '.[{EXTRA}]'" if absent else None

    return missing


def version(package: str) -> str:
    """Return a package's version, '' where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
