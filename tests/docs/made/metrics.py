"""docs/observability.md: one row for each metric."""

from __future__ import annotations

from collections.abc import Iterable

from engine.families import COUNTED, MEASURED
from engine.instruments import Declared
from tests.docs.made.markdown import code, table

_UNITS = {
    "_seconds": "seconds",
    "_seconds_total": "seconds",
    "_bytes": "bytes",
    "_months": "months",
    "_info": "always 1",
    "_registered": "0 or 1",
    "_up": "0 or 1",
}


def of_workers() -> str:
    """Return what only a worker counts."""
    return _table(said for said in COUNTED if said.programs == ("worker",))


def of_apis() -> str:
    """Return what only an API counts."""
    return _table(said for said in COUNTED if said.programs == ("api",))


def of_both() -> str:
    """Return what both count."""
    return _table(said for said in COUNTED if len(said.programs) > 1)


def measured() -> str:
    """Return what is measured in the database."""
    return _table(MEASURED)


def _table(metrics: Iterable[Declared]) -> str:
    rows = [
        (code(one.name), one.kind, _unit(one.name), ", ".join(map(code, one.labels)), one.meaning) for one in metrics
    ]
    return table(("metric", "kind", "unit", "labels", "meaning"), rows)


def _unit(name: str) -> str:
    return next((unit for end, unit in _UNITS.items() if name.endswith(end)), "number")
