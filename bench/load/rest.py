"""Wait until something is done, for scenarios that stop and start workers of one house."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.cases import Unable
from bench.house import House
from bench.programs import Program

PATIENCE_S = 600.0
_LOOK_S = 0.02

AT_REST = "select (select count(*) from stepwell.lease) + (select count(*) from stepwell.job)"
OPEN = "select count(*) from stepwell.process where id >= %s and ended_at is null"


def none_left(house: House, worker: Program, statement: str, *parameters: Any, timeout_s: float = PATIENCE_S) -> None:
    """Wait until a statement counts nothing. Raises Unable when that takes too long, or when the worker ends."""
    deadline = time.monotonic() + timeout_s
    while left := house.count(statement, *parameters):
        worker.check()
        if time.monotonic() > deadline:
            raise Unable(f"{left:,} are left after {timeout_s:g} s, by: {statement}; the worker says: {worker.tail()}")
        time.sleep(_LOOK_S)


@contextmanager
def stopping(worker: Program) -> Iterator[Program]:
    """Stop a worker at the end of the block."""
    try:
        yield worker
    finally:
        worker.stop()
