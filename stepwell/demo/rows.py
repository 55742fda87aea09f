"""The demo's input: rows of `examples/data`, and by which way each becomes a process.

Pure but for reading the files. A row's fate does not depend on chance: the same rows take the same ways each time.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.errors import OperatorError
from stepwell.demo import expectations as expected
from stepwell.demo.expectations import ONBOARDING, ORDERS

DATA = {ONBOARDING: "onboarding.jsonl", ORDERS: "orders.jsonl"}
BULK = 50  # rows in one bulk request
PAYMENT_BY_SQL_EVERY = 4


class Way(StrEnum):
    """How a process is started."""

    BULK = "bulk"  # POST /processes/bulk
    SINGLE = "single"  # POST /processes
    SQL = "sql"  # in the transaction that stores the order
    SQL_TWICE = "sql_twice"  # the same, but the first transaction is rolled back


class Case(Struct):
    """One row and what becomes of it. `process_id` once it is started."""

    number: int
    definition: str
    row: dict[str, Any]
    input: dict[str, Any]
    way: Way
    process_id: int = 0

    @property
    def order_id(self) -> str:
        """The order's id, the customer's for an onboarding: the business key."""
        return str(self.input["order_id"] if self.definition == ORDERS else self.input["customer"]["id"])

    @property
    def payment(self) -> str | None:
        """When the payment signal comes: early, prompt, late; None: never."""
        arrives: str | None = self.row.get("payment_arrives")
        return arrives if self.definition == ORDERS and not expected.rejected(self.row) else None

    @property
    def paid_by_sql(self) -> bool:
        """Whether the payment signal is sent by SQL."""
        return self.number % PAYMENT_BY_SQL_EVERY == 0


def read_cases(examples: Path, services_url: str, limit: int | None) -> list[Case]:
    """Return the cases of both definitions, at most `limit` in all. Raises OperatorError for a missing file."""
    cases: list[Case] = []
    share = None if limit is None else (limit + 1) // 2
    for definition, name in DATA.items():
        lines = _lines(examples / "data" / name)[:share]
        for line in lines:
            row = msgspec.json.decode(line)
            number = len(cases)
            given = {"services_url": services_url, **row["input"]}
            cases.append(Case(number, definition, row, given, _way(definition, number)))
    return cases[:limit]


def _way(definition: str, number: int) -> Way:
    if definition == ORDERS and number % 8 == 0:
        return Way.SQL_TWICE if number % 24 == 0 else Way.SQL
    return Way.SINGLE if number % 8 in (1, 2) else Way.BULK


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        raise OperatorError(
            f"the demo's data is not at {path}", advice="Run it in a checkout, or name the folder with --examples."
        ) from None
