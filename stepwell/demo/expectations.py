"""What the demo's rows must come to, derived from the rows alone.

The demo compares this with what the partner saw and with how the processes ended. Must not ask the engine or
read the definitions: it states the business rules of `examples/` a second time, so that a fault there shows.
A row is one line of `examples/data/`: `input` and, for orders, what the people and systems outside will do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]

ONBOARDING = "customer-onboarding"
ORDERS = "order-fulfilment"

APPROVAL_AMOUNT = 1000
RISKY_AMOUNT = 400  # from here a customer of high risk needs approval, too


def expected_executions(definition_name: str, row: Row) -> set[str]:
    """Return the ids of the http steps that call the partner, each has one effect, perhaps several calls."""
    return _CALLS[definition_name](row)


def expected_status(definition_name: str, row: Row) -> str:
    """Return the status in which the process must end."""
    return "FAILED" if expected_outcome(definition_name, row) == "declined" else "COMPLETED"


def expected_outcome(definition_name: str, row: Row) -> str:
    """Return what became of it: onboarded, shipped, rejected or declined (the payment was refused)."""
    if definition_name == ONBOARDING:
        return "onboarded"
    if rejected(row):
        return "rejected"
    return "declined" if declined(row) else "shipped"


def needs_approval(row: Row) -> bool:
    """Tell whether an order becomes somebody's task."""
    amount = row["input"]["amount"]
    risky = row["input"]["customer"]["risk"] == "high"
    return bool(amount >= APPROVAL_AMOUNT or (risky and amount >= RISKY_AMOUNT))


def rejected(row: Row) -> bool:
    """Tell whether an approver turns the order down."""
    return needs_approval(row) and row["approver_says"] == "reject"


def declined(row: Row) -> bool:
    """Tell whether the partner refuses the payment for good."""
    return str(row["input"]["payment_method"]).endswith("declined")


def _onboarding_calls(row: Row) -> set[str]:
    calls = {"assign_plan", "create_wallet", "welcome_email"}
    return calls | {"grant_credits"} if row["input"]["welcome_credits"] > 0 else calls


def _order_calls(row: Row) -> set[str]:
    if rejected(row):
        return {"reserve_stock", "release_stock", "rejection_email"}
    if declined(row):
        return {"reserve_stock", "capture_payment"}
    return {"reserve_stock", "capture_payment", "ship", "receipt_email"}


_CALLS: dict[str, Callable[[Row], set[str]]] = {ONBOARDING: _onboarding_calls, ORDERS: _order_calls}
